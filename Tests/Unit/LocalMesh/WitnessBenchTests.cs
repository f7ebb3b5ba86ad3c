using Orleans.WireGuard.LocalMesh.Bench;

namespace Orleans.WireGuard.Tests.Unit.LocalMesh;

/// <summary>What <c>make bench-witness</c> reads from the tools, and how it reckons.</summary>
public sealed class WitnessBenchTests
{
    [Fact]
    public void ParseAnswered_ReadsWhatPingCounted()
    {
        Assert.Equal(5, TunnelFlood.ParseAnswered(
            "--- 10.1.1.1 ping statistics ---\n6 packets transmitted, 5 received, 16.6% packet loss, time 7ms\n"));
        Assert.Throws<FormatException>(() => TunnelFlood.ParseAnswered("ping: unknown host"));
    }

    [Fact]
    public void ParseCounters_ReadsWhatNftShows() => Assert.Equal(
        [new("clear", 0), new("tunnel", 7)],
        TunnelFlood.ParseCounters(
            """{"nftables":[{"metainfo":{}},{"counter":{"name":"clear","packets":0,"bytes":0}},{"counter":{"name":"tunnel","packets":7,"bytes":9}}]}"""));

    [Fact]
    public void ParseRate_ReadsWhatIperf3Sent()
    {
        Assert.Equal(250, WitnessBench.ParseRate("""{"end":{"sum":{"packets":1000,"seconds":4.0}}}"""));
        Assert.Throws<FormatException>(() => WitnessBench.ParseRate("""{"error":"unable to connect"}"""));
    }

    [Fact]
    public void Result_Pairs_GiveMedians()
    {
        var result = new WitnessBenchResult(
            0, new Dictionary<string, long>(), [(99, 100), (50, 100), (200, 100)], [(500_000, 1_000_000), (1_000_000, 1_000_000), (1, 2)]);
        Assert.Equal(0.99, result.ThroughputRatio);
        Assert.Equal(1_000, result.CostOfAPacket!.Value.TotalNanoseconds);
        Assert.Null(new WitnessBenchResult(0, new Dictionary<string, long>(), [], []).ThroughputRatio);
    }
}
