using System.Collections.Immutable;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Cluster;

/// <summary>A client of the gateway, and a silo of the mesh, that call Orleans' own interfaces.</summary>
public sealed class HostileClientTests
{
    private static readonly Assembly Core = Assembly.Load("Orleans.Core");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // Not a view in which the silo is dead: it would believe that, and end the process that runs the tests.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Gossip_OfAClientOrASilo_IsRefusedAndChangesNothing(bool fromSilo)
    {
        await using var mesh = await MeshCluster.StartAsync(2);
        var membership = mesh.Services("node-0").GetRequiredService<IClusterMembershipService>();
        var victim = mesh.Services("node-0").GetRequiredService<ILocalSiloDetails>().SiloAddress;
        var caller = fromSilo ? mesh.Services("node-1").GetRequiredService<IGrainFactory>() : mesh.Client;
        var before = membership.CurrentSnapshot.Version;

        var fault = await Assert.ThrowsAsync<UnauthorizedAccessException>(() => CallAsync(
            caller, victim, "MembershipChangeNotification", Snapshot(mesh.Services("node-0"), before.Value + 1_000), Token));

        Assert.Contains("membership", fault.Message, StringComparison.Ordinal);
        Assert.True(membership.CurrentSnapshot.Version.Value < before.Value + 1_000, "The silo believed it.");
    }

    [Fact]
    public async Task SystemTargets_OfAClient_AreRefused()
    {
        await using var mesh = await MeshCluster.StartAsync(2);
        foreach (var node in mesh.NodeNames)
        {
            var silo = mesh.Services(node).GetRequiredService<ILocalSiloDetails>().SiloAddress;
            await Assert.ThrowsAsync<UnauthorizedAccessException>(
                () => CallAsync(mesh.Client, silo, "ProbeIndirectly", silo, TimeSpan.FromSeconds(1), 1, Token));
            await Assert.ThrowsAsync<UnauthorizedAccessException>(() => ExchangeAsync(mesh.Client, silo));
        }

        // What clients are for goes on, also what Orleans' own client needs to find grains, and what silos ask of each other.
        Assert.Equal("node-1", (await mesh.Node("node-1").GetStatus(Token)).NodeName);
        Assert.Contains((await mesh.GetSnapshotAsync()).Nodes, node => node.NodeName == "node-1");
        await mesh.UntilAllAgreeAsync();
    }

    private static async Task ExchangeAsync(IGrainFactory client, SiloAddress silo)
    {
        // The address of a service of ours, made as Orleans makes it.
        var code = (int)Core.GetType("Orleans.CodeGeneration.GrainInterfaceUtils", throwOnError: true)!
            .GetMethod("GetGrainClassTypeCode", BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)!.Invoke(
                null, [typeof(IPeerService)])!;
        await client.GetGrain<IPeerService>(SystemTargetGrainId.CreateGrainServiceGrainId(code, null!, silo)).Exchange(new MeshDigest([]));
    }

    private static Task CallAsync(IGrainFactory caller, SiloAddress silo, string method, params object[] arguments)
    {
        var type = Core.GetType("Orleans.Runtime.IMembershipService", throwOnError: true)!;
        var get = typeof(IGrainFactory).GetMethods().Single(candidate =>
            candidate.Name == "GetGrain" && candidate.IsGenericMethod
                && candidate.GetParameters() is [{ ParameterType: { } parameter }] && parameter == typeof(GrainId));
        var id = SystemTargetGrainId.Create(SystemTargetGrainId.CreateGrainType("clustering"), silo).GrainId;
        var target = get.MakeGenericMethod(type).Invoke(caller, [id]);
        return (Task)type.GetMethod(method)!.Invoke(target, arguments)!;
    }

    /// <summary>The silo's own view as it is, with a version far above.</summary>
    private static object Snapshot(IServiceProvider services, long version)
    {
        var manager = services.GetRequiredService(
            Assembly.Load("Orleans.Runtime").GetType("Orleans.Runtime.MembershipService.IMembershipManager", throwOnError: true)!);
        var current = manager.GetType()
            .GetInterfaceMap(Assembly.Load("Orleans.Runtime").GetType("Orleans.Runtime.MembershipService.IMembershipManager")!)
            .TargetMethods.Single(candidate => candidate.Name.EndsWith("get_CurrentSnapshot", StringComparison.Ordinal))
            .Invoke(manager, null)!;
        var entries = (ImmutableDictionary<SiloAddress, MembershipEntry>)current.GetType().GetProperty("Entries")!.GetValue(current)!;
        return Activator.CreateInstance(current.GetType(), new MembershipVersion(version), entries, 0, null)!;
    }
}
