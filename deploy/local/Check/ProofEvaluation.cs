using System.Globalization;
using Orleans.WireGuard.LocalMesh.Capture;
using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Secrets;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.Check;

/// <summary>Turns measurements into verdicts. Pure: what was measured is an argument.</summary>
internal static class ProofEvaluation
{
    /// <summary>How long two devices may disagree about a key: a rotation on its way, not a fault.</summary>
    public static readonly TimeSpan AgreementLimit = TimeSpan.FromSeconds(2);

    /// <summary>Rotations of each node that a run of the usual length has to show.</summary>
    public const int UsualRotations = 10;

    // WireGuard repeats a lost handshake message after 5 s at the earliest (whitepaper, section 6.4), so with one slot a
    // pair whose two ends rotate at an unlucky moment can be silent that long.
    private static readonly TimeSpan HandshakeRetry = TimeSpan.FromSeconds(5);

    /// <summary>The longest silence a pair may show: two periods, but never less than two handshake attempts.</summary>
    public static TimeSpan SilenceLimit(TimeSpan period) => 2 * (period > HandshakeRetry ? period : HandshakeRetry);

    /// <summary>(a) Every ordered pair of pods has a reply to every ping: with two slots a rotation costs no packet.</summary>
    public static Proof PodsReachEachOther(IReadOnlyDictionary<NodePair, PingReport> reports, TimeSpan period)
    {
        var limit = SilenceLimit(period);
        var failing = reports.Where(r => r.Value.LongestSilence > limit || r.Value.Lost > 0).ToList();
        var (sent, lost) = (reports.Values.Sum(r => r.Sent), reports.Values.Sum(r => r.Lost));
        return new Proof(
            "every pod reaches every other pod, and no packet is lost while keys rotate",
            failing.Count == 0 && sent > 0,
            Text($"{reports.Count - failing.Count} of {reports.Count} ordered pairs; longest silence {Longest(reports):0.0} s of at most {limit.TotalSeconds:0.0} s; ")
            + Text($"{lost} of {sent} pings lost ({(sent == 0 ? 100 : 100.0 * lost / sent):0.00} %), none permitted")
            + Which(failing.Select(s => s.Key)));
    }

    /// <summary>(b) A capture of the underlay holds permitted traffic only, and really saw the tunnels.</summary>
    public static Proof NothingInClear(CaptureTally tally, int dropped) => new(
        "the underlay carries nothing but WireGuard (UDP 51871 and 51872), silo and membership traffic",
        tally.IsClean && tally[FrameKind.WireGuard] > 0 && dropped == 0,
        Text($"{tally.Total} frames: {tally}; {dropped} missed by the capture")
        + (tally.Examples.Count == 0 ? "" : "; for example " + string.Join(" | ", tally.Examples)));

    /// <summary>(b) The same verdict is negative when pods talk without a tunnel, so it is worth something.</summary>
    public static Proof ControlIsSeen(CaptureTally tally, IReadOnlyDictionary<NodePair, PingReport> reports) => new(
        "control run without tunnels: the same filter sees the pods in clear",
        !tally.IsClean && tally[FrameKind.PodInClear] >= reports.Count && reports.Values.All(r => r.Lost < r.Sent),
        Text($"{tally[FrameKind.PodInClear]} of {tally.Total} frames show a pod, from {reports.Values.Sum(r => r.Sent)} pings"));

    /// <summary>(c) For every ordered pair the key held equals the key used.</summary>
    public static Proof KeysAgree(AgreementHistory history, MeshPlan plan)
    {
        var pairs = plan.OrderedPairs.Select(p => new NodePair(p.From.Name, p.To.Name)).ToList();
        var lasting = pairs.Where(p => history.Longest(p) > AgreementLimit).ToList();
        return new Proof(
            "for every ordered pair the key that one device holds is the key that the other uses",
            lasting.Count == 0 && history.Comparisons > 0,
            Text($"{pairs.Count - lasting.Count} of {pairs.Count} pairs in {history.Comparisons} comparisons by wg; ")
            + Text($"longest disagreement {pairs.Max(history.Longest).TotalSeconds:0.0} s of at most {AgreementLimit.TotalSeconds:0} s")
            + Which(lasting));
    }

    /// <summary>(d) Keys rotate, and none is used in two epochs.</summary>
    public static Proof KeysRotate(KeyHistory history, MeshPlan plan, TimeSpan period, TimeSpan duration)
    {
        var required = RequiredRotations(period, duration);
        var counts = plan.Nodes.Select(n => history.Rotations(n.Name)).ToList();
        var reused = history.Reused();
        var longestUse = history.LongestUse();

        // A slot's turn comes every two epochs; by then its key has been replaced, or destroyed before. A key that was kept for another
        // turn would last for four. The second is the time to notice.
        var useLimit = (2.5 * period) + TimeSpan.FromSeconds(1);
        return new Proof(
            "every node rotates its key, and no key outlasts the turn of its slot",
            counts.All(c => c >= required) && reused.Count == 0 && longestUse <= useLimit,
            Text($"{counts.Min()} to {counts.Max()} rotations a node, at least {required} required; {reused.Count} keys came back; ")
            + Text($"longest use of a key {longestUse.TotalSeconds:0.0} s with a period of {period.TotalSeconds:0} s, at most {useLimit.TotalSeconds:0.0} s")
            + (reused.Count == 0 ? "" : $": {string.Join(", ", reused)}"));
    }

    /// <summary>(e) No private key was written anywhere, and the search finds one that is.</summary>
    public static Proof SecretsStayInside(
        int keys, int files, long redisKeys, IReadOnlyList<SecretFinding> findings, IReadOnlyList<string> plantedNotFound) => new(
        "private keys appear in no log, file, captured packet or membership entry",
        keys > 0 && findings.Count == 0 && plantedNotFound.Count == 0,
        Text($"{keys} private keys searched in {files} files and {redisKeys} membership entries: {findings.Count} findings; self-check with planted keys: ")
        + (plantedNotFound.Count == 0 ? "all found" : "NOT found in " + string.Join(", ", plantedNotFound))
        + (findings.Count == 0 ? "" : "; found in " + string.Join(", ", findings.Take(3).Select(f => $"{f.Place} ({f.Form})"))));

    /// <summary>(f) The death of a silo costs the other pairs nothing and leaves their peers alone.</summary>
    public static Proof OthersUntouched(
        string victim, IReadOnlyDictionary<NodePair, PingReport> reports, DeviceSample before, DeviceSample after, MeshPlan plan)
    {
        var others = reports.Where(r => !r.Key.Involves(victim)).ToList();
        var touched = plan.OrderedPairs
            .Where(p => p.From.Name != victim && p.To.Name != victim && !SamePeer(before, after, p.From, p.To))
            .Select(p => new NodePair(p.From.Name, p.To.Name))
            .ToList();
        var lost = others.Sum(r => r.Value.Lost);
        return new Proof(
            $"while the silo of {victim} is dead and restarts, the other pairs lose nothing and their peers are not touched",
            lost == 0 && touched.Count == 0,
            Text($"{lost} of {others.Sum(r => r.Value.Sent)} pings lost by {others.Count} other pairs, {touched.Count} of their peers changed; ")
            + Text($"pairs with {victim} itself lost {reports.Where(r => r.Key.Involves(victim)).Sum(r => r.Value.Lost)} (information only)")
            + Which(touched));
    }

    /// <summary>(f) A silo that comes back uses the key that its device kept, and the pods of its own node notice nothing either.</summary>
    public static Proof RestartKeepsKey(
        string victim, IReadOnlyDictionary<NodePair, PingReport> reports, DeviceSample before, DeviceSample after)
    {
        var own = reports.Where(r => r.Key.Involves(victim)).ToList();
        var (was, now) = (Keys(before), Keys(after));

        // The key of the slot that is not used may be destroyed meanwhile.
        var isKept = now.Count > 0 && now.All(was.Contains);
        var (sent, lost) = (own.Sum(r => r.Value.Sent), own.Sum(r => r.Value.Lost));
        return new Proof(
            $"the silo of {victim} keeps its key over SIGKILL and restart, and its own pairs lose nothing",
            isKept && sent > 0 && lost == 0,
            Text($"{now.Count(was.Contains)} of {now.Count} keys kept; {lost} of {sent} pings lost by {own.Count} pairs"));

        List<string> Keys(DeviceSample sample) => [.. sample.Of(victim).Select(device => device.PublicKey).OfType<string>()];
    }

    /// <summary>What <c>owg status</c> claims is complete and agrees with what <c>wg</c> shows.</summary>
    public static Proof StatusIsComplete(MeshStatus? status, MeshPlan plan, string problem)
    {
        var pairs = plan.Nodes.Count * (plan.Nodes.Count - 1);
        var complaints = status?.Nodes.Values.Where(n => n.Problem is not null).Select(n => $"{n.NodeName}: {n.Problem}").ToList() ?? [];
        return new Proof(
            "owg status answers through a gateway, knows every node and finds all keys in agreement",
            status is not null && plan.Nodes.All(n => status.Nodes.GetValueOrDefault(n.Name)?.Epoch is not null)
                && status.Agreements >= pairs && status.Agreeing == status.Agreements && complaints.Count == 0,
            status is null
                ? problem
                : Text($"{status.Nodes.Count} nodes, {status.Agreeing} of {status.Agreements} cells agree, rotations by its own count ")
                  + string.Join(", ", status.Nodes.Values.Select(n => n.Rotations?.ToString(CultureInfo.InvariantCulture) ?? "?"))
                  + (complaints.Count == 0 ? "" : "; " + string.Join("; ", complaints)));
    }

    /// <summary>Rotations to require: the usual ten, fewer only if the run is shorter than ten periods and a half.</summary>
    public static int RequiredRotations(TimeSpan period, TimeSpan duration) =>
        Math.Clamp((int)Math.Floor(duration / period) - 1, 0, UsualRotations);

    private static bool SamePeer(DeviceSample before, DeviceSample after, NodePlan holder, NodePlan owner)
    {
        var (was, now) = (Peers(before), Peers(after));

        // A slot that nobody uses may be emptied meanwhile; the other one has to be as it was.
        return was.Count == now.Count
            && now.Exists(peer => peer is not null)
            && was.Zip(now).All(pair => pair.Second is null || (pair.First is { } first && Same(first, pair.Second)));

        // Counters that fell would mean that the peer was removed and added again.
        static bool Same(PeerDump was, PeerDump now) =>
            was.PublicKey == now.PublicKey && was.Endpoint == now.Endpoint && was.AllowedIPs.SequenceEqual(now.AllowedIPs)
            && now.ReceiveBytes >= was.ReceiveBytes && now.TransmitBytes >= was.TransmitBytes;

        List<PeerDump?> Peers(DeviceSample sample) =>
            [.. sample.Of(holder.Name).Select(device => device.PeerFor(owner.PodCIDR.ToString()))];
    }

    private static double Longest(IReadOnlyDictionary<NodePair, PingReport> reports) =>
        reports.Values.Select(r => r.LongestSilence.TotalSeconds).DefaultIfEmpty().Max();

    private static string Which(IEnumerable<NodePair> pairs) =>
        string.Join(", ", pairs.Take(5)) is { Length: > 0 } list ? "; failing: " + list : "";

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
