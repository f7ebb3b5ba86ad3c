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
/// <param name="KubeConfig">
/// <c>KUBECONFIG</c>, a cluster for the demo on Kubernetes; <see langword="null"/> for the test API server.
/// </param>
internal sealed record LocalOptions(
    int NodeCount, TimeSpan Period, TimeSpan Duration, string? StateDirectory, string? Binary, string? KubeConfig = null)
{
    private const int MaxRotations = 10_000;
    private const int MaxRounds = 100;
    private const string AllRuns = "ABC";

    /// <summary><c>ROTATIONS</c>, how often every node rotates in run B of <c>make bench-rotation</c>.</summary>
    public int Rotations { get; init; } = 50;

    /// <summary>
    /// <c>ROUNDS</c>, how often <c>make bench-rotation</c> measures TCP in each run, and pairs of <c>make bench-witness</c>.
    /// </summary>
    public int Rounds { get; init; } = 5;

    /// <summary><c>RUNS</c>, which runs <c>make bench-rotation</c> does.</summary>
    public string Runs { get; init; } = AllRuns;

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
            Value("KUBECONFIG"))
        {
            Rotations = Number("ROTATIONS", 50, 1, MaxRotations),
            Rounds = Number("ROUNDS", 5, 0, MaxRounds),
            Runs = Value("RUNS") is not { } runs ? AllRuns
                : runs.All(AllRuns.Contains)
                    ? runs
                    : throw new FormatException($"RUNS: '{runs}' names no runs: expected letters of {AllRuns}."),
        };

        int Number(string name, int otherwise, int min, int max) => Value(name) is not { } number ? otherwise
            : int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var result)
                && result >= min && result <= max ? result
            : throw new FormatException($"{name}: '{number}' cannot be used: expected {min} to {max}.");

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
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var nodes)
            && nodes is >= MeshPlan.MinNodes and <= MeshPlan.MaxNodes
            ? nodes
            : throw new FormatException($"NODES: '{text}' is not a number of nodes: expected {MeshPlan.MinNodes} to {MeshPlan.MaxNodes}.");
}
