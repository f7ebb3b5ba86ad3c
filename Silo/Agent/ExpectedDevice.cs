using System.Net;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>A device as this process left it.</summary>
/// <param name="Device">As it was last read back, after our last write.</param>
/// <param name="Endpoints">
/// The endpoints that each peer announced, by key: any of them is right. A peer that is not in here may be anywhere.
/// </param>
internal sealed record ExpectedDevice(Device Device, IReadOnlyDictionary<PublicKey, EquatableArray<IPEndPoint>> Endpoints);
