using System.CommandLine;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary><c>owg rotate</c>: a new key for a node now, or for all nodes without a loss.</summary>
internal static class RotateCommand
{
    private static readonly Option<bool> All = new("--all", "-a")
    {
        Description = "Bring the next epoch forward on every node, hitless. Not together with --node.",
    };

    /// <summary>Makes the verb.</summary>
    public static Command Create()
    {
        var command = new Command(
            "rotate",
            "Replace a node's key now and in place, which may cost a few packets in flight; with --all bring the next epoch forward on every node, "
            + "which costs none. Exit code 1 if a node refused, 3 if one has no silo.")
        {
            CommonOptions.Node, All, CommonOptions.Output, CommonOptions.Gateway, CommonOptions.Config,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(All) && result.GetValue(CommonOptions.Node) is not null)
            {
                result.AddError("Say either --all or --node: --all is every node and hitless, --node is one node and in place.");
            }
        });
        command.SetAction((parsed, cancellationToken) => MeshConnection.UseAsync(
            parsed,
            connection => parsed.GetValue(All)
                ? NodesVerb.RunAsync(
                    parsed, connection, null, (node, name) => AdvanceAsync(node, name, cancellationToken), cancellationToken)
                : RotateInPlaceAsync(parsed, connection, cancellationToken),
            cancellationToken));
        return command;
    }

    /// <summary>What a rotation in place did, for people.</summary>
    public static string DescribeInPlace(RotationReceipt receipt) =>
        $"{Describe(receipt)}. In place: packets in flight with this node may have been lost, 'owg rotate --all' loses none. 'owg status' shows who agrees.";

    /// <summary>The outcome of a key that was brought forward.</summary>
    public static NodeOutcome ToOutcome(RotationReceipt receipt) =>
        new(receipt.NodeName, NodeOutcomeKind.Done, Keys(receipt)) { Receipt = receipt };

    private static async Task<int> RotateInPlaceAsync(ParseResult parsed, MeshConnection connection, CancellationToken cancellationToken)
    {
        if (connection.NodeName.Length == 0)
        {
            return Fault.Tell(ExitCode.Misconfigured, "Which node? Give --node, or set NODE_NAME, or say --all.");
        }

        var receipt = await connection.Grains.GetGrain<INodeGrain>(connection.NodeName).Rotate(cancellationToken);
        if (parsed.GetValue(CommonOptions.Output) == OutputFormat.Json)
        {
            MeshJson.Print(receipt);
        }
        else
        {
            Terminal.Out.Line(DescribeInPlace(receipt));
        }

        return ExitCode.Success;
    }

    private static async Task<NodeOutcome> AdvanceAsync(INodeGrain node, string name, CancellationToken cancellationToken) =>
        ToOutcome((await node.Advance(cancellationToken)) with { NodeName = name });

    private static string Describe(RotationReceipt receipt) => $"{receipt.NodeName}: {Keys(receipt)}";

    private static string Keys(RotationReceipt receipt) =>
        $"{receipt.OldPublicKey?.ToShortString() ?? "no key"} -> {receipt.NewPublicKey.ToShortString()}, announced as {receipt.Sequence}";
}
