using CsCheck;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Silo.Nodes.Prefixes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Nodes.Prefixes;

/// <summary>Which source is taken, why, and when the mind is changed.</summary>
public sealed class PrefixChoiceTests
{
    private static readonly Gen<LocalPod[]> Pods = MeshGen.CloseByPrefix.Select(prefix => new LocalPod(prefix, "veth0")).Array[0, 3];

    private static readonly Gen<PrefixAnswer[]> Answers = Gen.Select(
        MeshGen.CloseByPrefix.Array[0, 3], Gen.Int[0, 4], Gen.Int[(int)PrefixSource.NodeNetworkConfig, (int)PrefixSource.Static])
        .Select((prefixes, state, source) => state switch
        {
            0 => PrefixAnswer.Without((PrefixSource)source, "absent"),
            1 => PrefixAnswer.Pending((PrefixSource)source),
            _ => new PrefixAnswer((PrefixSource)source) { Prefixes = PrefixSet.Merge(prefixes) },
        }).Array[0, 5];

    [Theory]
    [InlineData(PrefixSource.Auto, false, null, true, "Static")]
    [InlineData(PrefixSource.Kernel, false, null, true, "Kernel")]
    [InlineData(PrefixSource.Auto, true, null, false, "NodeNetworkConfig CiliumNode Node")]
    [InlineData(PrefixSource.Auto, true, "CiliumNode", true, "NodeNetworkConfig CiliumNode Node Kernel")]
    [InlineData(PrefixSource.Auto, true, "Node", false, "NodeNetworkConfig Node CiliumNode")]
    [InlineData(PrefixSource.CiliumNode, true, "Node", true, "CiliumNode")]
    public void Order_Golden(PrefixSource configured, bool isKubernetes, string? kind, bool hasRanges, string expected) =>
        Assert.Equal(expected, string.Join(' ', PrefixChoice.Order(configured, isKubernetes, kind, hasRanges)));

    // A cluster that worked before: nothing but pod CIDRs that are true, with pods or without.
    [Fact]
    public void Choose_PodCIDRsThatAreTrue_AreTaken()
    {
        var answers = new[] { Absent(PrefixSource.NodeNetworkConfig), Told(PrefixSource.Node, "10.244.1.0/24") };
        foreach (var pods in (LocalPod[]?[])[null, [], [Pod("10.244.1.7/32")], [Pod("10.244.1.0/24")], [Pod("10.244.0.0/16")]])
        {
            var decision = PrefixChoice.Choose(false, answers, pods);
            Assert.Equal(PrefixSource.Node, decision.Chosen?.Source);
            Assert.Equal("NodeNetworkConfig is absent", decision.Because);
        }
    }

    [Fact]
    public void Choose_PodsElsewhere_TakesTheNextOneAndNamesThem()
    {
        var decision = PrefixChoice.Choose(
            false,
            [Told(PrefixSource.Node, "10.244.1.0/24"), Told(PrefixSource.Kernel, "10.250.0.7/32")],
            [Pod("10.250.0.7/32"), Pod("10.250.0.8/32"), Pod("10.250.0.9/32")]);
        Assert.Equal(PrefixSource.Kernel, decision.Chosen?.Source);
        Assert.Equal(
            "Node has 10.244.1.0/24, but the kernel shows pods elsewhere (10.250.0.7/32 at veth0, 10.250.0.8/32 at veth0 and 1 more)",
            decision.Because);
        Assert.Equal([PrefixSource.Node], decision.Contradicted);
    }

    // What one pod says is enough to believe, and a family of which the source has nothing says nothing.
    [Fact]
    public void Choose_OnePodInside_IsNotContradicted()
    {
        Assert.Null(Contradiction(["10.244.1.0/24"], "10.244.1.7/32", "10.250.0.7/32"));
        Assert.Null(Contradiction(["10.244.1.0/24"], "10.244.1.7/32", "fd00:9::7/128"));
        Assert.NotNull(Contradiction(["10.244.1.0/24", "fd00:1::/64"], "10.244.1.7/32", "fd00:9::7/128"));
        Assert.NotNull(Contradiction(["10.244.1.0/24"], "fd00:9::7/128"));
    }

    [Fact]
    public void Choose_Configured_IsTakenWhateverTheKernelShows()
    {
        var decision = PrefixChoice.Choose(true, [Told(PrefixSource.Node, "10.244.1.0/24")], [Pod("10.250.0.7/32")]);
        Assert.Equal((PrefixSource.Node, "Nodes:Prefixes names it"), (decision.Chosen!.Source, decision.Because));
        Assert.Null(PrefixChoice.Choose(true, [Absent(PrefixSource.Node)], []).Chosen);
    }

    [Fact]
    public void Choose_FirstHasNotAnswered_WaitsForIt()
    {
        var answers = new[] { PrefixAnswer.Pending(PrefixSource.NodeNetworkConfig), Told(PrefixSource.Node, "10.244.1.0/24") };
        Assert.Equal(PrefixSource.NodeNetworkConfig, PrefixChoice.Choose(false, answers, []).WaitsFor);
        answers = [Told(PrefixSource.Node, "10.244.1.0/24"), new(PrefixSource.CiliumNode) { IsUnasked = true }];
        Assert.Null(PrefixChoice.Choose(false, answers, []).WaitsFor);
        Assert.Equal(PrefixSource.CiliumNode, PrefixChoice.Choose(false, answers, [Pod("10.250.0.7/32")]).WaitsFor);
    }

    [Fact]
    public void Choose_AnyAnswers_NeverTakesAContradictedOneNorPassesOneOver() => Gen.Select(Answers, Pods).Sample((answers, pods) =>
    {
        var decision = PrefixChoice.Choose(false, answers, pods);
        if (decision.WaitsFor is null && decision.Chosen is null)
        {
            Assert.DoesNotContain(answers, IsRight);
        }

        if (decision.Chosen is { } chosen)
        {
            Assert.True(IsRight(chosen));
            Assert.Same(answers.First(answer => IsRight(answer) || answer.IsPending), chosen);
            Assert.NotEmpty(decision.Because);
        }

        bool IsRight(PrefixAnswer answer) =>
            answer.IsTold && (answer.Source == PrefixSource.Static || !IsContradicted(answer.Prefixes, pods));
    });

    // The first choice at once, another one after a while, one that comes back before that not at all.
    [Fact]
    public void Take_AnotherSource_HasToBeRightForAWhile()
    {
        var time = new WaitableTimeProvider(TestMesh.Start);
        var settled = new SettledChoice();
        Assert.Null(Take(PrefixSource.Node));
        Assert.Equal(SettledChoice.Settle, Take(PrefixSource.Kernel));
        time.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(TimeSpan.FromSeconds(1), Take(PrefixSource.Kernel));
        Assert.Null(Take(PrefixSource.Node));
        time.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(SettledChoice.Settle, Take(PrefixSource.Kernel));
        time.Advance(SettledChoice.Settle);
        Assert.Equal(PrefixSource.Node, settled.Source);
        Assert.Null(Take(PrefixSource.Kernel));
        Assert.Equal(PrefixSource.Kernel, settled.Source);

        // None has to be certain too; what comes after none need not.
        Assert.NotNull(Take(null));
        time.Advance(SettledChoice.Settle);
        Assert.Null(Take(null));
        Assert.Null(settled.Source);
        Assert.Null(Take(PrefixSource.CiliumNode));
        Assert.Equal(PrefixSource.CiliumNode, settled.Source);

        TimeSpan? Take(PrefixSource? source) => settled.Take(source, SteadyTime.Now(time));
    }

    // Written apart from the product's: by families, each pod against each prefix.
    private static bool IsContradicted(EquatableArray<IPPrefix> prefixes, LocalPod[] pods)
    {
        if (prefixes.Count == 0 || pods.Length == 0)
        {
            return false;
        }

        bool IsInside(LocalPod pod) => prefixes.Any(prefix => prefix.Overlaps(pod.Prefix));
        return !pods.Any(IsInside) || new[] { false, true }.Any(family => prefixes.Any(prefix => prefix.IsIPv6 == family)
            && pods.Any(pod => pod.Prefix.IsIPv6 == family) && !pods.Any(pod => pod.Prefix.IsIPv6 == family && IsInside(pod)));
    }

    private static string? Contradiction(string[] prefixes, params string[] pods) =>
        PrefixChoice.FindContradiction([.. prefixes.Select(IPPrefix.Parse)], [.. pods.Select(Pod)]);

    private static PrefixAnswer Told(PrefixSource source, params string[] prefixes) =>
        new(source) { Prefixes = [.. prefixes.Select(IPPrefix.Parse)] };

    private static PrefixAnswer Absent(PrefixSource source) => PrefixAnswer.Without(source, $"{source} is absent");

    private static LocalPod Pod(string prefix) => new(IPPrefix.Parse(prefix), "veth0");
}
