using System.Net;
using CsCheck;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>Whether an endpoint is kept or set: by what the peer answers, not by what it announced.</summary>
public sealed class EndpointRuleTests
{
    private static readonly IPEndPoint First = TestMesh.Endpoint(1);
    private static readonly IPEndPoint Second = TestMesh.Endpoint(2);
    private static readonly IPEndPoint Elsewhere = IPEndPoint.Parse("203.0.113.9:40001");

    // The diagram of EndpointRule, cell by cell.
    public static TheoryData<string, PeerState, bool, bool, string> Table { get; } = new()
    {
        { "none", PeerState.Unknown, false, false, "first" },
        { "none", PeerState.Up, false, false, "first" },
        { "none", PeerState.Down, false, false, "first" },
        { "first", PeerState.Unknown, false, false, "first" },
        { "second", PeerState.Unknown, false, false, "second" },
        { "second", PeerState.Up, false, false, "second" },
        { "second", PeerState.Down, false, false, "second" },
        { "elsewhere", PeerState.Unknown, false, false, "first" },
        { "elsewhere", PeerState.Up, false, false, "elsewhere" },
        { "elsewhere", PeerState.Down, false, false, "first" },
        { "elsewhere", PeerState.Up, true, false, "first" },
        { "none", PeerState.Unknown, false, true, "first" },
        { "first", PeerState.Unknown, false, true, "second" },
        { "second", PeerState.Up, false, true, "first" },
        { "elsewhere", PeerState.Up, false, true, "first" },
        { "elsewhere", PeerState.Down, false, true, "first" },
    };

    private static readonly Gen<EquatableArray<IPEndPoint>> Candidates = Gen.Int[0, 5].Array[0, 4]
        .Select(nodes => nodes.Distinct().Select(TestMesh.Endpoint).ToEquatableArray());

    private static readonly Gen<IPEndPoint?> Current = Gen.Int[-1, 9].Select(node => node < 0 ? null : TestMesh.Endpoint(node));

    private static readonly Gen<PeerState> State = Gen.Enum<PeerState>();

    [Theory]
    [MemberData(nameof(Table))]
    public void Choose_Cell_IsAsDrawn(string current, PeerState state, bool isWithdrawn, bool isUnanswered, string expected) =>
        Assert.Equal(Named(expected), EndpointRule.Choose([First, Second], Named(current), state, isWithdrawn, isUnanswered, former: null));

    [Fact]
    public void Choose_SetBySomebodyElse_IsTheFormerOne() => Assert.Equal(
        Elsewhere, EndpointRule.Choose([First, Second], Second, PeerState.Up, isWithdrawn: false, isUnanswered: false, former: Elsewhere));

    // No war: what was set is kept by the next pass, whatever the peer's state is by then, until it stays without an answer.
    [Fact]
    public void Choose_WhatWasChosen_IsKept() =>
        Gen.Select(Candidates, Current, State, State, Gen.Bool).Sample((candidates, current, before, after, isUnanswered) =>
    {
        var chosen = EndpointRule.Choose(candidates, current, before, isWithdrawn: false, isUnanswered, former: null);
        Assert.Equal(
            chosen is null || candidates.Contains(chosen) || after == PeerState.Up || candidates.Count == 0 ? chosen : candidates[0],
            EndpointRule.Choose(candidates, chosen, after, isWithdrawn: false, isUnanswered: false, former: null));
    });

    // Every address has its turn, and comes again: the one that answered nobody yesterday may answer today.
    [Fact]
    public void Choose_NobodyAnswers_TriesAllInTurn() =>
        Gen.Select(Candidates.Where(candidates => candidates.Count > 0), Current, State).Sample((candidates, current, state) =>
    {
        var tried = new List<IPEndPoint>();
        for (var attempt = 0; attempt < 2 * candidates.Count; attempt++)
        {
            current = EndpointRule.Choose(candidates, current, state, isWithdrawn: false, isUnanswered: true, former: null);
            tried.Add(current!);
        }

        Assert.Equal(candidates.Concat(candidates).OrderBy(Text), tried.OrderBy(Text));
        static string Text(IPEndPoint endpoint) => endpoint.ToString();
    });

    private static IPEndPoint? Named(string name) => name switch
    {
        "first" => First,
        "second" => Second,
        "elsewhere" => Elsewhere,
        _ => null,
    };
}
