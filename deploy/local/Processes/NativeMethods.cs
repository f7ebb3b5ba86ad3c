using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Orleans.WireGuard.LocalMesh.Processes;

/// <summary>The system calls that the framework does not offer.</summary>
internal static partial class NativeMethods
{
    /// <summary>Ask to end, <c>signal(7)</c>.</summary>
    public const int SIGTERM = 15;

    /// <summary>End without asking.</summary>
    public const int SIGKILL = 9;

    /// <summary>SIGSTOP.</summary>
    public const int SIGSTOP = 19;

    /// <summary>Go on after <see cref="SIGSTOP"/>.</summary>
    public const int SIGCONT = 18;

    /// <summary>What a terminal sends for Ctrl-C.</summary>
    public const int SIGINT = 2;

    /// <summary><c>setns(2)</c>: a network namespace.</summary>
    public const int CLONE_NEWNET = 0x40000000;

    /// <summary><c>sched(7)</c>: real time, taking turns.</summary>
    public const int SCHED_RR = 2;

    /// <summary><c>kill(2)</c>.</summary>
    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int pid, int signal);

    /// <summary><c>setns(2)</c>: moves the calling thread, and only it, into a namespace.</summary>
    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    public static partial int SetNamespace(SafeFileHandle file, int kind);

    /// <summary><c>sched_setscheduler(2)</c> for one thread; its <c>struct sched_param</c> is the priority and nothing else.</summary>
    [LibraryImport("libc", EntryPoint = "sched_setscheduler", SetLastError = true)]
    public static partial int SetScheduler(int thread, int policy, in int priority);

    /// <summary><c>geteuid(2)</c>.</summary>
    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint EffectiveUserId();
}
