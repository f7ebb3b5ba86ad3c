using Orleans.WireGuard.Tests.EndToEnd.Kernel;

namespace Orleans.WireGuard.Tests.Unit.Linux.Devices;

public sealed class KernelReportTests
{
    [Fact]
    public void Parse_ConsoleOfAWholeRun_YieldsEveryCase()
    {
        var report = KernelReport.Parse(
            "BOOT|6.1.0\r\nnoise | of | the kernel\r\nCASE|a|PASS|12|\r\nCASE|b|FAIL|3|expected 1 / at X\r\nDONE|\r\n");

        Assert.Null(report.SkipReason);
        Assert.True(report.IsComplete);
        Assert.Equal(new KernelResult(true, TimeSpan.FromMilliseconds(12), ""), report.Results["a"]);
        Assert.Equal(new KernelResult(false, TimeSpan.FromMilliseconds(3), "expected 1 / at X"), report.Results["b"]);
    }

    [Fact]
    public void Parse_ConsoleThatBreaksOff_IsNotComplete()
    {
        var report = KernelReport.Parse("CASE|a|PASS|12|\nCASE|b|PA");
        Assert.False(report.IsComplete);
        Assert.Equal(["a"], report.Results.Keys);
        Assert.EndsWith("CASE|b|PA", report.Tail, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_MissingTool_IsTheReasonToSkip() =>
        Assert.Equal("qemu-system-x86_64 is missing", KernelReport.Parse("SKIP|qemu-system-x86_64 is missing\n").SkipReason);
}
