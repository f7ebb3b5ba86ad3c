using System.Net;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Nodes;

/// <summary>
/// When an annotation that shows another key than the announced one is a problem: after half a minute, whatever keys follow and whatever
/// the clock does.
/// </summary>
public sealed class AnnotationDifferencesTests
{
    private readonly SettableTime _time = new();
    private readonly AnnotationDifferences _differences;

    public AnnotationDifferencesTests() => _differences = new AnnotationDifferences(_time);

    // Looked at every second for ten minutes. The annotation keeps the first key, the others come and go; the clock is set meanwhile.
    [Theory]
    [InlineData(5, 0)]
    [InlineData(20, 0)]
    [InlineData(20, -3_600)]
    [InlineData(20, 3_600)]
    [InlineData(120, 0)]
    [InlineData(120, -3_600)]
    [InlineData(3_600, 86_400)]
    public void FindProblem_AnnotationStays_IsSaidFromHalfAMinuteOnAndNeverTakenBack(int period, int setBy)
    {
        var differs = (int?)null;
        for (var second = 0; second < 600; second++)
        {
            _time.Elapsed = TimeSpan.FromSeconds(second);
            _time.SetBy = TimeSpan.FromSeconds(second < 50 ? 0 : setBy);
            differs ??= second >= period ? second : null;
            Assert.Equal(differs is { } since && second - since > 30, Problem(Key(0), Key(second / period)) is not null);
        }
    }

    [Theory]
    [InlineData(20)]
    [InlineData(120)]
    public void FindProblem_AnnotationFollowsAfterFourSeconds_IsNeverSaid(int period)
    {
        for (var second = 0; second < 600; second++)
        {
            _time.Elapsed = TimeSpan.FromSeconds(second);
            Assert.Null(Problem(Key(Math.Max(0, second - 4) / period), Key(second / period)));
        }
    }

    [Fact]
    public void Note_MissingAnnotationObjectOrAnnouncement_BeginsAnew()
    {
        foreach (var (node, announced) in (IEnumerable<(NodeRecord?, PeerAnnouncement?)>)[
            (null, Announce(1)), (Node(null), Announce(1)), (Node(Key(0)), null), (Node(Key(1)), Announce(1))])
        {
            Assert.Equal(TimeSpan.Zero, _differences.Note("a", Node(Key(0)), Announce(1)));
            _time.Elapsed += TimeSpan.FromMinutes(1);
            Assert.Equal(TimeSpan.FromMinutes(1), _differences.Note("a", Node(Key(0)), Announce(2)));
            Assert.Equal(TimeSpan.Zero, _differences.Note("a", node, announced));
            Assert.Equal(TimeSpan.Zero, _differences.Note("b", Node(Key(0)), Announce(1)));
            _differences.Note("b", null, null);
        }
    }

    private string? Problem(PublicKey annotated, PublicKey active)
    {
        var (node, announced) = (Node(annotated), TestMesh.Announce(1, active) with { IssuedAt = _time.GetUtcNow() });
        return KubernetesRosterSource.FindProblems(
            WatchedNodes.Unknown.Replace([node], "Node"), "a", announced, _differences.Note("a", node, announced)).ToText();
    }

    private static PublicKey Key(int epoch) => TestMesh.Key(1 + epoch);

    private static PeerAnnouncement Announce(int epoch) => TestMesh.Announce(1, Key(epoch));

    private static NodeRecord Node(PublicKey? annotated) =>
        new("a", "1", [IPAddress.Parse("10.0.0.4")], [IPPrefix.Parse("10.244.1.0/24")], annotated?.ToString(), []);
}
