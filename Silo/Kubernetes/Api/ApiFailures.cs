using System.Net;
using System.Text.Json;

namespace Orleans.WireGuard.Api;

/// <summary>Turns an answer of the API server into an exception that says what to do. Pure.</summary>
/// <remarks>Status objects: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/.</remarks>
internal static class ApiFailures
{
    /// <summary>Longest part of a server's own words that is quoted, in characters: a 422 can list thousands of fields.</summary>
    private const int MaxQuoted = 512;

    /// <summary>The exception for a response with an error status.</summary>
    /// <param name="call">What was asked.</param>
    /// <param name="code">HTTP status.</param>
    /// <param name="body">The response's text: a Status object, or plain text where the server knows no such resource.</param>
    /// <param name="retryAfter">The Retry-After header.</param>
    public static KubernetesApiException Explain(ApiCall call, HttpStatusCode code, string body, TimeSpan? retryAfter)
    {
        var status = Parse(body);
        var said = Quote(status?.Message ?? body);
        var failure = Classify(code, status);
        var text = failure switch
        {
            ApiFailure.MissingDefinition =>
                $"The API server does not serve {call.Resource.FullName} ({call.Resource.ApiVersion}): {call.Resource.Remedy}.",
            ApiFailure.Forbidden => Forbidden(call, said),
            ApiFailure.Unauthorized =>
                $"The API server does not accept our token ({call}): {said}. It was read again from its file and refused again: check that the service account exists, that the token is mounted and not expired, and the clock.",
            ApiFailure.TooLarge =>
                $"The API server does not store an object so large ({call}, {call.Body?.Length ?? 0} bytes): {said}. Remove dead silos (ClusterMembershipOptions.DefunctSiloMinimumRetention) or split the Orleans cluster.",
            ApiFailure.Throttled => $"The API server sheds load ({call}): {said}",
            _ => $"The API server answered {(int)code} to {call}: {said}",
        };
        return new(failure, (int)code, text)
        {
            RetryAfter = retryAfter
            ?? (status?.RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null)
        };
    }

    /// <summary>The exception for a request without an answer.</summary>
    /// <param name="call">What was asked.</param>
    /// <param name="server">Who was asked; null if nobody was.</param>
    /// <param name="cause">What came instead.</param>
    public static KubernetesApiException NoAnswer(ApiCall call, Uri? server, Exception cause)
    {
        // A connection that took too long says only that something was cancelled; why is inside.
        var reason = cause is OperationCanceledException { InnerException: { } inner } ? inner.Message : cause.Message;
        return new(ApiFailure.Unavailable, 0, $"The API server {server?.Authority} did not answer {call}: {reason}", cause);
    }

    /// <summary>The exception for an answer that makes no sense.</summary>
    public static KubernetesApiException NotUnderstood(ApiCall call, Exception cause) =>
        new(ApiFailure.Invalid, 200, $"The API server's answer to {call} is not understood: {cause.Message}", cause);

    /// <summary>The exception for a stream's ERROR event, which carries a Status like an error response.</summary>
    public static KubernetesApiException FromEvent(ApiCall call, string statusJson)
    {
        var status = Parse(statusJson);
        return Explain(call, (HttpStatusCode)(status?.Code ?? 500), statusJson, null);
    }

    private static ApiFailure Classify(HttpStatusCode code, Status? status) => (int)code switch
    {
        401 => ApiFailure.Unauthorized,
        403 => ApiFailure.Forbidden,

        // An object that is missing has a name. What no handler serves is plain text, or a Status about nothing.
        404 => status?.Name is null ? ApiFailure.MissingDefinition : ApiFailure.NotFound,
        409 => status?.Reason == "AlreadyExists" ? ApiFailure.AlreadyExists : ApiFailure.Conflict,
        410 => ApiFailure.Gone,
        413 => ApiFailure.TooLarge,
        429 => ApiFailure.Throttled,
        408 => ApiFailure.Unavailable,

        // etcd's and gRPC's limits are errors that kube-apiserver does not know: they come as 500 with their own text.
        >= 500 when status?.Message is { } text && (text.Contains("request is too large", StringComparison.Ordinal)
            || text.Contains("message larger than max", StringComparison.Ordinal)) => ApiFailure.TooLarge,
        >= 500 => ApiFailure.Unavailable,
        _ => ApiFailure.Invalid,
    };

    private static string Forbidden(ApiCall call, string said)
    {
        var group = call.Resource.Group;
        var scope = call.Namespace is null ? "a ClusterRole" : $"a Role in namespace \"{call.Namespace}\"";
        if (!said.Contains($"cannot {call.Verb} resource", StringComparison.Ordinal))
        {
            // These are the authorizer's words. Without them the right is there, and adding it again would not help.
            return $"A policy of the cluster, or what stands in front of the API server, does not allow {call} (for nodes see deploy/components/own-node). The server said: {said}";
        }

        return $"RBAC does not allow the verb \"{call.Verb}\" on resource \"{call.Resource.Plural}\" of API group \"{group}\": add it to {scope} of our service account (deploy/base). The server said: {said}";
    }

    private static Status? Parse(string body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || Text(root, "kind") != "Status")
            {
                return null;
            }

            // A field of another type than it should have is one that is missing: what is explained here is a failure already.
            var details = root.TryGetProperty("details", out var found) && found.ValueKind == JsonValueKind.Object ? found : default;
            return new(Text(root, "reason"), Text(root, "message"), Text(details, "name"), Number(details, "retryAfterSeconds"), Number(
                root, "code"));
        }
        catch (JsonException)
        {
            // Plain text: "404 page not found", or a proxy's own page.
            return null;
        }

        static JsonElement? Field(JsonElement parent, string name) =>
            parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value) ? value : null;

        static string? Text(JsonElement parent, string name) =>
            Field(parent, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

        static int? Number(JsonElement parent, string name) =>
            Field(parent, name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) ? number : null;
    }

    private static string Quote(string text)
    {
        var line = text.ReplaceLineEndings(" ").Trim();
        return line.Length <= MaxQuoted ? line : string.Concat(line.AsSpan(0, MaxQuoted), " …");
    }

    private sealed record Status(string? Reason, string? Message, string? Name, int? RetryAfterSeconds, int? Code);
}
