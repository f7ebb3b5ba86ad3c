using Orleans.WireGuard.Silo.Agent;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>The timeline of a peer's health.</summary>
public sealed class PeerStateCalculatorTests
{
    /// <summary>Seconds since the latest handshake and since the peer was added; null if there was none.</summary>
    [Theory]
    [InlineData(0.0, null, PeerState.Up)]
    [InlineData(119.0, 1000.0, PeerState.Up)]
    [InlineData(120.0, 1000.0, PeerState.Up)]
    [InlineData(180.0, 1000.0, PeerState.Up)]
    [InlineData(274.999, 1000.0, PeerState.Up)]
    [InlineData(275.0, 1000.0, PeerState.Down)]
    [InlineData(275.0, 10.0, PeerState.Down)]
    [InlineData(-1.0, 10.0, PeerState.Up)]
    [InlineData(null, null, PeerState.Unknown)]
    [InlineData(null, 0.0, PeerState.Unknown)]
    [InlineData(null, 274.999, PeerState.Unknown)]
    [InlineData(null, 275.0, PeerState.Down)]
    public void Calculate_Timeline_IsUpUntil275Seconds(double? sinceHandshake, double? sinceAdded, PeerState expected) =>
        Assert.Equal(expected, PeerStateCalculator.Calculate(Seconds(sinceHandshake), Seconds(sinceAdded)));

    private static TimeSpan? Seconds(double? seconds) => seconds is { } value ? TimeSpan.FromSeconds(value) : null;
}
