// System calls that tests need and the product does not.
using System.Runtime.InteropServices;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Namespaces and capabilities of the calling thread.</summary>
internal static partial class Native
{
    /// <summary>CLONE_NEWNET of linux/sched.h.</summary>
    public const int CLONE_NEWNET = 0x40000000;

    private const string LibC = "libc";

    // linux/capability.h: _LINUX_CAPABILITY_VERSION_3 and two words per set.
    private const uint CapabilityVersion3 = 0x20080522;

    [LibraryImport(LibC, EntryPoint = "unshare", SetLastError = true)]
    internal static partial int Unshare(int flags);

    [LibraryImport(LibC, EntryPoint = "setns", SetLastError = true)]
    internal static partial int SetNamespace(SafeHandle handle, int kind);

    [LibraryImport(LibC, EntryPoint = "gettid")]
    internal static partial int GetThreadId();

    /// <summary>Gives up every capability of this thread, and of it alone.</summary>
    public static void DropCapabilities()
    {
        ReadOnlySpan<uint> header = [CapabilityVersion3, 0];
        ReadOnlySpan<uint> none = stackalloc uint[6];
        Check(CapSet(header, none), "capset");
    }

    /// <summary>rename(2): also of a link, which the framework looks through.</summary>
    public static void Rename(string from, string to) => Check(RenamePath(from, to), "rename");

    /// <summary>Throws if a system call failed.</summary>
    public static void Check(int result, string call)
    {
        if (result < 0)
        {
            throw new InvalidOperationException($"{call}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }
    }

    [LibraryImport(LibC, EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenamePath(string from, string to);

    [LibraryImport(LibC, EntryPoint = "capset", SetLastError = true)]
    private static partial int CapSet(ReadOnlySpan<uint> header, ReadOnlySpan<uint> data);
}
