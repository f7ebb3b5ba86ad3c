using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;
using Polly.Timeout;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Linux.Devices.Uapi;

/// <summary>
/// Starts and ends the process behind a userspace device, such as <c>wireguard-go cilium_wg0</c>. The process daemonizes itself and
/// outlives the silo, as a kernel device does; in a pod, where it would not, it is somebody else's to start
/// (<see cref="UserspaceDeviceOptions.MayStart"/>).
/// </summary>
internal sealed partial class UserspaceDevice
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromMilliseconds(250);

    // A killed process ends as soon as the kernel gets to it: milliseconds, unless the machine is overloaded.
    private static readonly TimeSpan KillTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(5);

    // With a LOG_LEVEL wireguard-go keeps writing to the streams it was started with, which end with us; writing there would kill it.
    // The others are how wireguard-go tells its daemonized self that it is one (main.go).
    private static readonly Dictionary<string, string?> Environment = new()
    {
        ["LOG_LEVEL"] = null,
        ["WG_TUN_FD"] = null,
        ["WG_UAPI_FD"] = null,
        ["WG_PROCESS_FOREGROUND"] = null,
    };

    // What makes it stay in the foreground, and say what it complains about, as long as we listen.
    private static readonly Dictionary<string, string?> Foreground =
        new(Environment) { ["LOG_LEVEL"] = "error", ["WG_PROCESS_FOREGROUND"] = "1" };

    // It complains within milliseconds or not at all.
    private static readonly TimeSpan ForegroundTimeout = TimeSpan.FromSeconds(2);

    // A new process is looked for after so many attempts to connect; the first ones come before it had a chance.
    private const int AttemptsBeforeLook = 4;

    private readonly UserspaceDeviceOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly SystemCommand _command;
    private readonly ILogger _logger;

    /// <summary>Makes the starter of devices; it starts none yet.</summary>
    public UserspaceDevice(UserspaceDeviceOptions options, TimeProvider timeProvider, ILogger logger)
    {
        _options = options;
        _timeProvider = timeProvider;
        _command = new SystemCommand(timeProvider);
        _logger = logger;
    }

    /// <summary>Where the socket of a device is.</summary>
    /// <exception cref="ArgumentException">The name is none.</exception>
    public string SocketPath(string name)
    {
        InterfaceName.ThrowIfInvalid(name);
        return Path.Join(_options.SocketDirectory, $"{name}.sock");
    }

    /// <summary>Starts the process of a device and waits until it answers. If it does not, nothing of it is left.</summary>
    /// <exception cref="LinuxException">The name is taken, something that it needs is missing, or it does not answer in time.</exception>
    public async Task StartAsync(string name, CancellationToken cancellationToken)
    {
        var operation = $"create {name}";
        var socketPath = SocketPath(name);
        using (var existing = await UapiConnection.TryConnectAsync(socketPath, cancellationToken))
        {
            if (existing is not null)
            {
                throw new LinuxException(operation, EEXIST, "a userspace device of this name is running already");
            }
        }

        if (!_options.MayStart)
        {
            throw new LinuxException(
                operation, ENODEV,
                $"nothing answers at {socketPath}, and its process is somebody else's to start (Device:StartUserspace is false); "
                + "in Kubernetes the DaemonSet orleans-wireguard-device does (overlays/userspace)");
        }

        if (File.Exists(socketPath))
        {
            LogStaleSocket(socketPath);
            File.Delete(socketPath);
        }

        if (!File.Exists(_options.TunPath))
        {
            throw new LinuxException(
                operation, ENOENT,
                $"{_options.TunPath} is missing; load the kernel module with 'modprobe tun', or mount the device into the container");
        }

        await RunCommandAsync(operation, name, cancellationToken);
        try
        {
            await WaitUntilItListensAsync(operation, name, socketPath, cancellationToken);
        }
        catch (Exception e)
        {
            // Also when the caller gave up: nobody else knows of the process.
            await RemoveAsync(name);
            if (e is LinuxException { Errno: ETIMEDOUT } && await AskWhyAsync(operation, name, cancellationToken) is { } reason)
            {
                throw new LinuxException(operation, 0, $"'{string.Join(' ', _options.Command)}' was started and ended: {reason}", e);
            }

            throw;
        }
    }

    /// <summary>Ends the process of a device, and with it the device. One that is not there is fine.</summary>
    /// <returns>When the process is gone.</returns>
    /// <exception cref="LinuxException">It does not end, not even when it is killed.</exception>
    public async Task StopAsync(string name, CancellationToken cancellationToken)
    {
        var socketPath = SocketPath(name);
        using var connection = await UapiConnection.TryConnectAsync(socketPath, cancellationToken);
        var processId = connection is null ? null : UserspaceProcess.TryFind(name, _options.NetworkNamespace);

        // A process that watches its socket ends when the file goes (https://www.wireguard.com/xplatform/); without a process the file is
        // stale.
        if (File.Exists(socketPath))
        {
            File.Delete(socketPath);
        }

        if (connection is null || await EndsAsync(connection, processId, _options.StopTimeout, cancellationToken))
        {
            return;
        }

        if (UserspaceProcess.TryKill(name, _options.NetworkNamespace) is { } killed)
        {
            LogKilled(name, killed, _options.StopTimeout);
        }

        if (!await EndsAsync(connection, processId, KillTimeout, cancellationToken))
        {
            throw new LinuxException(
                $"delete {name}", ETIMEDOUT,
                "its process did not end, neither when its socket was removed nor when it was killed; find it with 'pgrep -a wireguard-go'");
        }
    }

    private async Task<bool> EndsAsync(UapiConnection connection, int? processId, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var time = new TimeLimit(limit, _timeProvider, cancellationToken);
        try
        {
            await connection.WaitForEndAsync(time.Token);

            // A process that is killed closes its files in any order: the connection may end before the device does.
            while (processId is { } id && !UserspaceProcess.IsGone(id))
            {
                await Task.Delay(PollInterval, _timeProvider, time.Token);
            }

            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task RunCommandAsync(string operation, string name, CancellationToken cancellationToken)
    {
        SystemCommand.Result result;
        try
        {
            result = await _command.RunAsync(operation, [.. Detached(), .. _options.Command, name], Environment, cancellationToken);
        }
        catch (LinuxException e) when (e.Errno == ENOENT)
        {
            throw NotFound(operation, e);
        }

        if (result.ExitCode != 0)
        {
            throw new LinuxException(operation, 0, $"'{string.Join(' ', _options.Command)} {name}' failed: {Reason(result)}");
        }
    }

    private async Task RemoveAsync(string name)
    {
        await StopAsync(name, CancellationToken.None);
        _ = UserspaceProcess.TryKill(name, _options.NetworkNamespace);
    }

    /// <summary>What the command complains about after it has daemonized itself, when nobody listens any more.</summary>
    /// <remarks>It exits with 0 before it has all that it needs, so it is run once more, in the foreground and for a moment.</remarks>
    /// <returns><see langword="null"/> if it complains about nothing, or runs this time.</returns>
    private async Task<string?> AskWhyAsync(string operation, string name, CancellationToken cancellationToken)
    {
        using var limit = new TimeLimit(ForegroundTimeout, _timeProvider, cancellationToken);
        try
        {
            var result = await _command.RunAsync(operation, [.. _options.Command, name], Foreground, limit.Token);
            return result.ExitCode == 0 ? null : Reason(result);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        finally
        {
            await RemoveAsync(name);
        }
    }

    // wireguard-go logs to its standard output, and its standard error ends with a banner (main.go, device/logger.go).
    private static string Reason(SystemCommand.Result result) =>
        SystemCommand.Result.LinesOf(result.Output).LastOrDefault(line => line.StartsWith("ERROR", StringComparison.Ordinal))
        ?? result.LastErrorLine;

    // In a session of its own the process gets no signal that is meant for ours, such as Ctrl-C in a terminal. setsid(1) replaces itself
    // with the command; where it is missing the process only shares our session.
    private string[] Detached()
    {
        // What is started through setsid is missing with exit code 127 and no errno, so it is looked up first.
        return SystemCommand.Find("setsid") is { } setsid && SystemCommand.Find(_options.Command[0]) is not null ? [setsid, "--wait"] : [];
    }

    private LinuxException NotFound(string operation, Exception e) => new(
        operation, ENOENT,
        $"the command '{_options.Command[0]}' was not found; install wireguard-go (Debian: apt-get install wireguard-go), or configure where it is", e);

    private async Task WaitUntilItListensAsync(string operation, string name, string socketPath, CancellationToken cancellationToken)
    {
        var attempts = 0;
        var pipeline = new ResiliencePipelineBuilder { TimeProvider = _timeProvider }
            .AddTimeout(_options.StartTimeout)
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = new PredicateBuilder().Handle<SocketException>(),
                MaxRetryAttempts = int.MaxValue,
                BackoffType = DelayBackoffType.Exponential,
                Delay = FirstDelay,
                MaxDelay = MaxDelay,
            })
            .Build();
        try
        {
            await pipeline.ExecuteAsync(
                async token =>
                {
                    // Whoever holds the device hands it on before it exits, so if nobody does there is nobody to wait for.
                    if (++attempts > AttemptsBeforeLook && UserspaceProcess.TryFind(name, _options.NetworkNamespace) is null)
                    {
                        throw new LinuxException(
                            operation, ETIMEDOUT, $"'{string.Join(' ', _options.Command)}' was started, but its process is gone");
                    }

                    using var connection = await UapiConnection.TryConnectAsync(socketPath, token)
                        ?? throw new SocketException((int)SocketError.ConnectionRefused);
                    using var reply = new SecretBuffer(UapiReader.MaxReplySize);
                    await connection.ExchangeAsync(UapiWriter.Get.ToArray(), reply, token);
                    _ = UapiReader.ReadErrno(reply.WrittenSpan);
                },
                cancellationToken);
        }
        catch (TimeoutRejectedException e)
        {
            throw new LinuxException(
                operation, ETIMEDOUT,
                $"'{string.Join(' ', _options.Command)}' was started, but {socketPath} does not answer within {_options.StartTimeout.TotalSeconds} s", e);
        }
        catch (FormatException e)
        {
            throw new LinuxException(operation, EPROTO, $"{socketPath} does not speak the userspace protocol: {e.Message}", e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Removing the stale socket {SocketPath}: the process of that device is gone")]
    private partial void LogStaleSocket(string socketPath);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Killed process {ProcessId} of device {DeviceName}: it did not end within {StopTimeout} after its socket was removed")]
    private partial void LogKilled(string deviceName, int processId, TimeSpan stopTimeout);
}
