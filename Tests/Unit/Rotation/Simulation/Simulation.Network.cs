using System.Buffers.Binary;
using System.Security.Cryptography;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>What is random in the network.</summary>
internal sealed partial class Simulation
{
    private const int MaxPercent = 100;

    // Longer than the time-out of an attempt, so that what was given up arrives nevertheless.
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(60);

    private long _keys;

    private bool IsFaulty => Now < FaultsEnd;

    /// <summary>A random time up to a limit.</summary>
    public TimeSpan Jitter(TimeSpan limit) => limit * _random.NextDouble();

    /// <summary>How long a handshake message takes.</summary>
    public TimeSpan Latency() => Jitter(TimeSpan.FromMilliseconds(30));

    /// <summary>How long a control message takes.</summary>
    public TimeSpan MessageDelay() => Jitter(IsFaulty && Happens(Plan.SlowPercent) ? Slow : Quick);

    /// <summary>How often a control message arrives.</summary>
    public int CountCopies() => IsFaulty && Happens(Plan.SlowPercent / 5) ? 2 : 1;

    /// <summary>Whether a control message gets lost.</summary>
    public bool IsMessageLost(SimulatedMachine from, SimulatedMachine to) =>
        from.IsolatedUntil > Now || to.IsolatedUntil > Now || (IsFaulty && Happens(Plan.LossPercent));

    /// <summary>Whether a handshake message gets lost.</summary>
    public bool IsHandshakeLost(SimulatedMachine? from, SimulatedMachine? to) =>
        from?.MuteUntil > Now || to?.MuteUntil > Now || (IsFaulty && Happens(Plan.LossPercent));

    /// <summary>Whether the pods of one node send to those of another one, all the time; the other direction is another matter.</summary>
    public bool IsTalking(SimulatedMachine from, SimulatedMachine to) =>
        ((Plan.Seed & 0xFFFF) + (((from.Number * 31) + to.Number) * 7919)) % MaxPercent >= Plan.SilentPercent;

    /// <summary>Puts something into random order.</summary>
    public void Shuffle<T>(T[] items) => _random.Shuffle(items);

    /// <summary>The next key pair of the plan: the same in every run, because keys are an order for the product.</summary>
    public KeyPair CreateKeyPair()
    {
        Span<byte> source = stackalloc byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(source, Plan.Seed);
        BinaryPrimitives.WriteInt64LittleEndian(source[8..], ++_keys);
        return KeyPair.Import(SHA256.HashData(source));
    }

    private bool Happens(int percent) => _random.Next(MaxPercent) < percent;
}
