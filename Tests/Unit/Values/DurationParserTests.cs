namespace Orleans.WireGuard.Tests.Unit.Values;

public sealed class DurationParserTests
{
    [Theory]
    [InlineData("0s", 0)]
    [InlineData("90s", 90)]
    [InlineData("10m", 600)]
    [InlineData("2h", 7200)]
    [InlineData("2147483647s", int.MaxValue)]
    public void TryParse_NumberAndUnit_IsTaken(string text, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), DurationParser.TryParse(text));

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("10")]
    [InlineData("-5m")]
    [InlineData("1.5h")]
    [InlineData("10d")]
    [InlineData("500ms")]
    [InlineData("5 s")]
    [InlineData("5S")]
    [InlineData("2147483647h")]
    [InlineData("99999999999s")]
    public void TryParse_SomethingElse_IsNone(string text) => Assert.Null(DurationParser.TryParse(text));
}
