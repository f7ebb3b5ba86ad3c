// Tables, rules and which way packets take through them.
using Orleans.WireGuard.Linux.Routing;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Tests.Support;

internal sealed partial class FakeLinkClient
{
    private const uint Main = 254;
    private const uint MainPriority = 32766;

    private readonly FakeLinkClient? _whole;
    private readonly Dictionary<uint, SortedDictionary<(IPPrefix Destination, bool IsUnreachable), Route>> _tables = [];
    private readonly Dictionary<RouteTable, SortedSet<IPPrefix>> _ruleSets = [];
    private readonly HashSet<PacketRule> _packetRules = [];
    private readonly Dictionary<uint, List<ForeignRoute>> _foreign = [];

    /// <summary>Makes a system without links.</summary>
    /// <param name="table">Where our routes live; the default table if not given.</param>
    public FakeLinkClient(RouteTable? table = null) => Table = table ?? RouteTable.Default;

    // Another table of the same system.
    private FakeLinkClient(FakeLinkClient whole, RouteTable table)
    {
        (_whole, Table) = (whole, table);
        (_links, _tables, _ruleSets) = (whole._links, whole._tables, whole._ruleSets);
        (_packetRules, _foreign) = (whole._packetRules, whole._foreign);
    }

    /// <inheritdoc/>
    public RouteTable Table { get; }

    /// <summary>Routes of our table that somebody else added.</summary>
    public List<ForeignRoute> ForeignRoutes => _foreign.TryGetValue(Table.Number, out var routes) ? routes : _foreign[Table.Number] = [];

    /// <summary>Rules of others, beside the one that leads to the main table.</summary>
    public List<RuleEntry> OtherRules { get; } = [];

    /// <summary>Routes of the main table.</summary>
    public Dictionary<IPPrefix, string> MainRoutes { get; } = [];

    /// <summary>A pod of this node, by the prefix that its address is in; <see langword="null"/> for none.</summary>
    public Func<IPPrefix, PodLink?> PodLink { get; set; } = prefix => new PodLink("veth0", PodAddress.Of(prefix));

    /// <summary>What <see cref="FindWaysAsync"/> was asked last.</summary>
    public EquatableArray<WayQuestion> Questions { get; private set; } = [];

    /// <summary>Answers instead of the rules and routes.</summary>
    public Func<WayQuestion, Way>? Answer { get; set; }

    private SortedDictionary<(IPPrefix Destination, bool IsUnreachable), Route> _routes =>
        _tables.TryGetValue(Table.Number, out var routes) ? routes : _tables[Table.Number] = [];

    private SortedSet<IPPrefix> _rules => _ruleSets.TryGetValue(Table, out var rules) ? rules : _ruleSets[Table] = [];

    /// <inheritdoc/>
    public ILinkClient At(RouteTable table) => new FakeLinkClient(_whole ?? this, table);

    /// <inheritdoc/>
    public Task<EquatableArray<RouteTable>> GetFormerTablesAsync(CancellationToken cancellationToken) => CallAsync(
        nameof(GetFormerTablesAsync),
        null,
        () => _ruleSets.Where(rules => rules.Value.Count > 0 && rules.Key != Table && rules.Key != Table.OfNode)
            .Select(rules => rules.Key).ToEquatableArray(),
        cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<PacketRule>> GetPacketRulesAsync(CancellationToken cancellationToken) =>
        CallAsync(nameof(GetPacketRulesAsync), null, () => _packetRules.ToEquatableArray(), cancellationToken);

    /// <inheritdoc/>
    public Task AddPacketRuleAsync(PacketRule rule, CancellationToken cancellationToken) =>
        CallAsync(nameof(AddPacketRuleAsync), rule, () => _packetRules.Add(rule), cancellationToken);

    /// <inheritdoc/>
    public Task DeletePacketRuleAsync(PacketRule rule, CancellationToken cancellationToken) =>
        CallAsync(nameof(DeletePacketRuleAsync), rule, () => _packetRules.Remove(rule), cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<ForeignRoute>> GetForeignRoutesAsync(CancellationToken cancellationToken) =>
        CallAsync(nameof(GetForeignRoutesAsync), null, () => ForeignRoutes.ToEquatableArray(), cancellationToken);

    /// <inheritdoc/>
    public Task DeleteForeignRouteAsync(ForeignRoute route, CancellationToken cancellationToken) =>
        CallAsync(nameof(DeleteForeignRouteAsync), route, () => ForeignRoutes.Remove(route), cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<Way>> FindWaysAsync(EquatableArray<WayQuestion> questions, CancellationToken cancellationToken) =>
        CallAsync(
            nameof(FindWaysAsync),
            questions.Count,
            () =>
            {
                Questions = questions;
                return questions.Select(Answer ?? Ask).ToEquatableArray();
            },
            cancellationToken);

    /// <inheritdoc/>
    public Task<PodLink?> FindPodLinkAsync(IPPrefix podCIDR, CancellationToken cancellationToken) =>
        CallAsync(nameof(FindPodLinkAsync), podCIDR, () => PodLink(podCIDR), cancellationToken);

    /// <inheritdoc/>
    public Task<EquatableArray<RuleEntry>> GetAllRulesAsync(bool isIPv6, CancellationToken cancellationToken) =>
        CallAsync(nameof(GetAllRulesAsync), isIPv6, () => AllRules().ToEquatableArray(), cancellationToken);

    private IEnumerable<RuleEntry> AllRules() => OtherRules
        .Concat(_ruleSets.SelectMany(rules => rules.Value.Select(source =>
            new RuleEntry(
                source.IsIPv6, rules.Key.RulePriority, rules.Key.Number,
                FR_ACT_TO_TBL)
            { Source = source, Protocol = RouteTable.Protocol })))
        .Append(new RuleEntry(IsIPv6: false, MainPriority, Main, FR_ACT_TO_TBL))
        .OrderBy(rule => rule.Priority);

    private Way Ask(WayQuestion question)
    {
        var destination = IPPrefix.Host(question.Destination);
        foreach (var rule in AllRules().Where(rule => rule.MayDecide(question.From.Address, question.From.LinkName, question.Destination)))
        {
            var (prefix, link) = rule.Table == Main
                ? MainRoutes.Where(route => route.Key.Contains(destination)).Select(route => (route.Key, route.Value))
                    .OrderByDescending(route => route.Key.Length).FirstOrDefault()
                : _tables.GetValueOrDefault(rule.Table, []).Values.Where(route => route.Destination.Contains(destination))
                    .OrderByDescending(route => route.Destination.Length).ThenBy(route => route.IsUnreachable)
                    .Select(route => (route.Destination, route.IsThrow ? null : route.DeviceName)).FirstOrDefault();
            if (link is not null && !(rule.SuppressedLength >= prefix.Length))
            {
                return link.Length > 0 ? new Way(link, rule.Table, WayFate.Leaves) : Way.Refused;
            }
        }

        return Way.Refused;
    }
}
