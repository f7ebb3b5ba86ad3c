using System.Globalization;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>Describes a series of measurements. Pure.</summary>
internal static class Percentiles
{
    /// <summary>The value that <paramref name="fraction"/> of the series does not exceed, by nearest rank.</summary>
    /// <param name="sorted">Ascending; at least one value.</param>
    /// <param name="fraction">Above 0, at most 1.</param>
    public static double Of(IReadOnlyList<double> sorted, double fraction) => sorted[(int)Math.Ceiling(sorted.Count * fraction) - 1];

    /// <summary>The middle value; of an even number the mean of the two in the middle.</summary>
    /// <param name="sorted">Ascending; at least one value.</param>
    public static double Median(IReadOnlyList<double> sorted) => (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;

    /// <summary>Median, p99, maximum and count in one line; says so if there is nothing.</summary>
    public static string Describe(IEnumerable<double> values, string unit)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0
            ? "nothing was measured"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"p50 {Of(sorted, 0.5):0.0} {unit}, p99 {Of(sorted, 0.99):0.0} {unit}, longest {sorted[^1]:0.0} {unit} ({sorted.Count} times)");
    }
}
