using System.CommandLine;
using Orleans.WireGuard.Silo.Hosting;
using Orleans.WireGuard.Silo.Nodes;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>The configuration of a verb: the sources that a silo has, read once.</summary>
internal static class CommandConfiguration
{
    /// <summary>Reads the sources, with the file that the command line names.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="fault">Why it cannot be read; empty if it can.</param>
    /// <returns><see langword="null"/> if it cannot be read.</returns>
    public static IConfiguration? TryRead(ParseResult parsed, out string fault)
    {
        fault = "";
        try
        {
            var configuration = new ConfigurationManager();
            SiloConfiguration.AddSources(configuration, parsed.GetValue(CommonOptions.Config), isSilo: false);
            return configuration;
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            fault = $"The configuration cannot be read: {Describe(e)}";
            return null;
        }
    }

    /// <summary>Whether an exception is what reading files and their values may throw.</summary>
    public static bool IsUnreadable(Exception exception) =>
        exception is IOException or UnauthorizedAccessException or InvalidDataException or InvalidOperationException;

    /// <summary>What is wrong. The outer message names the file or the key, the inner one what is wrong with it.</summary>
    public static string Describe(Exception exception)
    {
        var cause = exception.GetBaseException();
        return exception.Message.Contains(cause.Message, StringComparison.Ordinal)
            ? exception.Message
            : $"{exception.Message} {cause.Message}";
    }

    /// <summary>The name of this node as the silo reads it; empty if it is unknown.</summary>
    public static string NodeName(IConfiguration configuration) =>
        configuration[$"{NodeOptions.SectionName}:{nameof(NodeOptions.Name)}"] is { Length: > 0 } configured
            ? configured
            : Environment.GetEnvironmentVariable(NodeOptions.NameVariable) ?? "";
}
