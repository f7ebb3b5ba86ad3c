using Orleans.WireGuard.Grains.Delivery;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>The control plane: calls that take their time, overtake each other, get lost and arrive twice.</summary>
internal sealed class SimulatedPeerServiceClient(Simulation simulation, SimulatedMachine from, SimulatedClock clock) : IPeerServiceClient
{
    /// <inheritdoc/>
    public Task<AnnouncementReceipt> ReceiveAsync(SiloAddress silo, PeerAnnouncement announcement) =>
        CallAsync(silo, target => target.Service.ReceiveAsync(announcement));

    /// <inheritdoc/>
    public Task<AnnouncementReceipt> ReceiveAddressesAsync(SiloAddress silo, AddressAnnouncement announcement) =>
        throw new NotSupportedException("Nobody announces addresses in here: the list of nodes tells them.");

    /// <inheritdoc/>
    public Task<DigestReply> ExchangeAsync(SiloAddress silo, MeshDigest digest) =>
        CallAsync(silo, target => Task.FromResult(target.Service.Exchange(digest)));

    /// <inheritdoc/>
    public Task<PathReply> GetPathAsync(SiloAddress silo, string nodeName) =>
        CallAsync(silo, target => Task.FromResult(target.Service.GetPath(nodeName)));

    private Task<T> CallAsync<T>(SiloAddress address, Func<SimulatedSilo, Task<T>> call)
    {
        var reply = new TaskCompletionSource<T>();
        for (var copies = simulation.CountCopies(); copies > 0; copies--)
        {
            simulation.Schedule(simulation.MessageDelay(), () =>
            {
                if (simulation.FindSilo(address) is { } target && !simulation.IsMessageLost(from, target.Machine))
                {
                    _ = AnswerAsync(target, call, reply);
                }
            });
        }

        return reply.Task;
    }

    private async Task AnswerAsync<T>(SimulatedSilo target, Func<SimulatedSilo, Task<T>> call, TaskCompletionSource<T> reply)
    {
        var answer = await call(target);
        if (!simulation.IsMessageLost(target.Machine, from))
        {
            clock.Schedule(simulation.MessageDelay(), () => reply.TrySetResult(answer));
        }
    }
}
