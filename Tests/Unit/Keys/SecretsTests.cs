using System.Reflection;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;
using Orleans.Serialization.Serializers;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Keys;

/// <summary>Private keys are not serialized and not printed (invariant I1): no type that holds one can be, now or later.</summary>
public sealed class SecretsTests
{
    // Six characters of base64 are 36 bits: too many to meet by chance, too few to be of use.
    private const int Fragment = 6;

    private static readonly Type[] Holders =
        [.. Product.Types.Where(type => HoldsSecret(type, [])).OrderBy(type => type.FullName, StringComparer.Ordinal)];

    [Fact]
    public void Holders_Known_AreFound()
    {
        Assert.Contains(typeof(KeyPair), Holders);
        Assert.Contains(typeof(KeyRing), Holders);
        Assert.Contains(typeof(Identity), Holders);
        Assert.Contains(typeof(SlotKey), Holders);
        Assert.Contains(typeof(DesiredDevice), Holders);
        Assert.Contains(typeof(DevicePatch), Holders);
        Assert.DoesNotContain(typeof(Device), Holders);
        Assert.DoesNotContain(typeof(PublicKey), Holders);
    }

    [Fact]
    public void Serializer_Holder_HasNoCodec()
    {
        using var services = new ServiceCollection().AddSerializer().BuildServiceProvider();
        var codecs = services.GetRequiredService<ICodecProvider>();
        Assert.NotNull(codecs.TryGetCodec<PublicKey>());
        var hasCodec = typeof(SecretsTests).GetMethod(nameof(HasCodec), BindingFlags.NonPublic | BindingFlags.Static)!;
        Assert.All(Holders.Where(type => !type.IsGenericTypeDefinition && !(type.IsAbstract && type.IsSealed)), type =>
        {
            Assert.Null(type.GetCustomAttribute<GenerateSerializerAttribute>());
            Assert.False((bool)hasCodec.MakeGenericMethod(type).Invoke(null, [codecs])!, $"{type} has a codec");
        });
    }

    // What a property returns can be logged. Whoever adds one here has to think first.
    [Theory]
    [InlineData(typeof(KeyPair), typeof(PublicKey))]
    [InlineData(typeof(Identity), typeof(IdentityKey))]
    [InlineData(typeof(KeyRing), typeof(IReadOnlyList<SlotKey>), typeof(bool))]
    [InlineData(
        typeof(SlotKey),
        typeof(Slot), typeof(KeyPair), typeof(Epoch), typeof(DateTimeOffset), typeof(SteadyTime), typeof(SlotEpochs), typeof(Type))]
    public void Properties_Holder_ReturnNoSecret(Type holder, params Type[] allowed) => Assert.All(
        holder.GetProperties(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic),
        property => Assert.Contains(property.PropertyType, allowed));

    [Fact]
    public void ToString_Holder_ShowsNoSecret()
    {
        using var pair = KeyPair.Create();
        using var ring = new KeyRing();
        var key = new SlotKey(Slot.Zero, pair, new Epoch(1), TestMesh.Start);
        _ = ring.Replace(key);
        AssertHidden(pair, $"{pair}");
        AssertHidden(pair, $"{key}");
        AssertHidden(pair, $"{ring}");
        AssertHidden(pair, string.Join(' ', ring.Keys));
        AssertHidden(pair, $"{new DesiredDevice("cilium_wg0", pair, 51871, [])}");
        AssertHidden(pair, $"{new DevicePatch(pair, null, [])}");
        AssertHidden(pair, JsonSerializer.Serialize(key, MeshJson.Options));
        AssertHidden(pair, JsonSerializer.Serialize(new DevicePatch(pair, null, []), MeshJson.Options));
        Assert.Contains(pair.PublicKey.ToShortString(), $"{key}", StringComparison.Ordinal);
    }

    // The proof above can fail: this is what it looks for.
    [Fact]
    public void AssertHidden_SecretShown_Fails()
    {
        using var pair = KeyPair.Create();
        var secret = new byte[KeyPair.PrivateKeySize];
        pair.ExportPrivateKey(secret);
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => AssertHidden(pair, $"key {Convert.ToBase64String(secret)}"));
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => AssertHidden(pair, $"key {Convert.ToHexString(secret)}"));
    }

    private static bool HasCodec<T>(ICodecProvider codecs) => codecs.TryGetCodec<T>() is not null;

    private static void AssertHidden(KeyPair pair, string text)
    {
        var secret = new byte[KeyPair.PrivateKeySize];
        pair.ExportPrivateKey(secret);
        foreach (var form in (string[])[Convert.ToBase64String(secret), Convert.ToHexString(secret), Convert.ToHexStringLower(secret)])
        {
            for (var i = 0; i + Fragment <= form.Length; i++)
            {
                Assert.DoesNotContain(form.Substring(i, Fragment), text, StringComparison.Ordinal);
            }
        }
    }

    private static bool HoldsSecret(Type type, HashSet<Type> seen) => seen.Add(type)
        && type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).SelectMany(field => Parts(field.FieldType))
            .Any(part => part == typeof(NSec.Cryptography.Key) || (Product.Assemblies.Contains(part.Assembly) && HoldsSecret(part, seen)));

    private static IEnumerable<Type> Parts(Type type) => type.HasElementType
        ? Parts(type.GetElementType()!)
        : type.IsGenericType ? type.GetGenericArguments().SelectMany(Parts).Append(type.GetGenericTypeDefinition()) : [type];
}
