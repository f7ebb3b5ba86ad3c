using Microsoft.Extensions.Options;

namespace Orleans.WireGuard.Grains.Checks;

/// <summary>Options that a validator compares with its own.</summary>
internal static class ComparedOptions
{
    /// <summary>
    /// The options, or <see langword="null"/> if they are wrong: another validator reports that, and nothing is said twice.
    /// </summary>
    public static T? ValueOrNull<T>(this IOptions<T> options)
        where T : class
    {
        try
        {
            return options.Value;
        }
        catch (OptionsValidationException)
        {
            return null;
        }
    }
}
