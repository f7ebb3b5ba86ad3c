namespace Orleans.WireGuard;

/// <summary>The release that brought a setting. Older ones do not know it.</summary>
/// <param name="version">As <c>0.1</c>.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SinceAttribute(string version) : Attribute
{
    /// <summary>The release.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public ReleaseVersion Version => ReleaseVersion.TryParse(version)
        ?? throw new FormatException($"[Since(\"{version}\")] is not a version such as 0.1.");
}
