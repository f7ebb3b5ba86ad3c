using CsCheck;
using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>Traffic goes through the proven slot of the highest level.</summary>
public sealed class PathChooserTests
{
    private static readonly Gen<PathCandidate?> Zero = Candidate(Slot.Zero);
    private static readonly Gen<PathCandidate?> One = Candidate(Slot.One);
    private static readonly Gen<Slot?> Current = Gen.Int[0, 2].Select(index => index == 2 ? (Slot?)null : new Slot((byte)index));

    // Invariant I2.
    [Fact]
    public void Choose_AnyProvenCandidate_TakesAProvenOne() => Gen.Select(Zero, One, Current).Sample((zero, one, current) =>
    {
        List<PathCandidate> candidates = [.. new[] { zero, one }.OfType<PathCandidate>()];
        var chosen = PathChooser.Choose(candidates, current);
        var candidate = candidates.FirstOrDefault(candidate => candidate.Slot == chosen);
        Assert.Equal(candidates.Count == 0, candidate is null);
        Assert.Equal(candidates.Any(candidate => candidate.IsProven), candidate?.IsProven ?? false);
    });

    // Or a handshake would be waited for that nobody needs.
    [Fact]
    public void IsWanted_CarryingSlotOfTheHighestLevel_IsFalse() => Gen.Select(Zero, One).Sample((zero, one) =>
    {
        List<PathCandidate> candidates = [.. new[] { zero, one }.OfType<PathCandidate>()];
        if (candidates.FirstOrDefault(candidate => candidate.IsProven
            && candidates.All(other => other.Level <= candidate.Level)) is { } carrying)
        {
            Assert.All(candidates, candidate => Assert.False(PathChooser.IsWanted(candidate, candidates, carrying.Slot)));
        }
    });

    [Fact]
    public void Choose_TwoFreshSlots_TakesTheHigherLevel() =>
        Assert.Equal(Slot.One, PathChooser.Choose([New(Slot.Zero, 10, true, true), New(Slot.One, 11, true, true)], Slot.Zero));

    [Fact]
    public void Choose_EqualLevels_StaysWhereItIs()
    {
        PathCandidate[] candidates = [New(Slot.Zero, 11, true, true), New(Slot.One, 11, true, true)];
        Assert.Equal(Slot.Zero, PathChooser.Choose(candidates, Slot.Zero));
        Assert.Equal(Slot.One, PathChooser.Choose(candidates, Slot.One));
    }

    [Fact]
    public void Choose_HigherLevelWithAStaleSession_WaitsForAHandshake()
    {
        PathCandidate[] candidates = [New(Slot.Zero, 10, true, true), New(Slot.One, 11, true, false)];
        Assert.Equal(Slot.Zero, PathChooser.Choose(candidates, Slot.Zero));
        Assert.True(PathChooser.IsWanted(candidates[1], candidates, Slot.Zero));
        Assert.False(PathChooser.IsWanted(candidates[0], candidates, Slot.Zero));
    }

    [Fact]
    public void Choose_NothingProven_StaysOrTakesTheHigherLevel()
    {
        PathCandidate[] candidates = [New(Slot.Zero, 10, false, false), New(Slot.One, 11, false, false)];
        Assert.Equal(Slot.Zero, PathChooser.Choose(candidates, Slot.Zero));
        Assert.Equal(Slot.One, PathChooser.Choose(candidates, null));
    }

    [Fact]
    public void SlotLevel_EitherSide_IsTheEarlierEpoch()
    {
        Assert.Equal(new Epoch(10), SlotLevel.Of(new Epoch(10), new Epoch(12)));
        Assert.Equal(new Epoch(10), SlotLevel.Of(new Epoch(12), new Epoch(10)));
    }

    private static PathCandidate New(Slot slot, long level, bool isProven, bool isFresh) => new(slot, new Epoch(level), isProven, isFresh);

    private static Gen<PathCandidate?> Candidate(Slot slot) => Gen.Select(Gen.Int[0, 3], Gen.Long[0, 3]).Select(
        (kind, level) => kind == 0 ? null : New(slot, level, isProven: kind > 1, isFresh: kind > 2));
}
