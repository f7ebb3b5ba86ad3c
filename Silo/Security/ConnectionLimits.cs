using Orleans.Configuration;

namespace Orleans.WireGuard.Silo.Security;

/// <summary>How much one connection may cost, and how many there may be.</summary>
/// <remarks>
/// Together they are the bound for memory: one address can make a silo hold <see cref="MaxPerAddress"/> frames that are not complete yet,
/// and what was read ahead. On the silo port that is 16 times 5 MiB, where the container may have 384 MiB.
/// </remarks>
internal sealed record ConnectionLimits
{
    /// <summary>The longest header of a message, in bytes. Ours have a few hundred.</summary>
    public const int MaxHeaderBytes = 64 * 1024;

    /// <summary>
    /// The longest body of a message, in bytes. What silos ask of each other is paged to stay far below (DigestComparison).
    /// </summary>
    public const int MaxBodyBytes = 4 * 1024 * 1024;

    /// <summary>
    /// How much of a connection is read ahead while what came before is not handled yet, in bytes, and as much again to be sent.
    /// </summary>
    public const int MaxBufferedBytes = 1024 * 1024;

    /// <summary>The longest preamble, in bytes, as in Orleans.</summary>
    public const int MaxPreambleBytes = 1024;

    /// <summary>
    /// What silos accept of each other. An honest silo has one connection, and for a moment two when it is started again.
    /// </summary>
    public static ConnectionLimits Silos { get; } = new() { MaxPerAddress = 16 };

    /// <summary>What the gateway accepts. All clients on the node share one address.</summary>
    public static ConnectionLimits Clients { get; } = new() { MaxPerAddress = 32 };

    /// <summary>How long a connection may take to say who it is.</summary>
    public TimeSpan PreambleTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How many connections one address may have.</summary>
    public required int MaxPerAddress { get; init; }

    /// <summary>
    /// How many connections, of all addresses together, may not have said yet who they are. A silent one costs 15 to 20 KiB.
    /// </summary>
    public int MaxSilent { get; init; } = 512;

    /// <summary>Sets the sizes of messages; what is longer ends the connection before it is read.</summary>
    public static void Apply(MessagingOptions messaging) =>
        (messaging.MaxMessageHeaderSize, messaging.MaxMessageBodySize) = (MaxHeaderBytes, MaxBodyBytes);
}
