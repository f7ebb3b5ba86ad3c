namespace Orleans.WireGuard.Tests.Unit.Interfaces;

/// <summary>Who can speak with whom.</summary>
public sealed class ProtocolRangeTests
{
    [Theory]
    [InlineData(2, 3, 2, 2, true)]
    [InlineData(2, 3, 3, 4, true)]
    [InlineData(2, 3, 1, 1, false)]
    [InlineData(2, 3, 4, 5, false)]
    [InlineData(2, 3, 99, 99, false)]
    [InlineData(2, 3, 3, 2, false)]
    [InlineData(2, 3, 0, 9, false)]
    [InlineData(2, 3, int.MinValue, int.MaxValue, false)]
    public void Meets_OtherRange_IsWhereTheyOverlapAndBothAreValid(int min, int max, int otherMin, int otherMax, bool expected)
    {
        var (one, other) = (new ProtocolRange(min, max), new ProtocolRange(otherMin, otherMax));
        Assert.Equal((expected, expected), (one.Meets(other), other.Meets(one)));
    }

    [Fact]
    public void ToString_Range_IsForPeople()
    {
        Assert.Equal("2 to 3", new ProtocolRange(2, 3).ToString());
        Assert.Equal("2", ProtocolRange.Silent.ToString());
    }
}
