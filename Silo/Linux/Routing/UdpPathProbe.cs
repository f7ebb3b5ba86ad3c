using System.Net;
using System.Net.Sockets;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

/// <summary>Sends zeros to the WireGuard port of the other side, which ignores them: type 0 is no message of WireGuard.</summary>
/// <param name="port">The port, which is open on the way since the tunnels need it. It and the next one are those of our devices.</param>
/// <remarks>
/// The sockets stay open, because the kernel takes a router's answer only for a socket that it still has. Nothing is ever read from them.
/// Not thread-safe.
/// </remarks>
public sealed class UdpPathProbe(int port) : IPathProbe, IDisposable
{
    private const int UdpHeader = 8;
    private const int IPv4Header = 20;
    private const int IPv6Header = 40;

    // If the node lets no router tell it anything, one answer would hold all of its TCP to that peer at 552 bytes (ip-sysctl.rst).
    private const string NoDiscovery = "/proc/sys/net/ipv4/ip_no_pmtu_disc";

    private readonly Dictionary<AddressFamily, Socket?> _sockets = [];
    private byte[] _zeros = [];

    /// <inheritdoc/>
    public bool TrySend(IPAddress destination, int length)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var target = destination.Unmap();
        var payload = length - UdpHeader - (target.AddressFamily == AddressFamily.InterNetworkV6 ? IPv6Header : IPv4Header);
        if (payload <= 0)
        {
            return false;
        }

        if (_zeros.Length < payload)
        {
            _zeros = new byte[payload];
        }

        try
        {
            return SocketOf(target.AddressFamily)?
                .SendTo(_zeros.AsSpan(0, payload), SocketFlags.None, new IPEndPoint(target, port)) == payload;
        }
        catch (SocketException)
        {
            // No way there, no room, or no such family: then nothing is learned this time.
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var socket in _sockets.Values)
        {
            socket?.Dispose();
        }

        _sockets.Clear();
    }

    private Socket? SocketOf(AddressFamily family)
    {
        if (!_sockets.TryGetValue(family, out var socket))
        {
            socket = family == AddressFamily.InterNetwork && IsDiscoveryOff() ? null : Open(family);
            _sockets[family] = socket;
        }

        return socket;
    }

    private static bool IsDiscoveryOff()
    {
        try
        {
            return File.ReadAllText(NoDiscovery).Trim() is not "0";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Who cannot know does no harm.
            return true;
        }
    }

    // Our devices' ports are among those that the system gives away.
    private Socket Open(AddressFamily family)
    {
        Socket? taken = null;
        try
        {
            while (true)
            {
                var socket = OpenAny(family);
                if (((IPEndPoint)socket.LocalEndPoint!).Port is var given && given != port && given != port + 1)
                {
                    return socket;
                }

                taken?.Dispose();
                taken = socket;
            }
        }
        finally
        {
            taken?.Dispose();
        }
    }

    private static Socket OpenAny(AddressFamily family)
    {
        var isIPv6 = family == AddressFamily.InterNetworkV6;
        var socket = new Socket(family, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
        try
        {
            socket.SetRawSocketOption(
                isIPv6 ? IPPROTO_IPV6 : IPPROTO_IP,
                isIPv6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER,
                BitConverter.GetBytes(isIPv6 ? IPV6_PMTUDISC_PROBE : IP_PMTUDISC_PROBE));
            socket.ReceiveBufferSize = 0;
            socket.Bind(new IPEndPoint(isIPv6 ? IPAddress.IPv6Any : IPAddress.Any, 0));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
