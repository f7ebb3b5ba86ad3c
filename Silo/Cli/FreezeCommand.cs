using System.CommandLine;
using System.Globalization;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary><c>owg freeze</c> and <c>owg unfreeze</c>: have nodes keep the keys that they have, and rotate again.</summary>
internal static class FreezeCommand
{
    private static readonly TimeSpan Default = TimeSpan.FromMinutes(10);

    // What INodeGrain.Freeze takes.
    private static readonly TimeSpan Max = TimeSpan.FromDays(1);

    private static readonly Option<string?> OnlyNode = new("--node", "-n")
    {
        Description = "Only this node. Default: every node.",
        HelpName = "name",
    };

    private static readonly Option<TimeSpan> For = new("--for")
    {
        Description = "For how long, such as 90s, 10m or 2h; at most 24h. Default: 10m. It ends by itself.",
        HelpName = "duration",
        DefaultValueFactory = _ => Default,
        CustomParser = result =>
        {
            if (Parse(result.Tokens[0].Value, out var error) is { } duration)
            {
                return duration;
            }

            result.AddError(error);
            return default;
        },
    };

    /// <summary>Makes <c>owg freeze</c>.</summary>
    public static Command Create()
    {
        var command = new Command(
            "freeze",
            "Have nodes keep the keys that they have, for a time; a slot that has none is still filled, once. Outlives restarts of their silos. Exit code 1 if a node refused, 3 if one has no silo.")
        {
            For, OnlyNode, CommonOptions.Output, CommonOptions.Gateway, CommonOptions.Config,
        };
        command.SetAction((parsed, cancellationToken) => MeshConnection.UseAsync(
            parsed,
            connection => NodesVerb.RunAsync(
                parsed,
                connection,
                parsed.GetValue(OnlyNode),
                async (node, name) => Frozen(name, await node.Freeze(parsed.GetValue(For), cancellationToken)),
                cancellationToken),
            cancellationToken));
        return command;
    }

    /// <summary>Makes <c>owg unfreeze</c>.</summary>
    public static Command CreateUnfreeze()
    {
        var command = new Command(
            "unfreeze", "Have nodes rotate again. Harmless if they are not frozen. Exit code 1 if a node refused, 3 if one has no silo.")
        {
            OnlyNode, CommonOptions.Output, CommonOptions.Gateway, CommonOptions.Config,
        };
        command.SetAction((parsed, cancellationToken) => MeshConnection.UseAsync(
            parsed,
            connection => NodesVerb.RunAsync(
                parsed,
                connection,
                parsed.GetValue(OnlyNode),
                async (node, name) =>
                {
                    await node.Unfreeze(cancellationToken);
                    return new NodeOutcome(name, NodeOutcomeKind.Done, "rotates");
                },
                cancellationToken),
            cancellationToken));
        return command;
    }

    /// <summary>Parses <c>--for</c>.</summary>
    /// <param name="text">What was typed.</param>
    /// <param name="error">What is wrong with it; empty if nothing.</param>
    public static TimeSpan? Parse(string text, out string error)
    {
        var duration = DurationParser.TryParse(text);
        error = duration is null || duration == TimeSpan.Zero
            ? $"--for '{text}' is not a duration; give a whole number and s, m or h, such as 90s, 10m or 2h."
            : duration > Max ? $"--for '{text}' is too long; give at most 24h, and freeze again when that is over."
            : "";
        return error.Length == 0 ? duration : null;
    }

    /// <summary>The outcome of a freeze.</summary>
    public static NodeOutcome Frozen(string name, DateTimeOffset until) => new(
        name,
        NodeOutcomeKind.Done,
        string.Create(
            CultureInfo.InvariantCulture, $"frozen until {until.UtcDateTime:u}; keeps its keys until then, 'owg unfreeze' ends it earlier"))
    {
        FrozenUntil = until,
    };
}
