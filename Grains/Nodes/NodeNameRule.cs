using System.Diagnostics.CodeAnalysis;

namespace Orleans.WireGuard.Grains.Nodes;

/// <summary>What Kubernetes accepts as the name of a node: a DNS subdomain name (RFC 1123).</summary>
internal static class NodeNameRule
{
    /// <summary>The rule in words.</summary>
    public const string Description =
        "expected 1 to 253 lower-case letters, digits, '-' and '.', with a letter or digit first and last and on both sides of every '.'";

    /// <summary>The longest name.</summary>
    public const int MaxLength = 253;

    /// <summary>Whether the name obeys it.</summary>
    public static bool IsValid([NotNullWhen(true)] string? name) =>
        name is { Length: > 0 and <= MaxLength }
        && name.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-' or '.')
        && name.Split('.').All(part => part.Length > 0 && part[0] != '-' && part[^1] != '-');

    /// <summary>What is kept of a name that somebody gave, whether it is one or not: no more than a name can have.</summary>
    public static string Bound(string? name) => name is null ? "" : name.Length <= MaxLength ? name : $"{name[..(MaxLength - 1)]}…";
}
