using System.Net;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Linux.Devices;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>What a pass knows of the peers of one device beside what it announces.</summary>
/// <param name="Slot">The slot that the device serves.</param>
/// <param name="Observed">The device as it is.</param>
/// <param name="NodeNames">The nodes, by key.</param>
/// <param name="Retried">Peers that begin afresh because a handshake was started and did not come.</param>
/// <param name="Former">Endpoints that somebody else replaced, by key.</param>
/// <param name="Now">The time.</param>
internal sealed record EndpointSources(
    Slot Slot,
    Device Observed,
    IReadOnlyDictionary<PublicKey, string> NodeNames,
    IReadOnlySet<PublicKey> Retried,
    IReadOnlyDictionary<PublicKey, IPEndPoint> Former,
    SteadyTime Now);
