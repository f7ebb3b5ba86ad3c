using System.Net;
using CsCheck;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Random keys, prefixes, sequences and announcements for property tests.</summary>
internal static class MeshGen
{
    private const int IPv4Bits = 32;
    private const int IPv6Bits = 128;

    // The year 2100, so that whatever is added to it still is a time.
    private const long LatestTicks = 41_000_000_000_000_000;

    /// <summary>32 random bytes.</summary>
    public static readonly Gen<PublicKey> Key = Gen.Byte.Array[PublicKey.Size].Select(bytes => new PublicKey(bytes));

    /// <summary>IPv4 and IPv6 addresses without a zone.</summary>
    public static readonly Gen<IPAddress> Address = Gen.OneOf(
        Gen.Byte.Array[IPv4Bits / 8].Select(bytes => new IPAddress(bytes)),
        Gen.Byte.Array[IPv6Bits / 8].Select(bytes => new IPAddress(bytes)));

    /// <summary>Prefixes of both families and every length.</summary>
    public static readonly Gen<IPPrefix> Prefix = Gen.OneOf(
        Gen.Select(Gen.Byte.Array[IPv4Bits / 8], Gen.Int[0, IPv4Bits], ToPrefix),
        Gen.Select(Gen.Byte.Array[IPv6Bits / 8], Gen.Int[0, IPv6Bits], ToPrefix));

    /// <summary>Prefixes so close to each other that equal, nested and overlapping ones are common. Both families.</summary>
    public static readonly Gen<IPPrefix> CloseByPrefix = Gen.OneOf(
        Gen.Select(Gen.Byte[0, 7], Gen.Int[0, 8], (last, length) => ToPrefix([10, 0, 0, last], IPv4Bits - 8 + length)),
        Gen.Select(Gen.Byte[0, 7], Gen.Int[0, 8], (last, length) =>
            ToPrefix([0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last], IPv6Bits - 8 + length)));

    /// <summary>Moments from 1970 to 2100 with the precision of a tick.</summary>
    public static readonly Gen<DateTimeOffset> Time = Gen.Long[0, LatestTicks].Select(DateTimeOffset.UnixEpoch.AddTicks);

    /// <summary>Periods as the options allow them, from a second to a day with the precision of a tick; often round ones.</summary>
    public static readonly Gen<TimeSpan> Period = Gen.OneOf(
        Gen.Int[1, 86_400].Select(seconds => TimeSpan.FromSeconds(seconds)),
        Gen.Long[TimeSpan.TicksPerSecond, TimeSpan.TicksPerDay].Select(TimeSpan.FromTicks));

    /// <summary>Sequences so close to each other that equal ones are common.</summary>
    public static readonly Gen<AnnouncementSequence> Sequence =
        Gen.Select(Gen.Long[0, 3], Gen.Long[0, 3], (epoch, revision) => new AnnouncementSequence(new Epoch(epoch), revision));

    /// <summary>Announcements of any well-formed content, not signed.</summary>
    public static readonly Gen<PeerAnnouncement> Announcement = Gen.Select(
        Gen.Select(
            Gen.Char["ab-.1"].Array[1, 5], Key, Sequence, Gen.Select(Key, Gen.Long[0, 9], Gen.UShort, Gen.Long[0, 9]).Array[1, Slot.Count]),
        Gen.Select(Address.Array[1, 3], Gen.OneOf(Prefix, CloseByPrefix).Array[0, 3], Time, Gen.OneOf(
            Time.Select(time => (DateTimeOffset?)time), Gen.Const((DateTimeOffset?)null))),
        (head, rest) => new PeerAnnouncement
        {
            NodeName = new string(head.Item1),
            Identity = new IdentityKey(head.Item2.ToArray()),
            Sequence = head.Item3,
            Slots = head.Item4.Select(ToSlot).ToEquatableArray(),
            Endpoints = [.. rest.Item1],
            AllowedIPs = [.. rest.Item2],
            IssuedAt = rest.Item3,
            FrozenUntil = rest.Item4,
        });

    private static SlotAnnouncement ToSlot((PublicKey Key, long Epoch, ushort Port, long Serves) slot, int index) =>
        new(new Slot((byte)index), slot.Key, new Epoch(slot.Epoch), slot.Port) { ServesEpoch = new Epoch(slot.Serves) };

    private static IPPrefix ToPrefix(byte[] bytes, int length)
    {
        for (var bit = length; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        }

        return new IPPrefix(new IPAddress(bytes), length);
    }
}
