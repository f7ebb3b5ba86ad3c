using System.Collections.Immutable;
using System.Net;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>What one silo knows of who is an active member, itself among them.</summary>
internal sealed class SimulatedMembership(string name, SiloAddress address) : IClusterMembershipService, ILocalSiloDetails
{
    /// <inheritdoc/>
    public ClusterMembershipSnapshot CurrentSnapshot { get; private set; } =
        new(ImmutableDictionary<SiloAddress, ClusterMember>.Empty, new MembershipVersion(0));

    /// <inheritdoc/>
    public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => throw new NotSupportedException();

    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public SiloAddress SiloAddress => address;

    /// <inheritdoc/>
    public string ClusterId => "simulation";

    /// <inheritdoc/>
    public string DnsHostName => "localhost";

    /// <inheritdoc/>
    public SiloAddress GatewayAddress => address;

    /// <summary>The address of a silo of a node.</summary>
    public static SiloAddress Address(IPAddress node, int generation) => SiloAddress.New(new IPEndPoint(node, 11111), generation);

    /// <summary>Learns who is active, unless it knows something newer.</summary>
    public void Set(ClusterMembershipSnapshot snapshot)
    {
        if (snapshot.Version > CurrentSnapshot.Version)
        {
            CurrentSnapshot = snapshot;
        }
    }

    /// <inheritdoc/>
    public ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default) =>
        ValueTask.CompletedTask;

    /// <inheritdoc/>
    public Task<bool> TryKill(SiloAddress siloAddress) => throw new NotSupportedException();
}
