using System.Net;
using System.Net.Sockets;
using System.Runtime;
using System.Security.Cryptography;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.LocalMesh.Meter;

/// <summary>Sends numbered packets from every endpoint to every other one at a steady rate, and books what arrives and when.</summary>
/// <remarks>
/// <code>
/// one thread sends for all: every 2 ms, for each direction, what is due     one thread for each endpoint receives
///   sequence, timestamp ──▶ socket in namespace of A ──▶ tunnel ──▶ socket in namespace of B ──▶ timestamp, ledger
/// </code>
/// Threads that block in system calls, because the latency of a thread pool would be measured too. All namespaces of a machine have one
/// monotonic clock, so each direction is measured by itself and not by its way back.
/// </remarks>
internal sealed class PacketMeter : IAsyncDisposable
{
    /// <summary>Packets in a second and direction unless told otherwise.</summary>
    public const int DefaultRate = 2_000;

    /// <summary>How long the last packets may take; what has not arrived then is lost.</summary>
    public static readonly TimeSpan Drain = TimeSpan.FromSeconds(1);

    private const int Port = 40_000;
    private const int MaxBurst = 32;

    // The receiver may be kept off the processor for a while; what overflows its buffer would look like a loss on the way.
    private const int BufferSize = 8 << 20;

    // A collection stops all threads and is itself an ordinary one, so on a busy machine the sender would be mute for 90 ms. This is enough
    // for some minutes of whatever else the process does; after that the meter goes on with collections.
    private const long MemoryWithoutCollection = 200 << 20;

    // socket(7): beyond what net.core.rmem_max allows, for root.
    private const int SOL_SOCKET = 1;
    private const int SO_SNDBUFFORCE = 32;
    private const int SO_RCVBUFFORCE = 33;

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan ReceiveTimeout = TimeSpan.FromMilliseconds(200);

    private readonly TimeProvider _timeProvider;
    private readonly uint _run = BitConverter.ToUInt32(RandomNumberGenerator.GetBytes(sizeof(uint)));
    private readonly List<Socket> _sockets = [];
    private readonly List<Flow> _flows = [];
    private readonly CancellationTokenSource _stopSending = new();
    private readonly CancellationTokenSource _stopReceiving = new();
    private readonly Pacer _pacer;
    private readonly long _start;
    private readonly Task _sender;
    private readonly Task[] _receivers;

    /// <summary>Opens the sockets and starts.</summary>
    /// <param name="endpoints">Two or more.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="rate">Packets in a second and direction.</param>
    public PacketMeter(IReadOnlyList<MeterEndpoint> endpoints, TimeProvider timeProvider, int rate = DefaultRate)
    {
        (_timeProvider, _pacer) = (timeProvider, new Pacer(rate, MaxBurst));
        foreach (var endpoint in endpoints)
        {
            _sockets.Add(Open(endpoint));
        }

        for (var from = 0; from < endpoints.Count; from++)
        {
            foreach (var to in endpoints.Where(to => to != endpoints[from]))
            {
                var ledger = new FlowLedger(new NodePair(endpoints[from].Name, to.Name), timeProvider);
                _flows.Add(new Flow(_sockets[from], new IPEndPoint(to.Address, Port).Serialize(), ledger));
            }
        }

        if (GCSettings.LatencyMode != GCLatencyMode.NoGCRegion)
        {
            _ = GC.TryStartNoGCRegion(MemoryWithoutCollection);
        }

        _receivers = [.. _sockets.Select(socket => RunOnThreadAsync(() => Receive(socket)))];
        _start = timeProvider.GetTimestamp();
        _sender = RunOnThreadAsync(Send);
    }

    /// <summary>Time since the first packet: what <see cref="LossBurst.At"/> counts from.</summary>
    public TimeSpan Elapsed => _timeProvider.GetElapsedTime(_start);

    /// <summary>Packets that are lost by now: sent at least <see cref="Drain"/> ago and not arrived.</summary>
    public long LostSoFar
    {
        get
        {
            var before = _timeProvider.GetTimestamp() - (long)(Drain.TotalSeconds * _timeProvider.TimestampFrequency);
            return _flows.Sum(flow => flow.Ledger.CountMissing(before));
        }
    }

    /// <summary>Stops sending, gives the last packets their time, and tells what happened.</summary>
    public async Task<MeterReport> StopAsync(CancellationToken cancellationToken)
    {
        await _stopSending.CancelAsync();
        await _sender;
        var duration = Elapsed;
        await Task.Delay(Drain, _timeProvider, cancellationToken);
        await _stopReceiving.CancelAsync();
        await Task.WhenAll(_receivers);
        return new MeterReport(duration, _pacer.Skipped, [.. _flows.Select(flow => flow.Ledger.Report())]);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopSending.CancelAsync();
        await _stopReceiving.CancelAsync();
        await Task.WhenAll([_sender, .. _receivers]);
        if (GCSettings.LatencyMode == GCLatencyMode.NoGCRegion)
        {
            GC.EndNoGCRegion();
        }

        _sockets.ForEach(socket => socket.Dispose());
        _stopSending.Dispose();
        _stopReceiving.Dispose();
    }

    // Not a thread of the pool, which would be missing there for the whole run. Without real time the meter works, and measures the load
    // too.
    private static Task RunOnThreadAsync(Action action) => Task.Factory.StartNew(
        () =>
        {
            _ = RealTimePriority.Take();
            action();
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    private static Socket Open(MeterEndpoint endpoint) => NetworkNamespace.Run(endpoint.Namespace, () =>
    {
        var socket = new Socket(endpoint.Address.AddressFamily, SocketType.Dgram, ProtocolType.Udp)
        {
            ReceiveTimeout = (int)ReceiveTimeout.TotalMilliseconds,
        };
        socket.SetRawSocketOption(SOL_SOCKET, SO_SNDBUFFORCE, BitConverter.GetBytes(BufferSize));
        socket.SetRawSocketOption(SOL_SOCKET, SO_RCVBUFFORCE, BitConverter.GetBytes(BufferSize));
        socket.Bind(new IPEndPoint(endpoint.Address, Port));
        return socket;
    });

    private void Send()
    {
        var packet = new byte[MeterPacket.Size];
        do
        {
            for (var due = _pacer.Due(Elapsed); due > 0; due--)
            {
                for (var flow = 0; flow < _flows.Count; flow++)
                {
                    Send(flow, packet);
                }
            }
        }
        while (!_stopSending.Token.WaitHandle.WaitOne(Tick));
    }

    private void Send(int number, byte[] packet)
    {
        var flow = _flows[number];
        var now = _timeProvider.GetTimestamp();
        new MeterPacket(_run, number, flow.Ledger.Send(now), now).Write(packet);
        try
        {
            flow.Socket.SendTo(packet, SocketFlags.None, flow.To);
        }
        catch (SocketException)
        {
            // No route, say. The ledger has the packet, and it will not arrive.
            flow.Ledger.Refuse();
        }
    }

    private void Receive(Socket socket)
    {
        // One byte more than a packet, so that a longer one is not taken for one.
        var buffer = new byte[MeterPacket.Size + 1];
        while (!_stopReceiving.IsCancellationRequested)
        {
            try
            {
                var length = socket.Receive(buffer);
                var now = _timeProvider.GetTimestamp();
                if (MeterPacket.TryRead(buffer.AsSpan(0, length), _run, out var packet) && packet.Flow >= 0 && packet.Flow < _flows.Count)
                {
                    _flows[packet.Flow].Ledger.Receive(packet.Sequence, packet.SentAt, now);
                }
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.MessageSize)
            {
                // Nothing came, or somebody else's packet: look whether to stop.
            }
        }
    }

    private sealed record Flow(Socket Socket, SocketAddress To, FlowLedger Ledger);
}
