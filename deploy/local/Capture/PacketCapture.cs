using System.Globalization;
using System.Text.RegularExpressions;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Capture;

/// <summary>A capture of every frame on the underlay bridge, by tcpdump without a filter.</summary>
internal sealed partial class PacketCapture
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly OwnedProcess _process;
    private readonly string _log;
    private readonly TimeProvider _timeProvider;

    private PacketCapture(OwnedProcess process, string file, string log, TimeProvider timeProvider) =>
        (_process, File, _log, _timeProvider) = (process, file, log, timeProvider);

    /// <summary>The capture file.</summary>
    public string File { get; }

    /// <summary>Starts capturing, and returns when no frame can be missed any more.</summary>
    /// <param name="mesh">Whose bridge is listened at.</param>
    /// <param name="name">Name of the file, without extension.</param>
    /// <param name="timeProvider">Times the wait for its first word.</param>
    /// <param name="cancellationToken">Gives up; the process ends with the mesh.</param>
    /// <param name="bufferKiB">How much the kernel keeps for tcpdump; by default enough for a pause of seconds.</param>
    public static async Task<PacketCapture> StartAsync(
        MeshHarness mesh, string name, TimeProvider timeProvider, CancellationToken cancellationToken, int bufferKiB = 16 * 1024)
    {
        var file = Path.Combine(mesh.State.CaptureDirectory, name + ".pcap");
        var log = Path.Combine(mesh.State.CaptureDirectory, name + ".log");

        // The bridge itself, promiscuous: it sees every frame once, also those between two of its ports. -Z because tcpdump would give up
        // root before it opens the file.
        var process = mesh.Recorder.Start(
            ["tcpdump", "-i", mesh.Plan.Bridge, "-n", "-s", "0", "-U", "-B", FormattableString.Invariant($"{bufferKiB}"), "-Z", "root", "-w", file],
            log);
        var start = timeProvider.GetTimestamp();
        while (!Read(log).Contains("listening on", StringComparison.Ordinal))
        {
            if (!process.IsAlive || timeProvider.GetElapsedTime(start) > Patience)
            {
                throw new MeshFailedException($"tcpdump does not capture on {mesh.Plan.Bridge}:\n{LogTail.Read(log)}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), timeProvider, cancellationToken);
        }

        return new PacketCapture(process, file, log, timeProvider);
    }

    /// <summary>Ends the capture and counts what it holds.</summary>
    /// <returns>The counts, and how many frames the kernel could not hand over.</returns>
    /// <exception cref="MeshFailedException">tcpdump did not end, so the capture cannot be trusted.</exception>
    public async Task<(CaptureTally Tally, int Dropped)> StopAsync(FrameClassifier classifier, CancellationToken cancellationToken)
    {
        var dropped = await StopAsync(cancellationToken);
        using var stream = new BufferedStream(System.IO.File.OpenRead(File));
        return (CaptureTally.Count(PcapReader.Read(stream), classifier), dropped);
    }

    /// <summary>Ends the capture.</summary>
    /// <returns>How many frames the kernel could not hand over.</returns>
    /// <exception cref="MeshFailedException">tcpdump did not end, so the capture cannot be trusted.</exception>
    public async Task<int> StopAsync(CancellationToken cancellationToken)
    {
        _process.Signal(NativeMethods.SIGINT);
        if (!await _process.WaitForExitAsync(Patience, _timeProvider, cancellationToken))
        {
            throw new MeshFailedException($"tcpdump (process {_process.Id}) did not end.");
        }

        var dropped = DroppedPattern().Match(Read(_log));
        return dropped.Success
            ? int.Parse(dropped.Groups[1].Value, CultureInfo.InvariantCulture)
            : throw new MeshFailedException($"tcpdump ended without its statistics:\n{LogTail.Read(_log)}");
    }

    private static string Read(string log) => System.IO.File.Exists(log) ? System.IO.File.ReadAllText(log) : "";

    [GeneratedRegex("([0-9]+) packets? dropped by kernel")]
    private static partial Regex DroppedPattern();
}
