using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>A kind of object that the server serves: its names and the rules that differ from kind to kind.</summary>
internal sealed record ResourceType(string Group, string Version, string Plural, string Kind, bool Namespaced)
{
    /// <summary>The structural schema; null for a built-in kind that keeps every field.</summary>
    public JsonObject? Schema { get; init; }

    /// <summary>Whether <c>/status</c> exists and the main resource ignores status on update.</summary>
    public bool HasStatus { get; init; }

    /// <summary>Whether a create keeps the status it was given; kubelets register nodes so, custom resources never.</summary>
    public bool KeepsStatusOnCreate { get; init; }

    /// <summary>Whether <c>metadata.generation</c> counts changes of the desired state.</summary>
    public bool HasGeneration { get; init; }

    /// <summary>Whether an update without a resource version is allowed (registry strategy <c>AllowUnconditionalUpdate</c>).</summary>
    public bool AllowsUnconditionalUpdate { get; init; }

    /// <summary>Whether an update of a missing object creates it (<c>AllowCreateOnUpdate</c>).</summary>
    public bool AllowsCreateOnUpdate { get; init; }

    /// <summary>Whether it was defined by a CustomResourceDefinition.</summary>
    public bool IsCustom { get; init; }

    public string Singular { get; init; } = string.Empty;

    public IReadOnlyList<string> ShortNames { get; init; } = [];

    public IReadOnlyList<JsonObject> PrinterColumns { get; init; } = [];

    /// <summary>Checks of a built-in kind that its schema cannot say.</summary>
    public Func<JsonObject, IEnumerable<FieldError>>? Validate { get; init; }

    /// <summary>What the conversion of a kind makes equal before anything is checked.</summary>
    public Action<JsonObject>? Convert { get; init; }

    /// <summary>Checks of a change, from the object before to the one after.</summary>
    public Func<JsonObject, JsonObject, IEnumerable<FieldError>>? ValidateUpdate { get; init; }

    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary><c>leases.coordination.k8s.io</c>, or <c>nodes</c> of the core group.</summary>
    public string Resource => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary><c>Lease.coordination.k8s.io</c>, or <c>Node</c> of the core group.</summary>
    public string GroupKind => Group.Length == 0 ? Kind : $"{Kind}.{Group}";

    public (string Group, string Version, string Plural) Key => (Group, Version, Plural);
}
