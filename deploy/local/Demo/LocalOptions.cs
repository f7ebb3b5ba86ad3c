using System.Globalization;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>What a person chose on the command line of <c>make</c>, which arrives as environment variables.</summary>
/// <param name="NodeCount"><c>NODES</c>, by default 3.</param>
/// <param name="Period"><c>PERIOD</c>, length of an epoch.</param>
/// <param name="Duration"><c>DURATION</c>, for how long the check observes rotations; by default 60 s.</param>
/// <param name="StateDirectory"><c>OWG_LOCAL_STATE</c>; <see langword="null"/> for the usual place.</param>
/// <param name="Binary"><c>OWG_LOCAL_BINARY</c>, a silo executable to use instead of building one.</param>
/// <param name="KubeConfig"><c>KUBECONFIG</c>, a cluster for the demo on Kubernetes; <see langword="null"/> for the test API server.</param>
internal sealed record LocalOptions(
    int NodeCount, TimeSpan Period, TimeSpan Duration, string? StateDirectory, string? Binary, string? KubeConfig = null)
{
    /// <summary>Reads the choices.</summary>
    /// <param name="read">Value of a variable, <see langword="null"/> if it is not set.</param>
    /// <param name="defaultPeriod">Period when none was chosen.</param>
    /// <exception cref="FormatException">A value cannot be used; the message names the variable.</exception>
    public static LocalOptions Read(Func<string, string?> read, TimeSpan defaultPeriod)
    {
        var nodes = Value("NODES") is { } text ? ParseNodes(text) : 3;
        return new LocalOptions(
            nodes,
            Period("PERIOD") ?? defaultPeriod,
            Period("DURATION") ?? TimeSpan.FromSeconds(60),
            Value(MeshState.DirectoryVariable),
            Value("OWG_LOCAL_BINARY"),
            Value("KUBECONFIG"));

        string? Value(string name) => read(name) is { Length: > 0 } value ? value : null;

        TimeSpan? Period(string name)
        {
            try
            {
                return Value(name) is { } value ? PeriodParser.Parse(value) : null;
            }
            catch (FormatException e)
            {
                throw new FormatException($"{name}: {e.Message}", e);
            }
        }
    }

    private static int ParseNodes(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var nodes) && nodes is >= MeshPlan.MinNodes and <= MeshPlan.MaxNodes
            ? nodes
            : throw new FormatException($"NODES: '{text}' is not a number of nodes: expected {MeshPlan.MinNodes} to {MeshPlan.MaxNodes}.");
}
