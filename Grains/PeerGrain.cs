using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Placement;
using Orleans.WireGuard.Grains.Agent;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Placement;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Supervision;
using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace Orleans.WireGuard.Grains;

/// <summary>Holds this node's announcement and sees to it that every active silo applies it.</summary>
[NodeLocal, Immovable, KeepAlive]
internal sealed partial class PeerGrain : Grain, IPeerGrain, IDisposable
{
    private readonly ILocalSiloDetails _silo;
    private readonly Identity _identity;
    private readonly AnnouncementStore _store;
    private readonly OwnAnnouncement _own;
    private readonly MeshMembers _members;
    private readonly IPeerServiceClient _client;
    private readonly IMeshAgent _agent;
    private readonly MeshClock _clock;
    private readonly MeshProtocol _protocol;
    private readonly Acceptance _acceptance;
    private readonly DeliveryOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger<PeerGrain> _logger;
    private readonly StateLog _failures;
    private readonly ResiliencePipeline<AnnouncementReceipt?> _delivery;
    private readonly Dictionary<SiloAddress, Task> _inFlight = [];
    private CancellationTokenSource _current = new();
    private SteadyTime _publishedAt;
    private AnnouncementSequence? _everywhere;

    /// <summary>Made by Orleans on the node's own silo.</summary>
    public PeerGrain(
        IGrainContext context,
        ILocalSiloDetails silo,
        Identity identity,
        AnnouncementStore store,
        OwnAnnouncement own,
        MeshMembers members,
        IPeerServiceClient client,
        IMeshAgent agent,
        MeshClock clock,
        MeshProtocol protocol,
        Acceptance acceptance,
        IOptions<DeliveryOptions> options,
        TimeProvider timeProvider,
        Jitter jitter,
        ILogger<PeerGrain> logger)
        : base(context)
    {
        (_silo, _identity, _store, _own, _members, _client, _agent) = (silo, identity, store, own, members, client, agent);
        (_clock, _protocol, _acceptance) = (clock, protocol, acceptance);
        (_options, _timeProvider, _logger) = (options.Value, timeProvider, logger);
        _failures = new StateLog(timeProvider);
        _delivery = BuildPipeline(_options, timeProvider, jitter);
    }

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        NodeLocalGuard.ThrowIfElsewhere(this.GetPrimaryKeyString(), _silo);
        this.RegisterGrainTimer(
            static (self, _) => self.DeliverToLaggardsAsync(),
            this,
            new GrainTimerCreationOptions(_options.LaggardInterval, _options.LaggardInterval) { Interleave = true, KeepAlive = true });
        return Task.CompletedTask;
    }

    /// <summary>Ends the deliveries under way.</summary>
    public void Dispose()
    {
        _current.Cancel();
        _current.Dispose();
    }

    /// <inheritdoc/>
    public ValueTask<PeerAnnouncement?> GetAnnouncement(CancellationToken cancellationToken) => new(_own.Latest);

    /// <inheritdoc/>
    public ValueTask<DeliveryStatus> GetDelivery(CancellationToken cancellationToken) => new(_own.ToStatus(_members.Others));

    /// <inheritdoc/>
    public ValueTask<AnnouncementReceipt> Publish(PeerAnnouncement announcement, CancellationToken cancellationToken)
    {
        var verdict = Judge(announcement);
        if (verdict.IsTaken)
        {
            // At once: the next one has to be above what the store has.
            _publishedAt = SteadyTime.Now(_timeProvider);
            _own.Begin(announcement, _timeProvider.GetUtcNow());
            _current.Cancel();
            _current.Dispose();
            _current = new CancellationTokenSource();
            _inFlight.Clear();
            _ = DeliverToLaggardsAsync();
        }

        return new(new AnnouncementReceipt(_silo.Name, verdict.Outcome, _own.Latest?.Sequence));
    }

    // Whoever reaches a gateway can call this, so it takes only what this very silo has signed.
    private AnnouncementVerdict Judge(PeerAnnouncement announcement) =>
        announcement.NodeName != this.GetPrimaryKeyString()
            ? _store.Refuse(announcement, AnnouncementVerdict.Refused(
                AnnouncementOutcome.UnknownNode, $"the PeerGrain of '{this.GetPrimaryKeyString()}' publishes for itself only"))
        : announcement.Identity != _identity.PublicKey
            ? _store.Refuse(announcement, AnnouncementVerdict.Refused(
                AnnouncementOutcome.BadSignature, "it is signed by another identity than this silo's"))
        : _store.Offer(announcement);

    // An attempt ends by time-out, refusal or receipt. "Held" means that the receiver's device was not written yet, so it is asked again.
    private static ResiliencePipeline<AnnouncementReceipt?> BuildPipeline(DeliveryOptions options, TimeProvider timeProvider, Jitter jitter)
    {
        var builder = new ResiliencePipelineBuilder<AnnouncementReceipt?> { TimeProvider = timeProvider };
        if (options.MaxAttempts > 1)
        {
            builder.AddRetry(new RetryStrategyOptions<AnnouncementReceipt?>
            {
                ShouldHandle = new PredicateBuilder<AnnouncementReceipt?>()
                    .Handle<Exception>(e => e is not OperationCanceledException)
                    .HandleResult(receipt => receipt?.Outcome == AnnouncementOutcome.Held),
                MaxRetryAttempts = options.MaxAttempts - 1,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Randomizer = jitter.NextDouble,
                Delay = TimeSpan.FromMilliseconds(100),
                MaxDelay = TimeSpan.FromSeconds(2),
            });
        }

        return builder.AddTimeout(new TimeoutStrategyOptions { Timeout = options.AttemptTimeout }).Build();
    }

    private Task DeliverToLaggardsAsync()
    {
        _acceptance.Follow();
        if (_own.Latest is not { } announcement)
        {
            return Task.CompletedTask;
        }

        var others = _members.Others;
        ForgetExcept(others.Select(other => other.Silo).ToHashSet());
        foreach (var (silo, nodeName) in others)
        {
            var isUnderWay = _inFlight.TryGetValue(silo, out var delivery) && !delivery.IsCompleted;
            if (!isUnderWay && !_own.HasApplied(silo))
            {
                _inFlight[silo] = DeliverAsync(announcement, silo, nodeName, _current.Token);
            }
        }

        return Task.CompletedTask;
    }

    private void ForgetExcept(HashSet<SiloAddress> members)
    {
        _own.ForgetExcept(members);
        foreach (var gone in _inFlight.Keys.Where(silo => !members.Contains(silo)).ToList())
        {
            _inFlight.Remove(gone);
        }
    }

    private async Task DeliverAsync(PeerAnnouncement announcement, SiloAddress silo, string nodeName, CancellationToken cancellationToken)
    {
        try
        {
            var receipt = await _delivery.ExecuteAsync(
                async token =>
                {
                    try
                    {
                        if (!await CanReadAsync(announcement, silo, nodeName, token))
                        {
                            Record(announcement, silo, nodeName, AnnouncementOutcome.UnsupportedVersion, null);
                            return null;
                        }

                        var answer = await _client.ReceiveAsync(silo, announcement).WaitAsync(token);
                        Record(announcement, silo, nodeName, answer.Outcome, null);
                        return answer;
                    }
                    catch (Exception e) when (!cancellationToken.IsCancellationRequested)
                    {
                        var problem = token.IsCancellationRequested
                            ? NodeProblem.Of(
                                NodeProblemCode.NoAnswer, _options.AttemptTimeout.TotalSeconds.ToString(CultureInfo.InvariantCulture))
                            : NodeProblem.Of(NodeProblemCode.CallFailed, e.Message);
                        Record(announcement, silo, nodeName, null, problem);
                        throw;
                    }
                },
                cancellationToken);
            if (receipt is not null)
            {
                await ConcludeAsync(announcement, nodeName, receipt);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            LogSuperseded(_logger, announcement.Sequence, nodeName);
        }
        catch (Exception e)
        {
            // Nobody awaits a delivery. The next look for laggards starts another one.
            if (_failures.Note(nodeName, e.GetType().Name) is { } line)
            {
                LogUndelivered(_logger, line.IsNew ? e : null, announcement.Sequence, nodeName, e.Message, line.Count);
            }
        }
    }

    // Each silo is asked once: it may be an older release than the silo before it, and would take extensions for a bad signature. Then
    // the mesh speaks an older protocol from now on, and another announcement follows.
    private async Task<bool> CanReadAsync(
        PeerAnnouncement announcement, SiloAddress silo, string nodeName, CancellationToken cancellationToken)
    {
        if (announcement.Extensions.Count > 0 && _protocol.Of(silo, nodeName) is null)
        {
            var reply = await _client.GetPathAsync(silo, _silo.Name).WaitAsync(cancellationToken);
            _protocol.Note(silo, nodeName, reply.Protocol);
            if (!OwnProtocol.IsReadable(reply.Protocol, announcement))
            {
                // Not awaited: it has nothing to do with this receiver. The PeerService tells it in its next round too.
                GrainFactory.GetGrain<INodeKeeper>(_silo.Name).AnnounceAgain().Ignore();
            }
        }

        return OwnProtocol.IsReadable(_protocol.Of(silo, nodeName), announcement);
    }

    private async Task ConcludeAsync(PeerAnnouncement announcement, string nodeName, AnnouncementReceipt receipt)
    {
        switch (receipt.Outcome)
        {
            case AnnouncementOutcome.Applied:
                // The agent may have waited for this to start a handshake.
                _agent.RequestReconcile();
                NoteIfEverywhere(announcement);
                if (_failures.End(nodeName) is { } end)
                {
                    LogDeliveredAgain(_logger, nodeName, end.Count, end.Duration);
                }

                break;
            case AnnouncementOutcome.StaleSequence when receipt.HeldSequence is { } held && held >= announcement.Sequence
                && SequenceBounds.IsPossible(held, _clock.Horizon):
                LogBehind(_logger, announcement.Sequence, nodeName, held);
                await GrainFactory.GetGrain<INodeKeeper>(_silo.Name).AnnounceAbove(held);
                break;
            default:
                if (_failures.Note(nodeName, receipt.Outcome.ToString()) is { } line)
                {
                    LogNotApplied(_logger, announcement.Sequence, nodeName, receipt.Outcome, line.Count);
                }

                break;
        }
    }

    private TimeSpan SincePublished => SteadyTime.Now(_timeProvider) - _publishedAt;

    private void NoteIfEverywhere(PeerAnnouncement announcement)
    {
        var others = _members.Others;
        if (_everywhere != announcement.Sequence && _own.IsEverywhere(others))
        {
            _everywhere = announcement.Sequence;
            var milliseconds = SincePublished.TotalMilliseconds;
            LogEverywhere(_logger, announcement.Sequence, others.Count, milliseconds);
        }
    }

    private void Record(
        PeerAnnouncement announcement, SiloAddress silo, string nodeName, AnnouncementOutcome? outcome, NodeProblem? problem) =>
        _own.Record(announcement.Sequence, silo, nodeName, outcome, problem, SincePublished);
}
