using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Tests.Support;

/// <summary>
/// Delays and loses announcements inside a silo process. The runtime runs it before the program, if <c>DOTNET_STARTUP_HOOKS</c> names this
/// assembly; the program itself has no switch for it.
/// </summary>
/// <remarks>
/// Announcements share a TCP connection with everything else that silos tell each other. A network that is 2 s late for one of them is so
/// for the probes of the membership too, which give up after 1.5 s: that would be another fault. So they are held where they are sent, at
/// the seam that tests inside a process use. The name and the missing namespace are the runtime's rule (host-startup-hook.md of
/// dotnet/runtime).
/// </remarks>
internal sealed class StartupHook : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>
{
    /// <summary>Called by the runtime.</summary>
    public static void Initialize() => DiagnosticListener.AllListeners.Subscribe(new StartupHook());

    /// <inheritdoc/>
    public void OnNext(DiagnosticListener value)
    {
        if (value.Name == "Microsoft.Extensions.Hosting")
        {
            value.Subscribe(this);
        }
    }

    /// <inheritdoc/>
    public void OnNext(KeyValuePair<string, object?> value)
    {
        // Between the program's registrations and the making of its services.
        if (value is { Key: "HostBuilding", Value: IHostBuilder host })
        {
            host.ConfigureServices(Decorate);
        }
    }

    /// <inheritdoc/>
    public void OnCompleted()
    {
    }

    /// <inheritdoc/>
    public void OnError(Exception error)
    {
    }

    private static void Decorate(IServiceCollection services)
    {
        var random = new Random(Environment.ProcessId);
        services.AddSingleton<PeerServiceClient>();
        services.Replace(ServiceDescriptor.Singleton<IPeerServiceClient>(provider =>
        {
            var client = new LossyPeerServiceClient(provider.GetRequiredService<PeerServiceClient>());
            client.IsLost = (silo, _) =>
            {
                if (!AnnouncementFaults.HasBegun)
                {
                    return false;
                }

                client.Delay = AnnouncementFaults.Delay;
                bool isLost;
                lock (random)
                {
                    isLost = random.NextDouble() < AnnouncementFaults.Loss;
                }

                Console.WriteLine(AnnouncementFaults.Describe(isLost, silo));
                return isLost;
            };
            return client;
        }));
    }
}
