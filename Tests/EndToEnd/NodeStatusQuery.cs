using System.Text.Json;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>What a silo says of itself, as an operator on any node gets it.</summary>
internal static class NodeStatusQuery
{
    // Longer than a view of the membership may be out of date, 30 s.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(45);

    // Longer than a handshake that has to be repeated, 5 s.
    private static readonly TimeSpan MovePatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    /// <summary>The fields of NodeStatus of one node, by <c>owg status -o json</c> on another one or on itself.</summary>
    /// <exception cref="ExpectationException">No status came.</exception>
    public static async Task<JsonElement> ReadAsync(MeshHarness mesh, NodePlan askedOn, NodePlan node, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var started = time.GetTimestamp();
        while (true)
        {
            var (text, problem) = await MeshStatusReader.ReadTextAsync(mesh, askedOn, cancellationToken);
            if (text is not null && Find(text, node) is { } status)
            {
                return status;
            }

            // A silo that has much to do at the moment is shown without its status.
            Expect.True(
                time.GetElapsedTime(started) < Patience,
                $"a status of {node.Name} within {Patience}: {problem}{text}");
            await Task.Delay(Poll, time, cancellationToken);
        }
    }

    /// <summary>Waits until nodes send through their current keys to every other one: traffic may have started on the other slot.</summary>
    /// <exception cref="ExpectationException">They still do not.</exception>
    public static async Task WaitMovedAsync(MeshHarness mesh, IReadOnlyList<NodePlan> nodes, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var started = time.GetTimestamp();
        while (true)
        {
            // One after the other: in an emulation two runtimes that start at once leave the silo that they ask no time to answer.
            var moved = new List<int>();
            foreach (var node in nodes)
            {
                moved.Add(
                    (await ReadAsync(mesh, node, node, cancellationToken)).GetProperty("rotation").GetProperty("cutOverPeers").GetInt32());
            }

            if (moved.All(peers => peers == mesh.Plan.Nodes.Count - 1))
            {
                return;
            }

            Expect.True(time.GetElapsedTime(
                started) < MovePatience, $"all peers use the current keys within {MovePatience}, so far {string.Join(", ", moved)}");
            await Task.Delay(Poll, time, cancellationToken);
        }
    }

    private static JsonElement? Find(string text, NodePlan node)
    {
        using var document = JsonDocument.Parse(text);
        var status = document.RootElement.GetProperty("nodes").EnumerateArray()
            .Where(n => n.GetProperty("nodeName").GetString() == node.Name)
            .Select(n => n.TryGetProperty("status", out var found) ? found : default).SingleOrDefault();
        return status.ValueKind == JsonValueKind.Object ? status.Clone() : null;
    }
}
