using Orleans.WireGuard.LocalMesh.Probes;

namespace Orleans.WireGuard.LocalMesh.Meter;

/// <summary>Books of one direction: every packet that was sent, by its sequence, and what became of it. Time is an argument.</summary>
/// <param name="pair">From whom to whom.</param>
/// <param name="timeProvider">Turns timestamps into durations.</param>
internal sealed class FlowLedger(NodePair pair, TimeProvider timeProvider)
{
    // When every packet was sent is too much to keep; the n-th is enough to say when one was lost.
    private const int SequencesPerMark = 16;
    private const int BitsPerWord = 64;
    private const int WordsAtStart = 1024;

    private readonly Lock _lock = new();
    private readonly List<long> _marks = [];
    private readonly LatencyHistogram _latency = new();
    private ulong[] _arrived = new ulong[WordsAtStart];
    private long _sent;
    private long _refused;
    private long _received;
    private long _duplicated;
    private long _reordered;
    private long _highest = -1;
    private long _lastSent;
    private long _lastArrival;
    private TimeSpan _longestGap;

    /// <summary>Notes a packet that is about to be sent.</summary>
    /// <param name="at">Timestamp.</param>
    /// <returns>Its sequence.</returns>
    public long Send(long at)
    {
        lock (_lock)
        {
            if (_sent % SequencesPerMark == 0)
            {
                _marks.Add(at);
            }

            _lastSent = at;
            return _sent++;
        }
    }

    /// <summary>
    /// Notes that the system refused to send the latest packet. It counts as sent and lost, which is what a pod would see.
    /// </summary>
    public void Refuse()
    {
        lock (_lock)
        {
            _refused++;
        }
    }

    /// <summary>Notes an arrival.</summary>
    /// <returns>Whether a packet with this sequence was sent at all.</returns>
    public bool Receive(long sequence, long sentAt, long at)
    {
        lock (_lock)
        {
            if (sequence < 0 || sequence >= _sent)
            {
                return false;
            }

            _longestGap = Max(_longestGap, SinceLastArrival(at));
            _lastArrival = at;
            if (Contains(sequence))
            {
                _duplicated++;
                return true;
            }

            Add(sequence);
            _received++;
            _latency.Add(timeProvider.GetElapsedTime(sentAt, at));

            // As RFC 4737 has it: a packet that comes after one which was sent later.
            _reordered += sequence < _highest ? 1 : 0;
            _highest = Math.Max(_highest, sequence);
            return true;
        }
    }

    /// <summary>How many packets that were sent before a moment have not arrived; asked a while later, they are lost.</summary>
    /// <remarks>The moment is rounded down by a few packets.</remarks>
    public long CountMissing(long sentBefore)
    {
        lock (_lock)
        {
            var marks = _marks.BinarySearch(sentBefore);
            var end = Math.Min(_sent, (long)Math.Max(0, (marks < 0 ? ~marks : marks) - 1) * SequencesPerMark);
            return FindBursts(end).Sum(burst => burst.Count);
        }
    }

    /// <summary>What happened so far. Ask when the last packets have had time to arrive: what has not counts as lost.</summary>
    public FlowReport Report()
    {
        lock (_lock)
        {
            var latency = new LatencyHistogram();
            latency.Add(_latency);
            return new FlowReport(pair, _sent, _received)
            {
                Refused = _refused,
                Duplicated = _duplicated,
                Reordered = _reordered,
                LongestGap = _sent == 0 ? TimeSpan.Zero : Max(_longestGap, SinceLastArrival(_lastSent)),
                Latency = latency,
                Bursts = FindBursts(_sent),
            };
        }
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    // The wait for the first arrival begins with the first packet.
    private TimeSpan SinceLastArrival(long at) => timeProvider.GetElapsedTime(_received == 0 ? _marks[0] : _lastArrival, at);

    private List<LossBurst> FindBursts(long end)
    {
        var bursts = new List<LossBurst>();
        for (var sequence = 0L; sequence < end; sequence++)
        {
            if (sequence % BitsPerWord == 0 && sequence / BitsPerWord < _arrived.Length
                && _arrived[sequence / BitsPerWord] == ulong.MaxValue)
            {
                // Nearly all words are full, and arrivals wait while this looks for the others.
                sequence += BitsPerWord - 1;
                continue;
            }

            if (Contains(sequence))
            {
                continue;
            }

            var first = sequence;
            while (sequence + 1 < end && !Contains(sequence + 1))
            {
                sequence++;
            }

            bursts.Add(new LossBurst(
                timeProvider.GetElapsedTime(_marks[0], _marks[(int)(first / SequencesPerMark)]), first, sequence - first + 1));
        }

        return bursts;
    }

    private bool Contains(long sequence) =>
        sequence / BitsPerWord < _arrived.Length && (_arrived[sequence / BitsPerWord] & (1UL << (int)(sequence % BitsPerWord))) != 0;

    private void Add(long sequence)
    {
        while (sequence / BitsPerWord >= _arrived.Length)
        {
            Array.Resize(ref _arrived, _arrived.Length * 2);
        }

        _arrived[sequence / BitsPerWord] |= 1UL << (int)(sequence % BitsPerWord);
    }
}
