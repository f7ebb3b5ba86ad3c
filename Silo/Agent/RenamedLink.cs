using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Routing;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Finds the link of a device that somebody renamed, and gives it its name back.</summary>
/// <remarks>
/// A kernel device is read by the name of its link and so is gone with it; a userspace device answers under the name that its process was
/// started with, and has no link. Either way the device is there, has its key and its port, and nothing else could be made beside it.
/// </remarks>
internal sealed class RenamedLink(string deviceName, ushort listenPort, IWireGuardClient devices, ILinkClient links, DriftLog drifts)
{
    /// <summary>The link as it is called now; <see langword="null"/> if it was not renamed, or is gone.</summary>
    /// <param name="known">As this process left it, which tells it by its number; <see langword="null"/> after a restart.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    public async Task<Link?> FindAsync(Link? known, CancellationToken cancellationToken)
    {
        var link = known is not null ? await links.TryGetLinkAsync(known.Index, cancellationToken)
            : await devices.FindRenamedAsync(deviceName, listenPort, cancellationToken) is { } name
                ? await links.TryGetLinkAsync(name, cancellationToken)
            : null;
        return link is not null && link.Name != deviceName && (known is null || link.Kind == known.Kind) ? link : null;
    }

    /// <summary>Renames it back. It may be down then, and without its routes.</summary>
    /// <exception cref="LinuxException">Another link has the name by now, or the system refused.</exception>
    public async Task RestoreAsync(Link link, CancellationToken cancellationToken)
    {
        drifts.Note([new Drift(DriftKind.LinkRenamed, link.Name)]);
        await links.RenameAsync(link.Index, deviceName, cancellationToken);
    }
}
