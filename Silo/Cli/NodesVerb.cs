using System.CommandLine;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>The effect of a verb on several nodes at once.</summary>
internal static class NodesVerb
{
    /// <summary>Does something on one node, or on every node of the mesh in parallel, and prints each outcome.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="connection">The way to the mesh.</param>
    /// <param name="nodeName">The only node; <see langword="null"/> for all.</param>
    /// <param name="act">Does it, and tells what was done.</param>
    /// <param name="cancellationToken">Ctrl-C.</param>
    public static async Task<int> RunAsync(
        ParseResult parsed, MeshConnection connection, string? nodeName,
        Func<INodeGrain, string, Task<NodeOutcome>> act, CancellationToken cancellationToken)
    {
        IEnumerable<string> names = nodeName is not null
            ? [nodeName]
            : await connection.Grains.GetGrain<IMeshGrain>(IMeshGrain.DefaultMesh).GetNodeNames(cancellationToken);
        var outcomes = await Task.WhenAll(names.Select(name => TryAsync(connection.Grains.GetGrain<INodeGrain>(name), name, act)));
        if (parsed.GetValue(CommonOptions.Output) == OutputFormat.Json)
        {
            MeshJson.Print(outcomes);
        }
        else
        {
            foreach (var outcome in outcomes)
            {
                Terminal.Out.Line(outcome.ToString());
            }
        }

        return NodeOutcome.ExitCodeOf(outcomes);
    }

    /// <summary>Why a node refuses. One of another version may say it in its own words only.</summary>
    public static string Describe(RotationRefusedException exception) => exception.Refusal is { } refusal
        ? RotationReasonText.Describe(refusal)
        : exception.Message;

    // A node that was heard of and has no silo now says so itself: the placement finds none. No need to guess from the snapshot.
    private static async Task<NodeOutcome> TryAsync(INodeGrain node, string name, Func<INodeGrain, string, Task<NodeOutcome>> act)
    {
        try
        {
            return await act(node, name);
        }
        catch (NodeUnavailableException e)
        {
            return new NodeOutcome(name, NodeOutcomeKind.NoSilo, $"{e.Message} Run the verb again when 'owg status' shows the node");
        }
        catch (RotationRefusedException e)
        {
            return new NodeOutcome(name, NodeOutcomeKind.Refused, Describe(e)) { Refusal = e.Refusal };
        }
        catch (RotationFailedException e)
        {
            return new NodeOutcome(name, NodeOutcomeKind.Failed, e.Message);
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            return new NodeOutcome(name, NodeOutcomeKind.Failed, $"no answer, so look at 'owg status' before you try again: {e.Message.ReplaceLineEndings(" ")}");
        }
    }
}
