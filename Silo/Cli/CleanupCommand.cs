using System.CommandLine;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Nodes;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Silo.Web;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary><c>owg cleanup</c>: removes from this node what its silos made. Needs no silo, and refuses while one runs.</summary>
internal static class CleanupCommand
{
    private static readonly Option<bool> Force = new("--force")
    {
        Description = "Remove although a silo seems to run here. One that does makes everything again.",
    };

    private static readonly Option<bool> Stay = new("--stay")
    {
        Description = "When all is removed, do nothing until told to end: for a DaemonSet, whose pods must not end.",
    };

    /// <summary>Makes the verb.</summary>
    public static Command Create()
    {
        var command = new Command(
            "cleanup",
            "Remove what silos made on this node: device, routes, rules, firewall table, and with Kubernetes the annotation of its node object. "
            + "Nothing else is touched. Ends all tunnels of this node. "
            + "Exit code 1 if a silo runs, or the system or the API server refused, 3 if it cannot be told whose the device is.")
        {
            Force, Stay, CommonOptions.Output, CommonOptions.Config,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        if (CommandConfiguration.TryRead(parsed, out var unreadable) is not { } configuration)
        {
            return Fault.Tell(ExitCode.Misconfigured, unreadable);
        }

        // The same sources as a silo's, but whatever is wrong in them must not hinder a cleanup.
        var nodeName = CommandConfiguration.NodeName(configuration);
        var nodes = Section<NodesOptions>(configuration, NodesOptions.SectionName);
        var roster = StaticRoster.TryParse(nodes, nodeName, out _);
        if (!parsed.GetValue(Force) && await FindSiloAsync(configuration, roster?.Find(nodeName), cancellationToken) is { } endpoint)
        {
            return Fault.Tell(
                ExitCode.Failed,
                $"A silo seems to run on this node: {endpoint} answers. Stop it first; it would make everything again. If that is no silo, say --force.");
        }

        var report = new CleanupReport();
        string? fault = null;
        try
        {
            var table = Section<RoutingOptions>(configuration, RoutingOptions.SectionName).ToRouteTable();
            var links = new NetlinkLinkClient(TimeProvider.System, table: table);
            var names = Section<DeviceOptions>(configuration, DeviceOptions.SectionName).DeviceNames;
            await new NodeCleanup(
                links, new NetlinkFirewall(TimeProvider.System), new NetlinkWitness(TimeProvider.System), names, FindClient)
                .RunAsync(nodeName, roster, report, cancellationToken);
        }
        catch (LinuxException e)
        {
            fault = $"{e.Message}.";
        }

        fault ??= await RemoveAnnotationAsync(
            Section<KubernetesApiOptions>(configuration, KubernetesApiOptions.SectionName), nodes, nodeName, report, cancellationToken);
        Print(report, parsed.GetValue(CommonOptions.Output), fault);
        if (fault is not null)
        {
            return Fault.Tell(ExitCode.Failed, $"{fault} What is listed above is gone; run it again for the rest.");
        }

        if (parsed.GetValue(Stay) && !report.IsUndecided)
        {
            await WaitForEndAsync(cancellationToken);
        }

        return report.IsUndecided ? ExitCode.Unhealthy : ExitCode.Success;
    }

    /// <summary>Removes the annotation, unless the nodes are no objects of Kubernetes.</summary>
    /// <returns>Why it may still be there.</returns>
    private static async Task<string?> RemoveAnnotationAsync(
        KubernetesApiOptions options, NodesOptions nodes, string nodeName, CleanupReport report, CancellationToken cancellationToken)
    {
        const string Kind = "annotation";
        if (!NodeSourceChoice.IsKubernetes(nodes, ApiConnection.IsKnown(options)))
        {
            return null;
        }

        if (report.Kept.Count > 0)
        {
            // Then it may well be the key of whoever owns the device.
            report.Kept.Add(new CleanupItem(Kind, NodeReader.PublicKeyAnnotation, "the device was left, whose key it may show"));
            return null;
        }

        if (nodeName.Length == 0)
        {
            return $"The annotation {NodeReader.PublicKeyAnnotation} stays, because this node's name is not known: give --config, or set {NodeOptions.NameVariable}.";
        }

        // A person waits for this, and can run it again.
        options.MaxRetries = Math.Min(options.MaxRetries, 1);
        using var api = new KubernetesApi(
            Options.Create(options), TimeProvider.System, new Jitter(new Random()), NullLogger<KubernetesApi>.Instance);
        List<string> removed = [];
        var problem = await AnnotationCleanup.RunAsync(api, nodes.Source, nodeName, removed, cancellationToken);
        report.Removed.AddRange(removed.Select(item => new CleanupItem(Kind, $"{NodeReader.PublicKeyAnnotation} of {item}")));
        return problem is null
            ? null
            : $"The annotation {NodeReader.PublicKeyAnnotation} of node {nodeName} may still be there: {problem.TrimEnd('.')}. "
                + $"Without this node: kubectl annotate node {nodeName} {NodeReader.PublicKeyAnnotation}-.";
    }

    private static async Task WaitForEndAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // SIGTERM is how it ends.
        }
    }

    private static IWireGuardClient? FindClient(string linkKind) => linkKind switch
    {
        NetlinkWireGuardClient.LinkKind => new NetlinkWireGuardClient(TimeProvider.System),
        UapiWireGuardClient.LinkKind => new UapiWireGuardClient(
            new UserspaceDeviceOptions(), TimeProvider.System, NullLogger<UapiWireGuardClient>.Instance),
        _ => null,
    };

    /// <summary>The first address of a silo of this node that takes a connection.</summary>
    private static async Task<IPEndPoint?> FindSiloAsync(
        IConfiguration configuration, RosterNode? self, CancellationToken cancellationToken)
    {
        var clustering = Section<ClusteringOptions>(configuration, ClusteringOptions.SectionName);
        var web = Section<WebOptions>(configuration, WebOptions.SectionName);
        List<IPEndPoint> endpoints = [];
        Add(self?.Addresses[0], clustering.SiloPort);
        Add(IPAddress.TryParse(clustering.GatewayAddress, out var gateway) ? gateway : null, clustering.GatewayPort);
        Add(IPAddress.TryParse(web.Address, out var address) ? address : null, web.Port);
        foreach (var endpoint in endpoints)
        {
            if (await TcpProbe.AnswersAsync(endpoint, cancellationToken))
            {
                return endpoint;
            }
        }

        return null;

        void Add(IPAddress? candidate, int port)
        {
            if (candidate is not null && port is > 0 and <= ushort.MaxValue)
            {
                endpoints.Add(new IPEndPoint(candidate, port));
            }
        }
    }

    private static T Section<T>(IConfiguration configuration, string name)
        where T : new()
    {
        try
        {
            return configuration.GetSection(name).Get<T>() ?? new T();
        }
        catch (InvalidOperationException)
        {
            // A value of the wrong type: the defaults have to do.
            return new T();
        }
    }

    private static void Print(CleanupReport report, OutputFormat format, string? fault)
    {
        if (format == OutputFormat.Json)
        {
            MeshJson.Print(new { report.Removed, report.Kept, Problem = fault });
            return;
        }

        foreach (var item in report.Removed)
        {
            Terminal.Out.Line($"removed {item.Kind} {item.Name}");
        }

        foreach (var item in report.Kept)
        {
            Terminal.Out.Line($"left {item.Kind} {item.Name}: {item.Reason}");
        }

        if (report.Removed.Count + report.Kept.Count == 0 && fault is null)
        {
            Terminal.Out.Line("Nothing to remove.");
        }
    }
}
