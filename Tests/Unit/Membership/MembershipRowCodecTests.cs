using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using CsCheck;
using Orleans.WireGuard.Membership;

namespace Orleans.WireGuard.Tests.Unit.Membership;

/// <summary>The row format: golden lines, round trips, and the size of large tables.</summary>
public sealed class MembershipRowCodecTests
{
    private static readonly DateTime Start = new(2026, 11, 23, 6, 34, 0, DateTimeKind.Utc);

    [Fact]
    public void Encode_ActiveSilo_IsTheGoldenLine()
    {
        const string Golden =
            "Active 10.240.0.4:11111@132456789 aks-pool-000001 30000 = owg 0/0 2026-11-23T06:34:00.1234567Z +300000000 10.240.0.5:11111@7!2026-11-23T06:35:00Z";
        var entry = Silo("10.240.0.4", "aks-pool-000001");
        entry.SuspectTimes = [Tuple.Create(SiloAddress.New(IPAddress.Parse("10.240.0.5"), 11111, 7), Start.AddMinutes(1))];

        Assert.Equal(Golden, MembershipRowCodec.Encode(entry));
        AssertSame(entry, MembershipRowCodec.Decode(Golden));
    }

    [Fact]
    public void Encode_IPv6SiloWithOddTexts_RoundTrips()
    {
        var entry = Silo("fd00::1%3", "näme with \"blanks\" & 100% \\ <x>");
        entry.HostName = "=";
        entry.RoleName = string.Empty;
        entry.SuspectTimes = [];
        entry.UpdateZone = -1;
        entry.FaultZone = int.MaxValue;

        var line = MembershipRowCodec.Encode(entry);

        AssertSame(entry, MembershipRowCodec.Decode(line));
        Assert.Equal(line, JsonSerializer.Serialize(line, ClusteringJson.Compact.Options).Trim('"'));
    }

    [Fact]
    public void Encode_NullTexts_RoundTripAsNull()
    {
        var entry = new MembershipEntry { SiloAddress = SiloAddress.New(IPAddress.Loopback, 1, 0), Status = SiloStatus.None };
        AssertSame(entry, MembershipRowCodec.Decode(MembershipRowCodec.Encode(entry)));
    }

    [Fact]
    public void Decode_OfEncode_IsTheSame()
    {
        var text = Gen.OneOf(Gen.String, Gen.Const("-"), Gen.Const("="), Gen.Const("%"), Gen.Const(string.Empty), Gen.Const((string)null!))
            .Where(value => value is null || value.Normalize().Length >= 0);
        var time = Gen.Long[0, DateTime.MaxValue.Ticks].Select(ticks => new DateTime(ticks, DateTimeKind.Utc));
        var address = Gen.Select(Gen.OneOf(Gen.Byte.Array[4], Gen.Byte.Array[16]), Gen.Int[0, 65535], Gen.Int[0, int.MaxValue],
            (ip, port, generation) => SiloAddress.New(new IPAddress(ip), port, generation));
        var entry = Gen.Select(address, Gen.Enum<SiloStatus>(), Gen.Select(
            text, text, text), Gen.Int, Gen.Select(time, time), Gen.Select(address, time).List[0, 4],
            (silo, status, texts, number, times, votes) => new MembershipEntry
            {
                SiloAddress = silo,
                Status = status,
                SiloName = Valid(texts.Item1)!,
                HostName = Valid(texts.Item2)!,
                RoleName = Valid(texts.Item3),
                ProxyPort = number,
                StartTime = times.Item1,
                IAmAliveTime = times.Item2,
                SuspectTimes = votes.Count == 0 ? null : [.. votes.Select(vote => Tuple.Create(vote.Item1, vote.Item2))],
            });

        entry.Sample(each => AssertSame(each, MembershipRowCodec.Decode(MembershipRowCodec.Encode(each))), iter: 2000);

        // Half of a surrogate pair is no text; UTF-8 has no bytes for it.
        static string? Valid(string? value) => value is null ? null : Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(value));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Active 10.0.0.1:1@1 a 1 = owg 0/0 2026-11-23T06:34:00Z")]
    [InlineData("Unheard 10.0.0.1:1@1 a 1 = owg 0/0 2026-11-23T06:34:00Z +0")]
    [InlineData("Active 10.0.0.1 a 1 = owg 0/0 2026-11-23T06:34:00Z +0")]
    [InlineData("Active 10.0.0.1:1@1 a x = owg 0/0 2026-11-23T06:34:00Z +0")]
    [InlineData("Active 10.0.0.1:1@1 a 1 = owg 0 2026-11-23T06:34:00Z +0")]
    [InlineData("Active 10.0.0.1:1@1 a 1 = owg 0/0 yesterday +0")]
    [InlineData("Active 10.0.0.1:1@1 a 1 = owg 0/0 2026-11-23T06:34:00Z +9223372036854775807")]
    [InlineData("Active 10.0.0.1:1@1 a 1 = owg 0/0 2026-11-23T06:34:00Z +0 vote")]
    public void Decode_OtherText_ThrowsFormatExceptionThatQuotesIt(string row)
    {
        var error = Assert.Throws<FormatException>(() => MembershipRowCodec.Decode(row));
        Assert.Contains($"\"{row}\"", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5000, false, 0)]
    [InlineData(5000, true, 0)]
    [InlineData(1000, true, 2)]
    [InlineData(5000, true, 1)]
    public void ToJson_LargeTable_StaysBelowOneMebibyte(int silos, bool ipv6, int votes)
    {
        var document = MembershipDocument.Empty("production-westeurope");
        for (var index = 0; index < silos; index++)
        {
            var ip = ipv6
                ? string.Create(CultureInfo.InvariantCulture, $"2001:db8:abcd:12:{index:x4}:ffff:ffff:ffff")
                : string.Create(CultureInfo.InvariantCulture, $"10.240.{100 + (index / 100)}.{100 + (index % 100)}");
            var entry = Silo(ip, string.Create(CultureInfo.InvariantCulture, $"aks-nodepool1-12345678-vmss{index:d6}"));

            // Votes are seen on silos that are dead or dying: a tenth of them here is a disaster already.
            entry.SuspectTimes = votes > 0 && index % 10 == 0
                ? [.. Enumerable.Range(0, votes).Select(vote => Tuple.Create(entry.SiloAddress, Start.AddTicks(vote + 1234567)))]
                : null;
            document = document.Insert(entry, new TableVersion(index, document.Etag))!;
        }

        var bytes = document.ToJson("0123456789abcdef").Length;

        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{silos} silos, {(ipv6 ? "IPv6" : "IPv4")}, {votes} votes on a tenth: {bytes} bytes = {bytes / 1024.0:F0} KiB, {bytes / silos} per silo");
        Assert.InRange(bytes, 0, 1024 * 1024);
    }

    private static MembershipEntry Silo(string ip, string name) => new()
    {
        SiloAddress = SiloAddress.New(IPAddress.Parse(ip), 11111, 132456789),
        Status = SiloStatus.Active,
        SiloName = name,
        HostName = name,
        RoleName = "owg",
        ProxyPort = 30000,
        StartTime = Start.AddTicks(1234567),
        IAmAliveTime = Start.AddTicks(1234567 + 300000000),
    };

    private static void AssertSame(MembershipEntry expected, MembershipEntry actual)
    {
        Assert.Equal(expected.SiloAddress, actual.SiloAddress);
        Assert.Equal(expected.Status, actual.Status);
        Assert.Equal(expected.SiloName, actual.SiloName);
        Assert.Equal(expected.HostName, actual.HostName);
        Assert.Equal(expected.RoleName, actual.RoleName);
        Assert.Equal(expected.ProxyPort, actual.ProxyPort);
        Assert.Equal(expected.UpdateZone, actual.UpdateZone);
        Assert.Equal(expected.FaultZone, actual.FaultZone);
        Assert.Equal(expected.StartTime.Ticks, actual.StartTime.Ticks);
        Assert.Equal(expected.IAmAliveTime.Ticks, actual.IAmAliveTime.Ticks);
        Assert.Equal(DateTimeKind.Utc, actual.StartTime.Kind);
        Assert.Equal(expected.SuspectTimes, actual.SuspectTimes);
    }
}
