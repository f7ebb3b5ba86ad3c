using System.Collections.Concurrent;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// The watch of the test host's membership table: tells every other silo of the process that one has become active, before it goes on.
/// </summary>
/// <param name="all">The silos that run.</param>
/// <param name="silo">The silo that it belongs to.</param>
/// <param name="membership">How that silo sees the others.</param>
internal sealed class MembershipNews(
    ConcurrentDictionary<SiloAddress, IClusterMembershipService> all, ILocalSiloDetails silo, IClusterMembershipService membership)
    : ILifecycleParticipant<ISiloLifecycle>
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public void Participate(ISiloLifecycle lifecycle) =>
        lifecycle.Subscribe(nameof(MembershipNews), ServiceLifecycleStage.BecomeActive, TellAsync, LeaveAsync);

    private async Task TellAsync(CancellationToken cancellationToken)
    {
        all[silo.SiloAddress] = membership;
        while (membership.CurrentSnapshot.GetSiloStatus(silo.SiloAddress) != SiloStatus.Active)
        {
            await Task.Delay(Poll, TimeProvider.System, cancellationToken);
        }

        // One that was killed does not answer.
        await Task.WhenAll(all.Where(other => !other.Key.Equals(silo.SiloAddress)).Select(other =>
            other.Value.Refresh(membership.CurrentSnapshot.Version, cancellationToken)
                .AsTask().WaitAsync(Patience, TimeProvider.System, cancellationToken)))
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private Task LeaveAsync(CancellationToken cancellationToken)
    {
        _ = all.TryRemove(silo.SiloAddress, out _);
        return Task.CompletedTask;
    }
}
