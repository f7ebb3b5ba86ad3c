using Orleans.WireGuard.LocalMesh.Meter;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>What one of the runs A, B and C of <see cref="RotationBench"/> measured.</summary>
/// <param name="Letter">Its name.</param>
/// <param name="Title">What it is, in a few words.</param>
internal sealed record RotationRunResult(char Letter, string Title)
{
    /// <summary>Packets; run A has been there twice.</summary>
    public List<MeterReport> Packets { get; } = [];

    /// <summary>Rotations of each node while packets were counted, by <c>owg status</c>.</summary>
    public SortedDictionary<string, long> Rotations { get; } = new(StringComparer.Ordinal);

    /// <summary>TCP throughput in Mbit/s, one figure for each round.</summary>
    public List<double> Throughputs { get; } = [];

    /// <summary>Processor time of all silos during each of them, in percent of a core.</summary>
    public List<double> SiloPercents { get; } = [];

    /// <summary>Packets lost in all directions.</summary>
    public long Lost => Packets.Sum(report => report.Lost);

    /// <summary>Adds the rotations that a node had.</summary>
    public void AddRotations(string node, long rotations) => Rotations[node] = Rotations.GetValueOrDefault(node) + rotations;
}
