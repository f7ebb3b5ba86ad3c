using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>A refusal, worded as kube-apiserver words it: the <c>Status</c> object that the handler answers with.</summary>
/// <remarks>Texts follow k8s.io/apimachinery/pkg/api/errors/errors.go.</remarks>
internal sealed class ApiException(int code, string reason, string message, JsonObject? details = null) : Exception(message)
{
    public int Code { get; } = code;

    public string Reason { get; } = reason;

    /// <summary>The <c>metav1.Status</c> of this refusal.</summary>
    public JsonObject ToStatus()
    {
        var status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = Message,
        };
        if (Reason.Length > 0)
        {
            status["reason"] = Reason;
        }

        if (details is not null)
        {
            status["details"] = details.DeepClone();
        }

        status["code"] = Code;
        return status;
    }

    public static ApiException NotFound(ResourceType type, string name) =>
        new(404, "NotFound", $"{type.Resource} \"{name}\" not found", Details(type, name));

    public static ApiException NoSuchResource() => new(404, "NotFound", "the server could not find the requested resource", []);

    /// <summary>A patch whose result cannot be decoded; the same body in a create or update is a 400.</summary>
    public static ApiException PatchNotDecoded(ApiException cause) =>
        new(422, "Invalid", $" \"\" is invalid: patch: Invalid value: \"{{…}}\": {cause.Message}");

    public static ApiException AlreadyExists(ResourceType type, string name) =>
        new(409, "AlreadyExists", $"{type.Resource} \"{name}\" already exists", Details(type, name));

    public static ApiException Conflict(ResourceType type, string name, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {type.Resource} \"{name}\": {why}", Details(type, name));

    public static ApiException Modified(ResourceType type, string name) =>
        Conflict(type, name, "the object has been modified; please apply your changes to the latest version and try again");

    public static ApiException Invalid(ResourceType type, string name, IReadOnlyList<FieldError> errors)
    {
        var details = new JsonObject
        {
            ["name"] = name,
            ["group"] = type.Group,
            ["kind"] = type.Kind,
            ["causes"] = new JsonArray([.. errors.Select(Cause)])
        };
        var text = errors.Count == 1 ? errors[0].ToString() : $"[{string.Join(", ", errors)}]";
        return new(422, "Invalid", $"{type.GroupKind} \"{name}\" is invalid: {text}", details);

        static JsonNode Cause(FieldError error) =>
            new JsonObject { ["reason"] = error.Reason, ["message"] = error.Text, ["field"] = error.Field };
    }

    public static ApiException BadRequest(string message) => new(400, "BadRequest", message);

    public static ApiException Forbidden(string user, string verb, ResourceType type, string? space, string? name, string? subresource)
    {
        var scope = space is null ? "at the cluster scope" : $"in the namespace \"{space}\"";
        var resource = subresource is null ? type.Plural : $"{type.Plural}/{subresource}";
        var subject = name is null ? type.Resource : $"{type.Resource} \"{name}\"";
        return new(
            403,
            "Forbidden",
            $"{subject} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{type.Group}\" {scope}",
            Details(type, name));
    }

    public static ApiException Unauthorized() => new(401, "Unauthorized", "Unauthorized");

    /// <summary>410 of a watch or list whose resource version was compacted away.</summary>
    public static ApiException TooOld(long requested, long oldest) =>
        new(410, "Expired", $"too old resource version: {requested} ({oldest})");

    /// <summary>410 of a <c>continue</c> token whose snapshot is gone.</summary>
    public static ApiException ContinueExpired() => new(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.");

    public static ApiException TooLargeResourceVersion(long requested, long current) => new(
        504,
        "Timeout",
        $"Too large resource version: {requested}, current: {current}",
        new JsonObject
        {
            ["causes"] = new JsonArray(
                new JsonObject { ["reason"] = "ResourceVersionTooLarge", ["message"] = "Too large resource version" }),
            ["retryAfterSeconds"] = 1,
        });

    /// <summary>
    /// What etcd's own limit (1.5 MiB) looks like: an error that kube-apiserver does not know, hence 500 without a reason.
    /// </summary>
    public static ApiException EtcdTooLarge() => new(500, string.Empty, "etcdserver: request is too large");

    public static ApiException BodyTooLarge(long limit) =>
        new(413, "RequestEntityTooLarge", $"Request entity too large: limit is {limit}");

    public static ApiException TooManyRequests(int retryAfterSeconds) => new(
        429,
        "TooManyRequests",
        "Too many requests, please try again later.",
        new JsonObject { ["retryAfterSeconds"] = retryAfterSeconds });

    public static ApiException Internal(string what) =>
        new(500, "InternalError", $"Internal error occurred: {what}", new JsonObject
        {
            ["causes"] = new JsonArray(
            new JsonObject { ["message"] = what })
        });

    public static ApiException MethodNotAllowed() =>
        new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", new JsonObject());

    public static ApiException UnsupportedMediaType(string contentType, string accepted) => new(
        415, "UnsupportedMediaType",
        $"the body of the request was in an unknown format ({contentType}) - accepted media types include: {accepted}");

    /// <summary>A ValidatingAdmissionPolicy said no. 422 unless it names another reason.</summary>
    public static ApiException Denied(ResourceType type, string name, string policy, string binding, string? reason, string message)
    {
        var details = Details(type, name);
        details["causes"] = new JsonArray(new JsonObject { ["message"] = message });
        return new(
            reason switch { "Forbidden" => 403, "Unauthorized" => 401, "RequestEntityTooLarge" => 413, _ => 422 },
            reason ?? "Invalid",
            $"{type.Resource} \"{name}\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding '{binding}' denied request: {message}",
            details);
    }

    private static JsonObject Details(ResourceType type, string? name)
    {
        var details = new JsonObject();
        if (name is not null)
        {
            details["name"] = name;
        }

        if (type.Group.Length > 0)
        {
            details["group"] = type.Group;
        }

        details["kind"] = type.Plural;
        return details;
    }
}

/// <summary>One failed check of one field, as in k8s.io/apimachinery/pkg/util/validation/field.</summary>
internal sealed record FieldError(string Field, string Reason, string Text)
{
    public static FieldError Invalid(string field, string value, string why) =>
        new(field, "FieldValueInvalid", $"Invalid value: {value}: {why}");

    public static FieldError Required(string field, string why = "") =>
        new(field, "FieldValueRequired", why.Length == 0 ? "Required value" : $"Required value: {why}");

    public static FieldError TypeInvalid(string field, string value, string expected, string actual) =>
        new(field, "FieldValueTypeInvalid", $"Invalid value: \"{value}\": {field} in body must be of type {expected}: \"{actual}\"");

    public static FieldError NotSupported(string field, string value, string supported) =>
        new(field, "FieldValueNotSupported", $"Unsupported value: {value}: supported values: {supported}");

    public static FieldError TooLong(string field, long limit) =>
        new(field, "FieldValueTooLong", $"Too long: may not be more than {limit} bytes");

    public static FieldError TooMany(string field, int actual, long limit) =>
        new(field, "FieldValueTooMany", $"Too many: {actual}: must have at most {limit} items");

    public override string ToString() => $"{Field}: {Text}";
}
