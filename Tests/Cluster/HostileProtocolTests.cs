using Microsoft.Extensions.DependencyInjection;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Cluster;

/// <summary>One silo of three that lies about what it speaks costs the others no more than one that says nothing.</summary>
public sealed class HostileProtocolTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("1..1")]
    [InlineData("99..99")]
    [InlineData("3..2")]
    [InlineData("nothing")]
    [InlineData("another thing each time")]
    [InlineData("announcements without extensions")]
    public async Task Rotate_WhileOneSaysSo_GoesOnBetweenTheOthersWhoStayReady(string says)
    {
        await using var mesh = await MeshCluster.StartAsync(3);
        await mesh.UntilAllAgreeAsync();
        var liar = mesh.Services("node-2").GetRequiredService<ILocalSiloDetails>().SiloAddress;
        string[] honest = ["node-0", "node-1"];
        foreach (var node in honest)
        {
            Lie(mesh, node, liar, says);
        }

        // Until they have heard it.
        await MeshCluster.EventuallyAsync(
            () => honest.All(node => Protocol(mesh, node).Of(liar, "node-2") is not null), "both to have heard the liar");
        foreach (var node in honest)
        {
            var receipt = await mesh.Node(node).Rotate(Token);
            await MeshCluster.EventuallyAsync(
                () => honest.Where(other => other != node).All(other => mesh.HeldKeys(other, node).Contains(receipt.NewPublicKey)),
                $"the other one to have the new key of {node}");
        }

        await MeshCluster.EventuallyAsync(
            () => honest.All(node => mesh.Services(node).GetRequiredService<Acceptance>().FindProblem() is null), "both to be ready");
    }

    private static void Lie(MeshCluster mesh, string node, SiloAddress liar, string says)
    {
        var client = mesh.Services(node).GetRequiredService<LossyPeerServiceClient>();
        var turn = 0;
        client.Protocol = (silo, said) => !silo.Equals(liar) ? said : says switch
        {
            "1..1" => new ProtocolRange(1, 1),
            "99..99" => new ProtocolRange(99, 99),
            "3..2" => new ProtocolRange(3, 2),
            "nothing" => null,
            "another thing each time" => Interlocked.Increment(ref turn) % 2 == 0 ? said : null,
            _ => said,
        };
        if (says == "announcements without extensions")
        {
            client.PassOn = (silo, announcement) => silo.Equals(liar) ? announcement with { Extensions = [] } : announcement;
        }
    }

    private static MeshProtocol Protocol(MeshCluster mesh, string node) => mesh.Services(node).GetRequiredService<MeshProtocol>();
}
