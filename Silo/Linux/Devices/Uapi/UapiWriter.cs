using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Linux.Devices.Uapi;

/// <summary>
/// Writes requests of the WireGuard cross-platform userspace protocol (https://www.wireguard.com/xplatform/): a patch becomes a
/// <c>set</c> operation.
/// </summary>
/// <remarks>
/// The key <c>replace_peers</c> is never written: it would end every session (ARCHITECTURE.md, invariant I5). Neither is the removal of
/// a single prefix (<c>allowed_ip=-…</c>), which wireguard-go 0.0.20220316 of Debian 12 refuses; the patch replaces the whole list.
/// </remarks>
internal static class UapiWriter
{

    /// <summary>The request for everything that a device knows.</summary>
    public static ReadOnlySpan<byte> Get => "get=1\n\n"u8;

    /// <summary>Writes the request that applies <paramref name="patch"/>.</summary>
    /// <param name="writer">Its content is a secret if the patch carries a key.</param>
    /// <param name="patch">Its key pair is only read.</param>
    /// <exception cref="ArgumentException">The patch says what no device can be told; nothing must be sent.</exception>
    public static void WriteSet(IBufferWriter<byte> writer, DevicePatch patch)
    {
        writer.Write("set=1\n"u8);
        if (patch.KeyPair is not null)
        {
            WritePrivateKey(writer, patch.KeyPair);
        }
        else if (patch.ClearKey)
        {
            WriteHex(writer, "private_key="u8, stackalloc byte[KeyPair.PrivateKeySize]);
        }

        if (patch.ListenPort is { } port)
        {
            WriteNumber(writer, "listen_port="u8, port);
        }

        if (patch.FirewallMark is { } mark)
        {
            WriteNumber(writer, "fwmark="u8, mark);
        }

        foreach (var peer in patch.Peers)
        {
            WritePeer(writer, peer);
        }

        writer.Write("\n"u8);
    }

    private static void WritePeer(IBufferWriter<byte> writer, PeerPatch peer)
    {
        Span<byte> key = stackalloc byte[PublicKey.Size];
        peer.PublicKey.CopyTo(key);
        WriteHex(writer, "public_key="u8, key);
        switch (peer.Change)
        {
            case PeerChange.Remove when peer != new PeerPatch(peer.PublicKey, PeerChange.Remove):
                throw new ArgumentException($"The removal of peer {peer.PublicKey.ToShortString()} carries another member.", nameof(peer));
            case PeerChange.Remove:
                writer.Write("remove=true\n"u8);
                return;
            case PeerChange.Reset:
                writer.Write("remove=true\n"u8);
                WriteHex(writer, "public_key="u8, key);
                break;
            case PeerChange.Update:
                writer.Write("update_only=true\n"u8);
                break;
            case PeerChange.Add:
                break;
            default:
                throw new UnreachableException($"{peer.Change} is not a change.");
        }

        if (peer.ReplaceAllowedIPs)
        {
            writer.Write("replace_allowed_ips=true\n"u8);
        }

        foreach (var prefix in peer.AllowedIPs ?? [])
        {
            WriteText(writer, "allowed_ip="u8, prefix.ToString());
        }

        if (peer.Endpoint is { } endpoint)
        {
            WriteText(writer, "endpoint="u8, endpoint.Unmap().ToString());
        }

        if (peer.PersistentKeepaliveInterval is { } interval)
        {
            WriteNumber(writer, "persistent_keepalive_interval="u8, KeepaliveInterval.ToSeconds(interval));
        }
    }

    private static void WritePrivateKey(IBufferWriter<byte> writer, KeyPair keyPair)
    {
        Span<byte> key = stackalloc byte[KeyPair.PrivateKeySize];
        try
        {
            keyPair.ExportPrivateKey(key);
            WriteHex(writer, "private_key="u8, key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static void WriteHex(IBufferWriter<byte> writer, ReadOnlySpan<byte> name, ReadOnlySpan<byte> key)
    {
        writer.Write(name);
        _ = Convert.TryToHexStringLower(key, writer.GetSpan(key.Length * 2), out var written);
        Debug.Assert(written == key.Length * 2, "The span was asked for at this length.");
        writer.Advance(written);
        writer.Write("\n"u8);
    }

    private static void WriteNumber(IBufferWriter<byte> writer, ReadOnlySpan<byte> name, long value)
    {
        const int MaxDigits = 20;
        writer.Write(name);
        _ = Utf8Formatter.TryFormat(value, writer.GetSpan(MaxDigits), out var written);
        writer.Advance(written);
        writer.Write("\n"u8);
    }

    private static void WriteText(IBufferWriter<byte> writer, ReadOnlySpan<byte> name, string value)
    {
        writer.Write(name);
        _ = Encoding.ASCII.GetBytes(value, writer);
        writer.Write("\n"u8);
    }
}
