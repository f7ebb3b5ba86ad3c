using System.CommandLine;
using Orleans.WireGuard.Silo.Nodes;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>How a verb prints.</summary>
internal enum OutputFormat
{
    /// <summary>For people.</summary>
    Text,

    /// <summary>For programs.</summary>
    Json,
}

/// <summary>Options that several verbs share.</summary>
internal static class CommonOptions
{
    /// <summary>The environment variable that names the configuration file.</summary>
    public const string ConfigVariable = "OWG_CONFIG";

    /// <summary><c>--config</c></summary>
    public static Option<FileInfo?> Config { get; } = new("--config", "-c")
    {
        Description = $"Configuration file (JSON). Default: the one named by {ConfigVariable}. OWG_ variables such as OWG_Rotation__Period override it.",
        HelpName = "file",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(ConfigVariable) is { Length: > 0 } path ? new FileInfo(path) : null,
    };

    /// <summary><c>--output</c></summary>
    public static Option<OutputFormat> Output { get; } = new("--output", "-o")
    {
        Description = "Print text for people or JSON for programs.",
        HelpName = "text|json",
    };

    /// <summary><c>--gateway</c></summary>
    public static Option<string?> Gateway { get; } = new("--gateway", "-g")
    {
        Description = "Address and port of a silo's gateway. Default: the configured one, else 127.0.0.1:30000.",
        HelpName = "address:port",
    };

    /// <summary><c>--node</c></summary>
    public static Option<string?> Node { get; } = new("--node", "-n")
    {
        Description = $"Name of a node. Default: this node, by Node:Name or {NodeOptions.NameVariable}.",
        HelpName = "name",
    };
}
