using System.Net;

namespace Orleans.WireGuard.Linux.Routing.Witness;

/// <summary>A link at which is counted, by the kernel's number for it and by its name.</summary>
public readonly record struct WitnessLink(int Index, string Name);

/// <summary>A port of an encapsulation that hides nothing.</summary>
/// <param name="Port">UDP.</param>
/// <param name="IsGeneve">Whether it is Geneve; else VXLAN.</param>
public readonly record struct EncapsulationPort(ushort Port, bool IsGeneve);

/// <summary>What the table is to be.</summary>
/// <param name="Links">Where is counted, by number.</param>
/// <param name="Own">Prefixes of this node's pods, of which none holds another; sorted.</param>
/// <param name="Remote">Those of the other nodes' pods.</param>
/// <param name="Ports">Encapsulations to look into, sorted.</param>
/// <param name="TunnelPorts">UDP ports of our devices, sorted.</param>
/// <param name="TunnelAddresses">Addresses of this node at these links; those by which the others know it come first.</param>
/// <param name="Devices">Our devices, by number. What leaves by them is counted only to tell whether netfilter sees it.</param>
public sealed record WitnessSpec(
    EquatableArray<WitnessLink> Links,
    EquatableArray<IPPrefix> Own,
    EquatableArray<IPPrefix> Remote,
    EquatableArray<EncapsulationPort> Ports,
    EquatableArray<ushort> TunnelPorts,
    EquatableArray<IPAddress> TunnelAddresses,
    EquatableArray<WitnessLink> Devices);
