using Microsoft.Extensions.Options;

namespace Orleans.WireGuard.Silo.Nodes;

/// <summary>Where the list of nodes comes from.</summary>
public enum NodeSource
{
    /// <summary>CiliumNode where its definition is installed, else Node. The default.</summary>
    Auto,

    /// <summary>CiliumNode objects (cilium.io/v2): pod CIDRs as Cilium's own allocation has them.</summary>
    CiliumNode,

    /// <summary>Node objects (v1): pod CIDRs as the controller manager assigns them.</summary>
    Node,

    /// <summary>The configuration; nothing is asked of Kubernetes.</summary>
    Static,
}

/// <summary>How nodes are found and how our public key is published.</summary>
public sealed class NodesOptions
{
    /// <summary>Where the list of nodes comes from. Default <see cref="NodeSource.Auto"/>.</summary>
    public NodeSource Source { get; set; }

    /// <summary>
    /// Pause between two complete lists, although the watch says it missed nothing; up to a tenth longer, so that nodes do not list
    /// together. Default 10 min; 1 min to 1 day.
    /// </summary>
    public TimeSpan RelistPeriod { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Shortest pause between two writes of our own annotation, whoever keeps changing it. Default 4 s, 1 s to 1 min: a forged key is put
    /// right within 5 s, and a quarrel with another writer costs no more than that.
    /// </summary>
    public TimeSpan AnnotationInterval { get; set; } = TimeSpan.FromSeconds(4);
}

/// <summary>Says everything that is wrong with <see cref="NodesOptions"/> at once.</summary>
internal sealed class NodesOptionsValidator : IValidateOptions<NodesOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, NodesOptions options)
    {
        List<string> failures = [];
        if (!Enum.IsDefined(options.Source))
        {
            failures.Add($"NodesOptions.Source must be Auto, CiliumNode, Node or Static, not {options.Source}.");
        }

        if (options.RelistPeriod < TimeSpan.FromMinutes(1) || options.RelistPeriod > TimeSpan.FromDays(1))
        {
            failures.Add($"NodesOptions.RelistPeriod must be one minute to one day, not {options.RelistPeriod}.");
        }

        if (options.AnnotationInterval < TimeSpan.FromSeconds(1) || options.AnnotationInterval > TimeSpan.FromMinutes(1))
        {
            failures.Add($"NodesOptions.AnnotationInterval must be one second to one minute, not {options.AnnotationInterval}.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
