using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>The verbs on objects: what kube-apiserver's generic registry does between the handler and etcd.</summary>
internal sealed class Registry(TimeProvider timeProvider)
{
    private readonly ConcurrentDictionary<(string Group, string Version, string Plural), ResourceType> _types =
        new(BuiltInTypes.All.ToDictionary(type => type.Key));

    public ObjectStore Store { get; } = new();

    /// <summary>Throws if a policy of the cluster forbids a write; null for a server without admission.</summary>
    public Action<AdmissionRequest>? Admit { get; set; }

    public IEnumerable<ResourceType> Types => _types.Values;

    public ResourceType? Find(string group, string version, string plural) => _types.GetValueOrDefault((group, version, plural));

    public JsonObject Get(ResourceType type, string? space, string name) =>
        Store.Find(type, space, name) ?? throw ApiException.NotFound(type, name);

    public JsonObject Create(ResourceType type, string? space, JsonObject item, bool dryRun, ApiUser? user = null)
    {
        CheckNamespace(type, space);
        var metadata = Prepare(type, space, item);
        if (type is { HasStatus: true, KeepsStatusOnCreate: false })
        {
            item.Remove("status");
        }

        var name = Metadata.Name(item);
        if (Metadata.Version(item).Length > 0)
        {
            throw ApiException.BadRequest("resourceVersion should not be set on objects to be created");
        }

        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = Now();
        if (type.HasGeneration)
        {
            metadata["generation"] = 1L;
        }

        if (type == BuiltInTypes.Namespaces)
        {
            item["status"] = new JsonObject { ["phase"] = "Active" };
        }

        Check(type, item);
        Ask(user, "CREATE", type, status: false, null, item);
        if (dryRun)
        {
            return item;
        }

        var created = Store.Write(type, space, name, current => current is null ? item : throw ApiException.AlreadyExists(type, name));
        return type == BuiltInTypes.Definitions ? Establish(created) : created;
    }

    public (JsonObject Item, bool Created) Update(
        ResourceType type, string? space, string name, JsonObject item, bool status, bool dryRun, ApiUser? user = null)
    {
        if (Metadata.Name(item) is { Length: > 0 } inBody && inBody != name)
        {
            throw ApiException.BadRequest($"the name of the object ({inBody}) does not match the name on the URL ({name})");
        }

        if (Store.Find(type, space, name) is null && type.AllowsCreateOnUpdate && Metadata.Version(item).Length == 0)
        {
            return (Create(type, space, item, dryRun, user), true);
        }

        Prepare(type, space, item);
        var updated = Store.Write(type, space, name, current => Merge(
            type, name, current, item, status, dryRun, unconditional: type.AllowsUnconditionalUpdate, user));
        return (updated, false);
    }

    public JsonObject Patch(
        ResourceType type, string? space, string name, JsonObject patch, bool status, bool dryRun, ApiUser? user = null) =>
        Store.Write(type, space, name, current =>
        {
            if (current is null)
            {
                throw ApiException.NotFound(type, name);
            }

            var item = (JsonObject)MergePatch(current.DeepClone(), patch)!;
            if (Metadata.Name(item) != name)
            {
                throw ApiException.BadRequest(
                    $"the name of the object ({Metadata.Name(item)}) does not match the name on the URL ({name})");
            }

            Prepare(type, space, item);
            try
            {
                return Merge(type, name, current, item, status, dryRun, unconditional: true, user);
            }
            catch (ApiException undecodable) when (undecodable.Code == 400)
            {
                throw ApiException.PatchNotDecoded(undecodable);
            }
        });

    public JsonObject Delete(ResourceType type, string? space, string name, JsonObject? options, ApiUser? user = null)
    {
        var deleted = Store.Write(type, space, name, current =>
        {
            if (current is null)
            {
                throw ApiException.NotFound(type, name);
            }

            var uid = (string)current["metadata"]!["uid"]!;
            if ((string?)options?["preconditions"]?["uid"] is { } wantedUid && wantedUid != uid)
            {
                throw ApiException.Conflict(
                    type, name, $"Precondition failed: UID in precondition: {wantedUid}, UID in object meta: {uid}");
            }

            if ((string?)options?["preconditions"]?["resourceVersion"] is { } wanted && wanted != Metadata.Version(current))
            {
                throw ApiException.Conflict(
                    type, name, $"Precondition failed: the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({Metadata.Version(current)}). The object might have been modified");
            }

            Ask(user, "DELETE", type, status: false, current, null);
            if (current["metadata"]!["finalizers"] is not JsonArray { Count: > 0 } || current["metadata"]!["deletionTimestamp"] is not null)
            {
                return current["metadata"]!["finalizers"] is JsonArray { Count: > 0 } ? current : null;
            }

            var dying = (JsonObject)current.DeepClone();
            Metadata.Of(dying)["deletionTimestamp"] = Now();
            Metadata.Of(dying)["deletionGracePeriodSeconds"] = 0;
            return dying;
        });

        if (type == BuiltInTypes.Namespaces)
        {
            RemoveWhere(item => Metadata.Namespace(item) == name, _types.Values.Where(each => each.Namespaced));
        }
        else if (type == BuiltInTypes.Definitions)
        {
            foreach (var defined in CustomResourceDefinitions.ToTypes(deleted))
            {
                RemoveWhere(_ => true, [defined]);
                _types.TryRemove(defined.Key, out _);
            }
        }

        return deleted;
    }

    /// <summary>RFC 7386.</summary>
    public static JsonNode? MergePatch(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject changes)
        {
            return patch?.DeepClone();
        }

        var result = target as JsonObject ?? [];
        foreach (var (name, value) in changes)
        {
            if (value is null)
            {
                result.Remove(name);
                continue;
            }

            var merged = MergePatch(result[name], value);
            if (!ReferenceEquals(merged, result[name]))
            {
                result[name] = merged;
            }
        }

        return result;
    }

    private JsonObject Merge(
        ResourceType type, string name, JsonObject? current, JsonObject item, bool status, bool dryRun, bool unconditional, ApiUser? user)
    {
        if (current is null)
        {
            throw ApiException.NotFound(type, name);
        }

        var metadata = Metadata.Of(item);
        var was = Metadata.Of(current);
        if ((string?)metadata["uid"] is { } uid && uid != (string?)was["uid"])
        {
            throw ApiException.Conflict(type, name, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {was["uid"]}");
        }

        var version = Metadata.Version(item);
        if (version.Length == 0 && !unconditional)
        {
            throw ApiException.Invalid(
                type, name, [FieldError.Invalid("metadata.resourceVersion", "0x0", "must be specified for an update")]);
        }

        if (version.Length > 0 && version != Metadata.Version(current))
        {
            throw ApiException.Modified(type, name);
        }

        var next = item;
        if (status)
        {
            next = (JsonObject)current.DeepClone();
            next["status"] = item["status"]?.DeepClone();
            Metadata.Of(next)["annotations"] = metadata["annotations"]?.DeepClone();
        }
        else if (type.HasStatus)
        {
            next["status"] = current["status"]?.DeepClone();
        }

        foreach (var absent in next.Where(pair => pair.Value is null).Select(pair => pair.Key).ToList())
        {
            next.Remove(absent);
        }

        var meta = Metadata.Of(next);
        if (meta["annotations"] is null)
        {
            meta.Remove("annotations");
        }

        foreach (var field in (string[])[
            "uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"])
        {
            meta.Remove(field);
            if (was[field] is { } value)
            {
                meta[field] = value.DeepClone();
            }
        }

        if (type.HasGeneration && !SameDesire(next, current))
        {
            meta["generation"] = (long)(was["generation"] ?? 0L) + 1;
        }

        Check(type, next);
        if (type.ValidateUpdate?.Invoke(current, next).ToList() is { Count: > 0 } errors)
        {
            throw ApiException.Invalid(type, name, errors);
        }

        Ask(user, "UPDATE", type, status, current, next);
        return dryRun ? current : next;
    }

    private void Ask(ApiUser? user, string operation, ResourceType type, bool status, JsonObject? before, JsonObject? after)
    {
        if (user is not null)
        {
            Admit?.Invoke(new(user, operation, type, status ? "status" : null, before, after));
        }
    }

    private static bool SameDesire(JsonObject left, JsonObject right)
    {
        return JsonNode.DeepEquals(Desire(left), Desire(right));

        static JsonObject Desire(JsonObject item)
        {
            var copy = (JsonObject)item.DeepClone();
            copy.Remove("metadata");
            copy.Remove("status");
            return copy;
        }
    }

    private static JsonObject Prepare(ResourceType type, string? space, JsonObject item)
    {
        if (((string?)item["apiVersion"] ?? type.ApiVersion) != type.ApiVersion || ((string?)item["kind"] ?? type.Kind) != type.Kind)
        {
            throw ApiException.BadRequest(
                $"the API version in the data ({item["apiVersion"]}) does not match the expected API version ({type.ApiVersion})");
        }

        item["apiVersion"] = type.ApiVersion;
        item["kind"] = type.Kind;
        var metadata = item["metadata"] as JsonObject;
        if (metadata is null)
        {
            item["metadata"] = metadata = [];
        }

        metadata.Remove("managedFields");
        if (type.Namespaced)
        {
            if ((string?)metadata["namespace"] is { } inBody && inBody != space)
            {
                throw ApiException.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
            }

            metadata["namespace"] = space;
        }

        type.Convert?.Invoke(item);
        if (type.Schema is { } schema)
        {
            Schema.Prune(item, schema);
        }

        return metadata;
    }

    private static void Check(ResourceType type, JsonObject item)
    {
        List<FieldError> errors = [.. Metadata.Validate(item)];
        if (type.Schema is { } schema)
        {
            foreach (var property in schema["properties"] as JsonObject ?? [])
            {
                if (property.Key is not ("apiVersion" or "kind" or "metadata") && item.TryGetPropertyValue(property.Key, out var value))
                {
                    errors.AddRange(Schema.Validate(value, property.Value!.AsObject(), property.Key));
                }
            }

            errors.AddRange((schema["required"] as JsonArray ?? [])
                .Select(required => (string)required!)
                .Where(required => !item.ContainsKey(required))
                .Select(required => FieldError.Required(required)));
        }

        errors.AddRange(type.Validate?.Invoke(item) ?? []);
        if (errors.Count > 0)
        {
            throw ApiException.Invalid(type, Metadata.Name(item), errors);
        }
    }

    private JsonObject Establish(JsonObject definition)
    {
        foreach (var type in CustomResourceDefinitions.ToTypes(definition))
        {
            _types[type.Key] = type;
        }

        return Store.Write(BuiltInTypes.Definitions, null, Metadata.Name(definition), current =>
        {
            var next = (JsonObject)current!.DeepClone();
            next["status"] = new JsonObject
            {
                ["conditions"] = new JsonArray(
                    new JsonObject
                    {
                        ["type"] = "NamesAccepted",
                        ["status"] = "True",
                        ["reason"] = "NoConflicts",
                        ["message"] = "no conflicts found"
                    },
                    new JsonObject
                    {
                        ["type"] = "Established",
                        ["status"] = "True",
                        ["reason"] = "InitialNamesAccepted",
                        ["message"] = "the initial names have been accepted"
                    }),
                ["acceptedNames"] = next["spec"]!["names"]!.DeepClone(),
                ["storedVersions"] = new JsonArray([.. next["spec"]!["versions"]!.AsArray()
                    .Where(version => (bool)version!["storage"]!).Select(version => version!["name"]!.DeepClone())]),
            };
            return next;
        });
    }

    private void CheckNamespace(ResourceType type, string? space)
    {
        if (type.Namespaced && Store.Find(BuiltInTypes.Namespaces, null, space!) is null)
        {
            throw ApiException.NotFound(BuiltInTypes.Namespaces, space!);
        }
    }

    private void RemoveWhere(Func<JsonObject, bool> condition, IEnumerable<ResourceType> types)
    {
        foreach (var type in types)
        {
            foreach (var item in Store.List(type, null).Items.Where(condition))
            {
                Store.Write(type, Metadata.Namespace(item), Metadata.Name(item), _ => null);
            }
        }
    }

    private string Now() => timeProvider.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
