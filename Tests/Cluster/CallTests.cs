using System.Reflection;
using Microsoft.Extensions.Time.Testing;
using Orleans.Concurrency;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Cluster;

/// <summary>Nobody who calls a NodeGrain waits for what another one has asked for.</summary>
public sealed class CallTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // The devices hang, and by the mesh's clock no time passes: until the gate opens the key that was asked for is being made.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task NodeGrain_KeyIsBeingMade_AnswersEverythingElseAtOnce(bool isAdvance)
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 1, 0, TimeSpan.Zero));
        await using var mesh = await MeshCluster.StartAsync(2, clock, TimeSpan.FromSeconds(120));
        await mesh.UntilAllAgreeAsync();
        var (entered, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        mesh.Devices("node-0").OnCall = (call, _) =>
        {
            if (call.Operation != nameof(IWireGuardClient.ConfigureAsync))
            {
                return Task.CompletedTask;
            }

            entered.TrySetResult();
            return gate.Task;
        };
        var node = mesh.Node("node-0");
        var key = isAdvance ? node.Advance(Token) : node.Rotate(Token);
        await entered.Task.WaitAsync(Patience, TimeProvider.System, Token);

        var until = await node.Freeze(TimeSpan.FromHours(1), Token).WaitAsync(Patience, TimeProvider.System, Token);
        var status = await node.GetStatus(Token).WaitAsync(Patience, TimeProvider.System, Token);
        Assert.Equal((clock.GetUtcNow() + TimeSpan.FromHours(1), until), (until, status.Rotation.FrozenUntil));
        var keeper = mesh.Client.GetGrain<INodeKeeper>("node-0");
        await keeper.AnnounceAgain().WaitAsync(Patience, TimeProvider.System, Token);
        await keeper.AnnounceAbove(default).WaitAsync(Patience, TimeProvider.System, Token);
        await node.Unfreeze(Token).WaitAsync(Patience, TimeProvider.System, Token);
        Assert.False(key.IsCompleted);

        gate.SetResult();
        Assert.Equal((await key.WaitAsync(Patience, TimeProvider.System, Token)).NewPublicKey, mesh.Key("node-0"));
    }

    // The timer's turn waits for devices and for other silos, and must not be waited for.
    [Theory]
    [InlineData(typeof(INodeGrain))]
    [InlineData(typeof(INodeKeeper))]
    public void NodeGrain_EveryCall_Interleaves(Type contract) =>
        Assert.All(contract.GetMethods(), method => Assert.NotNull(method.GetCustomAttribute<AlwaysInterleaveAttribute>()));
}
