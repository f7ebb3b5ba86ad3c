using CsCheck;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>The loop: notes merge, failures are retried, and who waits gets the outcome of a pass that began after it asked.</summary>
public sealed class MeshAgentTests
{
    private static readonly TimeSpan Resync = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Snapshot_NotStarted_SaysSo()
    {
        await using var mesh = new AgentHarness(2);
        Assert.Equal(("has not reconciled its device yet", 0L), (mesh.Agent.Snapshot.Problem.ToText(), mesh.Agent.Snapshot.CompletedPasses));
        Assert.Empty(mesh.Agent.Snapshot.Devices);
    }

    [Fact]
    public async Task GetListenPort_Slots_AreNeighbours()
    {
        await using var mesh = new AgentHarness(2);
        Assert.Equal((51871, 51872), (mesh.Agent.GetListenPort(Slot.Zero), mesh.Agent.GetListenPort(Slot.One)));
    }

    [Fact]
    public async Task Start_Settled_ReconcilesOnceAndWaitsForTheResync()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        Assert.Equal(Resync, await mesh.StartAsync());
        Assert.Equal((null, 1L), (mesh.Agent.Snapshot.Problem.ToText(), mesh.Agent.Snapshot.CompletedPasses));
        Assert.Single(mesh.Agent.Snapshot.Devices);
    }

    [Fact]
    public async Task Resync_TimeIsOver_ReadsEverythingAndWritesNothing()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.StartAsync();
        var (writes, reads) = (mesh.Writes, mesh.Links.CountOf(nameof(ILinkClient.GetRoutesAsync)));
        mesh.Time.Advance(Resync);
        Assert.Equal(Resync, await mesh.NextWaitAsync());
        Assert.Equal((writes, reads
            + 1, 2L), (mesh.Writes, mesh.Links.CountOf(nameof(ILinkClient.GetRoutesAsync)), mesh.Agent.Snapshot.CompletedPasses));
    }

    // By hand, by NTP, by a machine that wakes up. Before the first resync, between two of them, and again.
    [Fact]
    public Task Resync_ClockIsSet_ComesAfterTheSameTime() => Gen.Int[-100, 100].Array[1, 4].SampleAsync(
        async hours =>
        {
            await using var mesh = new AgentHarness(2).Settled(2);
            await mesh.StartAsync();
            foreach (var hour in hours)
            {
                var (half, reads) = (Resync / 2, mesh.Links.CountOf(nameof(ILinkClient.GetRoutesAsync)));
                mesh.Time.Advance(half);
                mesh.Time.SetBy = TimeSpan.FromHours(hour);
                mesh.Agent.RequestReconcile();
                Assert.Equal(half, await mesh.NextWaitAsync());
                Assert.Equal(reads, mesh.Links.CountOf(nameof(ILinkClient.GetRoutesAsync)));
                mesh.Time.Advance(half);
                Assert.Equal(Resync, await mesh.NextWaitAsync());
                Assert.Equal(reads + 1, mesh.Links.CountOf(nameof(ILinkClient.GetRoutesAsync)));
            }
        },
        iter: 20,
        threads: 1);

    [Fact]
    public async Task RequestReconcile_NothingElseDue_DoesNotPutTheResyncOff()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.StartAsync();
        mesh.Time.Advance(TimeSpan.FromSeconds(10));
        mesh.Agent.RequestReconcile();
        Assert.Equal(TimeSpan.FromSeconds(20), await mesh.NextWaitAsync());
    }

    [Fact]
    public async Task Reconcile_BurstOfAnnouncements_TakesAHandfulOfPasses()
    {
        const int Announcements = 500;
        int[] others = [.. Enumerable.Range(2, Announcements)];
        await using var mesh = new AgentHarness(others).Settled();
        await mesh.StartAsync();

        // The pass under way cannot end before all of them are here.
        using var gate = new Gate(mesh);
        mesh.Agent.RequestReconcile();
        await gate.Entered;
        var waiters = others.Select(node =>
        {
            mesh.Announce(node);
            return mesh.Agent.ReconcileAsync(mesh.Token);
        }).ToList();
        gate.Open();
        Assert.All(await Task.WhenAll(waiters), Assert.True);
        Assert.Equal(Announcements, mesh.Device.Peers.Count);
        Assert.InRange(mesh.Agent.Snapshot.CompletedPasses, 3, 5);
        Assert.InRange(mesh.Devices.CountOf(nameof(IWireGuardClient.ConfigureAsync)), 2, 4);
    }

    // The pass under way may have read its sources before the caller changed them. Only the next one fails, so its outcome is told apart.
    [Fact]
    public async Task Reconcile_DuringAPass_WaitsForTheNext()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.StartAsync();
        using var gate = new Gate(mesh);
        var first = mesh.Agent.ReconcileAsync(mesh.Token);
        await gate.Entered;
        var second = mesh.Agent.ReconcileAsync(mesh.Token);
        mesh.Devices.FailNextCall();
        gate.Open();
        Assert.True(await first);
        Assert.False(await second);
        Assert.Contains("told to fail", mesh.Agent.Snapshot.Problem.ToText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reconcile_Cancelled_EndsTheWaitOnly()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.StartAsync();
        using var gate = new Gate(mesh);
        mesh.Agent.RequestReconcile();
        await gate.Entered;
        using var impatience = CancellationTokenSource.CreateLinkedTokenSource(mesh.Token);
        var impatient = mesh.Agent.ReconcileAsync(impatience.Token);
        var patient = mesh.Agent.ReconcileAsync(mesh.Token);
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        gate.Open();
        Assert.True(await patient);
    }

    [Fact]
    public async Task Reconcile_ClientFails_RetriesWithBackOffAndRecovers()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        var isFailing = true;
        mesh.Devices.OnCall = (_, _) => isFailing ? throw new LinuxException("get cilium_wg0", 5, "told to fail") : Task.CompletedTask;
        var delays = new List<double> { (await mesh.StartAsync()).TotalMilliseconds };
        while (delays.Count < 7)
        {
            Assert.Equal("get cilium_wg0: told to fail (errno 5)", mesh.Agent.Snapshot.Problem.ToText());
            mesh.Time.Advance(TimeSpan.FromMilliseconds(delays[^1]));
            delays.Add((await mesh.NextWaitAsync()).TotalMilliseconds);
        }

        Assert.Equal([200, 400, 800, 1600, 3200, 5000, 5000], delays);
        isFailing = false;
        mesh.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(Resync, await mesh.NextWaitAsync());
        Assert.Equal((null, 8L), (mesh.Agent.Snapshot.Problem.ToText(), mesh.Agent.Snapshot.CompletedPasses));
        Assert.Single(mesh.Device.Peers);

        // A fault much later begins with the short delay again.
        isFailing = true;
        mesh.Time.Advance(Resync);
        Assert.Equal(200, (await mesh.NextWaitAsync()).TotalMilliseconds);
    }

    // For 100 s, with a try every five.
    [Fact]
    public async Task Reconcile_KeepsFailing_IsSaidAsAStateWithOneStackTrace()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        mesh.Devices.OnCall = (_, _) => throw new LinuxException("get cilium_wg0", 5, "told to fail");
        var delay = await mesh.StartAsync();
        for (var began =
            mesh.Time.GetTimestamp(); mesh.Time.GetElapsedTime(began) < TimeSpan.FromSeconds(100); delay = await mesh.NextWaitAsync())
        {
            mesh.Time.Advance(delay);
        }

        Assert.InRange(mesh.Agent.Snapshot.CompletedPasses, 20, 30);
        Assert.Equal(2, mesh.Logs.Lines.Count(
            line => line.StartsWith("Warning: Reconcile failed: get cilium_wg0: told to fail", StringComparison.Ordinal)));
        Assert.Single(mesh.Logs.Exceptions);
        mesh.Devices.OnCall = null;
        mesh.Time.Advance(delay);
        await mesh.NextWaitAsync();
        Assert.Single(mesh.Logs.Lines, line => line.StartsWith("Information: Reconcile succeeded again after ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Reconcile_ClientFails_KeepsTheLastKnownDevices()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.StartAsync();
        var devices = mesh.Agent.Snapshot.Devices;
        mesh.Devices.FailNextCall();
        Assert.False(await mesh.Agent.ReconcileAsync(mesh.Token));
        Assert.Equal(devices, mesh.Agent.Snapshot.Devices);
        mesh.Time.Advance(await mesh.NextWaitAsync());
        await mesh.NextWaitAsync();
        Assert.True(await mesh.Agent.ReconcileAsync(mesh.Token));
    }

    // Announcements of others, digests and acknowledgements ask all the time.
    [Fact]
    public async Task RequestReconcile_DeviceKeepsFailing_IsTriedOnceASecondAtMost()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        mesh.Devices.OnCall = (_, _) => throw new LinuxException("get cilium_wg0", 5, "told to fail");
        var delay = await mesh.StartAsync();
        for (; delay < TimeSpan.FromSeconds(5); delay = await mesh.NextWaitAsync())
        {
            mesh.Time.Advance(delay);
        }

        for (var passes = mesh.Agent.Snapshot.CompletedPasses; passes < 10; passes++)
        {
            Assert.Equal(TimeSpan.FromSeconds(5), delay);
            mesh.Agent.RequestReconcile();
            Assert.Equal(RetryDelay.Asked, await mesh.NextWaitAsync());
            mesh.Agent.RequestReconcile();
            Assert.Equal(RetryDelay.Asked, await mesh.NextWaitAsync());
            Assert.Equal(passes, mesh.Agent.Snapshot.CompletedPasses);
            mesh.Time.Advance(RetryDelay.Asked);
            delay = await mesh.NextWaitAsync();
        }

        // Nobody waits longer than before because somebody asked.
        mesh.Devices.OnCall = null;
        var answer = mesh.Agent.ReconcileAsync(mesh.Token);
        mesh.Time.Advance(await mesh.NextWaitAsync());
        Assert.True(await answer);
    }

    [Fact]
    public async Task Reconcile_DeviceDeletedBetweenPasses_IsThereAgain()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.StartAsync();
        mesh.Devices.Remove("cilium_wg0");
        Assert.True(await mesh.Agent.ReconcileAsync(mesh.Token));
        Assert.Single(mesh.Device.Peers);
        Assert.Single(await mesh.Links.GetRoutesAsync(mesh.Token));
    }

    [Fact]
    public async Task Reconcile_HandshakeStarted_LooksAgainSoon()
    {
        await using var mesh = new AgentHarness(2).Settled();
        mesh.Announce(2, revision: 2);
        mesh.Publish(1, 2);
        Assert.Equal(TimeSpan.FromMilliseconds(100), await mesh.StartAsync());
        mesh.Devices.ChangePeer("cilium_wg0", TestMesh.Key(2), peer => peer with { LastHandshakeTime = mesh.Time.GetUtcNow() });
        mesh.Time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(Resync - TimeSpan.FromMilliseconds(100), await mesh.NextWaitAsync());
    }

    [Fact]
    public async Task Stop_SomebodyWaits_EndsTheWait()
    {
        await using var mesh = new AgentHarness(2).Settled(2);
        await mesh.StartAsync();
        using var gate = new Gate(mesh);
        var first = mesh.Agent.ReconcileAsync(CancellationToken.None);
        await gate.Entered;
        var second = mesh.Agent.ReconcileAsync(CancellationToken.None);
        await mesh.Agent.StopAsync(mesh.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.WaitAsync(mesh.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second.WaitAsync(mesh.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => mesh.Agent.ReconcileAsync(CancellationToken.None).WaitAsync(mesh.Token));
        Assert.False(mesh.Token.IsCancellationRequested, "The agent ended the waits, not the test.");
    }

    /// <summary>Holds the next call to the device until it is opened.</summary>
    private sealed class Gate : IDisposable
    {
        private readonly FakeWireGuardClient _devices;
        private readonly CancellationToken _token;
        private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Gate(AgentHarness mesh)
        {
            (_devices, _token) = (mesh.Devices, mesh.Token);
            _devices.OnCall = (_, cancellationToken) =>
            {
                _entered.TrySetResult();
                return _opened.Task.WaitAsync(cancellationToken);
            };
        }

        /// <summary>Ends when the call is being held.</summary>
        public Task Entered => _entered.Task.WaitAsync(_token);

        public void Open() => _opened.TrySetResult();

        public void Dispose()
        {
            _devices.OnCall = null;
            Open();
        }
    }
}
