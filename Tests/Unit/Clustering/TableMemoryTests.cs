using CsCheck;
using Orleans.WireGuard.Silo.Clustering;

namespace Orleans.WireGuard.Tests.Unit.Clustering;

/// <summary>A table has forgotten if two answers in a row say so, the second asked for after the first had come.</summary>
public sealed class TableMemoryTests
{
    private const long Patience = 5;

    private enum Answer
    {
        Fine,
        NoRow,
        Older,
        Gone,
    }

    [Fact]
    public void OnRead_AnyAnswers_ForgottenAtTheSecondBadOneInARow() => Gen.Enum<Answer>().List[1, 12].Sample(answers =>
    {
        var memory = new TableMemory(Patience);
        memory.OnWritten(SiloStatus.Active, 7, now: 0);
        var (bad, now) = (0, 1L);
        foreach (var answer in answers)
        {
            bad = answer == Answer.Fine ? 0 : bad + 1;
            Assert.Equal(bad switch { 0 => TableVerdict.Fine, 1 => TableVerdict.Suspect, _ => TableVerdict.Forgotten }, Tell(
                memory, answer, now, now + 1));
            now += 1 + Patience;
        }
    });

    [Fact]
    public void OnRead_OverlappingAnswers_AreOne()
    {
        var memory = new TableMemory(Patience);
        memory.OnWritten(SiloStatus.Active, 7, now: 10);

        // Asked before the row was written, and before the first bad answer had come.
        Assert.Equal(TableVerdict.Fine, Tell(memory, Answer.NoRow, 9, 11));
        Assert.Equal(TableVerdict.Suspect, Tell(memory, Answer.NoRow, 12, 20));
        Assert.Equal(TableVerdict.Fine, Tell(memory, Answer.NoRow, 19, 21));
        Assert.Equal(TableVerdict.Fine, Tell(memory, Answer.NoRow, 24, 26));
        Assert.Equal(TableVerdict.Forgotten, Tell(memory, Answer.NoRow, 25, 27));
    }

    [Fact]
    public void OnRead_BeforeTheRowIsWritten_IsFine()
    {
        var memory = new TableMemory(Patience);
        Assert.All(Enum.GetValues<Answer>(), answer => Assert.Equal(TableVerdict.Fine, Tell(memory, answer, 1, 2)));
    }

    [Theory]
    [InlineData(SiloStatus.ShuttingDown)]
    [InlineData(SiloStatus.Stopping)]
    [InlineData(SiloStatus.Dead)]
    public void OnRead_AfterGoodbye_IsFine(SiloStatus status)
    {
        var memory = new TableMemory(Patience);
        memory.OnWritten(SiloStatus.Active, 7, now: 0);
        memory.OnWritten(status, 8, now: 1);
        Assert.All(Enum.GetValues<Answer>(), answer => Assert.Equal(TableVerdict.Fine, Tell(memory, answer, 2, 3)));
    }

    private static TableVerdict Tell(TableMemory memory, Answer answer, long began, long now) =>
        answer == Answer.Gone
            ? memory.OnGone(began, now)
            : memory.OnRead(answer == Answer.Older ? 6 : 7, answer != Answer.NoRow, began, now);
}
