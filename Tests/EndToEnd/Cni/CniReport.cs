using System.Globalization;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>What a run on a cluster of the zoo has shown: a line of the table.</summary>
/// <param name="Kind">The kind of cluster.</param>
/// <param name="Variation">What was different, such as a fix that was switched off.</param>
internal sealed record CniReport(string Kind, string Variation)
{
    // Whatever is in the tunnel besides, such as handshakes, stays far below.
    private const long FewBytes = 100_000;

    /// <summary>Whether there were silos at all.</summary>
    public required bool HasSilos { get; init; }

    /// <summary>What a silo said that was not ready; empty if all were.</summary>
    public required string Problem { get; init; }

    /// <summary>What was on the underlay.</summary>
    public required WireTally Wire { get; init; }

    /// <summary>Packets of steady pods: sent, and lost.</summary>
    public required (long Sent, long Lost) Packets { get; init; }

    /// <summary>Connections: failed, and tried.</summary>
    public required IReadOnlyDictionary<CniPath, (int Failed, int Of)> Connections { get; init; }

    /// <summary>Pods that were added later.</summary>
    public required IReadOnlyList<NewPod> NewPods { get; init; }

    /// <summary>Codes that <c>owg doctor</c> has of any node.</summary>
    public required IReadOnlyList<string> Findings { get; init; }

    /// <summary>The head of the table.</summary>
    public static string Head => Line(
        "kind", "variation", "ready", "encrypted B", "clear", "to nodes", "lost/sent", "failed connections", "first SYN", "slowest",
        "findings");

    /// <summary>All that is wrong.</summary>
    public IReadOnlyList<CniFault> Faults =>
    [
        .. Only(HasSilos && Problem.Length > 0, CniFault.NotReady),
        .. Only(HasSilos && Wire.Clear > 0, CniFault.InClear),
        .. Only(HasSilos && Wire.EncryptedBytes < FewBytes, CniFault.NotEncrypted),
        .. Only(Packets.Lost > 0, CniFault.Lost),
        .. Connections.Where(path => path.Value.Failed > 0).Select(path => Enum.Parse<CniFault>(path.Key.ToString())),
        .. Only(IsNewPodMissed, CniFault.NewPod),
    ];

    private bool IsNewPodMissed => NewPods.Any(pod => pod.After is null);

    /// <inheritdoc/>
    public override string ToString() => Line(
        Kind,
        Variation,
        !HasSilos ? "-" : Problem.Length == 0 ? "yes" : "no",
        Text(Wire.EncryptedBytes),
        Text(Wire.Clear) + (Wire.Encapsulated > 0 ? " (inside)" : ""),
        Text(Wire.ToNodes),
        $"{Packets.Lost}/{Packets.Sent}",
        Connections.Values.Sum(path => path.Failed) is 0 and var none
            ? $"{none} of {Connections.Values.Sum(path => path.Of)}"
            : string.Join(", ", Connections.Where(path => path.Value.Failed > 0).Select(
                path => $"{path.Key} {path.Value.Failed}/{path.Value.Of}")),
        $"{NewPods.Count(pod => pod.IsAtOnce)}/{NewPods.Count}",
        IsNewPodMissed ? "never" : NewPods.Count == 0 ? "-" : Text((long)NewPods.Max(pod => pod.After)!.Value.TotalMilliseconds) + " ms",
        Findings.Count == 0 ? "none" : string.Join(' ', Findings));

    private static IEnumerable<CniFault> Only(bool isTrue, CniFault fault) => isTrue ? [fault] : [];

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Line(params ReadOnlySpan<string> cells)
    {
        ReadOnlySpan<int> widths = [18, 26, 6, 12, 15, 9, 12, 36, 10, 9, 0];
        var line = "cni ";
        for (var i = 0; i < cells.Length; i++)
        {
            line += cells[i].PadRight(widths[i]) + " ";
        }

        return line.TrimEnd();
    }
}
