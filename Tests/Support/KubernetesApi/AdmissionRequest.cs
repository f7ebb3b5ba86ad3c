using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>
/// A write that admission is asked about, after it was found valid: who, what to which object, which thereby changes from one to another.
/// </summary>
/// <param name="User">Who.</param>
/// <param name="Operation">CREATE, UPDATE or DELETE; a patch is an update.</param>
/// <param name="Type">The kind.</param>
/// <param name="Subresource">Such as <c>status</c>; null for the object itself.</param>
/// <param name="Before">Null when it is created.</param>
/// <param name="After">Null when it is deleted.</param>
internal sealed record AdmissionRequest(
    ApiUser User, string Operation, ResourceType Type, string? Subresource, JsonObject? Before, JsonObject? After)
{
    /// <summary>The object's name.</summary>
    public string Name => Metadata.Name(After ?? Before!);
}
