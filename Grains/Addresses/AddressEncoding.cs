using System.Buffers;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Keys;
using static Orleans.WireGuard.Grains.Delivery.CanonicalWriter;

namespace Orleans.WireGuard.Grains.Addresses;

/// <summary>The canonical bytes of an announcement of addresses, which are signed, and the signature.</summary>
/// <remarks>
/// The context string keeps a signature from being valid for anything else, an announcement of keys above all.
/// <code>
/// context  name(u16 len, utf-8)  identity(32)  second(i64)  revision(i64)
/// prefixes(u16 n: address, prefix length(u8))  node addresses(u16 n: address)  encapsulations(u16 n: protocol(u8) port(u16))
/// address = family(u8: 4 or 6) and 4 or 16 bytes
/// </code>
/// </remarks>
internal static class AddressEncoding
{
    /// <summary>Encodes everything but the signature.</summary>
    /// <exception cref="ArgumentException">The name is no text, or an address has a zone.</exception>
    public static byte[] Encode(AddressAnnouncement announcement)
    {
        var writer = new ArrayBufferWriter<byte>(512);
        writer.Write(OwnProtocol.AddressSignatureContext);
        WriteString(writer, announcement.NodeName);
        WriteIdentity(writer, announcement.Identity);
        WriteInt64(writer, announcement.Sequence.Epoch.Value);
        WriteInt64(writer, announcement.Sequence.Revision);
        WriteUInt16(writer, checked((ushort)announcement.Prefixes.Count));
        foreach (var prefix in announcement.Prefixes)
        {
            WritePrefix(writer, prefix);
        }

        WriteUInt16(writer, checked((ushort)announcement.NodeAddresses.Count));
        foreach (var address in announcement.NodeAddresses)
        {
            WriteAddress(writer, address);
        }

        WriteUInt16(writer, checked((ushort)announcement.Encapsulations.Count));
        foreach (var encapsulation in announcement.Encapsulations)
        {
            WriteByte(writer, encapsulation.Protocol);
            WriteUInt16(writer, encapsulation.Port);
        }

        return writer.WrittenSpan.ToArray();
    }

    /// <summary>The announcement with this identity and its signature.</summary>
    public static AddressAnnouncement Sign(this Identity identity, AddressAnnouncement announcement)
    {
        var signed = announcement with { Identity = identity.PublicKey };
        return signed with { Signature = new([.. identity.Sign(Encode(signed))]) };
    }

    /// <summary>Whether the signature is that of <see cref="AddressAnnouncement.Identity"/> over this very content.</summary>
    public static bool Verify(AddressAnnouncement announcement) =>
        Identity.Verify(announcement.Identity, Encode(announcement), announcement.Signature.AsSpan());
}
