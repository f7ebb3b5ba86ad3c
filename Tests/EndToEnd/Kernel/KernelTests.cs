// The tables of cases as they went on the kernel in the guest, without the long ones, which `make test-kernel` has too.
using Orleans.WireGuard.Tests.EndToEnd.Devices;
using Orleans.WireGuard.Tests.EndToEnd.Findings;
using Orleans.WireGuard.Tests.EndToEnd.Routing;
using Orleans.WireGuard.Tests.EndToEnd.Routing.Witness;

namespace Orleans.WireGuard.Tests.EndToEnd.Kernel;

[Trait("Kind", "Kernel")]
public sealed class KernelTests(KernelFixture fixture, ITestOutputHelper output) : IClassFixture<KernelFixture>
{
    public static TheoryData<string> Cases =>
    [
        .. LinkCases.All.Select(linkCase => $"link.{linkCase.Name}"),
        .. DeviceCases.All.Select(deviceCase => $"device.{deviceCase.Name}"),
        .. WitnessCases.All.Select(witnessCase => $"witness.{witnessCase.Name}"),
        .. RealityTable.Rows.Select(row => $"reality.{row.Name}"),
        .. MeshCases.All.Where(meshCase => !meshCase.IsLong).Select(meshCase => $"mesh.{meshCase.Name}"),
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Case_OnTheGuestsKernel_Passes(string name)
    {
        var report = fixture.Report;
        Assert.SkipWhen(report.SkipReason is not null, report.SkipReason ?? "");
        if (!report.Results.TryGetValue(name, out var result))
        {
            Assert.Fail($"The guest did not report this case ({(report.IsComplete ? "it ended" : "it died")}):\n{report.Tail}");
        }

        var text = result.Text.Replace(" / ", "\n", StringComparison.Ordinal);
        Assert.True(result.Passed, text);
        output.WriteLine($"{result.Duration.TotalSeconds:0.0} s. {text}");
    }
}
