using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Orleans.WireGuard.Grains.Clocks;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>When a node rotates, and which slot: once in each epoch, at a moment of its own in the epoch's first quarter.</summary>
/// <remarks>
/// <code>
/// epoch e                    │ epoch e+1
/// ├─jitter─▶ key of e        ├─jitter─▶ key of e+1
/// </code>
/// The jitter spreads the nodes, so that N handshakes do not reach one node at the same moment. It is a hash of the name and not a random
/// number, so a restart does not move it and a test can predict it.
/// </remarks>
internal sealed class RotationSchedule
{
    // A timer of zero that fires early would spin until the moment has come.
    private static readonly TimeSpan MinDelay = TimeSpan.FromMilliseconds(1);

    private readonly TimeSpan _period;
    private readonly int _slots;
    private readonly TimeSpan _jitter;

    /// <summary>Makes the schedule of one node.</summary>
    /// <param name="nodeName">Decides how late in an epoch the node rotates.</param>
    /// <param name="period">Length of an epoch; positive.</param>
    /// <param name="slots">How many slots take turns: 1 or 2.</param>
    public RotationSchedule(string nodeName, TimeSpan period, int slots)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(period, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slots, Slot.Count);
        _period = period;
        _slots = slots;
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(nodeName));
        var fraction = BinaryPrimitives.ReadUInt32BigEndian(hash) / (double)uint.MaxValue;
        _jitter = RotationTiming.SpreadOf(period) * fraction;
    }

    /// <summary>The epoch whose key the node should be using: the latest one whose moment has come.</summary>
    public Epoch KeyEpoch(DateTimeOffset now)
    {
        var epoch = Epoch.At(now, _period);
        return now < RotationAt(epoch) && epoch.Value > 0 ? new Epoch(epoch.Value - 1) : epoch;
    }

    /// <summary>The slot whose turn an epoch is.</summary>
    public Slot SlotOf(Epoch epoch) => _slots == 1 ? Slot.Zero : epoch.Slot;

    /// <summary>The latest epoch up to <paramref name="latest"/> that was the turn of a slot.</summary>
    public Epoch LatestOf(Slot slot, Epoch latest) =>
        SlotOf(latest) == slot || latest.Value == 0 ? latest : new Epoch(latest.Value - 1);

    /// <summary>When the key of <paramref name="epoch"/> is due.</summary>
    public DateTimeOffset RotationAt(Epoch epoch) => epoch.Start(_period) + _jitter;

    /// <summary>The first moment after <paramref name="now"/> at which a key is due.</summary>
    public DateTimeOffset NextRotationAt(DateTimeOffset now) => RotationAt(new Epoch(KeyEpoch(now).Value + 1));

    /// <summary>How long to wait until the key of <paramref name="epoch"/> is due; at least a millisecond.</summary>
    /// <remarks>
    /// Asked for an epoch and not for "the next". Timers fire up to a millisecond early, and a schedule that asks the clock twice, before
    /// and after the moment, skips an epoch.
    /// </remarks>
    public TimeSpan DelayUntil(Epoch epoch, DateTimeOffset now)
    {
        var delay = RotationAt(epoch) - now;
        return delay > MinDelay ? delay : MinDelay;
    }
}
