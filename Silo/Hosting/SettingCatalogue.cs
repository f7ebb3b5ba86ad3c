using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>
/// The settings that this version knows, each with the release that brought it (<see cref="SinceAttribute"/>). Pure: it reads types.
/// </summary>
/// <param name="sections">The options classes by section; null for a section whose keys are another's, all of them known.</param>
internal sealed class SettingCatalogue(IReadOnlyDictionary<string, Type?> sections)
{
    private readonly Dictionary<string, Type?> _sections = new(sections, StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether there is a section of that name.</summary>
    public bool HasSection(string name) => _sections.ContainsKey(name);

    /// <summary>Looks a setting up.</summary>
    /// <param name="key">As the configuration has it, such as <c>Nodes:Static:0:Name</c>.</param>
    /// <param name="since">The release that brought the setting, or the youngest part of it.</param>
    /// <param name="unknown">The key up to the first part that is not known; null if all of it is.</param>
    /// <returns>Whether it is known.</returns>
    public bool TryFind(string key, out ReleaseVersion since, [NotNullWhen(false)] out string? unknown)
    {
        (_, since, unknown) = Walk(key);
        return unknown is null;
    }

    /// <summary>What has to stand below a key, which one value cannot be; null if the key is one value's, or not known.</summary>
    /// <param name="key">As of <see cref="TryFind"/>.</param>
    public string? FindParts(string key) => Walk(key) is not (var type, _, null) || type is null ? null
        : ElementOf(type) is null ? IsOurs(type) ? "settings of its own" : null
        : type.GetGenericTypeDefinition() == typeof(IList<>) ? "a list"
        : "a value for each name";

    private (Type? Type, ReleaseVersion Since, string? Unknown) Walk(string key)
    {
        var names = key.Split(ConfigurationPath.KeyDelimiter);
        var since = default(ReleaseVersion);
        if (!_sections.TryGetValue(names[0], out var type))
        {
            return (null, since, names[0]);
        }

        for (var i = 1; i < names.Length && type is not null; i++)
        {
            // An index of a list, or a name that the operator gives, such as a node's.
            if (ElementOf(type) is { } element)
            {
                type = element;
                continue;
            }

            if (PropertyOf(type, names[i]) is not { } property)
            {
                return (null, since, ConfigurationPath.Combine(names[..(i + 1)]));
            }

            var brought = property.GetCustomAttribute<SinceAttribute>()?.Version ?? default;
            since = brought > since ? brought : since;
            type = property.PropertyType;
        }

        return (type, since, null);
    }

    /// <summary>What a list or a dictionary consists of; null if it is neither.</summary>
    public static Type? ElementOf(Type type) => !type.IsGenericType
        ? null
        : type.GetGenericTypeDefinition() is var definition && definition == typeof(IDictionary<,>)
            ? type.GenericTypeArguments[1]
            : definition == typeof(IList<>) ? type.GenericTypeArguments[0] : null;

    // What is written as one value, such as a duration or an address, has no parts.
    private static PropertyInfo? PropertyOf(Type type, string name) => IsOurs(type)
        ? type.GetProperty(name, BindingFlags.Instance | BindingFlags.Public | BindingFlags.IgnoreCase)
        : null;

    /// <summary>Whether a type consists of settings, and is not one value.</summary>
    public static bool IsOurs(Type type) =>
        type.IsClass && type.Namespace is { } name && name.StartsWith("Orleans.WireGuard", StringComparison.Ordinal);
}
