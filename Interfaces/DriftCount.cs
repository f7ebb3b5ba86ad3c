namespace Orleans.WireGuard;

/// <summary>
/// What somebody else changed on a node's device, link, routes or rules. Numbers are on the wire: new kinds go to the end.
/// </summary>
public enum DriftKind
{
    /// <summary>The device has a peer that nobody announced.</summary>
    PeerAdded,

    /// <summary>A peer is gone from the device.</summary>
    PeerRemoved,

    /// <summary>A peer's endpoint is none that its node announced, and none that its packets came from.</summary>
    EndpointChanged,

    /// <summary>The device uses another key, or none.</summary>
    KeyChanged,

    /// <summary>The device listens on another UDP port.</summary>
    PortChanged,

    /// <summary>A peer has other allowed IPs.</summary>
    AllowedIPsChanged,

    /// <summary>A peer has another persistent keepalive interval.</summary>
    KeepaliveChanged,

    /// <summary>The link was taken down.</summary>
    LinkDown,

    /// <summary>The device is gone, or another one has its name.</summary>
    LinkDeleted,

    /// <summary>A route of ours is gone.</summary>
    RouteDeleted,

    /// <summary>There is a route in our table that we did not add, with our protocol number or another one.</summary>
    RouteAdded,

    /// <summary>A rule of ours is gone.</summary>
    RuleDeleted,

    /// <summary>There is a rule with our priority and protocol number that we did not add.</summary>
    RuleAdded,

    /// <summary>The link has another MTU.</summary>
    MtuChanged,

    /// <summary>The device marks its packets, which we never have it do.</summary>
    FirewallMarkChanged,

    /// <summary>The link drops packets whose answers would leave through another one (rp_filter).</summary>
    SourceCheckChanged,

    /// <summary>The link lost the address that its source check needs, and with it the kernel removed its IPv4 routes.</summary>
    AddressDeleted,

    /// <summary>The nftables table that counts what leaves in clear was changed or removed.</summary>
    WitnessChanged,

    /// <summary>The link has another name.</summary>
    LinkRenamed,
}

/// <summary>How often somebody else changed one kind of thing on a node. Every one was repaired when it was noticed.</summary>
/// <param name="Kind">What was changed.</param>
/// <param name="Count">How often since the silo started; 1 or more.</param>
/// <param name="LastSubject">What it was the last time, such as a peer's short key or a route's destination.</param>
/// <param name="LastAt">When that was noticed.</param>
[GenerateSerializer, Immutable, Alias("owg.DriftCount")]
public sealed record DriftCount(
    [property: Id(0)] DriftKind Kind,
    [property: Id(1)] long Count,
    [property: Id(2)] string LastSubject,
    [property: Id(3)] DateTimeOffset LastAt);
