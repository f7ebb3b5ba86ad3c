using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Mime;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>One request: who asks, may they, which verb on which objects, and the answer in the form that was asked for.</summary>
internal sealed class ApiHandler(
    Registry registry, ConcurrentDictionary<string, ApiUser> users, WatchHandler watches, Func<string, AccessRule[], string> addToken)
{
    /// <summary>kube-apiserver's limit of a request body (<c>MaxRequestBodyBytes</c>).</summary>
    public const long MaxBodyBytes = 3 * 1024 * 1024;

    // Go escapes neither quotation marks as \u0022 nor non-ASCII text.
    private static readonly JsonSerializerOptions Readable =
        new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ConcurrentDictionary<string, (List<JsonObject> Items, long Revision)> _pages = new();

    public async Task HandleAsync(HttpContext context)
    {
        try
        {
            await DispatchAsync(context);
        }
        catch (ApiException refusal)
        {
            if (refusal.Code == 429 && refusal.ToStatus()["details"]?["retryAfterSeconds"] is { } seconds)
            {
                context.Response.Headers.RetryAfter = seconds.ToString();
            }

            await WriteAsync(context, refusal.Code, refusal.ToStatus());
        }
        catch (Exception error) when (!context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted)
        {
            // A mistake of this server. The text names it, so that the test that fails says where to look.
            await WriteAsync(context, 500, ApiException.Internal(error.ToString()).ToStatus());
        }
    }

    public static Task WriteAsync(HttpContext context, int code, JsonNode body)
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = MediaTypeNames.Application.Json;
        return context.Response.WriteAsync(body.ToJsonString(Readable) + "\n", context.RequestAborted);
    }

    private async Task DispatchAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? string.Empty;
        var user = Authenticate(context);
        if (Discovery.TryAnswer(registry, path) is { } document)
        {
            await WriteAsync(context, 200, document);
            return;
        }

        var target = RequestTarget.Parse(path);
        var type = target is null ? null : registry.Find(target.Group, target.Version, target.Plural);
        if (type is null || (target!.Subresource is not (null or "status")
            && !(target.Subresource == "token" && type == ServiceAccounts.Accounts)) || (target.Subresource == "status" && !type.HasStatus))
        {
            // The groups that are compiled in answer with a Status; what only definitions could serve gets the text that net/http writes.
            if (target is not null
                && registry.Types.Any(known => !known.IsCustom && (known.Group, known.Version) == (target.Group, target.Version)))
            {
                throw ApiException.NoSuchResource();
            }

            context.Response.StatusCode = 404;
            context.Response.ContentType = "text/plain; charset=utf-8";
            await context.Response.WriteAsync("404 page not found\n", context.RequestAborted);
            return;
        }

        if (target.Subresource == "token")
        {
            await WriteAsync(context, 201, CreateToken(user, type, target, await ReadAsync(context, mayBeEmpty: true)));
            return;
        }

        var query = context.Request.Query;
        var watching = query["watch"] == "true" || query["watch"] == "1";
        var verb = (context.Request.Method, target.Name) switch
        {
            ("GET", null) => watching ? "watch" : "list",
            ("GET", _) => "get",
            ("POST", null) => "create",
            ("PUT", not null) => "update",
            ("PATCH", not null) => "patch",
            ("DELETE", not null) => "delete",
            _ => throw ApiException.MethodNotAllowed(),
        };
        if (type.Namespaced && target.Namespace is null && verb is not ("list" or "watch"))
        {
            throw ApiException.MethodNotAllowed();
        }

        if (!user.May(verb, type, target.Subresource, target.Namespace))
        {
            throw ApiException.Forbidden(user.Name, verb, type, target.Namespace, target.Name, target.Subresource);
        }

        var dryRun = query["dryRun"] == "All";
        var status = target.Subresource == "status";
        switch (verb)
        {
            case "watch":
                await watches.HandleAsync(context, type, target.Namespace);
                return;
            case "list":
                await WriteAsync(context, 200, List(context, type, target.Namespace));
                return;
            case "get":
                await WriteAsync(context, 200, Representation.Of(context, type, Get(context, type, target)));
                return;
            case "create":
                var created = registry.Create(type, target.Namespace, await ReadAsync(context), dryRun, user);
                await WriteAsync(context, 201, Representation.Of(context, type, created));
                return;
            case "update":
                var (updated, isNew) = registry.Update(
                    type, target.Namespace, target.Name!, await ReadAsync(context), status, dryRun, user);
                await WriteAsync(context, isNew ? 201 : 200, Representation.Of(context, type, updated));
                return;
            case "patch":
                var contentType = context.Request.ContentType?.Split(';')[0] ?? string.Empty;
                if (contentType != "application/merge-patch+json")
                {
                    throw ApiException.UnsupportedMediaType(
                        contentType, "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
                }

                var patched = registry.Patch(
                    type, target.Namespace, target.Name!, await ReadAsync(context, contentType), status, dryRun, user);
                await WriteAsync(context, 200, Representation.Of(context, type, patched));
                return;
            default:
                var options = await ReadAsync(context, mayBeEmpty: true);
                var deleted = registry.Delete(type, target.Namespace, target.Name!, options, user);
                await WriteAsync(context, 200, Deleted(type, deleted));
                return;
        }
    }

    private ApiUser Authenticate(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (header.Length == 0)
        {
            return new ApiUser("system:anonymous", []);
        }

        return header.StartsWith("Bearer ", StringComparison.Ordinal)
            && users.TryGetValue(header[7..], out var user) && !user.IsExpired && user.IsAlive()
            ? user
            : throw ApiException.Unauthorized();
    }

    private JsonObject Get(HttpContext context, ResourceType type, RequestTarget target)
    {
        if (context.Request.Query["resourceVersion"] != "0")
        {
            return registry.Get(type, target.Namespace, target.Name!);
        }

        return registry.Store.List(type, target.Namespace, fromCache: true).Items.Find(item => Metadata.Name(item) == target.Name)
            ?? throw ApiException.NotFound(type, target.Name!);
    }

    private JsonNode List(HttpContext context, ResourceType type, string? space)
    {
        var query = context.Request.Query;
        var limit = int.TryParse(query["limit"], CultureInfo.InvariantCulture, out var asked) ? asked : 0;
        var start = 0;
        List<JsonObject> items;
        long revision;
        if (query["continue"].ToString() is { Length: > 0 } token)
        {
            var parts = JsonNode.Parse(Encoding.UTF8.GetString(Convert.FromBase64String(token)))!;
            revision = (long)parts["rv"]!;
            start = (int)parts["start"]!;
            if (revision < registry.Store.Compacted || !_pages.TryGetValue((string)parts["id"]!, out var page))
            {
                throw ApiException.ContinueExpired();
            }

            items = page.Items;
        }
        else
        {
            var wanted = query["resourceVersion"].ToString();
            if (wanted.Length > 0 && wanted != "0" && Parse(wanted) > registry.Store.Revision)
            {
                throw ApiException.TooLargeResourceVersion(Parse(wanted), registry.Store.Revision);
            }

            var selector = new Selector(query["labelSelector"], query["fieldSelector"]);
            (items, revision) = registry.Store.List(type, space, fromCache: wanted == "0");
            items = items.FindAll(selector.Matches);

            // A list from the watch cache (resourceVersion=0) has always ignored the limit.
            limit = wanted == "0" ? 0 : limit;
        }

        var metadata = new JsonObject { ["resourceVersion"] = revision.ToString(CultureInfo.InvariantCulture) };
        var end = limit > 0 ? Math.Min(items.Count, start + limit) : items.Count;
        if (end < items.Count)
        {
            var id = string.Create(
                CultureInfo.InvariantCulture, $"{type.Resource}/{space}/{revision}/{query["labelSelector"]}/{query["fieldSelector"]}");
            _pages[id] = (items, revision);
            var next = new JsonObject { ["v"] = "meta.k8s.io/v1", ["rv"] = revision, ["start"] = end, ["id"] = id };
            metadata["continue"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(next.ToJsonString()));
            metadata["remainingItemCount"] = items.Count - end;
        }

        return Representation.List(context, type, items[start..end], metadata);
    }

    private static JsonObject Deleted(ResourceType type, JsonObject deleted)
    {
        if (type == BuiltInTypes.Namespaces)
        {
            var dying = (JsonObject)deleted.DeepClone();
            dying["status"] = new JsonObject { ["phase"] = "Terminating" };
            return dying;
        }

        return new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Success",
            ["details"] = new JsonObject
            {
                ["name"] = Metadata.Name(deleted),
                ["group"] = type.Group,
                ["kind"] = type.Plural,
                ["uid"] = deleted["metadata"]!["uid"]!.DeepClone(),
            },
        };
    }

    private JsonObject CreateToken(ApiUser user, ResourceType type, RequestTarget target, JsonObject request)
    {
        if (!user.May("create", type, "token", target.Namespace))
        {
            throw ApiException.Forbidden(user.Name, "create", type, target.Namespace, target.Name, "token");
        }

        var rules = ServiceAccounts.RulesOf(registry, target.Namespace!, target.Name!);
        var token = addToken($"system:serviceaccount:{target.Namespace}:{target.Name}", rules);
        if (request["spec"]?["boundObjectRef"] is JsonObject reference)
        {
            ServiceAccounts.Bind(users[token], registry, target.Namespace!, reference);
        }

        return new()
        {
            ["apiVersion"] = "authentication.k8s.io/v1",
            ["kind"] = "TokenRequest",
            ["status"] = new JsonObject { ["token"] = token }
        };
    }

    // Of the formats of a body this server knows JSON only. A client that prefers protobuf has to be told that, and not that its JSON is
    // broken.
    private static async Task<JsonObject> ReadAsync(HttpContext context, string? patch = null, bool mayBeEmpty = false)
    {
        var contentType = context.Request.ContentType?.Split(';')[0] ?? string.Empty;
        if (contentType is not ("" or MediaTypeNames.Application.Json) && contentType != patch)
        {
            throw ApiException.UnsupportedMediaType(contentType, "application/json");
        }

        using var buffer = new MemoryStream();
        var chunk = new byte[65_536];
        int read;
        while ((read = await context.Request.Body.ReadAsync(chunk, context.RequestAborted)) > 0)
        {
            buffer.Write(chunk, 0, read);
            if (buffer.Length > MaxBodyBytes)
            {
                throw ApiException.BodyTooLarge(MaxBodyBytes);
            }
        }

        if (mayBeEmpty && buffer.Length == 0)
        {
            return [];
        }

        try
        {
            return JsonNode.Parse(buffer.GetBuffer().AsSpan(0, (int)buffer.Length)) as JsonObject
                ?? throw ApiException.BadRequest("the object provided is unrecognized (must be of type Object)");
        }
        catch (JsonException error)
        {
            throw ApiException.BadRequest($"the object provided is unrecognized: {error.Message}");
        }
    }

    private static long Parse(string version) => long.TryParse(version, CultureInfo.InvariantCulture, out var parsed)
        ? parsed
        : throw ApiException.BadRequest(
            $"resourceVersion: Invalid value: \"{version}\": strconv.ParseUint: parsing \"{version}\": invalid syntax");
}
