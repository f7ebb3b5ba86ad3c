using System.Buffers;

namespace Orleans.WireGuard.Linux;

/// <summary>What the kernel takes as the name of a network interface.</summary>
internal static class InterfaceName
{
    /// <summary>Longest name in characters: <c>IFNAMSIZ</c> less the terminator.</summary>
    public const int MaxLength = 15;

    // Stricter than dev_valid_name() of the kernel: our names also become file names and command arguments.
    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.");

    /// <summary>Refuses what is not a name, before it becomes a path or an argument.</summary>
    /// <exception cref="ArgumentException">It is not a name.</exception>
    public static void ThrowIfInvalid(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length is 0 or > MaxLength || name.AsSpan().ContainsAnyExcept(Allowed) || name[0] is '-' or '.')
        {
            throw new ArgumentException(
                $"'{name}' is not an interface name: expected 1 to {MaxLength} letters, digits, '_', '-' or '.', such as cilium_wg0.",
                nameof(name));
        }
    }
}
