using System.Globalization;
using System.Text.Json;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>Many packets from pod to pod through the tunnels, and what the witness counted of them.</summary>
internal static class TunnelFlood
{
    private const int PingsPerDirection = 2;

    /// <summary>Sends echo requests between two pods, both ways, each as soon as the one before is answered.</summary>
    /// <param name="mesh">Whose first two pods they are.</param>
    /// <param name="packets">How many, requests and answers together.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>How many requests were answered.</returns>
    /// <exception cref="CommandException">ping failed.</exception>
    public static async Task<int> SendAsync(MeshHarness mesh, int packets, CancellationToken cancellationToken)
    {
        var (from, to) = (mesh.Plan.Nodes[0], mesh.Plan.Nodes[1]);
        var each = (packets / (2 * 2 * PingsPerDirection)).ToString(CultureInfo.InvariantCulture);
        var answered = await Task.WhenAll(
            Enumerable.Repeat((From: from, To: to), PingsPerDirection)
                .Concat(Enumerable.Repeat((From: to, To: from), PingsPerDirection)).Select(async way =>
            {
                var result = await Command.RunAsync(
                    "ip", ["netns", "exec", way.From.PodNamespace, "ping", "-f", "-q", "-c", each, way.To.PodAddress.ToString()],
                    cancellationToken);
                return ParseAnswered(result.EnsureSuccess().Output);
            }));
        return answered.Sum();
    }

    /// <summary>
    /// Reads the counters of a node's witness, by name; without those that belong to a single link, which come and go with it.
    /// </summary>
    public static async Task<IReadOnlyDictionary<string, long>> ReadWitnessAsync(
        MeshHarness mesh, NodePlan node, CancellationToken cancellationToken) =>
        ParseCounters((await mesh.RunAsync(
            node, cancellationToken, "nft", "-j", "list", "counters", "table", "netdev", "orleans_wireguard")).EnsureSuccess().Output)
            .Where(counter => !char.IsAsciiDigit(counter.Key[^1])).ToDictionary();

    /// <summary>Reads how many were answered from the last lines of ping(8).</summary>
    /// <exception cref="FormatException">They do not say.</exception>
    public static int ParseAnswered(string output)
    {
        var words = output.Split(['\n', ',', ' '], StringSplitOptions.RemoveEmptyEntries);
        var at = Array.IndexOf(words, "received");
        return at > 0 && int.TryParse(words[at - 1], NumberStyles.None, CultureInfo.InvariantCulture, out var answered)
            ? answered
            : throw new FormatException($"ping printed no count: {output}");
    }

    /// <summary>Reads the counters from the answer of <c>nft -j list counters</c>.</summary>
    public static IReadOnlyDictionary<string, long> ParseCounters(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.GetProperty("nftables").EnumerateArray()
            .Where(item => item.TryGetProperty("counter", out _)).Select(item => item.GetProperty("counter"))
            .ToDictionary(counter => counter.GetProperty("name")
            .GetString()!, counter => counter.GetProperty("packets").GetInt64(), StringComparer.Ordinal);
    }
}
