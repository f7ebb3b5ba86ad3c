namespace Orleans.WireGuard.Tests.Support;

/// <summary>Which folder knows which, told by the types in their namespaces.</summary>
/// <param name="types">The types that are looked at; what they know outside of them does not count.</param>
internal sealed class FolderGraph(IEnumerable<Type> types)
{
    private readonly Dictionary<string, Dictionary<string, string>> _known = Read([.. types.Where(type => type.Namespace is not null)]);

    /// <summary>Every step of every circle, with the types that take it: the lines to look at if there should be none.</summary>
    public IReadOnlyList<string> CircleSteps() =>
    [
        .. from folder in _known
           from next in folder.Value
           where Reaches(next.Key, folder.Key)
           orderby folder.Key, next.Key
           select $"{folder.Key} -> {next.Key}: {next.Value}",
    ];

    private static Dictionary<string, Dictionary<string, string>> Read(HashSet<Type> types) =>
        types.GroupBy(type => type.Namespace!).ToDictionary(
        folder => folder.Key,
        folder => folder.SelectMany(
            type => TypeReferences.Of(type).Where(known => types.Contains(known) && known.Namespace != folder.Key), Step)
            .GroupBy(step => step.To, step => step.How)
            .ToDictionary(steps => steps.Key, steps => string.Join(", ", steps.Distinct().Order(StringComparer.Ordinal))));

    private static (string To, string How) Step(Type type, Type known) => (known.Namespace!, $"{Outermost(type)} knows {Outermost(known)}");

    private static string Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type.Name;

    private bool Reaches(string from, string to)
    {
        var (reached, waiting) = (new HashSet<string>([from]), new Queue<string>([from]));
        while (waiting.TryDequeue(out var folder))
        {
            foreach (var next in _known.GetValueOrDefault(folder, []).Keys.Where(reached.Add))
            {
                waiting.Enqueue(next);
            }
        }

        return reached.Contains(to);
    }
}
