using System.Collections;
using System.Reflection;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>What an object of ours remembers: everything that its fields lead to, with the way there.</summary>
/// <remarks>
/// Goes through types of the product and collections. What a test brings, delegates and the rest of the system are not looked into.
/// </remarks>
internal static class Reachable
{
    private const BindingFlags Fields = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>The values, each with the fields that lead to it.</summary>
    public static IEnumerable<(string Path, object Value)> From(object root)
    {
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var open = new Queue<(string Path, object? Value)>([(root.GetType().Name, root)]);
        while (open.TryDequeue(out var next))
        {
            if (next.Value is not { } value || !seen.Add(value))
            {
                continue;
            }

            yield return (next.Path, value);
            foreach (var member in Members(value))
            {
                open.Enqueue((next.Path + member.Name, member.Value));
            }
        }
    }

    private static IEnumerable<(string Name, object? Value)> Members(object value)
    {
        var type = value.GetType();
        // One that was never set throws when it is looked at.
        var isUnset = type.GetProperty("IsDefault")?.GetValue(value) is true;
        if (value is string or Delegate || type.IsPrimitive || isUnset)
        {
            return [];
        }

        // Pairs of a dictionary and tuples are of the system, and lead on.
        if (type.Namespace?.StartsWith("System.Collections", StringComparison.Ordinal) == true)
        {
            return value is IEnumerable items ? items.Cast<object?>().Select(item => ("[]", item)) : FieldsOf(type, value);
        }

        return IsOurs(type) || type.FullName!.StartsWith("System.ValueTuple", StringComparison.Ordinal) ? FieldsOf(type, value) : [];
    }

    private static IEnumerable<(string Name, object? Value)> FieldsOf(Type? type, object value)
    {
        for (; type is not null && type != typeof(object)
            && !type.FullName!.StartsWith("Orleans.Grain", StringComparison.Ordinal); type = type.BaseType)
        {
            foreach (var field in type.GetFields(Fields))
            {
                yield return ($".{field.Name}", field.GetValue(value));
            }
        }
    }

    private static bool IsOurs(Type type) => Product.Assemblies.Contains(type.Assembly) || type.IsArray;
}
