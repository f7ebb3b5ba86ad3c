using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Orleans.WireGuard.LocalMesh.Processes;

/// <summary>Runs a short piece of code inside a named network namespace.</summary>
/// <remarks>
/// A socket belongs for life to the namespace of the thread that made it, and <c>/proc/sys/net</c> shows the namespace of the
/// thread that opens it. So one borrowed thread is enough to ping from twenty pods without twenty child processes.
/// </remarks>
internal static class NetworkNamespace
{
    /// <summary>Where <c>ip netns</c> keeps its handles.</summary>
    public const string HandleDirectory = "/run/netns";

    /// <summary>Path of a namespace's handle.</summary>
    public static string HandleOf(string name) => Path.Combine(HandleDirectory, name);

    /// <summary>Runs <paramref name="function"/> on a thread of its own inside <paramref name="name"/>.</summary>
    /// <exception cref="Win32Exception">The namespace could not be entered.</exception>
    public static T Run<T>(string name, Func<T> function)
    {
        T? result = default;
        Exception? failure = null;

        // A thread that is never reused: one from the pool would carry the namespace into unrelated work.
        var thread = new Thread(() =>
        {
            try
            {
                Enter(name);
                result = function();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null)
        {
            throw new InvalidOperationException($"Work in network namespace '{name}' failed: {failure.Message}", failure);
        }

        return result!;
    }

    /// <inheritdoc cref="Run{T}(string, Func{T})"/>
    public static void Run(string name, Action action) => Run(name, () =>
    {
        action();
        return true;
    });

    private static void Enter(string name)
    {
        using var handle = File.OpenHandle(HandleOf(name));
        if (NativeMethods.SetNamespace(handle, NativeMethods.CLONE_NEWNET) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"setns to {HandleOf(name)}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }
}
