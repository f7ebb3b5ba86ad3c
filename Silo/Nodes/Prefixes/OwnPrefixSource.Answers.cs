using System.Net;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <content>What each source tells, asked only where nobody has read it already.</content>
internal sealed partial class OwnPrefixSource
{
    private PrefixAnswer Answer(PrefixSource source, WatchedNodes? known, IReadOnlyList<Findings.LocalPod>? pods) => source switch
    {
        PrefixSource.NodeNetworkConfig => AnswerOfAzure(),
        PrefixSource.CiliumNode => AnswerOfList(
            source, ApiResource.CiliumNodes, known, _ciliumNode,
            record => CiliumBelief.Judge([.. record.PodCIDRs, .. record.PoolAddresses], FindNodeAddresses(), pods)),
        PrefixSource.Node => AnswerOfList(
            source, ApiResource.Nodes, known, _plainNode,
            record => record.PodCIDRs.Count > 0
                ? new PrefixAnswer(source) { Prefixes = PrefixSet.Merge(record.PodCIDRs) }
                : PrefixAnswer.Without(source, "its Node object has no pod CIDR")),
        PrefixSource.Kernel => _kernel switch
        {
            { Current: { } view } => new PrefixAnswer(source) { Prefixes = view.Prefixes },
            { Problem: { } problem } => PrefixAnswer.Without(source, $"the kernel cannot be read: {problem}"),
            _ => PrefixAnswer.Pending(source),
        },
        _ => _roster.Current?.Find(_node.Name) is { } entry
            ? new PrefixAnswer(PrefixSource.Static) { Prefixes = PrefixSet.Merge(entry.PodCIDRs) }
            : _roster.Current is null ? PrefixAnswer.Pending(PrefixSource.Static)
            : PrefixAnswer.Without(PrefixSource.Static, $"'{_node.Name}' is not in the list of nodes"),
    };

    // Azure assigns addresses to a node when it has joined. While it may be about to, what others say of its pods is not true.
    private PrefixAnswer AnswerOfAzure()
    {
        var answer = AnswerOf(
            PrefixSource.NodeNetworkConfig, _networkConfig, config => NodeNetworkConfigReader.Read(config, _node.Name));
        return answer.Absence is not null && _networkConfig is { IsServed: true } && _networkConfig.PatienceLeft > TimeSpan.Zero
            ? PrefixAnswer.Pending(PrefixSource.NodeNetworkConfig)
            : answer;
    }

    // From the list of the nodes if it is of that kind, so that nothing is asked twice.
    private PrefixAnswer AnswerOfList(
        PrefixSource source, ApiResource resource, WatchedNodes? known, OwnObjectWatch<NodeObject>? watch,
        Func<NodeRecord, PrefixAnswer> read)
    {
        if (known?.Nodes.GetValueOrDefault(_node.Name) is { } record && record.Kind == resource.Kind)
        {
            return read(record);
        }

        if (_nodes is not null && known is { IsSynced: false })
        {
            return PrefixAnswer.Pending(source);
        }

        if (IsListed(resource))
        {
            return PrefixAnswer.Without(source, $"there is no {resource.Kind} object '{_node.Name}'");
        }

        // That is how it was decided that the nodes come from the other kind.
        return source == PrefixSource.CiliumNode && _nodes is not null
            && _options is { Prefixes: PrefixSource.Auto, Source: NodeSource.Auto }
            ? PrefixAnswer.Without(source, "no CiliumNode object is this node")
            : AnswerOf(source, watch, item => read(NodeReader.Read(item, resource)));
    }

    private static PrefixAnswer AnswerOf<T>(PrefixSource source, OwnObjectWatch<T>? watch, Func<T, PrefixAnswer> read)
        where T : class, IApiObject
    {
        if (watch is null)
        {
            return PrefixAnswer.Without(source, "no API server is known");
        }

        return watch.Current switch
        {
            { Object: { } found } => read(found),
            { Absence: { } absence } => PrefixAnswer.Without(source, absence),
            _ when !watch.IsWanted => new PrefixAnswer(source) { IsUnasked = true },
            _ when watch.PatienceLeft > TimeSpan.Zero => PrefixAnswer.Pending(source),
            _ => PrefixAnswer.Without(source, $"the API server has not told yet whether there is a {source} object"),
        };
    }

    private bool IsListed(ApiResource resource) => _nodes?.Current.Kind == resource.Kind;

    private IPAddress[] FindNodeAddresses()
    {
        var listed = _nodes?.Current.Nodes.GetValueOrDefault(_node.Name)?.Addresses ?? _roster.Current?.Find(_node.Name)?.Addresses ?? [];
        return IPAddress.TryParse(_node.Address, out var own) ? [own, .. listed] : [.. listed];
    }
}
