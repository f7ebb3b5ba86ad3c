using System.Text.Json;

namespace Orleans.WireGuard.LocalMesh.Silos;

/// <summary>A node in the answer of <c>owg status -o json</c>.</summary>
/// <param name="NodeName">The node.</param>
/// <param name="Epoch">Epoch by its own clock; <see langword="null"/> if it gave no status.</param>
/// <param name="Rotations">Rotations since its silo started.</param>
/// <param name="CreatedAt">When each of its keys was made, by public key.</param>
/// <param name="Problem">What it complains about.</param>
internal sealed record NodeView(
    string NodeName, long? Epoch, long? Rotations, IReadOnlyDictionary<string, DateTimeOffset> CreatedAt, string? Problem);

/// <summary>The answer of <c>owg status -o json</c>, as far as the harness needs it.</summary>
/// <param name="Nodes">By name.</param>
/// <param name="Agreements">Cells of the key-agreement matrix.</param>
/// <param name="Agreeing">Of these, cells that agree.</param>
internal sealed record MeshStatus(IReadOnlyDictionary<string, NodeView> Nodes, int Agreements, int Agreeing)
{
    /// <summary>Parses the answer.</summary>
    /// <exception cref="FormatException">It is not the JSON of a mesh snapshot.</exception>
    public static MeshStatus Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            var states = root.GetProperty("agreements").EnumerateArray().Select(a => a.GetProperty("state").GetString()).ToList();
            return new MeshStatus(
                root.GetProperty("nodes").EnumerateArray().Select(ParseNode).ToDictionary(n => n.NodeName),
                states.Count,
                states.Count(s => s == "Agrees"));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
        {
            throw new FormatException($"'owg status -o json' printed something else than a mesh snapshot: {e.Message}", e);
        }
    }

    private static NodeView ParseNode(JsonElement node)
    {
        var name = node.GetProperty("nodeName").GetString()!;
        var problem = Text(node, "problem");
        if (!node.TryGetProperty("status", out var status) || status.ValueKind == JsonValueKind.Null)
        {
            return new NodeView(name, null, null, new Dictionary<string, DateTimeOffset>(), problem ?? "gave no status");
        }

        return new NodeView(
            name,
            status.GetProperty("epoch").GetInt64(),
            status.GetProperty("rotations").GetInt64(),
            status.GetProperty("slots").EnumerateArray().ToDictionary(
                s => s.GetProperty("publicKey").GetString()!, s => s.GetProperty("createdAt").GetDateTimeOffset()),
            problem ?? Text(status, "problem"));
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
