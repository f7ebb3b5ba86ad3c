using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Tests.Unit.Supervision;

public sealed class JitterTests
{
    [Fact]
    public void NextDouble_SameSeed_IsTheSameRun() => Assert.Equal(Draw(new Jitter(new Random(5))), Draw(new Jitter(new Random(5))));

    [Fact]
    public void Shuffle_Items_AreTheSameInAnotherOrder()
    {
        var items = Enumerable.Range(0, 100).ToArray();

        new Jitter(new Random(5)).Shuffle(items);

        Assert.NotEqual(Enumerable.Range(0, 100), items);
        Assert.Equal(Enumerable.Range(0, 100), items.Order());
    }

    // A Random with a seed that is used by two threads at once ends up giving zero for ever.
    [Fact]
    public async Task NextDouble_ManyThreads_OneIsInsideAtATime()
    {
        var random = new Watched();
        var jitter = new Jitter(random);

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(
            () =>
            {
                for (var i = 0; i < 5_000; i++)
                {
                    jitter.NextDouble();
                }
            },
            TestContext.Current.CancellationToken)));

        Assert.Equal(20_000, random.Calls);
        Assert.Equal(1, random.Most);
    }

    private static double[] Draw(Jitter jitter) => [.. Enumerable.Range(0, 10).Select(_ => jitter.NextDouble())];

    private sealed class Watched : Random
    {
        private int _inside;

        public int Calls { get; private set; }

        public int Most { get; private set; }

        public override double NextDouble()
        {
            Most = Math.Max(Most, Interlocked.Increment(ref _inside));
            Thread.Yield();
            Calls++;
            Interlocked.Decrement(ref _inside);
            return 0;
        }
    }
}
