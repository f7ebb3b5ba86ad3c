namespace Orleans.WireGuard.LocalMesh.Probes;

/// <summary>How the pings of one pair went in a span of time.</summary>
/// <param name="Sent">Pings sent.</param>
/// <param name="Lost">Of these, without a reply.</param>
/// <param name="LongestSilence">The longest time without a ping that was answered, the ends of the span counted.</param>
internal sealed record PingReport(int Sent, int Lost, TimeSpan LongestSilence)
{
    /// <summary>0 to 100.</summary>
    public double LossPercent => Sent == 0 ? 100 : 100.0 * Lost / Sent;
}

/// <summary>Books of all pings between pods: what was sent and what came back.</summary>
/// <param name="capacity">Pings kept for each pair; older ones are forgotten, so that a demo can run for days.</param>
internal sealed class PingLedger(int capacity = PingLedger.DefaultCapacity)
{
    private const int DefaultCapacity = 8192;

    private readonly Lock _lock = new();
    private readonly Dictionary<NodePair, Book> _books = [];

    /// <summary>Notes a ping that is about to be sent.</summary>
    /// <returns>Its sequence number on the wire.</returns>
    public ushort Send(NodePair pair, DateTimeOffset at)
    {
        lock (_lock)
        {
            if (!_books.TryGetValue(pair, out var book))
            {
                _books[pair] = book = new Book(new Attempt[capacity]);
            }

            book.Attempts[book.Next % capacity] = new Attempt(at, false);
            return (ushort)book.Next++;
        }
    }

    /// <summary>Notes a reply. One that came too late to be told from a newer ping is dropped.</summary>
    public void Reply(NodePair pair, ushort sequence)
    {
        lock (_lock)
        {
            if (!_books.TryGetValue(pair, out var book))
            {
                return;
            }

            // The wire has 16 bits: it is the latest ping with these.
            var number = book.Next - 1 - (ushort)((ushort)(book.Next - 1) - sequence);
            if (number >= 0 && number >= book.Next - capacity)
            {
                ref var attempt = ref book.Attempts[number % capacity];
                attempt = attempt with { Answered = true };
            }
        }
    }

    /// <summary>What happened between two moments; ask when the last replies have had time to come.</summary>
    public PingReport Report(NodePair pair, DateTimeOffset from, DateTimeOffset until)
    {
        lock (_lock)
        {
            var (sent, lost, silence, last) = (0, 0, TimeSpan.Zero, from);
            foreach (var attempt in Kept(pair).Where(a => a.SentAt >= from && a.SentAt < until))
            {
                sent++;
                if (!attempt.Answered)
                {
                    lost++;
                    continue;
                }

                silence = Max(silence, attempt.SentAt - last);
                last = attempt.SentAt;
            }

            return new PingReport(sent, lost, Max(silence, until - last));
        }
    }

    /// <summary>When the latest answered ping was sent; <see langword="null"/> if none was.</summary>
    public DateTimeOffset? LastAnswered(NodePair pair)
    {
        lock (_lock)
        {
            return Kept(pair).Where(a => a.Answered).Select(a => (DateTimeOffset?)a.SentAt).LastOrDefault();
        }
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private IEnumerable<Attempt> Kept(NodePair pair)
    {
        if (_books.TryGetValue(pair, out var book))
        {
            for (var i = Math.Max(0, book.Next - capacity); i < book.Next; i++)
            {
                yield return book.Attempts[i % capacity];
            }
        }
    }

    private readonly record struct Attempt(DateTimeOffset SentAt, bool Answered);

    private sealed class Book(Attempt[] attempts)
    {
        public Attempt[] Attempts { get; } = attempts;

        public int Next { get; set; }
    }
}
