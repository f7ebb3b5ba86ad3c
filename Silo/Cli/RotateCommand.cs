using System.CommandLine;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary><c>owg rotate</c>: a new key for a node, now.</summary>
internal static class RotateCommand
{
    /// <summary>Makes the verb.</summary>
    public static Command Create()
    {
        var command = new Command("rotate", "Replace a node's key now and in place. May cost a few packets in flight.")
        {
            CommonOptions.Node, CommonOptions.Output, CommonOptions.Gateway, CommonOptions.Config,
        };
        command.SetAction((parsed, cancellationToken) => MeshConnection.Use(parsed, connection => Rotate(parsed, connection, cancellationToken), cancellationToken));
        return command;
    }

    private static async Task<int> Rotate(ParseResult parsed, MeshConnection connection, CancellationToken cancellationToken)
    {
        if (connection.NodeName.Length == 0)
        {
            await Console.Error.WriteLineAsync("owg: Which node? Give --node, or set NODE_NAME.");
            return ExitCode.Misconfigured;
        }

        var receipt = await connection.Grains.GetGrain<INodeGrain>(connection.NodeName).Rotate(cancellationToken);
        if (parsed.GetValue(CommonOptions.Output) == OutputFormat.Json)
        {
            MeshJson.Print(receipt);
        }
        else
        {
            Console.Out.WriteLine(
                $"{receipt.NodeName}: {receipt.OldPublicKey?.ToShortString() ?? "no key"} -> {receipt.NewPublicKey.ToShortString()}, announced as {receipt.Sequence}. "
                + "'owg status' shows who agrees.");
        }

        return ExitCode.Success;
    }
}
