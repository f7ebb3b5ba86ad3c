using System.Globalization;
using System.Text.Json;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>TCP throughput from one pod to another by iperf3.</summary>
internal static class TcpThroughput
{
    // TCP begins slowly; these seconds are left out.
    private const int SecondsToOmit = 2;

    /// <summary>Sends for so long from one pod to the other.</summary>
    /// <returns>Mbit/s as the receiver saw them.</returns>
    /// <exception cref="CommandException">iperf3 failed.</exception>
    public static async Task<double> MeasureAsync(
        MeshHarness mesh, NodePlan from, NodePlan to, TimeSpan duration, CancellationToken cancellationToken)
    {
        // It goes to the background itself once it listens, so the client does not come too early; the mesh ends it with its namespace.
        (await Command.RunAsync("ip", ["netns", "exec", to.PodNamespace, "iperf3", "--server", "--daemon"], cancellationToken))
            .EnsureSuccess();
        var seconds = ((int)duration.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        var omit = SecondsToOmit.ToString(CultureInfo.InvariantCulture);
        var result = await Command.RunAsync(
            "ip",
            ["netns", "exec", from.PodNamespace, "iperf3", "--client", to.PodAddress.ToString(), "--time", seconds, "--omit", omit, "--json"],
            cancellationToken);
        return Parse(result.EnsureSuccess().Output);
    }

    /// <summary>Reads the throughput from the answer of <c>iperf3 --json</c>.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static double Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.GetProperty("end").GetProperty("sum_received")
                .GetProperty("bits_per_second").GetDouble() / 1_000_000;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"'iperf3 --json' printed no throughput: {e.Message}", e);
        }
    }
}
