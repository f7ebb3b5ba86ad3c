using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>What a node has for its pods, as the test says.</summary>
internal sealed class FakeOwnPrefixSource : IOwnPrefixSource
{
    private volatile OwnPrefixes? _current;

    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public OwnPrefixes? Current => _current;

    /// <inheritdoc/>
    public EquatableArray<NodeProblem> Problems => [];

    /// <summary>Sets it.</summary>
    /// <param name="prefixes">By text.</param>
    public void Set(params IEnumerable<string> prefixes)
    {
        _current = new OwnPrefixes(prefixes.Select(IPPrefix.Parse).Order().ToEquatableArray(), [IPPrefix.Parse("10.0.0.0/8")])
        {
            Source = "Kernel",
            Because = "the test says so",
            IsRosterBelieved = false,
        };
        Changed?.Invoke();
    }
}
