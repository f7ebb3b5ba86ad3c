using System.Net;
using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>A roster that a test sets. Starts with <c>node-0</c> to <c>node-(n-1)</c>.</summary>
internal sealed class FakeRosterSource(int nodes) : INodeRosterSource
{
    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public NodeRoster? Current { get; private set; } = NodeRoster.Of(Enumerable.Range(0, nodes).Select(Node));

    /// <summary>The node of a number: 192.168.100.number, 10.244.number.0/24.</summary>
    public static RosterNode Node(int number) => new(
        $"node-{number}", [IPAddress.Parse($"192.168.100.{number}")], [IPPrefix.Parse($"10.244.{number}.0/24")]);

    /// <summary>Replaces the roster.</summary>
    public void Set(NodeRoster? roster)
    {
        Current = roster;
        Changed?.Invoke();
    }
}
