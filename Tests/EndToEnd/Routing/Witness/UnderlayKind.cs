namespace Orleans.WireGuard.Tests.EndToEnd.Routing.Witness;

/// <summary>What a node's address may be on.</summary>
/// <param name="Name">As it is called in names of cases.</param>
/// <param name="Link">The link that has the node's address.</param>
/// <param name="Commands">What makes it of the cable <c>eth0</c>.</param>
internal sealed record UnderlayKind(string Name, string Link, params string[] Commands)
{
    /// <summary>The cable itself.</summary>
    public static UnderlayKind Cable { get; } = new("cable", "eth0");

    /// <summary>All kinds.</summary>
    public static IReadOnlyList<UnderlayKind> All { get; } =
    [
        Cable,
        new("bridge", "up0", "ip link add up0 type bridge", "ip link set eth0 master up0", "ip link set up0 up"),

        // Or the cable below answers for the address too, and what arrives comes in there.
        new("macvlan", "up0", "sysctl -qw net.ipv4.conf.all.arp_ignore=1", "ip link add link eth0 name up0 type macvlan mode bridge", "ip link set up0 up"),
        new("vlan", "up0", "ip link add link eth0 name up0 type vlan id 5", "ip link set up0 up"),
        new("bond", "up0", "ip link add up0 type bond mode active-backup miimon 100", "ip link set eth0 down", "ip link set eth0 master up0", "ip link set up0 up"),
        new("bridge_on_a_vlan", "up0", "ip link add link eth0 name v0 type vlan id 5", "ip link add up0 type bridge", "ip link set v0 master up0", "ip link set v0 up", "ip link set up0 up"),
    ];
}
