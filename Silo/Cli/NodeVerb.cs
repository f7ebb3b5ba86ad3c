using System.CommandLine;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>A verb about one node: this one, unless <c>--node</c> names another.</summary>
internal static class NodeVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="name">What is typed.</param>
    /// <param name="description">What <c>--help</c> says.</param>
    /// <param name="run">Does it, for the node that <see cref="MeshConnection.NodeName"/> names, and returns an exit code.</param>
    public static Command Create(string name, string description, Func<ParseResult, MeshConnection, CancellationToken, Task<int>> run)
    {
        var command =
            new Command(name, description) { CommonOptions.Node, CommonOptions.Output, CommonOptions.Gateway, CommonOptions.Config };
        command.SetAction((parsed, cancellationToken) => MeshConnection.UseAsync(
            parsed, connection => RunForNodeAsync(parsed, connection, run, cancellationToken), cancellationToken));
        return command;
    }

    private static async Task<int> RunForNodeAsync(
        ParseResult parsed,
        MeshConnection connection,
        Func<ParseResult, MeshConnection, CancellationToken, Task<int>> run,
        CancellationToken cancellationToken)
    {
        if (connection.NodeName.Length > 0)
        {
            return await run(parsed, connection, cancellationToken);
        }

        return Fault.Tell(ExitCode.Misconfigured, "Which node? Give --node, or set NODE_NAME.");
    }
}
