using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.WireGuard.Supervision;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Supervision;

/// <summary>A loop goes on after whatever it throws, and one that ends all the same ends the silo.</summary>
public sealed class EndlessLoopsTests : IDisposable
{
    private readonly ApplicationLifetime _host = new(NullLogger<ApplicationLifetime>.Instance);
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Exceptions that loops met or may meet; cancellations that are not the loop's own among them.</summary>
    public static TheoryData<string, Exception?> Ends { get; } = new()
    {
        { "returns", null },
        { "ours", new InvalidOperationException("fault") },
        { "a connection that takes too long", new TaskCanceledException("A task was canceled.", new TimeoutException("fault")) },
        { "somebody else's cancellation", new OperationCanceledException(new CancellationToken(canceled: true)) },
        { "a bug", new KeyNotFoundException() },
        { "several", new AggregateException(new IOException("fault")) },
        { "disposed", new ObjectDisposedException("fault") },
    };

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task Keep_LoopEnds_EndsTheSilo(string how, Exception? cause)
    {
        var loops = Loops();

        await loops.KeepAsync(how, _ => cause is null ? Task.CompletedTask : Task.FromException(cause), _stopping.Token);

        Assert.True(_host.ApplicationStopping.IsCancellationRequested);
        Assert.Contains(how, loops.Ended, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keep_SiloStops_IsNoFailure()
    {
        var loops = Loops();
        var running = loops.KeepAsync("loop", token => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token), _stopping.Token);

        await _stopping.CancelAsync();
        await running;

        Assert.Null(loops.Ended);
        Assert.False(_host.ApplicationStopping.IsCancellationRequested);
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task Repeat_RoundFails_GoesOn(string how, Exception? cause)
    {
        var (loops, rounds, pauses) = (Loops(), 0, new List<int>());
        var third = new TaskCompletionSource();
        var running = loops.RepeatAsync(
            how,
            _ =>
            {
                if (++rounds == 3)
                {
                    third.SetResult();
                }

                return cause is not null && rounds <= 2 ? Task.FromException(cause) : Task.CompletedTask;
            },
            failures =>
            {
                pauses.Add(failures);
                return rounds < 3 ? TimeSpan.Zero : TimeSpan.FromHours(1);
            },
            _stopping.Token);

        await third.Task.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Token);
        await _stopping.CancelAsync();
        await running;

        Assert.Equal(cause is null ? [0, 0, 0] : [1, 2, 0], pauses);
        Assert.Null(loops.Ended);
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task Started_BackgroundServiceEnds_EndsTheHost(string how, Exception? cause)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<EndlessLoops>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<EndlessLoops>());
        var end = new TaskCompletionSource();
        builder.Services.AddHostedService(_ => new Service(end.Task));
        using var host = builder.Build();
        await host.StartAsync(Token);
        var loops = host.Services.GetRequiredService<EndlessLoops>();
        Assert.Null(loops.Ended);

        if (cause is null)
        {
            end.SetResult();
        }
        else
        {
            end.SetException(cause);
        }

        await host.WaitForShutdownAsync(Token).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Token);
        Assert.True(loops.Ended is not null, how);
        Assert.StartsWith(nameof(Service), loops.Ended, StringComparison.Ordinal);
    }

    /// <summary>What starts a loop beside these ways is not watched. A new place needs a reason here.</summary>
    [Fact]
    public void Sources_StartLoopsByTheirKeeperOnly()
    {
        string[] known =
        [
            // By the keeper.
            "MembershipWatch.cs",

            // Two threads that listen anew whatever fails, for each monitor.
            "NetlinkListener.cs",

            // By the keeper.
            "RedisMembershipWatch.cs",

            // No loops: one look two seconds later, and the end of the silo. Each catches what it throws.
            "SharedMembershipTable.cs",
        ];
        string[] starts = ["Task.Run(", ".StartNew(", "new Thread(", "ThreadPool."];
        var found = new[] { "Grains", "Silo" }
            .SelectMany(project => Directory.EnumerateFiles(RepositoryFiles.Find(project), "*.cs", SearchOption.AllDirectories))
            .Where(file => starts.Any(start => File.ReadAllText(file).Contains(start, StringComparison.Ordinal)))
            .Select(Path.GetFileName);

        Assert.Equal(known, found.Order(StringComparer.Ordinal));
    }

    private EndlessLoops Loops() =>
        new(new ServiceCollection().BuildServiceProvider(), _host, TimeProvider.System, NullLogger<EndlessLoops>.Instance);

    private sealed class Service(Task end) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken) => await end.WaitAsync(stoppingToken);
    }
}
