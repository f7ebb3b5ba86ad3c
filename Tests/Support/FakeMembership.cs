using System.Collections.Immutable;
using System.Net;
using Orleans.WireGuard.Grains.Delivery;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// A membership of active silos, the first of which is the local one. Silo <c>n</c> is node <c>n</c> of <see cref="TestMesh"/>.
/// </summary>
internal sealed class FakeMembership(params int[] nodes) : IClusterMembershipService, ILocalSiloDetails
{
    /// <inheritdoc/>
    public ClusterMembershipSnapshot CurrentSnapshot { get; private set; } = Of(nodes, 1);

    /// <inheritdoc/>
    public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => throw new NotSupportedException();

    /// <inheritdoc/>
    public string Name => TestMesh.Name(nodes[0]);

    /// <inheritdoc/>
    public SiloAddress SiloAddress => Silo(nodes[0]);

    /// <inheritdoc/>
    public string ClusterId => "test";

    /// <inheritdoc/>
    public string DnsHostName => "localhost";

    /// <inheritdoc/>
    public SiloAddress GatewayAddress => SiloAddress;

    /// <summary>The others as the product sees them.</summary>
    public MeshMembers Members => new(this, this);

    /// <summary>Replaces the members.</summary>
    public void Set(params int[] members) => CurrentSnapshot = Of(members, CurrentSnapshot.Version.Value + 1);

    private static ClusterMembershipSnapshot Of(int[] nodes, long version) => new(
        nodes.Select(node => new ClusterMember(Silo(node), SiloStatus.Active, TestMesh.Name(node)))
            .ToImmutableDictionary(member => member.SiloAddress),
        new MembershipVersion(version));

    /// <summary>The address of a node's silo.</summary>
    public static SiloAddress Silo(int node) => SiloAddress.New(new IPEndPoint(TestMesh.Address(node), 11111), 1);

    /// <inheritdoc/>
    public ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default) =>
        ValueTask.CompletedTask;

    /// <inheritdoc/>
    public Task<bool> TryKill(SiloAddress siloAddress) => throw new NotSupportedException();
}
