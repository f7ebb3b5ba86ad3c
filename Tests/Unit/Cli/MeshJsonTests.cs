using System.Net;
using System.Text.Json;
using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Tests.Support;
using Orleans.WireGuard.Tests.Unit.Serialization;

namespace Orleans.WireGuard.Tests.Unit.Cli;

/// <summary>What scripts read: <c>owg status -o json</c> and its like.</summary>
public sealed class MeshJsonTests
{
    private const string GoldenFile = "json/MeshSnapshot.json";

    // One node that is well enough to say everything, one that gave no answer.
    private static MeshSnapshot Golden
    {
        get
        {
            var sample = (MeshSnapshot)WireSamples.All[typeof(MeshSnapshot)];
            return sample with { Nodes = [.. sample.Nodes, new MeshNode("node-2", null, [NodeProblem.Of(NodeProblemCode.NoSilo)])] };
        }
    }

    [Fact]
    public void Serialize_Snapshot_IsTheGoldenFile() =>
        TestData.AssertGolden(GoldenFile, JsonSerializer.Serialize(Golden, MeshJson.Options) + "\n");

    [Fact]
    public void Deserialize_GoldenFile_IsTheSnapshot() =>
        Assert.Equal(Golden, JsonSerializer.Deserialize<MeshSnapshot>(TestData.Read(GoldenFile), MeshJson.Options));

    [Fact]
    public void RoundTrip_OtherReplies_AreEqual()
    {
        var receipt = (RotationReceipt)WireSamples.All[typeof(RotationReceipt)];
        Assert.Equal(receipt, RoundTrip(receipt));
        Assert.Equal(receipt with { OldPublicKey = null }, RoundTrip(receipt with { OldPublicKey = null }));
        EquatableArray<DeviceStatus> devices = [(DeviceStatus)WireSamples.All[typeof(DeviceStatus)]];
        Assert.Equal(devices, RoundTrip(devices));
        EquatableArray<IPAddress> addresses = [IPAddress.Loopback, IPAddress.Parse("fd00::1")];
        Assert.Equal(addresses, RoundTrip(addresses));
    }

    [Theory]
    [InlineData("""{ "oldPublicKey": "short" }""")]
    [InlineData("""{ "oldPublicKey": 7 }""")]
    [InlineData("""{ "sequence": "7" }""")]
    [InlineData("""{ "sequence": "7.x" }""")]
    public void Deserialize_BadMember_IsAJsonException(string json) =>
        Assert.ThrowsAny<JsonException>(() => JsonSerializer.Deserialize<RotationReceipt>(json, MeshJson.Options));

    private static T? RoundTrip<T>(T value) =>
        JsonSerializer.Deserialize<T>(JsonSerializer.Serialize(value, MeshJson.Options), MeshJson.Options);
}
