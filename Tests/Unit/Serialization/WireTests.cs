using System.Net;
using System.Reflection;
using CsCheck;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Serialization;

/// <summary>
/// What crosses the wire comes out as it went in, in bytes that do not change: during a roll-out silos of two versions talk to each other.
/// </summary>
public sealed class WireTests
{
    // Looks through all assemblies, which takes a while, and keeps nothing of a value.
    private static readonly ServiceProvider Services = new ServiceCollection().AddSerializer().BuildServiceProvider();

    /// <summary>The names of all types that have a generated serializer.</summary>
    public static TheoryData<string> TypeNames { get; } =
        [.. WireSamples.FindTypes().Select(type => type.Name).Order(StringComparer.Ordinal)];

    [Fact]
    public void Samples_EveryType_HaveOne() => Assert.Equal(
        WireSamples.FindTypes().Select(type => type.Name).Order(StringComparer.Ordinal),
        WireSamples.All.Keys.Select(type => type.Name).Order(StringComparer.Ordinal));

    [Fact]
    public void Aliases_EveryType_HaveOneOfTheirOwn()
    {
        var aliases = WireSamples.FindTypes().Select(type => type.GetCustomAttribute<AliasAttribute>()?.Alias).ToList();
        Assert.All(aliases, alias => Assert.StartsWith("owg.", alias, StringComparison.Ordinal));
        Assert.Equal(aliases.Count, aliases.Distinct().Count());
    }

    // A new member gets a new number, so an old sample would not tell; a member at its default is not on the wire at all.
    [Theory]
    [MemberData(nameof(TypeNames))]
    public void Samples_EveryMember_IsSet(string typeName)
    {
        var (_, sample) = Find(typeName);
        Assert.All(
            sample.GetType().GetProperties().Where(member => member.CanWrite && member.DeclaringType == sample.GetType()),
            member => Assert.NotEqual(
                member.PropertyType.IsValueType ? Activator.CreateInstance(member.PropertyType) : null, member.GetValue(sample)));
    }

    [Theory]
    [MemberData(nameof(TypeNames))]
    public void Serialize_Sample_IsTheGoldenFile(string typeName)
    {
        var (type, sample) = Find(typeName);
        var bytes = Invoke<byte[]>(nameof(Serialize), type, sample);
        TestData.AssertGolden(GoldenFile(typeName), TestData.ToHexLines(bytes));
    }

    [Theory]
    [MemberData(nameof(TypeNames))]
    public void Deserialize_GoldenFile_IsTheSample(string typeName)
    {
        var (type, sample) = Find(typeName);
        var value = Invoke<object>(nameof(Deserialize), type, TestData.FromHexLines(TestData.Read(GoldenFile(typeName))));
        Assert.Equal(WireSamples.Comparable(sample), WireSamples.Comparable(value));
    }

    [Theory]
    [MemberData(nameof(TypeNames))]
    public void Copy_Sample_IsEqual(string typeName)
    {
        var (type, sample) = Find(typeName);
        Assert.Equal(WireSamples.Comparable(sample), WireSamples.Comparable(Invoke<object>(nameof(Copy), type, sample)));
    }

    [Fact]
    public void RoundTrip_AnyAnnouncement_IsEqual() =>
        MeshGen.Announcement.Sample(announcement => Assert.Equal(announcement, Deserialize<PeerAnnouncement>(Serialize(announcement))));

    [Fact]
    public void RoundTrip_NothingSet_IsEqual()
    {
        Assert.Equal(default, Deserialize<EquatableArray<int>>(Serialize(default(EquatableArray<int>))));
        Assert.Equal(default, Deserialize<IPPrefix>(Serialize(default(IPPrefix))));
        Assert.Equal(default, Deserialize<PublicKey>(Serialize(default(PublicKey))));
        var empty = new PeerStatus(null, default, null, [], null, 0, 0, PeerState.Unknown);
        Assert.Equal(empty, Deserialize<PeerStatus>(Serialize(empty)));
    }

    // The framework's constants are of a type of their own.
    [Fact]
    public void RoundTrip_LoopbackAddress_IsEqual()
    {
        var announcement = TestMesh.Announce(1) with { Endpoints = [IPAddress.Loopback, IPAddress.IPv6Loopback] };
        Assert.Equal(announcement, Deserialize<PeerAnnouncement>(Serialize(announcement)));
    }

    private static (Type Type, object Sample) Find(string typeName)
    {
        var sample = WireSamples.All.Single(entry => entry.Key.Name == typeName).Value;
        return (sample.GetType(), sample);
    }

    private static string GoldenFile(string typeName) => $"wire/{typeName.Split('`')[0]}.txt";

    private static byte[] Serialize<T>(T value) => Services.GetRequiredService<Serializer>().SerializeToArray(value);

    private static T? Deserialize<T>(byte[] bytes) => Services.GetRequiredService<Serializer>().Deserialize<T>(bytes);

    private static T? Copy<T>(T value) => Services.GetRequiredService<DeepCopier>().Copy(value);

    private static TResult Invoke<TResult>(string method, Type type, object argument) => (TResult)typeof(WireTests)
        .GetMethod(method, BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(type).Invoke(null, [argument])!;
}
