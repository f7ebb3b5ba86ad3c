using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Orleans.WireGuard.Keys;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Linux.Devices.Uapi;

/// <summary>Devices of userspace implementations, by the protocol of https://www.wireguard.com/xplatform/.</summary>
/// <remarks>
/// Every call makes a connection of its own, and is one request. The texts that are exchanged carry private keys; they live in a
/// <see cref="SecretBuffer"/> and nowhere else.
/// </remarks>
public sealed class UapiWireGuardClient : IWireGuardClient
{
    /// <summary>The link kind of the devices: TUN, for the kernel knows no better.</summary>
    public const string LinkKind = "tun";

    // The most that a patch can come to: the same peers and prefixes that a reply may have.
    private const int MaxRequestSize = UapiReader.MaxReplySize;

    private static readonly ReadOnlyMemory<byte> GetRequest = UapiWriter.Get.ToArray();

    private readonly UserspaceDeviceOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly UserspaceDevice _userspaceDevice;

    /// <summary>Makes a client. It touches nothing yet.</summary>
    public UapiWireGuardClient(UserspaceDeviceOptions options, TimeProvider timeProvider, ILogger<UapiWireGuardClient> logger)
    {
        _options = options;
        _timeProvider = timeProvider;
        _userspaceDevice = new UserspaceDevice(options, timeProvider, logger);
    }

    /// <inheritdoc/>
    public Transport Transport => Transport.Uapi;

    /// <inheritdoc/>
    public TransportReason TransportReason { get; init; }

    /// <inheritdoc/>
    public async Task<Device?> TryGetDeviceAsync(string name, CancellationToken cancellationToken)
    {
        using var reply = new SecretBuffer(UapiReader.MaxReplySize);
        return await TryExchangeAsync($"get {name}", name, GetRequest, reply, cancellationToken)
            ? Read($"get {name}", () => UapiReader.ReadDevice(name, reply.WrittenSpan))
            : null;
    }

    /// <inheritdoc/>
    public Task<string?> FindRenamedAsync(string name, ushort listenPort, CancellationToken cancellationToken) =>
        Task.FromResult(UserspaceProcess.TryFindRenamedLink(name, _options.NetworkNamespace));

    /// <inheritdoc/>
    public async Task<KeyPair?> GetKeyPairAsync(string name, CancellationToken cancellationToken)
    {
        var operation = $"get the key of {name}";
        using var reply = new SecretBuffer(UapiReader.MaxReplySize);
        return await TryExchangeAsync(operation, name, GetRequest, reply, cancellationToken)
            ? Read(operation, () => UapiReader.ReadKeyPair(reply.WrittenSpan))
            : throw NoSuchDevice(operation, name);
    }

    /// <inheritdoc/>
    public async Task CreateDeviceAsync(string name, CancellationToken cancellationToken)
    {
        var operation = $"create {name}";
        await GuardAsync(operation, () => _userspaceDevice.StartAsync(name, cancellationToken));
    }

    /// <inheritdoc/>
    public async Task ConfigureAsync(string name, DevicePatch patch, CancellationToken cancellationToken)
    {
        var operation = $"set {name}";
        using var request = new SecretBuffer(MaxRequestSize);
        UapiWriter.WriteSet(request, patch);
        using var reply = new SecretBuffer(UapiReader.MaxReplySize);
        if (!await TryExchangeAsync(operation, name, request.WrittenMemory, reply, cancellationToken))
        {
            throw NoSuchDevice(operation, name);
        }
    }

    /// <inheritdoc/>
    public async Task DeleteDeviceAsync(string name, CancellationToken cancellationToken) =>
        await GuardAsync($"delete {name}", () => _userspaceDevice.StopAsync(name, cancellationToken));

    /// <summary>
    /// Sends a request and checks that the reply is whole and says success; <see langword="false"/> if there is no device.
    /// </summary>
    private async Task<bool> TryExchangeAsync(
        string operation, string name, ReadOnlyMemory<byte> request, SecretBuffer reply, CancellationToken cancellationToken)
    {
        var socketPath = _userspaceDevice.SocketPath(name);
        using var limit = new TimeLimit(_options.RequestTimeout, _timeProvider, cancellationToken);
        try
        {
            return await GuardAsync(operation, async () =>
            {
                using var connection = await UapiConnection.TryConnectAsync(socketPath, limit.Token);
                if (connection is null)
                {
                    return false;
                }

                try
                {
                    await connection.ExchangeAsync(request, reply, limit.Token);
                }
                catch (SocketException) when (reply.Length == 0)
                {
                    // A process that ends breaks its connections. Whether it did is what its socket says now.
                    using var probe = await UapiConnection.TryConnectAsync(socketPath, limit.Token);
                    if (probe is null)
                    {
                        return false;
                    }

                    throw;
                }

                var errno = Read(operation, () => UapiReader.ReadErrno(reply.WrittenSpan));
                return errno == 0 ? true : throw new LinuxException(operation, errno, UapiErrno.Describe(errno));
            });
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new LinuxException(
                operation, ETIMEDOUT,
                $"{socketPath} did not answer within {_options.RequestTimeout.TotalSeconds} s; its process may hang", e);
        }
    }

    private static T Read<T>(string operation, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (FormatException e)
        {
            throw new LinuxException(operation, EPROTO, $"the userspace device gave no valid answer: {e.Message}", e);
        }
    }

    private static Task<bool> GuardAsync(string operation, Func<Task> action) => GuardAsync(operation, async () =>
    {
        await action();
        return true;
    });

    private static async Task<T> GuardAsync<T>(string operation, Func<Task<T>> action)
    {
        try
        {
            return await action();
        }
        catch (SocketException e)
        {
            throw new LinuxException(operation, e.NativeErrorCode, $"the connection to the userspace device failed: {e.Message}", e);
        }
        catch (InvalidDataException e)
        {
            throw new LinuxException(operation, EPROTO, $"the userspace device answered with {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LinuxException(operation, 0, $"its socket could not be removed: {e.Message}", e);
        }
    }

    private static LinuxException NoSuchDevice(string operation, string name) =>
        new(operation, ENODEV, $"there is no userspace device {name}, or its process is gone");
}
