using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>Pings every pod from every other one, at a steady pace, until it is disposed.</summary>
/// <remarks>
/// One raw socket for each pod instead of one <c>ping</c> process for each pair: 20 nodes have 380 pairs. The kernel of the
/// pod that is asked answers. Each ping carries the marker, by which a capture recognises it wherever it shows in clear.
/// </remarks>
internal sealed class PodPinger : IAsyncDisposable
{
    private const int PayloadLength = 56;

    private readonly MeshPlan _plan;
    private readonly PingLedger _ledger;
    private readonly TimeSpan _interval;
    private readonly TimeProvider _timeProvider;
    private readonly ushort _identifier;
    private readonly byte[] _payload = new byte[PayloadLength];
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Socket> _sockets = [];
    private readonly List<Task> _loops = [];

    /// <summary>Opens the sockets and starts.</summary>
    /// <param name="plan">The pods.</param>
    /// <param name="ledger">Gets every ping and reply.</param>
    /// <param name="marker">At most 56 bytes, at the start of every payload.</param>
    /// <param name="interval">Between two pings of one pair.</param>
    /// <param name="timeProvider">The clock.</param>
    public PodPinger(MeshPlan plan, PingLedger ledger, ReadOnlySpan<byte> marker, TimeSpan interval, TimeProvider timeProvider)
    {
        (_plan, _ledger, _interval, _timeProvider) = (plan, ledger, interval, timeProvider);
        _identifier = BitConverter.ToUInt16(marker);
        marker.CopyTo(_payload);
        foreach (var node in plan.Nodes)
        {
            var socket = NetworkNamespace.Run(
                node.PodNamespace, () => new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp));
            _sockets.Add(socket);
            _loops.Add(SendAsync(socket, node, _stop.Token));
            _loops.Add(ReceiveAsync(socket, node, _stop.Token));
        }
    }

    /// <summary>A pace that keeps all pairs together below about 500 pings a second.</summary>
    public static TimeSpan PaceFor(MeshPlan plan) =>
        TimeSpan.FromMilliseconds(Math.Max(200, 2 * plan.Nodes.Count * (plan.Nodes.Count - 1)));

    /// <summary>Stops and waits for both loops of every pod.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_loops);
        _sockets.ForEach(s => s.Dispose());
        _stop.Dispose();
    }

    private async Task SendAsync(Socket socket, NodePlan from, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(_interval, _timeProvider);
        try
        {
            do
            {
                foreach (var to in _plan.Nodes.Where(n => n != from))
                {
                    var sequence = _ledger.Send(new NodePair(from.Name, to.Name), _timeProvider.GetUtcNow());
                    try
                    {
                        await socket.SendToAsync(
                            EchoPacket.Encode(_identifier, sequence, _payload), SocketFlags.None,
                            new IPEndPoint(to.PodAddress, 0), cancellationToken);
                    }
                    catch (SocketException)
                    {
                        // Booked as sent and never answered, which is what a pod would see.
                    }
                }
            }
            while (await timer.WaitForNextTickAsync(cancellationToken));
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }

    private async Task ReceiveAsync(Socket socket, NodePlan from, CancellationToken cancellationToken)
    {
        var names = _plan.Nodes.ToDictionary(n => n.PodAddress, n => n.Name);
        var buffer = new byte[2048];
        var any = new IPEndPoint(IPAddress.Any, 0);
        while (true)
        {
            try
            {
                var received = await socket.ReceiveFromAsync(buffer, SocketFlags.None, any, cancellationToken);
                if (EchoPacket.TryReadReply(buffer.AsSpan(0, received.ReceivedBytes), _identifier, out var sequence)
                    && names.TryGetValue(((IPEndPoint)received.RemoteEndPoint).Address, out var to))
                {
                    _ledger.Reply(new NodePair(from.Name, to), sequence);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException)
            {
                // An ICMP error about an earlier ping; that ping stays unanswered.
            }
        }
    }
}
