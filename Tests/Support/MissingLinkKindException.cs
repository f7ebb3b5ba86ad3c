namespace Orleans.WireGuard.Tests.Support;

/// <summary>The kernel cannot make a link that a case needs; on another kernel the case can be run.</summary>
internal sealed class MissingLinkKindException() : Exception("This kernel has no link, or no tc classifier, of a kind that the case needs.")
{
    /// <summary>Throws if that is what a command complained of.</summary>
    /// <param name="error">What the command printed on its standard error.</param>
    public static void ThrowIf(string error)
    {
        if (error.Contains("Unknown device type", StringComparison.Ordinal)
            || error.Contains("TC classifier not found", StringComparison.Ordinal))
        {
            throw new MissingLinkKindException();
        }
    }
}
