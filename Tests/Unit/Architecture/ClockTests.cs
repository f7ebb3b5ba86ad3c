using System.Reflection;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Architecture;

/// <summary>
/// Durations are told by the clock that nobody sets (<see cref="SteadyTime"/>). Who subtracts or compares times of the wall clock stands
/// here with the reason, because each is a place where a clock that is set does harm.
/// </summary>
public sealed class ClockTests
{
    private static readonly Type[] Times = [typeof(DateTime), typeof(DateTimeOffset)];

    private static readonly string[] Operators =
    [
        "op_Subtraction", "op_LessThan", "op_LessThanOrEqual", "op_GreaterThan",
        "op_GreaterThanOrEqual", nameof(DateTime.CompareTo), nameof(DateTime.Compare),
        nameof(DateTime.Subtract),
    ];

    // By class, because lambdas have no names of their own.
    private static readonly Dictionary<string, string> Allowed = new()
    {
        ["KeyEpochs"] = "how old a key is that a former process made can only be told from when its epoch was",
        ["MeshClock"] = "how far the clock of another node is ahead of this one's",
        ["NodeGrain"] = "epochs, and until when a former self said that an operator has frozen the node",
        ["RotationSchedule"] = "epochs",
        ["RotationTurn"] = "for how long a key has been due, since its epoch began",
        ["KeyPairClock"] = "how old a session is that was there before this process only the device tells, by its clock",
    };

    [Fact]
    public void GrainsAndAgent_WallClock_IsNotWhatDurationsAreToldBy() => Assert.Equal(
        Allowed.Keys.Order(StringComparer.Ordinal),
        Product.Grains.GetTypes().Concat(Product.Keys.GetTypes()).Concat(Product.Supervision.GetTypes())
            .Concat(Product.Silo.GetTypes()
            .Where(type => type.Namespace is "Orleans.WireGuard.Silo.Agent" or "Orleans.WireGuard.Silo.Nodes"))
            .Where(MeasuresByTheWallClock).Select(Name).Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public void MeasuresByTheWallClock_Difference_IsSeen()
    {
        Assert.True(MeasuresByTheWallClock(typeof(TellsAge)));
        Assert.Contains(typeof(TellsAgeInALambda).GetNestedTypes(BindingFlags.NonPublic), MeasuresByTheWallClock);
        Assert.True(MeasuresByTheWallClock(typeof(ComparesTimes)));
        Assert.False(MeasuresByTheWallClock(typeof(SteadyTime)));
    }

    private static bool MeasuresByTheWallClock(Type type) => TypeReferences.Calls(type).Any(call =>
        Times.Contains(call.Called.DeclaringType) && Operators.Contains(call.Called.Name)
            && call.Called.GetParameters().All(parameter => Times.Contains(parameter.ParameterType)));

    // A lambda's or a state machine's is that of the class around it. Records compare their members, and generated serializers copy them.
    private static string Name(Type type) => type.DeclaringType is { } outer ? Name(outer) : type.Name;

#pragma warning disable CA1823, IDE0051 // Nobody uses these; they are looked at.
    private static class TellsAge
    {
        private static TimeSpan Age(DateTimeOffset madeAt, TimeProvider timeProvider) => timeProvider.GetUtcNow() - madeAt;
    }

    private static class TellsAgeInALambda
    {
        private static readonly Func<DateTime, DateTime, TimeSpan> Age = (left, right) => left - right;
    }

    private static class ComparesTimes
    {
        private static bool IsOver(DateTimeOffset? end, DateTimeOffset now) => now >= end;
    }
#pragma warning restore CA1823, IDE0051
}
