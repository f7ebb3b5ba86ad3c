namespace Orleans.WireGuard.Tests.Unit.Interfaces;

/// <summary>There are two slots.</summary>
public sealed class SlotTests
{
    [Fact]
    public void Constructor_ZeroAndOne_AreTheSlots()
    {
        Assert.Equal(Slot.Zero, new Slot(0));
        Assert.Equal(Slot.One, new Slot(1));
        Assert.Equal(("0", "1"), (Slot.Zero.ToString(), Slot.One.ToString()));
        Assert.Equal((0, 1), (Slot.Zero.Index, Slot.One.Index));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(255)]
    public void Constructor_Another_IsRefused(byte index) => Assert.Throws<ArgumentOutOfRangeException>(() => new Slot(index));

    [Fact]
    public void CompareTo_ZeroAndOne_AreInOrder()
    {
        Assert.True(Slot.Zero < Slot.One && Slot.Zero <= Slot.One && Slot.One > Slot.Zero && Slot.One >= Slot.Zero);
        Assert.Equal([Slot.Zero, Slot.One], new[] { Slot.One, Slot.Zero }.Order());
    }
}
