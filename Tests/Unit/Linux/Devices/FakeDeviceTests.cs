// The table of device cases with the fake.
using Orleans.WireGuard.Tests.EndToEnd.Devices;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Linux.Devices;

/// <summary>What the kernel and wireguard-go pass, the fake passes: what other tests conclude from it holds for a device.</summary>
public sealed class FakeDeviceTests
{
    public static TheoryData<string> Cases => [.. DeviceCases.All.Where(c => !c.KernelOnly && !c.NeedsSystem).Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Case_OnTheFake_Passes(string name)
    {
        var links = new FakeLinkClient();
        using var client = new FakeWireGuardClient(links);
        await DeviceCaseContext.RunInMemoryAsync(
            DeviceCases.All.Single(c => c.Name == name), client, links, TestContext.Current.CancellationToken);
    }
}
