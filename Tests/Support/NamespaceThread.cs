// A thread in a network namespace of its own.
using System.Collections.Concurrent;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// A thread in a network namespace of its own. What is run in it stays on that thread across awaits, so sockets are opened and
/// processes are started inside. Needs root. When it is disposed the kernel removes everything in it.
/// </summary>
internal sealed class NamespaceThread : IDisposable
{
    private const ushort VETH_INFO_PEER = 1;
    private const ushort IFLA_INFO_DATA = 2;
    private const ushort IFLA_NET_NS_PID = 19;
    private const int IfInfoSize = 16;

    private readonly BlockingCollection<Action> _work = [];
    private readonly TaskCompletionSource<int> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;

    private NamespaceThread(string name)
    {
        PoolThreads.EnsureMade();
        _thread = new Thread(Work) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Number of the thread, which names the namespace in <c>/proc</c> and to the kernel.</summary>
    public int ThreadId => _ready.Task.Result;

    /// <summary>Makes a namespace whose loopback is up.</summary>
    public static async Task<NamespaceThread> CreateAsync(string name, CancellationToken cancellationToken)
    {
        var space = new NamespaceThread(name);
        await space._ready.Task.WaitAsync(cancellationToken);
        await space.RunAsync(() => new NetlinkLinkClient(TimeProvider.System).SetUpAsync("lo", cancellationToken));
        return space;
    }

    /// <summary>Runs <paramref name="body"/> inside.</summary>
    public Task RunAsync(Func<Task> body) => RunAsync(async () =>
    {
        await body();
        return true;
    });

    /// <summary>Runs <paramref name="body"/> inside.</summary>
    public Task<T> RunAsync<T>(Func<Task<T>> body)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(async () =>
        {
            try
            {
                result.SetResult(await body());
            }
            catch (Exception e)
            {
                result.SetException(e);
            }
        });
        return result.Task;
    }

    /// <summary>Lays a cable: a veth pair between this namespace and another one. Both ends are up.</summary>
    /// <param name="name">Name of the end in here.</param>
    /// <param name="other">The other namespace.</param>
    /// <param name="otherName">Name of the end over there.</param>
    /// <param name="cancellationToken">Checked before each call.</param>
    public async Task ConnectAsync(string name, NamespaceThread other, string otherName, CancellationToken cancellationToken)
    {
        await RunAsync(() => new NetlinkTransport(NETLINK_ROUTE, TimeProvider.System).RunAsync(
            $"connect {name} to {otherName}",
            connection =>
            {
                connection.Execute(WriteVeth(connection.Request, name, otherName, other.ThreadId));
                return true;
            },
            hint: null,
            cancellationToken));
        await RunAsync(() => new NetlinkLinkClient(TimeProvider.System).SetUpAsync(name, cancellationToken));
        await other.RunAsync(() => new NetlinkLinkClient(TimeProvider.System).SetUpAsync(otherName, cancellationToken));
    }

    /// <summary>Ends the thread; the namespace goes with it.</summary>
    public void Dispose()
    {
        _work.CompleteAdding();
        _thread.Join();
        _work.Dispose();
    }

    // linux/veth.h: the peer is described by a link message of its own.
    private static Span<byte> WriteVeth(Span<byte> buffer, string name, string peerName, int peerThreadId)
    {
        var writer = new NetlinkWriter(buffer, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
        WriteIfInfo(ref writer);
        writer.WriteString(IFLA_IFNAME, name);
        var info = writer.BeginNested(IFLA_LINKINFO);
        writer.WriteString(IFLA_INFO_KIND, "veth");
        var data = writer.BeginNested(IFLA_INFO_DATA);
        var peer = writer.BeginNested(VETH_INFO_PEER);
        WriteIfInfo(ref writer);
        writer.WriteString(IFLA_IFNAME, peerName);
        writer.WriteUInt32(IFLA_NET_NS_PID, (uint)peerThreadId);
        writer.EndNested(peer);
        writer.EndNested(data);
        writer.EndNested(info);
        return writer.Complete();
    }

    private static void WriteIfInfo(ref NetlinkWriter writer)
    {
        for (var written = 0; written < IfInfoSize; written += sizeof(uint))
        {
            writer.WriteUInt32(0);
        }
    }

    private void Work()
    {
        try
        {
            Native.Check(Native.Unshare(Native.CLONE_NEWNET), "unshare(CLONE_NEWNET)");
            SynchronizationContext.SetSynchronizationContext(new Context(_work));
            _ready.SetResult(Native.GetThreadId());
        }
        catch (InvalidOperationException e)
        {
            _ready.SetException(e);
            return;
        }

        foreach (var action in _work.GetConsumingEnumerable())
        {
            action();
        }
    }

    // Brings continuations back to the thread. A case that timed out may still have some when its namespace is gone; they lead nowhere.
    private sealed class Context(BlockingCollection<Action> work) : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
            try
            {
                work.Add(() => d(state));
            }
            catch (Exception e) when (e is InvalidOperationException or ObjectDisposedException)
            {
                Console.Error.WriteLine($"A continuation came after its namespace was gone: {e.Message}");
            }
        }

        public override SynchronizationContext CreateCopy() => new Context(work);
    }
}
