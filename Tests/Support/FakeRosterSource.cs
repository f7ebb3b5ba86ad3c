using Orleans.WireGuard.Grains.Nodes;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>A roster that the test decides.</summary>
/// <param name="roster">The first answer; <see langword="null"/> for a source that has not answered yet.</param>
internal sealed class FakeRosterSource(NodeRoster? roster = null) : INodeRosterSource
{
    private volatile NodeRoster? _current = roster;

    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public NodeRoster? Current => _current;

    /// <summary>Answers, and says so.</summary>
    public void Answer(NodeRoster current)
    {
        _current = current;
        Changed?.Invoke();
    }
}
