using System.Globalization;
using Orleans.WireGuard.LocalMesh.Meter;

namespace Orleans.WireGuard.Tests.EndToEnd.Upgrade;

/// <summary>What a step of a roll-out cost.</summary>
/// <param name="Name">What was done.</param>
/// <param name="Variants">The release of each node after it.</param>
/// <param name="Protocols">The protocol that each node speaks with the others after it.</param>
/// <param name="Report">The packets.</param>
/// <param name="Rotations">Rotations of each node since it was done.</param>
internal sealed record UpgradeStep(
    string Name, IReadOnlyList<string> Variants, string Protocols, MeterReport Report, IReadOnlyList<int> Rotations)
{
    private const int MaxNamed = 4;

    /// <summary>Above lines as <see cref="ToString"/> makes them.</summary>
    public static string Head { get; } = string.Create(
        CultureInfo.InvariantCulture,
        $"{"step",-22}{"releases",-32}{"protocol",-10}{"sent",10}{"lost",7}{"gap ms",9}  rotations");

    /// <summary>No packet is lost in any direction, and every node has rotated so often.</summary>
    public void AssertNothingLost(int rotations)
    {
        Assert.True(Report.Lost == 0, ToString());
        Assert.All(Rotations, count => Assert.InRange(count, rotations, int.MaxValue));
    }

    /// <summary>A line of the table, and one for each direction that lost something.</summary>
    public override string ToString()
    {
        var releases = Variants.Count <= MaxNamed
            ? string.Join(' ', Variants)
            : string.Join(", ", Variants.GroupBy(name => name).Select(same => $"{same.Count()} {same.Key}"));
        var protocols = Variants.Count <= MaxNamed ? Protocols : string.Join(' ', Protocols.Split(' ').Distinct());
        var line = string.Create(
            CultureInfo.InvariantCulture,
            $"{Name,-22}{releases,-32}{protocols,-10}{Report.Sent,10}{Report.Lost,7}{Report.Flows.Max(flow => flow.LongestGap).TotalMilliseconds,9:0.0}  {string.Join(' ', Rotations)}");
        return string.Join('\n', Report.Flows.Where(flow => flow.Lost > 0).Select(flow => string.Create(
            CultureInfo.InvariantCulture,
            $"    {flow.Pair} lost {flow.Lost} of {flow.Sent}, from {flow.Bursts[0].At.TotalSeconds:0.00} s on")).Prepend(line));
    }
}
