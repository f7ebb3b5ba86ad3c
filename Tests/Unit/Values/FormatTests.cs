using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Values;

/// <summary>Times and amounts as people read them.</summary>
public sealed class FormatTests
{
    [Theory]
    [InlineData(-5, "0.0 s")]
    [InlineData(0, "0.0 s")]
    [InlineData(0.04, "0.0 s")]
    [InlineData(4.2, "4.2 s")]
    [InlineData(10, "10 s")]
    [InlineData(59.9, "59 s")]
    [InlineData(60, "1 min 0 s")]
    [InlineData(123, "2 min 3 s")]
    [InlineData(3599.9, "59 min 59 s")]
    [InlineData(3600, "1 h 0 min")]
    [InlineData(86399, "23 h 59 min")]
    [InlineData(86400, "1 d 0 h")]
    [InlineData(900000, "10 d 10 h")]
    public void Duration_Golden_IsItsTwoLargestUnits(double seconds, string expected) =>
        Assert.Equal(expected, Format.Duration(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void Ago_Golden_IsADurationOrNever()
    {
        Assert.Equal("2 min 3 s ago", Format.Ago(TestMesh.Start, TestMesh.Start.AddSeconds(123)));
        Assert.Equal("never", Format.Ago(null, TestMesh.Start));
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(1048576, "1.0 MiB")]
    [InlineData(3221225472, "3.0 GiB")]
    [InlineData(1099511627776, "1.0 TiB")]
    [InlineData(1125899906842624, "1024.0 TiB")]
    public void Bytes_Golden_IsInBinaryUnits(long bytes, string expected) => Assert.Equal(expected, Format.Bytes(bytes));
}
