using System.Net;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>
/// The nodes with which this one agrees on keys and whose tunnel carries nothing all the same: the silos answer each other and no slot has
/// a handshake that counts. Neither side's pods reach the other's, so it is a problem of both. Not thread-safe: the agent runs one pass at
/// a time.
/// </summary>
/// <remarks>
/// Counted only while the other silo is an active member and has announced itself: a node that is off is a problem of its own and not of
/// each of the others, and one that has just joined has <see cref="Patience"/>.
/// </remarks>
internal sealed partial class SilentPeers(TimeProvider timeProvider, ILogger logger)
{
    /// <summary>
    /// How long a pair may be without a working slot: some handshakes that cross, or an address or two that do not answer.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly SortedDictionary<string, Silence> _silences = new(StringComparer.Ordinal);

    /// <summary>Those that have been silent for too long, by name.</summary>
    public EquatableArray<SilentPeer> Current { get; private set; } = [];

    /// <summary>Takes note of every pair.</summary>
    /// <param name="pairs">The other nodes that count.</param>
    /// <param name="now">The time.</param>
    public void Note(IReadOnlyList<NodePair> pairs, SteadyTime now)
    {
        var silent = pairs.Where(pair => !pair.IsAnswering).ToList();
        foreach (var name in _silences.Keys.Except(silent.Select(pair => pair.NodeName)).ToList())
        {
            if (_silences[name].IsReported)
            {
                LogAnswers(logger, name);
            }

            _ = _silences.Remove(name);
        }

        foreach (var (name, _, since, endpoints) in silent)
        {
            var silence = _silences.TryGetValue(name, out var known)
                ? known
                : _silences[name] = new Silence(since, timeProvider.GetUtcNow() - (now - since));
            silence.Endpoints.UnionWith(endpoints);
            if (!silence.IsReported && now - silence.Since >= Patience)
            {
                silence.IsReported = true;
                LogSilent(logger, name, Patience, string.Join(", ", silence.Endpoints));
            }
        }

        var current = _silences.Where(entry => entry.Value.IsReported)
            .Select(entry => new SilentPeer(entry.Key, entry.Value.SinceWallTime, [
                .. entry.Value.Endpoints.OrderBy(endpoint => endpoint.ToString(), StringComparer.Ordinal)]))
            .ToEquatableArray();
        Current = current == Current ? Current : current;
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "No tunnel to {NodeName} works, for {Patience} now, although its silo answers; tried {Endpoints}. Is UDP let through, and are the node's addresses right?")]
    private static partial void LogSilent(ILogger logger, string nodeName, TimeSpan patience, string endpoints);

    [LoggerMessage(Level = LogLevel.Information, Message = "A tunnel to {NodeName} works, or nobody expects one any more")]
    private static partial void LogAnswers(ILogger logger, string nodeName);

    private sealed class Silence(SteadyTime since, DateTimeOffset sinceWallTime)
    {
        public SteadyTime Since => since;

        public DateTimeOffset SinceWallTime => sinceWallTime;

        public HashSet<IPEndPoint> Endpoints { get; } = [];

        public bool IsReported { get; set; }
    }
}
