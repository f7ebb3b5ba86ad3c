using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Grains.Hosting;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

/// <summary>A silo that starts again while the others still take its former self for alive.</summary>
public sealed class NodeKeeperStarterTests
{
    private readonly FakeTimeProvider _time = new();
    private int _calls;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Begin_RefusedTwice_IsTriedAgain()
    {
        var begin = StartAsync(refusals: 2);
        await PassAsync(begin);
        await begin;
        Assert.Equal(3, _calls);
    }

    [Fact]
    public async Task Begin_RefusedToTheLast_Throws()
    {
        var begin = StartAsync(refusals: int.MaxValue);
        await PassAsync(begin);
        await Assert.ThrowsAsync<OrleansMessageRejectionException>(() => begin);
        Assert.Equal(NodeKeeperStarter.MaxRetries + 1, _calls);
    }

    // Whatever else fails has to be seen, and does not go away by itself.
    [Fact]
    public async Task Begin_FailsOtherwise_ThrowsAtOnce()
    {
        var starter = Make();
        await Assert.ThrowsAsync<InvalidOperationException>(() => starter.BeginAsync(
            () =>
            {
                _calls++;
                throw new InvalidOperationException();
            },
            Token));
        Assert.Equal(1, _calls);
    }

    private Task StartAsync(int refusals) => Make().BeginAsync(
        () => ++_calls > refusals
            ? Task.CompletedTask
            : throw (Exception)RuntimeHelpers.GetUninitializedObject(typeof(OrleansMessageRejectionException)), Token);

    private NodeKeeperStarter Make() => new(null!, new FakeMembership(1), _time, NullLogger<NodeKeeperStarter>.Instance);

    private async Task PassAsync(Task begin)
    {
        while (!begin.IsCompleted)
        {
            _time.Advance(NodeKeeperStarter.Pause);
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, Token);
        }
    }
}
