using System.Collections.Immutable;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>One call that a <see cref="FakeWireGuardClient"/> received.</summary>
/// <param name="Number">Counts from 1 over all operations.</param>
/// <param name="Operation">The member's name, such as <c>Configure</c>.</param>
/// <param name="DeviceName">Which device.</param>
/// <param name="Patch">
/// What <c>Configure</c> was given. Its key pair is borrowed, so only the public half can be relied on once the call is over.
/// </param>
internal sealed record WireGuardCall(int Number, string Operation, string DeviceName, DevicePatch? Patch = null);

/// <summary>
/// WireGuard devices in memory that behave as the kernel's: cryptokey routing gives a prefix to one peer of a device only, an update of a
/// missing peer does nothing, a device never has itself as a peer. Counts and records calls, and fails the ones it is told to.
/// </summary>
/// <param name="links">If given, every device has a link there, which comes and goes with it.</param>
internal sealed class FakeWireGuardClient(FakeLinkClient? links = null) : IWireGuardClient, IDisposable
{


    private readonly Lock _lock = new();
    private readonly Dictionary<string, State> _devices = [];
    private readonly Dictionary<int, Failure> _failures = [];
    private ImmutableList<WireGuardCall> _calls = [];

    /// <inheritdoc/>
    public Transport Transport => Transport.Uapi;

    /// <inheritdoc/>
    public TransportReason TransportReason => TransportReason.Configured;

    /// <summary>Runs before every call takes effect: may wait, may throw to fail it, may change a device as somebody else would.</summary>
    public Func<WireGuardCall, CancellationToken, Task>? OnCall { get; set; }

    /// <summary>Everything that was called, in order, failed calls included.</summary>
    public IReadOnlyList<WireGuardCall> Calls => Volatile.Read(ref _calls);

    /// <summary>Every patch that was given, in order, failed and empty ones included.</summary>
    public IReadOnlyList<DevicePatch> Patches => [.. Calls.Select(call => call.Patch).OfType<DevicePatch>()];

    /// <summary>How often a patch carried a key.</summary>
    public int KeyWrites => Patches.Count(patch => patch.KeyPair is not null);

    /// <summary>How often an operation was called.</summary>
    public int CountOf(string operation) => Calls.Count(call => call.Operation == operation);

    /// <summary>Makes call <paramref name="number"/> fail.</summary>
    /// <param name="number">Counts from 1 over all operations; a number that is already past never fails.</param>
    /// <param name="errno">What the system says; EIO by default.</param>
    /// <param name="appliedPeers">
    /// How many peers of the patch take effect before the failure, after key and port; <see langword="null"/> if nothing does.
    /// </param>
    public void FailCall(int number, int errno = EIO, int? appliedPeers = null)
    {
        lock (_lock)
        {
            _failures[number] = new Failure(errno, appliedPeers);
        }
    }

    /// <summary>Makes the next call fail; see <see cref="FailCall"/>.</summary>
    public void FailNextCall(int errno = EIO, int? appliedPeers = null) => FailCall(Calls.Count + 1, errno, appliedPeers);

    /// <summary>The device as it is now, without counting a call; <see langword="null"/> if there is none.</summary>
    public Device? Peek(string name)
    {
        lock (_lock)
        {
            return _devices.GetValueOrDefault(name)?.Device;
        }
    }

    /// <summary>Changes a device as somebody else would, or makes it, without counting a call.</summary>
    /// <param name="name">Which device.</param>
    /// <param name="change">Is given the device as it is, or an empty one.</param>
    /// <param name="keyPair">A key to set with it; copied. Replaces the public key that <paramref name="change"/> returned.</param>
    public void Change(string name, Func<Device, Device> change, KeyPair? keyPair = null)
    {
        lock (_lock)
        {
            if (!_devices.TryGetValue(name, out var state))
            {
                _devices[name] = state = new State(new Device(name, null, 0, 0, []));
                links?.AddLink(name);
            }

            if (keyPair is not null)
            {
                state.SetKeyPair(keyPair);
            }

            var device = change(state.Device);
            state.Device = keyPair is null ? device : device with { PublicKey = keyPair.PublicKey };
        }
    }

    /// <summary>Changes one peer of a device as packets would: handshakes, byte counters, roaming.</summary>
    /// <exception cref="InvalidOperationException">The device has no such peer.</exception>
    public void ChangePeer(string name, PublicKey publicKey, Func<DevicePeer, DevicePeer> change) => Change(name, device =>
    {
        var peers = device.Peers.ToArray();
        var index = Array.FindIndex(peers, peer => peer.PublicKey == publicKey);
        if (index < 0)
        {
            throw new InvalidOperationException($"{name} has no peer {publicKey.ToShortString()}.");
        }

        peers[index] = change(peers[index]);
        return device with { Peers = [.. peers] };
    });

    /// <inheritdoc/>
    public async Task<Device?> TryGetDeviceAsync(string name, CancellationToken cancellationToken)
    {
        await ReceiveAsync(nameof(TryGetDeviceAsync), name, null, cancellationToken);
        return Peek(name);
    }

    /// <summary>
    /// Whether devices are read by the name that they were made with, as those of wireguard-go are, and not by that of their link.
    /// </summary>
    public bool IsUserspace { get; init; }

    /// <inheritdoc/>
    public async Task<string?> FindRenamedAsync(string name, ushort listenPort, CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        lock (_lock)
        {
            return _devices.Where(
                entry => entry.Value.LinkName != name && (IsUserspace ? entry.Key == name : entry.Value.Device.ListenPort == listenPort))
                .Select(entry => entry.Value.LinkName).FirstOrDefault();
        }
    }

    /// <summary>Follows a link that is renamed, as a device does.</summary>
    public void FollowRename(string name, string newName)
    {
        lock (_lock)
        {
            if (_devices.FirstOrDefault(entry => entry.Value.LinkName == name) is { Value: { } state } found)
            {
                state.LinkName = newName;
                if (!IsUserspace)
                {
                    _ = _devices.Remove(found.Key);
                    _devices[newName] = state;
                    state.Device = state.Device with { Name = newName };
                }
            }
        }
    }

    /// <inheritdoc/>
    public async Task<KeyPair?> GetKeyPairAsync(string name, CancellationToken cancellationToken)
    {
        await ReceiveAsync(nameof(GetKeyPairAsync), name, null, cancellationToken);
        lock (_lock)
        {
            return Find(name, "get the key of").CopyKeyPair();
        }
    }

    /// <inheritdoc/>
    public async Task CreateDeviceAsync(string name, CancellationToken cancellationToken)
    {
        await ReceiveAsync(nameof(CreateDeviceAsync), name, null, cancellationToken);
        lock (_lock)
        {
            if (!_devices.TryAdd(name, new State(new Device(name, null, 0, 0, []))))
            {
                throw new LinuxException($"create {name}", EEXIST, "File exists");
            }

            links?.AddLink(name);
        }
    }

    /// <inheritdoc/>
    public async Task ConfigureAsync(string name, DevicePatch patch, CancellationToken cancellationToken)
    {
        var failure = await ReceiveAsync(nameof(ConfigureAsync), name, patch, cancellationToken);
        lock (_lock)
        {
            var state = Find(name, "set");
            var applied = failure is null ? patch : patch with { Peers = [.. patch.Peers.Take(failure.AppliedPeers ?? 0)] };
            if (patch.KeyPair is not null)
            {
                state.SetKeyPair(patch.KeyPair);
            }
            else if (patch.ClearKey)
            {
                state.SetKeyPair(null);
            }

            state.Device = Apply(state.Device, applied);
        }

        failure?.Throw($"set {name}");
    }

    /// <inheritdoc/>
    public async Task DeleteDeviceAsync(string name, CancellationToken cancellationToken)
    {
        await ReceiveAsync(nameof(DeleteDeviceAsync), name, null, cancellationToken);
        Remove(name);
    }

    /// <summary>Takes a device away as somebody else would, without counting a call.</summary>
    public void Remove(string name)
    {
        lock (_lock)
        {
            if (_devices.Remove(name, out var state))
            {
                state.Dispose();
                links?.RemoveLink(state.LinkName);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var state in _devices.Values)
            {
                state.Dispose();
            }

            _devices.Clear();
        }
    }

    /// <summary>What a WireGuard device is after a patch. Pure: the law that a patch leads to what is desired is tested with it.</summary>
    /// <exception cref="ArgumentException">The patch says something that no device can be told.</exception>
    public static Device Apply(Device device, DevicePatch patch)
    {
        var publicKey = patch.ClearKey ? null : patch.KeyPair?.PublicKey ?? device.PublicKey;
        var peers = new SortedDictionary<PublicKey, DevicePeer>(device.Peers.ToDictionary(peer => peer.PublicKey));
        if (publicKey is { } own)
        {
            // The kernel drops the peer that turns out to be the device itself (set_device in drivers/net/wireguard/netlink.c).
            _ = peers.Remove(own);
        }

        foreach (var change in patch.Peers)
        {
            ApplyPeer(peers, change, publicKey);
        }

        return device with
        {
            PublicKey = publicKey,
            ListenPort = patch.ListenPort ?? device.ListenPort,
            FirewallMark = patch.FirewallMark ?? device.FirewallMark,
            Peers = [.. peers.Values],
        };
    }

    private static void ApplyPeer(SortedDictionary<PublicKey, DevicePeer> peers, PeerPatch change, PublicKey? own)
    {
        if (change.PersistentKeepaliveInterval is { } interval)
        {
            _ = KeepaliveInterval.ToSeconds(interval);
        }

        if (change.Change == PeerChange.Remove)
        {
            if (change != new PeerPatch(change.PublicKey, PeerChange.Remove))
            {
                throw new ArgumentException("A removal carries no other member.", nameof(change));
            }

            _ = peers.Remove(change.PublicKey);
            return;
        }

        if (change.Change == PeerChange.Reset)
        {
            _ = peers.Remove(change.PublicKey);
        }

        if (change.PublicKey == own)
        {
            return;
        }

        if (!peers.TryGetValue(change.PublicKey, out var peer))
        {
            if (change.Change == PeerChange.Update)
            {
                return;
            }

            peer = new DevicePeer(change.PublicKey, null, [], TimeSpan.Zero, null, 0, 0);
        }

        var added = change.AllowedIPs ?? [];
        var taken = added.ToHashSet();
        foreach (var (key, other) in peers.Where(pair => pair.Key != change.PublicKey && pair.Value.AllowedIPs.Any(taken.Contains))
            .ToArray())
        {
            peers[key] = other with { AllowedIPs = [.. other.AllowedIPs.Where(prefix => !taken.Contains(prefix))] };
        }

        peers[change.PublicKey] = peer with
        {
            Endpoint = change.Endpoint?.Unmap() ?? peer.Endpoint,
            PersistentKeepaliveInterval = change.PersistentKeepaliveInterval ?? peer.PersistentKeepaliveInterval,
            AllowedIPs = [.. (change.ReplaceAllowedIPs ? [] : peer.AllowedIPs).Union(added).Order()],
        };
    }

    private async Task<Failure?> ReceiveAsync(string operation, string name, DevicePatch? patch, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        WireGuardCall call;
        Failure? failure;
        lock (_lock)
        {
            call = new WireGuardCall(_calls.Count + 1, operation, name, patch);
            Volatile.Write(ref _calls, _calls.Add(call));
            failure = _failures.GetValueOrDefault(call.Number);
        }

        if (OnCall is { } hook)
        {
            await hook(call, cancellationToken);
        }

        if (failure is { AppliedPeers: null } || (failure is not null && patch is null))
        {
            failure.Throw($"{operation} {name}");
        }

        return failure;
    }

    private State Find(string name, string operation) => _devices.TryGetValue(name, out var state)
        ? state
        : throw new LinuxException($"{operation} {name}", ENODEV, "No such device");

    private sealed record Failure(int Errno, int? AppliedPeers)
    {
        public void Throw(string operation) => throw new LinuxException(operation, Errno, "the fake was told to fail this call");
    }

    private sealed class State(Device device) : IDisposable
    {
        private KeyPair? _keyPair;

        public Device Device { get; set; } = device;

        public string LinkName { get; set; } = device.Name;

        public void SetKeyPair(KeyPair? keyPair)
        {
            var copy = keyPair is null ? null : Copy(keyPair);
            _keyPair?.Dispose();
            _keyPair = copy;
        }

        public KeyPair? CopyKeyPair() => _keyPair is null ? null : Copy(_keyPair);

        public void Dispose() => _keyPair?.Dispose();

        private static KeyPair Copy(KeyPair keyPair)
        {
            Span<byte> bytes = stackalloc byte[KeyPair.PrivateKeySize];
            keyPair.ExportPrivateKey(bytes);
            try
            {
                return KeyPair.Import(bytes);
            }
            finally
            {
                bytes.Clear();
            }
        }
    }
}
