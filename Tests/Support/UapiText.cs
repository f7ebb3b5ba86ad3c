using System.Globalization;
using System.Net;
using System.Text;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// The other side of the userspace protocol: writes the replies that a device gives and reads the requests that it is sent.
/// </summary>
internal static class UapiText
{
    /// <summary>The reply to <c>get</c> of a device, in the shape of wireguard-go.</summary>
    /// <param name="device">What to describe; its public key is not part of a reply.</param>
    /// <param name="privateKey">64 hexadecimal digits, or <see langword="null"/> for a device without a key.</param>
    /// <param name="presharedKey">The same, written for every peer.</param>
    public static byte[] FormatReply(Device device, string? privateKey = null, string? presharedKey = null)
    {
        var text = new StringBuilder();
        void Line(string key, object? value) => text.Append(CultureInfo.InvariantCulture, $"{key}={value}\n");
        void LineIf(bool condition, string key, object? value)
        {
            if (condition)
            {
                Line(key, value);
            }
        }

        LineIf(privateKey is not null, "private_key", privateKey);
        LineIf(device.ListenPort != 0, "listen_port", device.ListenPort);
        LineIf(device.FirewallMark != 0, "fwmark", device.FirewallMark);
        foreach (var peer in device.Peers)
        {
            Line("public_key", Convert.ToHexStringLower(peer.PublicKey.ToArray()));
            LineIf(presharedKey is not null, "preshared_key", presharedKey);
            Line("protocol_version", 1);
            LineIf(peer.Endpoint is not null, "endpoint", peer.Endpoint);
            var handshake = peer.LastHandshakeTime - DateTimeOffset.UnixEpoch ?? TimeSpan.Zero;
            Line("last_handshake_time_sec", handshake.Ticks / TimeSpan.TicksPerSecond);
            Line("last_handshake_time_nsec", handshake.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick);
            Line("tx_bytes", peer.TransmitBytes);
            Line("rx_bytes", peer.ReceiveBytes);
            Line("persistent_keepalive_interval", (int)peer.PersistentKeepaliveInterval.TotalSeconds);
            foreach (var prefix in peer.AllowedIPs)
            {
                Line("allowed_ip", prefix);
            }
        }

        return Encoding.ASCII.GetBytes(text.Append("errno=0\n\n").ToString());
    }

    /// <summary>
    /// Reads a <c>set</c> request back into the patch it was made of: a removal and an addition of the same peer are its reset.
    /// </summary>
    /// <exception cref="FormatException">A device would refuse it.</exception>
    public static DevicePatch ParseSet(ReadOnlySpan<byte> request)
    {
        var patch = ParseSteps(request);
        var peers = new List<PeerPatch>();
        foreach (var step in patch.Peers)
        {
            if (step.Change == PeerChange.Add && peers is [.., { Change: PeerChange.Remove } removed]
                && removed.PublicKey == step.PublicKey)
            {
                peers[^1] = step with { Change = PeerChange.Reset };
            }
            else
            {
                peers.Add(step);
            }
        }

        return patch with { Peers = [.. peers] };
    }

    /// <summary>Reads a <c>set</c> request as a device does, one peer after another; a reset is a removal and an addition.</summary>
    /// <exception cref="FormatException">A device would refuse it.</exception>
    public static DevicePatch ParseSteps(ReadOnlySpan<byte> request)
    {
        var lines = Encoding.ASCII.GetString(request).Split('\n');
        if (lines is not ["set=1", .., "", ""])
        {
            throw new FormatException("A request starts with set=1 and ends with an empty line.");
        }

        var patch = DevicePatch.Empty;
        var peers = new List<PeerPatch>();
        foreach (var line in lines[1..^2])
        {
            var (key, value) = line.Split('=', 2) is [var k, var v] ? (k, v) : throw new FormatException($"'{line}' has no '='.");
            if (key == "public_key")
            {
                peers.Add(new PeerPatch(new PublicKey(Convert.FromHexString(value)), PeerChange.Add));
            }
            else if (peers.Count == 0)
            {
                patch = key switch
                {
                    "private_key" => patch with { KeyPair = KeyPair.Import(Convert.FromHexString(value)) },
                    "listen_port" => patch with { ListenPort = ushort.Parse(value, CultureInfo.InvariantCulture) },
                    "fwmark" => patch with { FirewallMark = uint.Parse(value, CultureInfo.InvariantCulture) },
                    _ => throw new FormatException($"'{key}' is no key of a device."),
                };
            }
            else
            {
                peers[^1] = Apply(peers[^1], key, value);
            }
        }

        return patch with { Peers = [.. peers] };
    }

    private static PeerPatch Apply(PeerPatch peer, string key, string value) => (key, value) switch
    {
        ("remove", "true") => peer with { Change = PeerChange.Remove },
        ("update_only", "true") => peer with { Change = PeerChange.Update },
        ("replace_allowed_ips", "true") => peer with { ReplaceAllowedIPs = true, AllowedIPs = peer.AllowedIPs ?? [] },
        ("allowed_ip", _) => peer with { AllowedIPs = [.. peer.AllowedIPs ?? [], IPPrefix.Parse(value)] },
        ("endpoint", _) => peer with { Endpoint = IPEndPoint.Parse(value) },
        ("persistent_keepalive_interval", _) => peer with
        {
            PersistentKeepaliveInterval = TimeSpan.FromSeconds(ushort.Parse(value, CultureInfo.InvariantCulture)),
        },
        _ => throw new FormatException($"'{key}={value}' is no line of a peer."),
    };
}
