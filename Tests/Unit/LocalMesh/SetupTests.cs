using Orleans.WireGuard.LocalMesh.Check;
using Orleans.WireGuard.LocalMesh.Demo;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Setup;

namespace Orleans.WireGuard.Tests.Unit.LocalMesh;

/// <summary>What a person types, and what a machine lacks.</summary>
public sealed class SetupTests
{
    [Theory]
    [InlineData("5s", 5)]
    [InlineData("2m", 120)]
    [InlineData("1h", 3600)]
    [InlineData("120", 120)]
    [InlineData("00:00:10", 10)]
    [InlineData(" 7s ", 7)]
    public void PeriodParser_Forms_AreUnderstood(string text, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), PeriodParser.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("500ms")]
    [InlineData("5 s")]
    [InlineData("5x")]
    [InlineData("-5s")]
    [InlineData("1.5s")]
    [InlineData("5S")]
    [InlineData("10:00")]
    [InlineData("00:00:61")]
    [InlineData("99999999999s")]
    public void PeriodParser_SomethingElse_SaysWhatWasExpected(string text)
    {
        var error = Assert.Throws<FormatException>(() => PeriodParser.Parse(text));

        Assert.Contains($"'{text}'", error.Message, StringComparison.Ordinal);
        Assert.Contains("5s, 2m, 1h, 120 or 00:00:10", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("25h")]
    public void PeriodParser_OutOfRange_Throws(string text) =>
        Assert.Contains("out of range", Assert.Throws<FormatException>(() => PeriodParser.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void LocalOptions_NothingSet_AreTheDefaults()
    {
        var options = LocalOptions.Read(_ => "", TimeSpan.FromSeconds(5));

        Assert.Equal(new LocalOptions(3, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(60), null, null), options);
    }

    [Theory]
    [InlineData("NODES", "1")]
    [InlineData("NODES", "21")]
    [InlineData("NODES", "three")]
    [InlineData("PERIOD", "500ms")]
    [InlineData("DURATION", "soon")]
    [InlineData("ROTATIONS", "0")]
    [InlineData("ROUNDS", "many")]
    [InlineData("RUNS", "ABD")]
    public void LocalOptions_BadValue_NamesTheVariable(string name, string value) => Assert.StartsWith(
        name + ":",
        Assert.Throws<FormatException>(() => LocalOptions.Read(n => n == name ? value : null, TimeSpan.FromSeconds(5))).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Prerequisites_MissingPrograms_AreNamedByPackageOnce()
    {
        Assert.Equal(["wireguard-go", "util-linux"], Prerequisites.FindMissing(p => p is not ("wireguard-go" or "nsenter" or "unshare")));
        Assert.Equal(["iperf3"], Prerequisites.FindMissing(p => p != "iperf3", Prerequisites.ForThroughput));
        Assert.Empty(Prerequisites.FindMissing(p => p != "iperf3"));
        Assert.Empty(Prerequisites.FindMissing(_ => true));
    }

    [Fact]
    public void QuietPeriod_AnyMoment_LeavesTimeBeforeTheNextRotation()
    {
        var needed = TimeSpan.FromMinutes(10);
        for (var hour = 0; hour < 200; hour++)
        {
            var now = DateTimeOffset.UnixEpoch.AddDays(20_000).AddMinutes(17 * hour);
            var period = QuietPeriod.Choose(now, needed, hour % 2);
            var elapsed = TimeSpan.FromTicks((now - DateTimeOffset.UnixEpoch).Ticks % period.Ticks);

            Assert.True(elapsed > period / 4, "a rotation with jitter may still be due");
            Assert.True(period - elapsed > needed, "the epoch ends too early");
            Assert.Equal(hour % 2, (now - DateTimeOffset.UnixEpoch).Ticks / period.Ticks % 2);
        }
    }

    [Fact]
    public void OwnedProcess_Self_IsAliveUnderItsStartTimeOnly()
    {
        var self = OwnedProcess.Find(Environment.ProcessId)!;

        Assert.True(self.IsAlive);
        Assert.Equal(self, OwnedProcess.Parse(self.ToString()));
        Assert.False((self with { StartTime = self.StartTime + 1 }).IsAlive);
        Assert.Null(OwnedProcess.Parse("not a process"));
    }
}
