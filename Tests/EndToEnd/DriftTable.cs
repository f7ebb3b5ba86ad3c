using System.Globalization;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>One kind of tampering, and what the silo did about it.</summary>
/// <param name="Kind">What was done.</param>
/// <param name="Repaired">From the end of the command that did it until everything was as before.</param>
/// <param name="Counted">The kinds that the silo counted meanwhile; empty if it was not asked.</param>
internal sealed record DriftRow(DriftKind Kind, TimeSpan Repaired, string Counted)
{
    /// <summary>The row as people read it.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Kind,-19} repaired after {Repaired.TotalMilliseconds,5:0} ms{(Counted.Length > 0 ? "; counted: " + Counted : "")}");
}

/// <summary>
/// Does everything to a node that somebody else could do, and measures how long it lasts. For any transport, with or without a test
/// framework.
/// </summary>
internal static class DriftTable
{
    // Everything that we configure, as wg and ip show it, without what traffic changes. When a device lost its sessions, traffic goes
    // through the other one if that has some, so a route may lead through either.
    private static readonly string Show =
        "wg show {dev} private-key; wg show {dev} listen-port; wg show {dev} fwmark; wg show {dev} endpoints; "
        + "wg show {dev} allowed-ips; wg show {dev} persistent-keepalive; ip -o link show {dev} | grep -o -e 'UP,' -e ',UP' -e 'mtu [0-9]*'; "
        + "cat /proc/sys/net/ipv4/conf/{dev}/rp_filter; ip -o address show {dev} | grep -o 'inet 169[^ ]*'; "
        + $"ip route show table 201 | sed -E 's/{ActiveDevice.Pattern}/DEVICE/'; ip rule show | grep 'lookup 201'";

    // A repair that needs the resync takes 30 s; longer than that is none.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan CountPatience = TimeSpan.FromSeconds(20);

    // One that hits a device in the middle of starting would measure the start, one right after a read of the device only the interval of
    // reads.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1_300);

    /// <summary>A kind of drift, and the command of somebody else, in order.</summary>
    public static IReadOnlyList<(DriftKind Kind, string Command)> Tampering { get; } =
    [
        (DriftKind.PeerRemoved, "wg set {dev} peer {peer} remove"),
        (DriftKind.PeerAdded, "wg set {dev} peer {stranger} allowed-ips 203.0.113.0/24"),
        (DriftKind.EndpointChanged, "wg set {dev} peer {peer} endpoint 203.0.113.9:9"),
        (DriftKind.AllowedIPsChanged, "wg set {dev} peer {peer} allowed-ips 203.0.113.0/24"),
        (DriftKind.KeepaliveChanged, "wg set {dev} peer {peer} persistent-keepalive 7"),
        (DriftKind.PortChanged, "wg set {dev} listen-port 51999"),
        (DriftKind.FirewallMarkChanged, "wg set {dev} fwmark 0x7"),
        (DriftKind.KeyChanged, "wg genkey | wg set {dev} private-key /dev/stdin"),
        (DriftKind.LinkDown, "ip link set {dev} down"),
        (DriftKind.MtuChanged, "ip link set {dev} mtu 1300"),
        (DriftKind.SourceCheckChanged, "echo 1 > /proc/sys/net/ipv4/conf/{dev}/rp_filter"),
        (DriftKind.AddressDeleted, "ip address flush dev {dev}"),
        (DriftKind.RouteDeleted, "ip route flush table 201"),
        (DriftKind.RouteAdded, "ip route add 203.0.113.0/24 dev {dev} table 201 proto 201"),
        (DriftKind.RouteAdded, "ip route add default dev {dev} table 201"),
        (DriftKind.RuleDeleted, "ip rule delete lookup 201"),
        (DriftKind.RuleAdded, "ip rule add from 203.0.113.0/24 lookup 201 pref 201 protocol 201"),

        // In one process, because a link that is up again by the repair of the first half keeps its name.
        (DriftKind.LinkRenamed, "for try in 1 2 3 4 5; do printf 'link set {dev} down\nlink set {dev} name owgrenamed\n' | ip -batch - && break; done "
            + "&& { ip link set owgrenamed up || :; }"),
        (DriftKind.LinkDeleted, "ip link delete {dev}"),
    ];

    /// <summary>Runs the whole table on a node.</summary>
    /// <param name="mesh">The mesh, ready.</param>
    /// <param name="node">Whom it happens to.</param>
    /// <param name="readCounts">Reads what the silo has counted, by kind; <see langword="null"/> leaves the counts out.</param>
    /// <param name="waitReady">Waits until the silo is ready again.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ExpectationException">One was never repaired.</exception>
    public static async Task<IReadOnlyList<DriftRow>> RunAsync(
        MeshHarness mesh, NodePlan node, Func<Task<Dictionary<string, long>>>? readCounts,
        Func<Task> waitReady, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var stranger = (await ShellAsync("wg genkey | wg pubkey")).EnsureSuccess().Output.Trim();
        var table = new List<DriftRow>();
        foreach (var (kind, command) in Tampering)
        {
            var device = await ActiveDevice.FindAsync(mesh, node, cancellationToken);
            var (wanted, before) = (await SettledAsync(device), await CountsAsync());
            var peer = DeviceDump.Parse((await ShellAsync($"wg show {device} dump")).EnsureSuccess().Output, out _).Peers[0].PublicKey;
            var line = command.Replace("{dev}", device, StringComparison.Ordinal).Replace("{peer}", peer, StringComparison.Ordinal)
                .Replace("{stranger}", stranger, StringComparison.Ordinal);

            (await ShellAsync(line)).EnsureSuccess();
            var started = time.GetTimestamp();
            string seen;
            TimeSpan elapsed;
            do
            {
                // With the time that looking takes, which is a part of a second in an emulation.
                seen = await StateAsync(device);
                elapsed = time.GetElapsedTime(started);
                Expect.True(elapsed < Patience, $"{kind} was repaired; it is\n{seen}\ninstead of\n{wanted}");
            }
            while (seen != wanted);

            table.Add(new DriftRow(kind, elapsed, await CountedAsync(kind, before)));
            await waitReady();
            await Task.Delay(Pause, time, cancellationToken);
        }

        return table;

        Task<CommandResult> ShellAsync(string line) => mesh.RunAsync(node, cancellationToken, "sh", "-c", line);

        // Of a peer's own addresses each is right, and one that did not answer for a while is followed by the next.
        async Task<string> StateAsync(string device) => mesh.Plan.Nodes.Where(other => other != node).Aggregate(
            (await ShellAsync(Show.Replace("{dev}", device, StringComparison.Ordinal))).Output,
            (state, other) => state.Replace($"{other.Address}:", "ANNOUNCED:", StringComparison.Ordinal)
                .Replace($"[{other.IPv6?.Address}]:", "ANNOUNCED:", StringComparison.Ordinal));

        // While a handshake is being started its keepalive is on, which is not how it was before.
        async Task<string> SettledAsync(string device)
        {
            var started = time.GetTimestamp();
            string state;
            while ((state = await StateAsync(device)).Contains("\t25\n", StringComparison.Ordinal))
            {
                Expect.True(time.GetElapsedTime(started) < Patience, $"the handshakes of {node.Name} are over; it is\n{state}");
                await Task.Delay(Pause, time, cancellationToken);
            }

            return state;
        }

        async Task<Dictionary<string, long>> CountsAsync() => readCounts is null ? [] : await readCounts();

        // The repair may be visible before the silo has published what it counted.
        async Task<string> CountedAsync(DriftKind kind, Dictionary<string, long> before)
        {
            var started = time.GetTimestamp();
            Dictionary<string, long> now;
            do
            {
                now = await CountsAsync();
            }
            while (readCounts is not null && now.GetValueOrDefault(kind.ToString()) <= before.GetValueOrDefault(kind.ToString())
                && time.GetElapsedTime(started) < CountPatience);

            return string.Join(", ", now.Where(count => count.Value > before.GetValueOrDefault(count.Key)).Select(count => count.Key));
        }
    }
}
