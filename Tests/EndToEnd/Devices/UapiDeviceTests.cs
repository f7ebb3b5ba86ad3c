// The table of cases with the UAPI client on wireguard-go, in network namespaces of this machine.
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Devices;

/// <summary>What the kernel passes, wireguard-go passes: one table of cases, two transports.</summary>
[Trait("Kind", "EndToEnd")]
public sealed class UapiDeviceTests
{
    public static TheoryData<string> Cases => [.. DeviceCases.All.Where(c => !c.KernelOnly).Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Case_OnWireGuardGo_Passes(string name)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "network namespaces need root");
        await DeviceCaseContext.RunAsync(
            DeviceCases.All.Single(c => c.Name == name),
            () => new UapiWireGuardClient(
                new UserspaceDeviceOptions { NetworkNamespace = $"/proc/self/task/{Native.GetThreadId()}/ns/net" },
                TimeProvider.System,
                NullLogger<UapiWireGuardClient>.Instance),
            TestContext.Current.CancellationToken);
    }
}
