using System.CommandLine;
using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Web;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary><c>owg run</c>: the silo of this node, until it is told to stop.</summary>
internal static class RunCommand
{
    /// <summary>Makes the verb.</summary>
    public static Command Create()
    {
        var command = new Command(
            "run", "Run the silo of this node. SIGTERM stops it; the tunnels stay.") { CommonOptions.Config, CommonOptions.Output };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetValue(CommonOptions.Config), parsed.GetValue(CommonOptions.Output), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(FileInfo? config, OutputFormat output, CancellationToken cancellationToken)
    {
        var isRunning = false;
        SiloEnd? end = null;
        try
        {
            await using var app = Build(config, output);
            end = app.Services.GetRequiredService<SiloEnd>();

            // First of all, as it may be why the rest does not go well.
            app.Services.GetRequiredService<ConfigurationFollower>().TellNotable();

            // Everything that is configured, before anything of the machine is looked at: all faults at once.
            app.Services.GetRequiredService<IStartupValidator>().Validate();
            await app.Services.GetRequiredService<StartupChecks>().RunAsync(cancellationToken);
            await ChooseGenerationAsync(app.Services, cancellationToken);
            isRunning = true;

            // Whoever restarts what failed, and only that, has to see that it did.
            var loops = app.Services.GetRequiredService<EndlessLoops>();
            await app.RunAsync(cancellationToken);
            return (loops.Ended ?? end.Reason) is { } reason
                ? Fault.Tell(
                    end.IsMisfit && loops.Ended is null
                        ? ExitCode.Misconfigured
                        : ExitCode.Failed, $"The silo could not go on: {reason.ReplaceLineEndings(" ")}")
                : ExitCode.Success;
        }
        catch (OptionsValidationException e)
        {
            return Fault.Tell(ExitCode.Misconfigured, e.Failures);
        }
        catch (AggregateException e) when (e.InnerExceptions.All(inner => inner is OptionsValidationException))
        {
            return Fault.Tell(
                ExitCode.Misconfigured, e.InnerExceptions.Cast<OptionsValidationException>().SelectMany(inner => inner.Failures));
        }
        catch (StartupException e)
        {
            return Fault.Tell(ExitCode.Misconfigured, e.Faults);
        }
        catch (Exception e) when (!isRunning
            && (CommandConfiguration.IsUnreadable(e) || e is AggregateException or ArgumentException or FormatException))
        {
            // What the configuration system throws for a file that is missing, no JSON, or has a key or a value that is not known.
            return Fault.Tell(
                ExitCode.Misconfigured,
                $"The configuration {config?.FullName ?? "in the environment"} cannot be used: {CommandConfiguration.Describe(e)}");
        }
        catch (Exception) when (end?.Reason is not null)
        {
            // Whatever it was, it came of that.
            return Fault.Tell(end.IsMisfit ? ExitCode.Misconfigured : ExitCode.Failed, [end.Reason]);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The host has logged the whole of it.
            return Fault.Tell(ExitCode.Failed, $"The silo could not start or go on: {e.Message}");
        }
    }

    // Before anything of Orleans is made, because all of it takes the address as given.
    private static Task ChooseGenerationAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var endpoints = services.GetRequiredService<IOptions<EndpointOptions>>().Value;
        return services.GetRequiredService<SiloGeneration>().ChooseAsync(
            services.GetService<SharedMembershipTable>(),
            new IPEndPoint(endpoints.AdvertisedIPAddress, endpoints.SiloPort),
            services.GetRequiredService<TimeProvider>(),
            cancellationToken);
    }

    private static WebApplication Build(FileInfo? config, OutputFormat output)
    {
        // Not the default builder: it reads every environment variable as configuration, and a variable such as NODES is not ours.
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { ApplicationName = "owg", ContentRootPath = AppContext.BaseDirectory });
        SiloConfiguration.AddSources(builder.Configuration, config, isSilo: true);
        if (SettingRules.JudgeVariables(SiloConfiguration.ReadVariables(), SiloConfiguration.Catalogue, SiloConfiguration.VariablePrefix)
            is { Count: > 0 } faults)
        {
            throw new StartupException([.. faults]);
        }

        if (SiloConfiguration.FindUnknownSections(builder.Configuration) is { Count: > 0 } unknown)
        {
            throw new StartupException([.. unknown.Select(
                name => $"The configuration has a section '{name}', which nothing reads; correct its name or remove it.")]);
        }

        LineConsoleFormatter.AddTo(
            builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging")), output == OutputFormat.Json);
        builder.AddWireGuard();
        builder.Services.AddWireGuardHealth().AddRouting();
        builder.WebHost.UseKestrelCore();
        builder.Services.AddOptions<KestrelServerOptions>().Configure<IOptions<WebOptions>>((kestrel, web) =>
            kestrel.Listen(IPAddress.Parse(web.Value.Address), web.Value.Port));
        return builder.Build().MapWireGuard();
    }
}
