using System.Net;
using CsCheck;
using Orleans.WireGuard.Silo.Security;

namespace Orleans.WireGuard.Tests.Unit.Security;

/// <summary>Silence keeps nobody out, and no address has more than its share.</summary>
public sealed class ConnectionBudgetTests
{
    private static readonly ConnectionLimits Limits = new() { MaxPerAddress = 3, MaxSilent = 5 };
    private static readonly IPAddress[] Addresses = [.. Enumerable.Range(1, 4).Select(number => IPAddress.Parse($"10.0.0.{number}"))];

    private enum Step
    {
        Come,
        Speak,
        Go,
    }

    [Fact]
    public void TryTake_AnyOrder_KeepsTheLimitsAndWhatHasSpoken() => Gen.Select(
        Gen.Enum<Step>(), Gen.Int[0, Addresses.Length - 1], Gen.Int[0, 99]).List[0, 80].Sample(steps =>
    {
        var budget = new ConnectionBudget(Limits);
        var open = new List<Connection>();
        foreach (var (step, index, pick) in steps)
        {
            if (step == Step.Come)
            {
                var (address, before) = (Addresses[index], open.ToList());
                var made = new Connection(address);
                made.Place = budget.TryTake(address, () => made.IsClosed = true);
                open.RemoveAll(connection => connection.IsClosed);

                // Only an address whose every connection has spoken is turned away, and whoever has spoken stays.
                Assert.Equal(before.Count(connection => connection.HasSpoken
                    && connection.Address == address) >= Limits.MaxPerAddress, made.Place is null);
                Assert.All(before.Where(connection => connection.IsClosed), connection => Assert.False(connection.HasSpoken));
                Assert.InRange(before.Count(connection => connection.IsClosed), 0, 1);
                if (made.Place is not null)
                {
                    open.Add(made);
                }
            }
            else if (open.Count > 0 && step == Step.Speak)
            {
                open[pick % open.Count].HasSpoken = true;
                open[pick % open.Count].Place!.Speak();
            }
            else if (open.Count > 0)
            {
                open[pick % open.Count].Place!.Dispose();
                open.RemoveAt(pick % open.Count);
            }

            Assert.All(Addresses, one => Assert.InRange(open.Count(connection => connection.Address == one), 0, Limits.MaxPerAddress));
            Assert.InRange(budget.Silent, 0, Limits.MaxSilent);
            Assert.Equal(open.Count, budget.Open);
            Assert.Equal(open.Count(connection => !connection.HasSpoken), budget.Silent);
        }

        open.ForEach(connection => connection.Place!.Dispose());
        Assert.Equal((0, 0), (budget.Open, budget.Silent));
    });

    [Fact]
    public void TryTake_SilentFlood_ClosesTheOldestSilentOne()
    {
        var budget = new ConnectionBudget(Limits);
        var closed = new List<int>();
        var speaking = budget.TryTake(Addresses[0], () => closed.Add(-1))!;
        speaking.Speak();
        for (var number = 0; number < 7; number++)
        {
            Assert.NotNull(budget.TryTake(Addresses[number % 4], () => closed.Add(number)));
        }

        Assert.Equal(2, closed.Count);
        Assert.DoesNotContain(-1, closed);
    }

    [Fact]
    public void Dispose_Twice_GivesOnePlaceBack()
    {
        var budget = new ConnectionBudget(Limits);
        var place = budget.TryTake(Addresses[0], static () => { })!;
        using var other = budget.TryTake(Addresses[0], static () => { });
        place.Dispose();
        place.Dispose();
        Assert.Equal(1, budget.Open);
    }

    private sealed class Connection(IPAddress address)
    {
        public IPAddress Address => address;

        public ConnectionBudget.Place? Place { get; set; }

        public bool HasSpoken { get; set; }

        public bool IsClosed { get; set; }
    }
}
