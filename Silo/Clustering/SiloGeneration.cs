using System.Net;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Clustering;

/// <summary>Which silo of its address this one is: the generation, by which Orleans tells it from those before and after it.</summary>
/// <remarks>
/// Orleans takes it from the clock, in seconds. After a clock was set back that is below the former silo's, and the table says that this
/// silo is dead before it has begun; and before 2022 it is negative, which to Orleans means a client.
/// </remarks>
internal sealed partial class SiloGeneration(ILogger<SiloGeneration> logger)
{
    /// <summary>How long to wait for the table. A store that is away longer must not keep the silo from saying so.</summary>
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private int? _value;

    /// <summary>Whether it has been chosen.</summary>
    public bool IsSettled
    {
        get
        {
            lock (_lock)
            {
                return _value is not null;
            }
        }
    }

    /// <summary>The generation. If nobody has chosen one, the clock's.</summary>
    public int Value
    {
        get
        {
            lock (_lock)
            {
                return _value ??= Choose(SiloAddress.AllocateNewGeneration(), null);
            }
        }
    }

    /// <summary>Chooses it, above all that the membership table knows of this address. Without an answer it is the clock's.</summary>
    /// <param name="table">The table; <see langword="null"/> if it begins with this process.</param>
    /// <param name="endPoint">Where the silo listens.</param>
    /// <param name="timeProvider">Times the wait for the table.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    public async Task ChooseAsync(
        SharedMembershipTable? table, IPEndPoint endPoint, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        int? newest = null;
        using var limit = new TimeLimit(ReadTimeout, timeProvider, cancellationToken);
        try
        {
            newest = table is null ? null : FindNewest(endPoint, await table.ReadSilosAsync(limit.Token).WaitAsync(limit.Token));
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The silo says itself that the membership is away, and waits for it. A generation that turns out too low ends it then.
            LogUnread(logger, e.Message);
        }

        if (newest == int.MaxValue)
        {
            throw new StartupException([$"The membership table has a silo of this address {endPoint} with the highest generation there is, so none can follow it; remove its row."]);
        }

        var byClock = SiloAddress.AllocateNewGeneration();
        var chosen = Choose(byClock, newest);
        if (chosen != byClock)
        {
            LogClockBehind(logger, timeProvider.GetUtcNow(), TimeSpan.FromSeconds((long)chosen - byClock), chosen);
        }

        lock (_lock)
        {
            _value ??= chosen;
        }
    }

    /// <summary>The generation that follows. Pure.</summary>
    /// <param name="byClock">What the clock says.</param>
    /// <param name="newest">The latest one of this address; <see langword="null"/> if there is none.</param>
    /// <exception cref="OverflowException">There is none above <paramref name="newest"/>.</exception>
    public static int Choose(int byClock, int? newest) => Math.Max(Math.Max(byClock, 1), newest is { } former ? checked(former + 1) : 1);

    /// <summary>The latest generation of an address. Pure.</summary>
    public static int? FindNewest(IPEndPoint endPoint, IEnumerable<SiloAddress> silos) =>
        silos.Where(silo => silo.Endpoint.Equals(endPoint)).Select(silo => (int?)silo.Generation).Max();

    /// <summary>A later generation of the same address. Pure.</summary>
    public static int? FindSuccessor(SiloAddress own, IEnumerable<SiloAddress> silos) =>
        FindNewest(own.Endpoint, silos) is { } newest && newest > own.Generation ? newest : null;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The clock of this node says {Now}, {Behind} before its former silo started or the earliest time there is; set the clock. Generation {Generation} is taken instead of the clock's")]
    private static partial void LogClockBehind(ILogger logger, DateTimeOffset now, TimeSpan behind, int generation);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The generation of this silo is the clock's, because the membership table cannot be read yet: {Problem}")]
    private static partial void LogUnread(ILogger logger, string problem);
}
