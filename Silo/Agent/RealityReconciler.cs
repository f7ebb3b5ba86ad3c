using System.Globalization;
using System.Net;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Witness;
using Orleans.WireGuard.Silo.Findings;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Compares what the mesh believes with what the kernel shows, and keeps the witness at the wire.</summary>
/// <remarks>
/// Two steps of a resync:
/// <code>
/// Look: dump, findings, whether strict may be in force ──▶ the pass protects and configures ──▶ Count: the witness, what it counted
/// </code>
/// Nothing here fails a pass: a node that cannot look still encrypts, and says that it cannot look. Not thread-safe: the agent runs one
/// pass at a time.
/// </remarks>
internal sealed partial class RealityReconciler(
    INetworkDump dump,
    IWitness witness,
    ILinkClient links,
    EncryptionInForce encryption,
    TimeProvider timeProvider,
    ILogger<RealityReconciler> logger)
{
    /// <summary>
    /// How often is looked, unless a resync comes before: what was wrong for longer than a minute has to be known within it.
    /// </summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    // The same after news, of which there may be many a second; more seldom where a look takes long because there are many routes.
    private static readonly TimeSpan NewsInterval = TimeSpan.FromSeconds(1);

    private readonly ClearTraffic _clear = new();
    private readonly BlindSpots _blindSpots = new();
    private readonly ReadPace _pace = new(NewsInterval);
    private SteadyTime? _lookedAt;
    private bool _hasNews;
    private NetworkDump? _dump;
    private WitnessSpec? _left;
    private bool _wasInForce;
    private string? _encapsulationFault;
    private bool _isCounting = true;

    /// <summary>What was found, the worst first.</summary>
    public EquatableArray<Finding> Findings { get; private set; } = [];

    /// <summary>What was counted; <see langword="null"/> if nothing can be.</summary>
    public WitnessStatus? Witness { get; private set; }

    /// <summary>Whether a link to the peers drops what comes in by another link than answers would leave by (rp_filter=1).</summary>
    public bool IsUnderlayStrict { get; private set; }

    /// <summary>What another data plane of this node packs; <see langword="null"/> until it was looked.</summary>
    public OwnEncapsulation? Encapsulation { get; private set; }

    /// <summary>The node's own addresses among those of pods.</summary>
    public EquatableArray<IPAddress> NodeAddresses { get; private set; } = [];

    /// <summary>Whether strict mode is configured and withheld.</summary>
    public bool IsStrictWithheld => encryption.IsWithheld;

    /// <summary>Why a strict node is not ready; <see langword="null"/> if nothing that was found speaks against it.</summary>
    public NodeProblem? Problem =>
        encryption.Configured.Mode == EncryptionMode.Strict
            && StrictGate.FindProblem(IsStrictWithheld, Findings, encryption.Configured.AcceptedFindings) is { } finding
            ? NodeProblem.Of(IsStrictWithheld ? NodeProblemCode.StrictWithheld : NodeProblemCode.StrictBroken) with { Finding = finding }
            : null;

    /// <summary>Whether it is time to look again.</summary>
    public bool IsDue
    {
        get
        {
            var affordable = _pace.Next;
            var interval = _hasNews || affordable > Interval ? affordable : Interval;
            return _lookedAt is not { } lookedAt || SteadyTime.Now(timeProvider) - lookedAt >= interval;
        }
    }

    /// <summary>
    /// Notes what the kernel told of. What is found is about rules and links of others too, and those may change again after they were read
    /// and before a pass ends that was begun because of the first change.
    /// </summary>
    public void Hear(KernelNews news) =>
        _hasNews |= (news & (KernelNews.Ways | KernelNews.Underlay | KernelNews.Encapsulation
            | KernelNews.Devices | KernelNews.Lost)) != KernelNews.None;

    /// <summary>Notes why packed packets cannot be led: then what a program packs is in clear, and found to be.</summary>
    /// <param name="fault"><see langword="null"/> if they can.</param>
    public void NoteEncapsulation(string? fault)
    {
        if (fault is not null && fault != _encapsulationFault)
        {
            LogNotLed(logger, fault);
        }

        _encapsulationFault = fault;
    }

    /// <summary>Looks, and decides whether strict mode may come into force.</summary>
    /// <param name="view">What the mesh believes.</param>
    /// <param name="underlay">The ways to the peers.</param>
    /// <param name="deviceNames">Names of the devices through which the tunnels go.</param>
    /// <param name="tunnelPorts">Their ports.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task LookAsync(
        MeshView view, UnderlayPaths underlay, IReadOnlyCollection<string> deviceNames, IReadOnlyList<ushort> tunnelPorts,
        CancellationToken cancellationToken)
    {
        if (view.Roster?.Find(view.NodeName) is null)
        {
            return;
        }

        var began = SteadyTime.Now(timeProvider);
        _hasNews = false;
        try
        {
            // The refusals of a former process say that strict mode was in force; ours say so too.
            if (encryption.Configured.Mode == EncryptionMode.Strict && !_wasInForce)
            {
                _wasInForce = (await links.GetRoutesAsync(cancellationToken)).Any(route => route.IsUnreachable);
            }

            _dump = await dump.ReadAsync(cancellationToken);
            Encapsulation ??= await ReadFormerEncapsulationAsync(cancellationToken);

            // Only of a look that came to its end: a failed one costs nothing.
            _pace.Note(SteadyTime.Now(timeProvider) - began);
        }
        catch (LinuxException e)
        {
            LogUnreadable(logger, e.Message);
            return;
        }
        finally
        {
            _lookedAt = began;
        }

        var pods = view.Self!.ListedPodCIDRs.Concat(view.Roster.PodRanges);
        NodeAddresses = Silo.Findings.NodeAddresses.Find(_dump, pods, deviceNames);
        IsUnderlayStrict = FindStrictUnderlay(view, _dump, underlay);
        Encapsulation = OwnEncapsulation.Find(
            encryption.Configured.EncapsulationChoice, _dump, FindUnderlay(view, _dump, underlay), tunnelPorts,
            view.Self.Addresses, Encapsulation);
        Settle(view, underlay, deviceNames);
        var isWithheld = encryption.Configured.Mode == EncryptionMode.Strict
            && StrictGate.IsWithheld(_wasInForce, Findings, encryption.Configured.AcceptedFindings);
        if (isWithheld != encryption.IsWithheld)
        {
            encryption.IsWithheld = isWithheld;
            if (isWithheld)
            {
                var sentence = FindingText.Describe(Findings.First(finding => FindingCatalogue.CutsPods(finding.Code)));
                LogWithheld(logger, sentence);
            }
            else
            {
                LogInForce(logger);
            }
        }
    }

    // What a former process led stays led, whatever the links look like right now.
    private async Task<OwnEncapsulation> ReadFormerEncapsulationAsync(CancellationToken cancellationToken)
    {
        var table = links.At(links.Table.OfEncapsulated);
        var packets = (await links.GetPacketRulesAsync(cancellationToken)).Where(rule => rule.Table == table.Table)
            .Select(rule => new Encapsulation(rule.Packet.Protocol, rule.Packet.Port)).Distinct().ToEquatableArray();
        var isWhole = packets.Count > 0 && (await table.GetRoutesAsync(cancellationToken)).Any(route => route.IsUnreachable);
        return new OwnEncapsulation(packets, isWhole, []);
    }

    /// <summary>Keeps the witness what it should be, and reads what it counted.</summary>
    /// <returns>What somebody else changed of it.</returns>
    public async Task<IReadOnlyList<Drift>> CountAsync(
        MeshView view, UnderlayPaths underlay, IReadOnlyCollection<string> deviceNames,
        IReadOnlyList<ushort> tunnelPorts, CancellationToken cancellationToken)
    {
        if (_dump is null || view.Roster?.Find(view.NodeName) is null)
        {
            return [];
        }

        _wasInForce |= encryption.CurrentValue.Mode == EncryptionMode.Strict;
        var (before, drifts) = (Findings, new List<Drift>());
        try
        {
            var spec = WitnessSpecBuilder.Build(view, _dump, FindUnderlay(view, _dump, underlay), deviceNames, tunnelPorts);
            var traffic = await ReadTrafficAsync(spec, cancellationToken);
            var state = await witness.TryGetAsync(cancellationToken);
            var isFirst = _left is null;
            if (_left is { } left && WitnessPlan.IsDrift(state, left, Present(_dump)))
            {
                drifts.Add(new Drift(DriftKind.WitnessChanged, state is null ? "table gone" : "rules or prefixes"));
            }

            _clear.Note(state?.Counts ?? new WitnessCounts(), isFirst, SteadyTime.Now(timeProvider));
            NoteBlindSpots(spec, _dump, traffic, state);
            var isPartial = state?.IsPartial ?? false;
            switch (WitnessPlan.Decide(state, spec))
            {
                case WitnessStep.Create:
                    _blindSpots.Restart();
                    isPartial = await witness.CreateAsync(spec, state, cancellationToken);
                    var names = string.Join(", ", spec.Links.Select(link => link.Name));
                    LogMade(logger, names, isPartial ? "partial" : "whole");
                    break;
                case WitnessStep.Change:
                    await witness.ChangeAsync(state!, spec, cancellationToken);
                    break;
            }

            _left = spec;
            _isCounting = true;
            Witness = WitnessReport.Of(state?.Counts ?? new WitnessCounts(), isPartial || _blindSpots.IsWitnessBlind);
        }
        catch (LinuxException e)
        {
            if (_isCounting)
            {
                LogBlind(logger, e.Message);
            }

            (_isCounting, _left, Witness) = (false, null, null);
        }

        Settle(view, underlay, deviceNames);
        LogChanges(before);
        return drifts;
    }

    private async Task<IReadOnlyDictionary<int, LinkTraffic>> ReadTrafficAsync(WitnessSpec spec, CancellationToken cancellationToken)
    {
        var traffic = new Dictionary<int, LinkTraffic>();
        foreach (var link in spec.Links.Concat(spec.Devices))
        {
            try
            {
                traffic[link.Index] = await links.GetTrafficAsync(link.Name, cancellationToken);
            }

            // It went away after the look.
            catch (LinuxException e) when (e.Errno == ENODEV)
            {
            }
        }

        return traffic;
    }

    private void NoteBlindSpots(WitnessSpec spec, NetworkDump dump, IReadOnlyDictionary<int, LinkTraffic> traffic, WitnessState? state)
    {
        var now = SteadyTime.Now(timeProvider);
        _blindSpots.ForgetExcept(spec.Links.Concat(spec.Devices).Select(link => link.Index).ToHashSet(), now);
        var seen = (state?.Seen ?? []).ToDictionary(count => count.Index);

        // A tunnel in user space, wireguard-go or another one, joins packets of any size, which a link cuts again.
        var isJoined = dump.Links.Any(link => link.Kind == "tun");
        var rough = dump.Links.Where(link => isJoined || link.Kind is "bond" or "team").Select(link => link.Index).ToHashSet();
        foreach (var (link, counting) in spec.Links.Select(
            link => (link, rough.Contains(link.Index) ? LinkCounting.Rough : LinkCounting.Exact))
            .Concat(spec.Devices.Select(device => (device, LinkCounting.Device))))
        {
            if (traffic.TryGetValue(link.Index, out var sent) && seen.TryGetValue(link.Index, out var count))
            {
                _blindSpots.Note(link.Name, counting, sent, count, now);
            }
        }
    }

    private void Settle(MeshView view, UnderlayPaths underlay, IReadOnlyCollection<string> deviceNames)
    {
        var now = timeProvider.GetUtcNow();
        var expected = Expect(view, FindUnderlay(view, _dump!, underlay), deviceNames);
        Findings = FindingCatalogue.Settle([.. RealityCheck.Find(_dump!, expected, now), .. FindClear(now)], Findings);
    }

    private IEnumerable<Finding> FindClear(DateTimeOffset now)
    {
        var (left, arrived) = _clear.Recent;
        if (left + arrived > 0)
        {
            var finding = FindingCatalogue.Make(
                FindingCode.PacketsInClear,
                left > 0 ? "left" : "arrived",
                now,
                [("left", left.ToString(CultureInfo.InvariantCulture)), ("arrived", arrived.ToString(CultureInfo.InvariantCulture))]);

            // What another node sends in clear is that node's problem, and dropped here.
            yield return left > 0 ? finding : finding with { Severity = FindingSeverity.Warning };
        }
    }

    private Expectation Expect(MeshView view, HashSet<int> underlay, IReadOnlyCollection<string> deviceNames)
    {
        var nodes = view.Roster!.Nodes.Values;
        return new Expectation(
            view.Roster.Find(view.NodeName)!.PodCIDRs,
            nodes.Where(node => node.NodeName != view.NodeName)
                .SelectMany(node => node.PodCIDRs.Select(prefix => (prefix, node.NodeName))).ToEquatableArray(),
            nodes.SelectMany(node => node.Addresses).ToEquatableArray(),
            encryption.Configured.ClusterCIDRs.Select(IPPrefix.Parse).ToEquatableArray(),
            deviceNames.ToEquatableArray(),
            underlay.ToEquatableArray())
        {
            Table = links.Table.Number,
            RulePriority = links.Table.RulePriority,
            Encapsulation = _encapsulationFault is null ? Encapsulation : null,
            ToldAddresses = encryption.Configured.NodeAddresses
                ? NodeAddresses.Take(AddressAnnouncement.MaxNodeAddresses).ToEquatableArray()
                : [],
            BlindSpots = _blindSpots.Current,
        };
    }

    // Before any way was asked, and where none has to be, the links that have this node's own addresses are those.
    private static HashSet<int> FindUnderlay(MeshView view, NetworkDump dump, UnderlayPaths underlay)
    {
        var own = view.Roster!.Find(view.NodeName)!.Addresses;
        return [.. underlay.Links, .. dump.Addresses.Where(address => own.Contains(address.Address)).Select(address => address.LinkIndex)];
    }

    // The kernel takes the larger of the two; 1 is strict, 2 is loose (ip-sysctl).
    private static bool FindStrictUnderlay(MeshView view, NetworkDump dump, UnderlayPaths underlay)
    {
        var links = FindUnderlay(view, dump, underlay);
        return dump.Links.Any(link => links.Contains(link.Index)
            && link.SourceCheck is { } own && Math.Max(own, dump.Forwarding.SourceCheck) == 1);
    }

    private static HashSet<WitnessLink> Present(NetworkDump dump) => [.. dump.Links.Select(link => new WitnessLink(link.Index, link.Name))];

    // A line when a finding begins and one when it ends; the state itself is in the status.
    private void LogChanges(EquatableArray<Finding> before)
    {
        var known = before.Select(finding => (finding.Code, finding.Subject)).ToHashSet();
        foreach (var finding in Findings.Where(
            finding => finding.Severity > FindingSeverity.Notice && !known.Contains((finding.Code, finding.Subject))))
        {
            var (code, sentence, evidence) =
                (FindingText.CodeOf(finding.Code), FindingText.Describe(finding), FindingText.Evidence(finding));
            LogFound(logger, code, sentence, evidence);
        }

        var now = Findings.Select(finding => (finding.Code, finding.Subject)).ToHashSet();
        foreach (var finding in before.Where(
            finding => finding.Severity > FindingSeverity.Notice && !now.Contains((finding.Code, finding.Subject))))
        {
            var code = FindingText.CodeOf(finding.Code);
            LogGone(logger, code, finding.Subject);
        }
    }
}
