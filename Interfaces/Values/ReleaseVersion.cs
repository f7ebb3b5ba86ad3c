using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;

namespace Orleans.WireGuard;

/// <summary>
/// A release, as far as it decides what is newer: <c>0.1.0</c>. What precedes a release counts as that release, since nobody can tell what
/// of it is there already. Pure.
/// </summary>
/// <param name="Major">Raised when something that others rely on ends.</param>
/// <param name="Minor">Raised when something is new, such as a setting.</param>
/// <param name="Patch">Raised when something was put right.</param>
internal readonly partial record struct ReleaseVersion(int Major, int Minor, int Patch = 0) : IComparable<ReleaseVersion>
{
    /// <summary>Parses what people write: <c>0.1</c> or <c>0.1.2</c>.</summary>
    /// <returns><see langword="null"/> if it is something else.</returns>
    public static ReleaseVersion? TryParse(string? text) => text is null ? null : Of(Written().Match(text));

    /// <summary>
    /// The release that a build is, or leads to: <c>0.1.0-alpha.0.7+5cdc9bb</c> leads to <c>0.1.0</c>. The form is that of Semantic
    /// Versioning.
    /// </summary>
    /// <returns><see langword="null"/> if it is something else.</returns>
    public static ReleaseVersion? TryParseBuild(string? text) => text is null ? null : Of(Built().Match(text));

    /// <summary>The release that an assembly is of, or leads to.</summary>
    /// <exception cref="InvalidOperationException">It does not say.</exception>
    public static ReleaseVersion OfAssembly(Assembly assembly) => TryParseBuild(TextOfAssembly(assembly))
        ?? throw new InvalidOperationException(
            $"{assembly.GetName().Name} says '{TextOfAssembly(assembly)}' for its version, not one such as 0.1.0-alpha.0.7+5cdc9bb.");

    /// <summary>What an assembly says of itself, with the commit, such as <c>0.1.0-alpha.0.7+5cdc9bb</c>; null if nothing.</summary>
    public static string? TextOfAssembly(Assembly assembly) =>
        assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;

    /// <inheritdoc/>
    public int CompareTo(ReleaseVersion other) => (Major, Minor, Patch).CompareTo((other.Major, other.Minor, other.Patch));

    /// <summary>Whether the left one is older.</summary>
    public static bool operator <(ReleaseVersion left, ReleaseVersion right) => left.CompareTo(right) < 0;

    /// <summary>Whether the left one is newer.</summary>
    public static bool operator >(ReleaseVersion left, ReleaseVersion right) => left.CompareTo(right) > 0;

    /// <summary>Whether the left one is not newer.</summary>
    public static bool operator <=(ReleaseVersion left, ReleaseVersion right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the left one is not older.</summary>
    public static bool operator >=(ReleaseVersion left, ReleaseVersion right) => left.CompareTo(right) >= 0;

    /// <summary>As <c>0.1.0</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Major}.{Minor}.{Patch}");

    // Nine digits fit an int.
    private static ReleaseVersion? Of(Match match) => match.Success
        ? new(Number(match.Groups[1]), Number(match.Groups[2]), Number(match.Groups[3]))
        : null;

    private static int Number(Group group) =>
        group.Success ? int.Parse(group.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"\A(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(?:\.(0|[1-9][0-9]{0,8}))?\z")]
    private static partial Regex Written();

    [GeneratedRegex(@"\A(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(?:-[0-9A-Za-z.-]+)?(?:\+\S+)?\z")]
    private static partial Regex Built();
}
