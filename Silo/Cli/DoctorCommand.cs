using System.CommandLine;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Silo.Nodes;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary><c>owg doctor</c>: what keeps this node's pod traffic from being encrypted. Also without a silo.</summary>
internal static class DoctorCommand
{
    private static readonly Option<bool> All = new("--all") { Description = "Ask every node of the mesh." };

    /// <summary>Makes the verb.</summary>
    public static Command Create()
    {
        var command = new Command(
            "doctor",
            "Show what this node found out that keeps pod traffic from being encrypted, or that strict mode would cut: what, since when, what was seen, and what to do; "
            + "the worst first. Where no silo answers it shows what can be told without one. Exit code 3 if something was found.")
        {
            All, CommonOptions.Node, CommonOptions.Output, CommonOptions.Gateway, CommonOptions.Config,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(All) && result.GetValue(CommonOptions.Node) is not null)
            {
                result.AddError("--all and --node exclude each other.");
            }
        });
        command.SetAction((parsed, cancellationToken) => MeshConnection.UseAsync(
            parsed,
            connection => AskAsync(parsed, connection, cancellationToken),
            cancellationToken,
            parsed.GetValue(All) || parsed.GetValue(CommonOptions.Node) is not null || parsed.GetValue(CommonOptions.Gateway) is not null
                ? null
                : reason => LookAloneAsync(parsed, reason, cancellationToken)));
        return command;
    }

    private static async Task<int> AskAsync(ParseResult parsed, MeshConnection connection, CancellationToken cancellationToken)
    {
        if (!parsed.GetValue(All) && connection.NodeName.Length == 0)
        {
            return Fault.Tell(ExitCode.Misconfigured, "Which node? Give --node or --all, or set NODE_NAME.");
        }

        IEnumerable<string> names = parsed.GetValue(All)
            ? await connection.Grains.GetGrain<IMeshGrain>(IMeshGrain.DefaultMesh).GetNodeNames(cancellationToken)
            : [connection.NodeName];
        return Print(parsed, await Task.WhenAll(names.Select(name => AskAsync(connection, name, cancellationToken))));
    }

    private static async Task<Diagnosis> AskAsync(MeshConnection connection, string name, CancellationToken cancellationToken)
    {
        try
        {
            return Diagnosis.Of(await connection.Grains.GetGrain<INodeGrain>(name).GetStatus(cancellationToken));
        }
        catch (Exception e) when (e is NodeUnavailableException or OrleansException or TimeoutException)
        {
            return new Diagnosis(name, TimeProvider.System.GetUtcNow(), [], null,
                $"could not be asked: {e.Message.ReplaceLineEndings(" ")}")
            { IsUnanswered = true };
        }
    }

    private static async Task<int> LookAloneAsync(ParseResult parsed, string reason, CancellationToken cancellationToken)
    {
        if (CommandConfiguration.TryRead(parsed, out var fault) is not { } configuration)
        {
            return Fault.Tell(ExitCode.Misconfigured, fault);
        }

        var nodeName = CommandConfiguration.NodeName(configuration);
        var encryption = configuration.GetSection(EncryptionOptions.SectionName).Get<EncryptionOptions>() ?? new EncryptionOptions();
        var roster = StaticRoster.TryParse(
            configuration.GetSection(NodesOptions.SectionName).Get<NodesOptions>() ?? new NodesOptions(), nodeName, out _);
        var note = $"{reason} This is what the kernel shows by itself; whether packets leave past netfilter, only a silo can tell.";
        try
        {
            var table = (configuration.GetSection(RoutingOptions.SectionName).Get<RoutingOptions>() ?? new RoutingOptions()).ToRouteTable();
            var device = configuration.GetSection(DeviceOptions.SectionName).Get<DeviceOptions>() ?? new DeviceOptions();
            var links = new NetlinkLinkClient(TimeProvider.System, table: table);
            var dump = await new NetlinkDump(TimeProvider.System).ReadAsync(cancellationToken);
            var expected = LocalExpectation.Build(
                nodeName,
                roster,
                dump,
                await links.GetRulesAsync(cancellationToken),
                await links.GetRoutesAsync(cancellationToken),
                encryption.ClusterCIDRs.Select(IPPrefix.Parse).ToEquatableArray(),
                device.DeviceNames.All.ToEquatableArray());
            expected = expected with { Table = table.Number, RulePriority = table.RulePriority };
            if (expected.OwnPrefixes.Count == 0)
            {
                note += " No silo has run here and no list of nodes is configured, so nobody knows which prefixes the pods should have.";
            }

            var now = TimeProvider.System.GetUtcNow();
            var found = FindingCatalogue.Settle(RealityCheck.Find(dump, expected, now), []);
            return Print(
                parsed, [new Diagnosis(nodeName, now, DiagnosedFinding.Of(found), await ReadWitnessAsync(cancellationToken), note)]);
        }
        catch (Exception e) when (e is LinuxException or FormatException)
        {
            return Fault.Tell(ExitCode.Failed, $"{reason} And the kernel cannot be asked: {e.Message}");
        }
    }

    // Reading nftables needs a capability that whoever looks may not have.
    private static async Task<WitnessStatus?> ReadWitnessAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await new NetlinkWitness(TimeProvider.System).TryGetAsync(cancellationToken) is { } state
                ? WitnessReport.Of(state.Counts, state.IsPartial)
                : null;
        }
        catch (LinuxException)
        {
            return null;
        }
    }

    private static int Print(ParseResult parsed, IReadOnlyList<Diagnosis> diagnoses)
    {
        if (parsed.GetValue(CommonOptions.Output) == OutputFormat.Json)
        {
            MeshJson.Print(diagnoses);
        }
        else
        {
            foreach (var line in Diagnosis.Lines(diagnoses))
            {
                Terminal.Out.Line(line);
            }
        }

        return diagnoses.All(diagnosis => diagnosis.IsWell) ? ExitCode.Success : ExitCode.Unhealthy;
    }
}
