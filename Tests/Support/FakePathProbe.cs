using System.Net;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Notes what it was to send.</summary>
internal sealed class FakePathProbe : IPathProbe
{
    /// <summary>Where to and how large, in order.</summary>
    public List<(IPAddress Destination, int Length)> Sent { get; } = [];

    /// <summary>Whether what it notes goes out.</summary>
    public bool CanSend { get; set; } = true;

    /// <inheritdoc/>
    public bool TrySend(IPAddress destination, int length)
    {
        Sent.Add((destination, length));
        return CanSend;
    }
}
