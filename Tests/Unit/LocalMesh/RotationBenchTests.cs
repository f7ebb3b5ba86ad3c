using Orleans.WireGuard.LocalMesh.Bench;
using Orleans.WireGuard.LocalMesh.Meter;
using Orleans.WireGuard.LocalMesh.Probes;

namespace Orleans.WireGuard.Tests.Unit.LocalMesh;

/// <summary>The runs of <c>make bench-rotation</c> side by side, and what is read from the tools.</summary>
public sealed class RotationBenchTests
{
    private static readonly NodePair Pair = new("node-1", "node-2");

    [Fact]
    public void RotationTable_Runs_StandSideBySideAsRatiosToA()
    {
        var lines = RotationTable.Render(
        [
            Run('A', [Report(100, 100, 2), Report(100, 100, 2)], [1000, 800, 900], 0),
            Run('B', [Report(300, 300, 3)], [891, 1, 2000], 7),
            Run('C', [Report(50, 48, 4)], [], 2),
        ]).ToDictionary(line => line[..24].Trim(), line => line[24..]);

        Assert.Equal(["0", "7", "2"], Columns(lines["rotations of each node"]));
        Assert.Equal(["0 of 200", "0 of 300", "2 of 50"], Columns(lines["lost of sent"]));
        Assert.Equal(["0 of 200", "0 of 300", "2 of 50"], Columns(lines["node-1→node-2"]));
        Assert.Equal(["2.00 (1.00 x A)", "3.00 (1.50 x A)", "4.00 (2.00 x A)"], Columns(lines["latency p99.9 ms"]));
        Assert.Equal(["900 (1.00 x A)", "891 (0.99 x A)", "-"], Columns(lines["TCP Mbit/s, median"]));
    }

    [Fact]
    public void Median_EvenNumber_IsTheMeanOfTheTwoInTheMiddle()
    {
        Assert.Equal(2, Percentiles.Median([1, 2, 9]));
        Assert.Equal(3, Percentiles.Median([1, 2, 4, 9]));
        Assert.Equal(7, Percentiles.Median([7]));
    }

    [Fact]
    public void RotationTable_WithoutA_HasNoRatios()
    {
        var lines = RotationTable.Render([Run('B', [Report(3, 3, 3)], [], 1)]).ToDictionary(line => line[..24].Trim(), line => line[24..]);

        Assert.Equal("3.00", lines["latency max ms"]);
        Assert.Equal("-", lines["TCP Mbit/s, median"]);
    }

    [Fact]
    public void TcpThroughput_Parse_ReadsWhatTheReceiverSaw()
    {
        Assert.Equal(1234.5, TcpThroughput.Parse(
            """{"end":{"sum_sent":{"bits_per_second":2e9},"sum_received":{"bits_per_second":1234500000.0}}}"""));
        Assert.Throws<FormatException>(() => TcpThroughput.Parse("""{"error":"unable to connect"}"""));
        Assert.Throws<FormatException>(() => TcpThroughput.Parse("iperf3: error"));
    }

    [Fact]
    public void RotationWatch_Parse_LeavesOutDevicesWithoutAKey() =>
        Assert.Equal(["aaa=", "bbb="], RotationWatch.Parse("cilium_wg0\taaa=\ncilium_wg1\t(none)\ncilium_wg2\tbbb=\n"));

    private static string[] Columns(string line) =>
        line.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static RotationRunResult Run(char letter, IEnumerable<MeterReport> packets, IEnumerable<double> throughputs, long rotations)
    {
        var run = new RotationRunResult(letter, "title");
        run.Packets.AddRange(packets);
        run.Throughputs.AddRange(throughputs);
        run.AddRotations("node-1", rotations);
        return run;
    }

    private static MeterReport Report(long sent, long received, double milliseconds)
    {
        var latency = new LatencyHistogram();
        latency.Add(TimeSpan.FromMilliseconds(milliseconds));
        return new MeterReport(TimeSpan.FromSeconds(1), 0, [new FlowReport(Pair, sent, received) { Latency = latency }]);
    }
}
