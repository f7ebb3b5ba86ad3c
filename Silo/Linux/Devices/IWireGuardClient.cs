using Orleans.WireGuard.Keys;

namespace Orleans.WireGuard.Linux.Devices;

/// <summary>
/// Reads and writes WireGuard devices of this network namespace through one transport. Addresses, routes and link state are not its
/// business (<see cref="Routing.ILinkClient"/>), except that a device comes and goes with its link.
/// </summary>
/// <remarks>Every failure of the system is a <see cref="LinuxException"/> that carries the operation and the errno.</remarks>
public interface IWireGuardClient
{
    /// <summary>How it is done.</summary>
    Transport Transport { get; }

    /// <summary>Why it was chosen; <see cref="TransportReason.Unknown"/> if nobody said.</summary>
    TransportReason TransportReason { get; }

    /// <summary>Reads a device, or <see langword="null"/> if there is none of this name.</summary>
    /// <exception cref="LinuxException">It exists but cannot be read.</exception>
    Task<Device?> TryGetDeviceAsync(string name, CancellationToken cancellationToken);

    /// <summary>
    /// Looks for the link of a device that somebody renamed. Whose it is has to be judged; a device that is not renamed, or cannot be told,
    /// is none.
    /// </summary>
    /// <param name="name">How the device was called.</param>
    /// <param name="listenPort">Its UDP port.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    /// <returns>What the link is called now, or <see langword="null"/>.</returns>
    Task<string?> FindRenamedAsync(string name, ushort listenPort, CancellationToken cancellationToken);

    /// <summary>Reads the key pair that a device uses, or <see langword="null"/> if it has none. The caller disposes it.</summary>
    /// <exception cref="LinuxException">There is no such device, or it cannot be read.</exception>
    Task<KeyPair?> GetKeyPairAsync(string name, CancellationToken cancellationToken);

    /// <summary>Creates a device without key and peers. Its link is down.</summary>
    /// <exception cref="LinuxException">The system refused, or the name is taken.</exception>
    Task CreateDeviceAsync(string name, CancellationToken cancellationToken);

    /// <summary>Applies a patch. If it fails, a part of it may have been applied: read the device again.</summary>
    /// <exception cref="LinuxException">The system refused.</exception>
    Task ConfigureAsync(string name, DevicePatch patch, CancellationToken cancellationToken);

    /// <summary>Removes a device and everything on it. A device that is not there is fine.</summary>
    /// <exception cref="LinuxException">The system refused.</exception>
    Task DeleteDeviceAsync(string name, CancellationToken cancellationToken);
}
