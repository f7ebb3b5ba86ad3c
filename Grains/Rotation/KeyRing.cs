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
