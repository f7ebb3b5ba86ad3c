using System.Collections;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Topology;
using NamedNamespace = Orleans.WireGuard.LocalMesh.Processes.NetworkNamespace;

namespace Orleans.WireGuard.Tests.EndToEnd.Kernel;

/// <summary>Packets from one pod to another.</summary>
/// <param name="From">Whose pod sends.</param>
/// <param name="To">Whose pod receives.</param>
/// <param name="IsIPv6">By which family.</param>
internal sealed record Flow(NodePlan From, NodePlan To, bool IsIPv6 = false);

/// <summary>What became of the packets of a flow.</summary>
/// <param name="Flow">Between which pods, and how fast.</param>
/// <param name="Sent">How many were sent, those counted that the system refused to send.</param>
/// <param name="Lost">How many of them never arrived.</param>
/// <param name="PerSecond">The rate that was reached.</param>
/// <param name="LongestSilence">The longest time between two arrivals.</param>
/// <param name="Latency">From the call that sends to the return of the call that receives.</param>
internal sealed record FlowReport(Flow Flow, int Sent, int Lost, double PerSecond, TimeSpan LongestSilence, LatencyHistogram Latency)
{
    /// <summary>The report in a few words.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Flow.From.PodName} to {Flow.To.PodName}{(Flow.IsIPv6 ? " IPv6" : "")}: {Sent} sent at {PerSecond:0}/s, {Lost} lost, longest silence {LongestSilence.TotalMilliseconds:0} ms, p99.9 {Latency.Quantile(0.999).TotalMilliseconds:0.0} ms");
}

/// <summary>Numbered UDP packets between pods, some every tick at a steady pace, until it is stopped.</summary>
/// <remarks>
/// Two threads for each flow, with blocking calls: in an emulation the framework's event loop costs more than the packets. A sender that
/// the machine held up does not catch up with a burst, which would measure the queues; it falls behind, and the rate that was reached says
/// so.
/// </remarks>
internal sealed class PodTraffic : IDisposable
{
    private const int Port = 7001;
    private const int PayloadLength = 100;

    // Ten minutes at 2,000 a second.
    private const int MaxPackets = 1_200_000;

    // What is sent at most at once: more than a tick's worth, less than any queue on the way.
    private const int MaxBurst = 64;

    // A second of packets, while the receiver waits for its turn; the kernel counts some 800 bytes for a small one.
    private const int ReceiveBuffer = 8 << 20;

    // A wake takes the cached address translations from whoever ran before, and an emulation finds them again slowly.
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan ReceiveTimeout = TimeSpan.FromMilliseconds(200);

    private readonly CancellationTokenSource _stopSending = new();
    private readonly CancellationTokenSource _stopReceiving = new();
    private readonly List<Run> _runs;

    private PodTraffic(IEnumerable<Flow> flows, int perSecond) =>
        _runs = [.. flows.Select(flow => new Run(flow, perSecond, _stopSending.Token, _stopReceiving.Token))];

    /// <summary>Starts sending.</summary>
    /// <param name="perSecond">Packets of each flow.</param>
    /// <param name="flows">One flow for each family and direction at most.</param>
    public static PodTraffic Start(int perSecond, params IEnumerable<Flow> flows) => new(flows, perSecond);

    /// <summary>Stops sending, gives the last packets time to arrive, and counts.</summary>
    public async Task<IReadOnlyList<FlowReport>> StopAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        await _stopSending.CancelAsync();
        await Task.Delay(patience, TimeProvider.System, cancellationToken);
        await _stopReceiving.CancelAsync();
        return [.. _runs.Select(run => run.Complete())];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stopSending.Cancel();
        _stopReceiving.Cancel();
        _runs.ForEach(run => run.Dispose());
        _stopSending.Dispose();
        _stopReceiving.Dispose();
    }

    private sealed class Run : IDisposable
    {
        private readonly Flow _flow;
        private readonly int _perSecond;
        private readonly CancellationToken _stopSending;
        private readonly CancellationToken _stopReceiving;
        private readonly Socket _sender;
        private readonly Socket _receiver;
        private readonly Thread _sending;
        private readonly Thread _receiving;
        private readonly BitArray _arrived = new(MaxPackets);
        private readonly LatencyHistogram _latency = new();
        private int _sent;
        private int _received;
        private TimeSpan _sendingTime;
        private TimeSpan _silence;

        public Run(Flow flow, int perSecond, CancellationToken stopSending, CancellationToken stopReceiving)
        {
            (_flow, _perSecond, _stopSending, _stopReceiving) = (flow, perSecond, stopSending, stopReceiving);
            var target = new IPEndPoint(Address(flow.To), Port);
            _receiver = NamedNamespace.Run(flow.To.PodNamespace, () => Bind(target));
            _receiver.ReceiveBufferSize = ReceiveBuffer;
            _receiver.ReceiveTimeout = (int)ReceiveTimeout.TotalMilliseconds;
            _sender = NamedNamespace.Run(flow.From.PodNamespace, () => Bind(new IPEndPoint(Address(flow.From), 0)));
            _receiving = new Thread(Receive) { IsBackground = true };
            _sending = new Thread(() => Send(target)) { IsBackground = true };
            _receiving.Start();
            _sending.Start();
        }

        public FlowReport Complete()
        {
            _sending.Join();
            _receiving.Join();
            return new FlowReport(_flow, _sent, _sent - _received, _sent / _sendingTime.TotalSeconds, _silence, _latency);
        }

        public void Dispose()
        {
            _sending.Join();
            _receiving.Join();
            _sender.Dispose();
            _receiver.Dispose();
        }

        private IPAddress Address(NodePlan node) => _flow.IsIPv6 ? node.IPv6!.PodAddress : node.PodAddress;

        private static Socket Bind(IPEndPoint endpoint)
        {
            var socket = new Socket(endpoint.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(endpoint);
            return socket;
        }

        private void Send(IPEndPoint target)
        {
            var packet = new byte[PayloadLength];
            var address = target.Serialize();
            var clock = Stopwatch.StartNew();
            var skipped = 0L;
            while (!_stopSending.IsCancellationRequested && _sent < MaxPackets)
            {
                var due = (long)(clock.Elapsed.TotalSeconds * _perSecond) - skipped;
                skipped += Math.Max(0, due - _sent - MaxBurst);
                for (var burst = Math.Min(due - _sent, MaxBurst); burst > 0 && _sent < MaxPackets; burst--)
                {
                    BitConverter.TryWriteBytes(packet, _sent++);
                    BitConverter.TryWriteBytes(packet.AsSpan(sizeof(int)), Stopwatch.GetTimestamp());
                    try
                    {
                        _ = _sender.SendTo(packet, SocketFlags.None, address);
                    }
                    catch (SocketException)
                    {
                        // Refused, by an unreachable route for instance: a packet that does not arrive.
                    }
                }

                _ = _stopSending.WaitHandle.WaitOne(Tick);
            }

            _sendingTime = clock.Elapsed;
        }

        private void Receive()
        {
            var packet = new byte[PayloadLength];
            long last = 0;
            while (!_stopReceiving.IsCancellationRequested)
            {
                try
                {
                    var length = _receiver.Receive(packet);
                    var number = BitConverter.ToInt32(packet);
                    if (length != PayloadLength || number is < 0 or >= MaxPackets || _arrived[number])
                    {
                        continue;
                    }

                    var now = Stopwatch.GetTimestamp();
                    var silence = last == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(last, now);
                    (last, _silence) = (now, silence > _silence ? silence : _silence);
                    _latency.Add(Stopwatch.GetElapsedTime(BitConverter.ToInt64(packet, sizeof(int)), now));
                    _arrived[number] = true;
                    _received++;
                }
                catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
                {
                    // Looks whether to stop.
                }
            }
        }
    }
}
