using System.Net;

namespace Orleans.WireGuard.Tests.Unit.Values;

public sealed class IPAddressExtensionsTests
{
    [Theory]
    [InlineData("::ffff:192.0.2.1", "192.0.2.1")]
    [InlineData("192.0.2.1", "192.0.2.1")]
    [InlineData("2001:db8::1", "2001:db8::1")]
    [InlineData("fe80::1%3", "fe80::1%3")]
    [InlineData("::", "::")]
    public void Unmap_Golden_OnlyMappedAddressesChange(string address, string expected)
    {
        Assert.Equal(IPAddress.Parse(expected), IPAddress.Parse(address).Unmap());
        Assert.Equal(
            new IPEndPoint(IPAddress.Parse(expected), 51871), new IPEndPoint(IPAddress.Parse(address), 51871).Unmap());
    }
}
