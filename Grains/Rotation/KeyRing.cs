using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>The key pairs of this node, one for each slot in use. Written by the NodeGrain alone, read by the agent.</summary>
/// <remarks>In memory only. Whoever replaces a pair disposes the old one, but not before the device holds the new one.</remarks>
/// <param name="create">Makes a key pair; from the system's random source unless a simulation has another one.</param>
internal sealed class KeyRing(Func<KeyPair>? create = null) : IDisposable
{
    private readonly Func<KeyPair> _create = create ?? KeyPair.Create;
    private readonly Lock _lock = new();
    private readonly SlotKey?[] _slots = new SlotKey?[Slot.Count];
    private volatile bool _isSettled;

    /// <summary>The keys by slot.</summary>
    public IReadOnlyList<SlotKey> Keys
    {
        get
        {
            lock (_lock)
            {
                return [.. _slots.OfType<SlotKey>()];
            }
        }
    }

    /// <summary>Makes a new pair for a slot.</summary>
    public KeyPair CreateKeyPair() => _create();

    /// <summary>The key of a slot, or <see langword="null"/>.</summary>
    public SlotKey? Find(Slot slot)
    {
        lock (_lock)
        {
            return _slots[slot.Index];
        }
    }

    /// <summary>Puts a key into its slot and returns the one it replaces, which the caller disposes in time.</summary>
    public SlotKey? Replace(SlotKey key)
    {
        lock (_lock)
        {
            var old = _slots[key.Slot.Index];
            _slots[key.Slot.Index] = key;
            return old;
        }
    }

    /// <summary>Takes a key out of its slot, which is to be empty from then on, and returns it. The caller disposes it in time.</summary>
    public SlotKey? Remove(Slot slot)
    {
        lock (_lock)
        {
            var old = _slots[slot.Index];
            _slots[slot.Index] = null;
            return old;
        }
    }

    /// <summary>
    /// Whether the keys that the devices had at start are in here, so that a slot without a key is one that shall have none.
    /// </summary>
    public bool IsSettled => _isSettled;

    /// <summary>From now on a slot without a key is one that shall have none.</summary>
    public void Settle() => _isSettled = true;

    /// <summary>Overwrites every private key.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var key in _slots)
            {
                key?.KeyPair.Dispose();
            }

            Array.Clear(_slots);
        }
    }
}

/// <summary>A key pair in its slot.</summary>
/// <param name="Slot">Whose device has it.</param>
/// <param name="KeyPair">Not disposed of while the device has it.</param>
/// <param name="Epoch">The epoch for which it was made.</param>
/// <param name="CreatedAt">When it was made, for people.</param>
internal sealed record SlotKey(Slot Slot, KeyPair KeyPair, Epoch Epoch, DateTimeOffset CreatedAt)
{
    /// <summary>The latest epoch that it serves; later than <see cref="Epoch"/> if its replacement was deferred.</summary>
    public Epoch ServesEpoch { get; init; } = Epoch;

    /// <summary>
    /// When it was made, by which its age is told. For one that a former silo of this node made it is reckoned back from what that said.
    /// </summary>
    public SteadyTime MadeAt { get; init; }

    /// <summary>Since when this process has had it.</summary>
    public SteadyTime HeldSince { get; init; }

    /// <summary>Its slot, and which epochs it counts for.</summary>
    public SlotEpochs Epochs => new(Slot, Epoch, ServesEpoch);

    /// <summary>What decisions follow from: all but the private half.</summary>
    public OwnKey ToOwnKey() => new(KeyPair.PublicKey, Epochs, MadeAt);
}
