// Keeps the thread pool in the network namespace of the process.
namespace Orleans.WireGuard.Tests.Support;

/// <summary>Makes the threads of the pool before any of them could be made in another network namespace.</summary>
/// <remarks>
/// Linux puts a new thread into the namespaces of the thread that made it, and the pool makes its threads on whichever thread gives it
/// work. Work given from inside a namespace, such as the continuation of an await, may so leave a thread of the pool in there for good:
/// what is done on it later is done in the wrong network, an <c>ip link</c> without the links, a <c>redis-server</c> that cannot bind. The
/// project files say that threads of the pool never end (<c>System.Threading.ThreadPool.ThreadsToKeepAlive</c>), so there are always enough
/// of them and none is made later.
/// </remarks>
internal static class PoolThreads
{
    // Many more than ever run at once on the machines that tests run on. Those that wait cost an address range.
    private const int Count = 64;

    private const string Name = ".NET TP Worker";

    private static readonly Lazy<bool> Made = new(Make);

    /// <summary>The namespace that the process is in.</summary>
    public static string OwnNamespace => new FileInfo("/proc/self/ns/net").LinkTarget!;

    /// <summary>Sees to it that they are made. Call it in the namespace of the process, before entering another one.</summary>
    public static void EnsureMade() => _ = Made.Value;

    /// <summary>The namespaces that threads of the pool are in, as <c>net:[number]</c>; one, if all is well.</summary>
    public static IReadOnlyList<string> FindNamespaces() =>
        [.. Directory.EnumerateDirectories("/proc/self/task").Select(FindNamespace).OfType<string>().Distinct()];

    private static string? FindNamespace(string task)
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "comm")).TrimEnd() == Name
                ? new FileInfo(Path.Combine(task, "ns", "net")).LinkTarget
                : null;
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return null;
        }
    }

    private static bool Make()
    {
        ThreadPool.GetMinThreads(out var workers, out var ports);
        ThreadPool.SetMinThreads(Math.Max(workers, Count), ports);

        // As long as none of them ends, each piece of work needs a thread of its own. Not disposed: the last to arrive is here before the
        // others leave.
        var all = new CountdownEvent(Count);
        for (var i = 0; i < Count; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static countdown =>
                {
                    countdown.Signal();
                    countdown.Wait();
                },
                all,
                preferLocal: false);
        }

        all.Wait();
        return true;
    }
}
