using System.Runtime.CompilerServices;
using Orleans.WireGuard.Linux;

// Assertions for cases that also run where there is no test framework: inside the guest of the kernel test bed.

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Assertions that throw <see cref="ExpectationException"/>.</summary>
internal static class Expect
{
    /// <summary>Expects two equal values.</summary>
    public static void Equal<T>(T expected, T actual, [CallerArgumentExpression(nameof(actual))] string? what = null)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
        {
            throw new ExpectationException($"{what}: expected {Print(expected)}, got {Print(actual)}");
        }
    }

    /// <summary>Expects a condition to hold.</summary>
    public static void True(bool condition, [CallerArgumentExpression(nameof(condition))] string? what = null)
    {
        if (!condition)
        {
            throw new ExpectationException($"expected: {what}");
        }
    }

    /// <summary>Expects a value that is there.</summary>
    public static T NotNull<T>(T? value, [CallerArgumentExpression(nameof(value))] string? what = null)
        where T : class => value ?? throw new ExpectationException($"{what}: expected a value, got none");

    /// <summary>Expects the system to refuse with one of <paramref name="errnos"/>.</summary>
    public static async Task<LinuxException> FailsAsync(Func<Task> action, params int[] errnos)
    {
        try
        {
            await action();
        }
        catch (LinuxException e) when (errnos.Contains(e.Errno))
        {
            return e;
        }
        catch (LinuxException e)
        {
            throw new ExpectationException($"expected errno {string.Join(" or ", errnos)}, got {e.Errno}: {e.Message}");
        }

        throw new ExpectationException($"expected errno {string.Join(" or ", errnos)}, but it went well");
    }

    private static string Print<T>(T value)
    {
        const int Limit = 400;
        var text = value switch
        {
            null => "nothing",
            System.Collections.IEnumerable list and not string => $"[{string.Join(", ", list.Cast<object>())}]",
            _ => value.ToString() ?? "",
        };
        return text.Length <= Limit ? text : text[..Limit] + "...";
    }
}

/// <summary>An expectation did not hold.</summary>
internal sealed class ExpectationException(string message) : Exception(message);
