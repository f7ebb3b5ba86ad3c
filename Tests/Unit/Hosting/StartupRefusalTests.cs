using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

/// <summary>What a silo refuses to start on, told without a machine that has it.</summary>
public sealed class StartupRefusalTests
{
    [Theory]
    [InlineData(DeviceTransport.Auto, false, true, true)]
    [InlineData(DeviceTransport.Auto, true, true, true)]
    [InlineData(DeviceTransport.Auto, true, false, false)]
    [InlineData(DeviceTransport.Kernel, false, true, true)]
    [InlineData(DeviceTransport.Userspace, false, true, false)]
    [InlineData(DeviceTransport.Userspace, false, false, false)]
    public void Choose_Possible_SaysWhichAndWhy(DeviceTransport wanted, bool mayStart, bool hasKernel, bool usesKernel)
    {
        var choice = TransportChoice.Choose(wanted, mayStart, hasKernel, out var fault);
        Assert.Null(fault);
        Assert.Equal(usesKernel, choice!.UseKernel);
        Assert.NotEmpty(TransportText.Describe(choice.Reason));
    }

    [Theory]
    [InlineData(DeviceTransport.Auto, "Device:StartUserspace")]
    [InlineData(DeviceTransport.Kernel, "allow Userspace")]
    public void Choose_KernelWithoutWireGuard_SaysWhatToDo(DeviceTransport wanted, string wayOut)
    {
        Assert.Null(TransportChoice.Choose(wanted, mayStartUserspace: false, hasKernel: false, out var fault));
        Assert.Contains("no WireGuard", fault, StringComparison.Ordinal);
        Assert.Contains(wayOut, fault, StringComparison.Ordinal);
        Assert.Contains("module 'wireguard'", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wireguard", false)]
    [InlineData("tun", true)]
    public void FindForeignKind_OurKind_IsFine(string kind, bool isUserspace) =>
        Assert.Null(StartupChecks.FindForeignKind(new Link("cilium_wg0", 3, 1420, true, kind), isUserspace));

    [Fact]
    public void FindForeignKind_NoLink_IsFine() => Assert.Null(StartupChecks.FindForeignKind(null, isUserspace: true));

    [Theory]
    [InlineData("veth", false, "rename that link")]
    [InlineData("bridge", true, "rename that link")]
    [InlineData("wireguard", true, "Device:Transport to Kernel")]
    [InlineData("tun", false, "Device:Transport to Userspace")]
    public void FindForeignKind_AnotherKind_NamesItAndTheWayOut(string kind, bool isUserspace, string wayOut)
    {
        var fault = StartupChecks.FindForeignKind(new Link("cilium_wg0", 3, 1420, true, kind), isUserspace);
        Assert.Contains($"kind '{kind}'", fault, StringComparison.Ordinal);
        Assert.Contains(wayOut, fault, StringComparison.Ordinal);
    }
}
