using System.Globalization;
using Microsoft.Extensions.Options;

namespace Orleans.WireGuard.Grains.Checks;

/// <summary>Collects what is out of range in one section.</summary>
internal sealed class RangeCheck(string section)
{
    private readonly List<string> _failures = [];

    /// <summary>Success, or everything that was found at once.</summary>
    public ValidateOptionsResult Result => _failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(_failures);

    /// <summary>Notes a fault unless the value lies between the bounds, both included.</summary>
    public RangeCheck Within<T>(T value, T min, T max, string member)
        where T : IComparable<T> => Holds(
            value.CompareTo(min) >= 0 && value.CompareTo(max) <= 0,
            string.Create(CultureInfo.InvariantCulture, $"{section}:{member} must be from {min} to {max}, not {value}."));

    /// <summary>Notes a fault unless the time is over before Orleans gives up the call in which it passes.</summary>
    public RangeCheck WithinCall(TimeSpan value, TimeSpan min, TimeSpan responseTimeout, string member) => Holds(
        value >= min && value < responseTimeout,
        $"{section}:{member} must be from {min} to less than {responseTimeout}, when Orleans itself gives up a call (its ResponseTimeout), not {value}; give a time between them.");

    /// <summary>Notes a fault unless the condition holds.</summary>
    public RangeCheck Holds(bool condition, string failure)
    {
        if (!condition)
        {
            _failures.Add(failure);
        }

        return this;
    }
}
