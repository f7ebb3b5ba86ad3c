using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>One pair for each slot, and none of them alive after the ring.</summary>
public sealed class KeyRingTests
{
    [Fact]
    public void Keys_Empty_AreNone()
    {
        using var ring = new KeyRing();
        Assert.Empty(ring.Keys);
        Assert.Null(ring.Find(Slot.Zero));
        Assert.Null(ring.Find(Slot.One));
    }

    [Fact]
    public void Replace_SameSlot_ReturnsTheOldKeyAlive()
    {
        using var ring = new KeyRing();
        using var first = NewKey(Slot.Zero).KeyPair;
        var old = new SlotKey(Slot.Zero, first, new Epoch(1), TestMesh.Start);
        var next = NewKey(Slot.Zero);
        Assert.Null(ring.Replace(old));
        Assert.Same(old, ring.Replace(next));
        Assert.Same(next, ring.Find(Slot.Zero));

        // The device still uses it, so the ring must not have destroyed it.
        old.KeyPair.ExportPrivateKey(new byte[KeyPair.PrivateKeySize]);
    }

    [Fact]
    public void Keys_BothSlots_AreInOrder()
    {
        using var ring = new KeyRing();
        var (zero, one) = (NewKey(Slot.Zero), NewKey(Slot.One));
        Assert.Null(ring.Replace(one));
        Assert.Null(ring.Replace(zero));
        Assert.Equal([zero, one], ring.Keys);
        Assert.Same(one, ring.Find(Slot.One));
    }

    [Fact]
    public void Dispose_DestroysEveryKey()
    {
        var ring = new KeyRing();
        var (zero, one) = (NewKey(Slot.Zero), NewKey(Slot.One));
        ring.Replace(zero);
        ring.Replace(one);
        ring.Dispose();
        Assert.Empty(ring.Keys);
        Assert.Throws<ObjectDisposedException>(() => zero.KeyPair.ExportPrivateKey(new byte[KeyPair.PrivateKeySize]));
        Assert.Throws<ObjectDisposedException>(() => one.KeyPair.ExportPrivateKey(new byte[KeyPair.PrivateKeySize]));
    }

    private static SlotKey NewKey(Slot slot) => new(slot, KeyPair.Create(), new Epoch(1), TestMesh.Start);
}
