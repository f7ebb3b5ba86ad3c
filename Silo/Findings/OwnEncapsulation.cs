using System.Net;
using System.Net.Sockets;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>What of this node's traffic another data plane packs, and what of it is led through the tunnels.</summary>
/// <param name="Packets">Which packets, at most <see cref="AddressAnnouncement.MaxEncapsulations"/>. Sorted.</param>
/// <param name="IsWhole">
/// Whether pods' packets may be in there that no rule of ours has seen: a program chooses what is packed, or the setting names the packets.
/// Then those to nodes without a tunnel are refused as bare ones are.
/// </param>
/// <param name="Sources">Addresses of this node that the packets may have, for those that come without one.</param>
internal sealed record OwnEncapsulation(
    EquatableArray<Encapsulation> Packets, bool IsWhole, EquatableArray<IPAddress> Sources)
{
    /// <summary>Names of the links that unpack what is led. Sorted.</summary>
    public EquatableArray<string> Unpacking { get; init; } = [];

    /// <summary>Whether the links have told it, and not the setting.</summary>
    public bool IsAuto { get; init; } = true;

    /// <summary>Whether this node has IPv6 at all.</summary>
    public bool HasIPv6 { get; init; } = true;

    /// <summary>Whether anything is led.</summary>
    public bool IsWanted => Packets.Count > 0;

    /// <summary>Whether these are the packets of a UDP port that are led.</summary>
    public bool HasPort(ushort port) => Packets.Contains(Encapsulation.Udp(port));

    /// <summary>Finds it. Pure.</summary>
    /// <param name="choice">What the setting says.</param>
    /// <param name="dump">What the kernel shows.</param>
    /// <param name="underlay">Numbers of the links by which peers are reached: what those pack is below the tunnels.</param>
    /// <param name="tunnelPorts">Our own ports.</param>
    /// <param name="addresses">Where this node is reached.</param>
    /// <param name="former">
    /// What was found before: a link that is made anew must not send in clear until somebody has looked, so a port stays as long as the
    /// process does.
    /// </param>
    public static OwnEncapsulation Find(
        EncapsulationChoice choice,
        NetworkDump dump,
        IReadOnlySet<int> underlay,
        IReadOnlyCollection<ushort> tunnelPorts,
        IReadOnlyCollection<IPAddress> addresses,
        OwnEncapsulation? former = null)
    {
        var known = choice.IsAuto && former is { IsAuto: true } ? former : null;
        var links = dump.Links.Where(link => link.IsUp && link.EncapsulationPort != 0 && !underlay.Contains(link.Index)).ToList();

        // Those of pods first, should there be too many.
        var packets = choice.IsAuto
            ? links.Where(link => link.IsMetadata).Select(PacketOf).Concat(known?.Packets ?? []).Concat(links.Select(PacketOf))
            : choice.Packets;
        var led = packets.Where(packet => !tunnelPorts.Contains(packet.Port)).Distinct().Take(AddressAnnouncement.MaxEncapsulations)
            .Order(EncapsulationChoice.Order).ToEquatableArray();

        // What was found before holds until a link of the port says otherwise.
        var unpacking = links.Where(link => led.Contains(PacketOf(link))).ToList();
        var isProgrammed = unpacking.Count == 0 ? known is { IsWhole: true } : unpacking.Any(link => link.IsMetadata);
        return new OwnEncapsulation(
            led,
            led.Count > 0 && (!choice.IsAuto || isProgrammed),
            addresses.Where(address => dump.Addresses.Any(entry => entry.Address.Equals(address))).ToEquatableArray())
        {
            Unpacking = unpacking.Concat(FindIPInIP(dump, led)).Select(link => link.Name)
                .Order(StringComparer.Ordinal).ToEquatableArray(),
            IsAuto = choice.IsAuto,
            HasIPv6 = dump.Addresses.Any(address => address.Address.AddressFamily == AddressFamily.InterNetworkV6),
        };
    }

    private static IEnumerable<LinkEntry> FindIPInIP(NetworkDump dump, EquatableArray<Encapsulation> led) =>
        led.Contains(Encapsulation.IPInIP) ? dump.Links.Where(link => link is { Kind: "ipip", IsUp: true }) : [];

    private static Encapsulation PacketOf(LinkEntry link) => Encapsulation.Udp(link.EncapsulationPort);
}
