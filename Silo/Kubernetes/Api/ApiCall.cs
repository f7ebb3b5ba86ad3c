using System.Net.Http.Headers;

namespace Orleans.WireGuard.Api;

/// <summary>One request to the Kubernetes API, as a value: it can be sent again and explained when it fails.</summary>
/// <param name="Verb">The verb as RBAC names it: get, list, watch, create, update, patch, delete.</param>
/// <param name="Resource">What it is about.</param>
/// <param name="Namespace">Null for cluster-scoped kinds.</param>
/// <param name="Name">Null for the collection.</param>
internal sealed record ApiCall(string Verb, ApiResource Resource, string? Namespace, string? Name)
{
    /// <summary>Query without the question mark, already escaped.</summary>
    public string Query { get; init; } = string.Empty;

    /// <summary>JSON in UTF-8; null for none.</summary>
    public byte[]? Body { get; init; }

    /// <summary>Asks for metadata only: a list or watch of large objects then costs some hundred bytes per object.</summary>
    public bool MetadataOnly { get; init; }

    /// <summary>A new message for one attempt.</summary>
    /// <param name="server">Base address with a slash at its end.</param>
    public HttpRequestMessage ToMessage(Uri server)
    {
        var relative = Resource.Path(Namespace, Name) + (Query.Length == 0 ? string.Empty : "?" + Query);
        var message = new HttpRequestMessage(Method(), new Uri(server, relative)) { Version = System.Net.HttpVersion.Version20 };

        // The plain form after the reduced one: a server that does not know it still answers.
        var accept = MetadataOnly
            ? $"application/json;as=PartialObjectMetadata{(Verb == "list" ? "List" : string.Empty)};g=meta.k8s.io;v=v1,application/json"
            : "application/json";
        message.Headers.TryAddWithoutValidation("Accept", accept);
        if (Body is not null)
        {
            message.Content = new ByteArrayContent(Body);
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(
                Verb == "patch" ? "application/merge-patch+json" : "application/json");
        }

        return message;
    }

    /// <summary>Such as <c>update leases.coordination.k8s.io "a" in namespace "b"</c>.</summary>
    public override string ToString()
    {
        var item = Name is null ? string.Empty : $" \"{Name}\"";
        var scope = Namespace is null ? string.Empty : $" in namespace \"{Namespace}\"";
        return $"{Verb} {Resource.FullName}{item}{scope}";
    }

    private HttpMethod Method() => Verb switch
    {
        "get" or "list" or "watch" => HttpMethod.Get,
        "create" => HttpMethod.Post,
        "update" => HttpMethod.Put,
        "patch" => HttpMethod.Patch,
        "delete" => HttpMethod.Delete,
        _ => throw new System.Diagnostics.UnreachableException(Verb),
    };
}
