using Microsoft.Extensions.Options;
using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Devices.Uapi;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>Makes the client of the transport that this machine and the configuration allow.</summary>
internal sealed partial class WireGuardClientFactory(
    IOptions<DeviceOptions> options, TimeProvider timeProvider, ILoggerFactory loggerFactory)
{
    /// <summary>Makes the client, and says in one log line which it is and why.</summary>
    /// <exception cref="StartupException">No transport will do.</exception>
    public IWireGuardClient Create()
    {
        var kernel = new NetlinkWireGuardClient(timeProvider);

        // A container of services makes its parts synchronously; netlink answers inside the system call, so nothing waits here.
        var hasKernel = kernel.IsAvailableAsync(CancellationToken.None).GetAwaiter().GetResult();
        var choice = TransportChoice.Choose(options.Value.Transport, options.Value.StartUserspace, hasKernel, out var fault)
            ?? throw new StartupException([fault!]);
        IWireGuardClient client = choice.UseKernel
            ? new NetlinkWireGuardClient(timeProvider) { TransportReason = choice.Reason }
            : new UapiWireGuardClient(
                new UserspaceDeviceOptions
                {
                    Command = [options.Value.UserspaceCommand],
                    MayStart = options.Value.StartUserspace,
                },
                timeProvider, loggerFactory.CreateLogger<UapiWireGuardClient>())
            {
                TransportReason = choice.Reason,
            };
        var logger = loggerFactory.CreateLogger<WireGuardClientFactory>();
        var (transport, reason) = (TransportText.Describe(client.Transport), TransportText.Describe(choice.Reason));
        LogChosen(logger, transport, reason);
        return client;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "WireGuard is driven by {Transport}: {Reason}")]
    private static partial void LogChosen(ILogger logger, string transport, string reason);
}
