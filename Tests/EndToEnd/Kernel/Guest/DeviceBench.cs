// Compares our client with wg(8) on the same kernel. Runs in the guest: `Tests/EndToEnd/Kernel/run bench`.
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.Silo.Agent;

namespace Orleans.WireGuard.Tests.EndToEnd.Kernel.Guest;

/// <summary>
/// Times a device with many peers. Each line is
/// <c>BENCH|peers|what|ours ms|wg's ms|start of wg ms|ratio|ratio without the start|KiB allocated</c>; the medians of <see cref="Rounds"/>
/// rounds that alternate between both. At the end come the goals: <c>GOAL|what|reached|at most</c>.
/// </summary>
/// <remarks>
/// wg(8) is a process that has to be started, which is part of what it costs; the time that <c>wg --version</c> takes is therefore printed
/// beside it and taken off in the second ratio.
/// </remarks>
internal static class DeviceBench
{
    private const int Rounds = 5;

    // An endpoint that no peer has; a device that is told it has one change to find.
    private const ushort OtherPort = 999;

    // Milliseconds; below it, what is left after the start is taken off is noise.
    private const double MinDifference = 5;
    private const string FromEmpty = "from empty";
    private const string OneChange = "one change";
    private const string Wg = "/usr/bin/wg";
    private static readonly int[] Sizes = [10, 50, 100, 1000, 5000];
    private static int _devices;

    /// <summary>Compares for every number of peers, and prints the lines.</summary>
    public static async Task RunAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(Wg))
        {
            Console.WriteLine("SKIP|wg is missing (package: wireguard-tools)");
            return;
        }

        var client = new NetlinkWireGuardClient(TimeProvider.System);
        Dictionary<(int Size, string What), (double Ours, double Ratio)> results = [];
        foreach (var size in Sizes)
        {
            var peers = Enumerable.Range(1, size).Select(Peer).ToArray();
            var configuration = Path.Combine(Path.GetTempPath(), "bench.conf");
            await File.WriteAllTextAsync(configuration, Print(peers), cancellationToken);
            var all = new DevicePatch(null, null, [.. peers]);
            results[(size, FromEmpty)] = await CompareAsync(
                size,
                FromEmpty,
                name => client.CreateDeviceAsync(name, cancellationToken),
                name => client.ConfigureAsync(name, all, cancellationToken),
                name => $"setconf {name} {configuration}");

            var full = await CreateAsync(name => client.CreateDeviceAsync(name, cancellationToken));
            await client.ConfigureAsync(full, all, cancellationToken);
            var port = 1000;
            PeerPatch Change() => new(Key(1), PeerChange.Update, new IPEndPoint(IPAddress.Loopback, ++port));
            results[(size, OneChange)] = await CompareAsync(
                size,
                OneChange,
                create: null,
                _ => client.ConfigureAsync(full, new DevicePatch(null, null, [Change()]), cancellationToken),
                _ => $"set {full} peer {Key(1)} endpoint {Change().Endpoint}");
            await client.ConfigureAsync(full, all, cancellationToken);

            // As the agent and syncconf do it: read all, compare all, write what differs. Before each of both, one peer is moved away.
            var away = new DevicePatch(
                null, null, [new PeerPatch(Key(1), PeerChange.Update, new IPEndPoint(IPAddress.Loopback, OtherPort))]);
            var desired = new DesiredDevice(
                full, null, (await client.TryGetDeviceAsync(full, cancellationToken))!.ListenPort, [.. peers.Select(ToDesired)]);
            await CompareAsync(size, "one change to find", _ => client.ConfigureAsync(full, away, cancellationToken), _ =>
                ReconcileAsync(client, desired, cancellationToken), _ => $"syncconf {full} {configuration}");
            await CompareAsync(size, "nothing to do", create: null, _ =>
                ReconcileAsync(client, desired, cancellationToken), _ => $"syncconf {full} {configuration}");
        }

        var (few, many) = (results[(50, OneChange)].Ours, results[(5000, OneChange)].Ours);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"GOAL|1,000 peers from empty, against wg setconf|{results[(1000, FromEmpty)].Ratio:F2}|1.2"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"GOAL|one change on 5,000 peers, against 50|{many / few:F2}|1.5"));
    }

    private static async Task ReconcileAsync(NetlinkWireGuardClient client, DesiredDevice desired, CancellationToken cancellationToken)
    {
        var observed = await client.TryGetDeviceAsync(desired.Name, cancellationToken)
            ?? throw new InvalidOperationException($"{desired.Name} is gone.");
        await client.ConfigureAsync(desired.Name, DevicePatchBuilder.Build(desired, observed), cancellationToken);
    }

    private static DesiredPeer ToDesired(PeerPatch peer) =>
        new(peer.PublicKey, [peer.Endpoint!], peer.AllowedIPs!.Value, peer.PersistentKeepaliveInterval!.Value);

    // Devices are made anew, never deleted: the kernel waits for a grace period for each peer of a device that goes (netif_napi_del), which
    // is milliseconds here, and the guest does not outlive this.
    private static async Task<string> CreateAsync(Func<string, Task>? create)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"owgbench{_devices++}");
        if (create is not null)
        {
            await create(name);
        }

        return name;
    }

    private static async Task<(double Ours, double Ratio)> CompareAsync(
        int size, string what, Func<string, Task>? create, Func<string, Task> ours, Func<string, string> theirs)
    {
        List<double> oursTimes = [];
        List<double> wgTimes = [];
        List<double> startTimes = [];
        long allocated = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var name = await CreateAsync(create);
            var before = GC.GetAllocatedBytesForCurrentThread();
            oursTimes.Add(await TimeAsync(() => ours(name)));
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            name = await CreateAsync(create);
            wgTimes.Add(await TimeAsync(() => StartAsync(theirs(name))));
            startTimes.Add(await TimeAsync(() => StartAsync("--version")));
        }

        var (our, wg, start) = (Median(oursTimes), Median(wgTimes), Median(startTimes));
        var withoutStart = wg - start < MinDifference ? "-" : (our / (wg - start)).ToString("F2", CultureInfo.InvariantCulture);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"BENCH|{size}|{what}|{our:F2}|{wg:F2}|{start:F2}|{our / wg:F2}|{withoutStart}|{allocated / 1024}"));
        return (our, our / wg);
    }

    private static async Task<double> TimeAsync(Func<Task> action)
    {
        var clock = Stopwatch.StartNew();
        await action();
        return clock.Elapsed.TotalMilliseconds;
    }

    private static async Task StartAsync(string arguments) =>
        (await Command.RunAsync(Wg, arguments.Split(' '), CancellationToken.None)).EnsureSuccess();

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static PeerPatch Peer(int number) => new(
        Key(number),
        PeerChange.Add,
        new IPEndPoint(new IPAddress([198, 51, (byte)(number >> 8), (byte)number]), 51871),
        TimeSpan.Zero,
        [IPPrefix.Parse($"10.{1 + (number >> 8)}.{number & 255}.0/24"), IPPrefix.Parse($"fd00:{number:x}::/64")]);

    private static PublicKey Key(int number)
    {
        var key = new byte[PublicKey.Size];
        new Random(number).NextBytes(key);
        return new PublicKey(key);
    }

    private static string Print(PeerPatch[] peers)
    {
        var text = new StringBuilder("[Interface]\n");
        foreach (var peer in peers)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"[Peer]\nPublicKey = {peer.PublicKey}\nEndpoint = {peer.Endpoint}\nAllowedIPs = {string.Join(", ", peer.AllowedIPs!.Value)}\n");
        }

        return text.ToString();
    }
}
