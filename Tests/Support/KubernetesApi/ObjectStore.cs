using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>What etcd is to kube-apiserver: objects, one revision counter for all of them, and the history that watches read.</summary>
/// <remarks>Stored objects are never changed; a write replaces them. All members may be called from any thread.</remarks>
internal sealed class ObjectStore
{
    /// <summary>etcd's default <c>--max-request-bytes</c>.</summary>
    public const int MaxObjectBytes = 1_572_864;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Group, string Plural), SortedDictionary<string, JsonObject>> _objects = [];
    private readonly List<StoreEvent> _history = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Dictionary<(string Group, string Plural), List<JsonObject>>? _frozen;
    private long _frozenRevision;

    /// <summary>The revision of the newest write; a real cluster's counter never starts at 1 either.</summary>
    public long Revision { get; private set; } = 1000;

    /// <summary>Events up to and including this revision are gone.</summary>
    public long Compacted { get; private set; } = 1000;

    /// <summary>Watches from before this revision are refused: the server that remembered what came before is gone.</summary>
    public long WatchableFrom { get; private set; } = 1000;

    /// <summary>Completes at the next write.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return _changed.Task;
            }
        }
    }

    public JsonObject? Find(ResourceType type, string? space, string name)
    {
        lock (_lock)
        {
            return Table(type).GetValueOrDefault(Key(space, name));
        }
    }

    public (List<JsonObject> Items, long Revision) List(ResourceType type, string? space, bool fromCache = false)
    {
        lock (_lock)
        {
            var stale = fromCache && _frozen is not null;
            IEnumerable<JsonObject> items = stale ? _frozen!.GetValueOrDefault((type.Group, type.Plural)) ?? [] : Table(type).Values;
            return ([.. items.Where(item => space is null || Metadata.Namespace(item) == space)], stale ? _frozenRevision : Revision);
        }
    }

    /// <summary>Runs <paramref name="change"/> alone; it says what to store in place of the object (null: remove it).</summary>
    public JsonObject Write(ResourceType type, string? space, string name, Func<JsonObject?, JsonObject?> change)
    {
        lock (_lock)
        {
            var table = Table(type);
            var key = Key(space, name);
            var current = table.GetValueOrDefault(key);
            var next = change(current);
            if (next is null)
            {
                table.Remove(key);
                var gone = (JsonObject)current!.DeepClone();
                Append(type, "DELETED", gone, current);
                return gone;
            }

            if (ReferenceEquals(next, current) || (current is not null && JsonNode.DeepEquals(next, current)))
            {
                // kube-apiserver does not write what would change nothing, so the resource version stays.
                return current!;
            }

            if (Encoding.UTF8.GetByteCount(next.ToJsonString()) > MaxObjectBytes)
            {
                throw ApiException.EtcdTooLarge();
            }

            table[key] = next;
            Append(type, current is null ? "ADDED" : "MODIFIED", next, current);
            return next;
        }
    }

    /// <summary>Events of a type after <paramref name="revision"/>, or null if some of them are gone.</summary>
    public (List<StoreEvent>? Events, long Revision, Task Changed) After(ResourceType type, long revision)
    {
        lock (_lock)
        {
            return revision < WatchableFrom
                ? (null, Revision, _changed.Task)
                : ([.. _history.Where(item => item.Revision > revision
                    && item.Type == (type.Group, type.Plural))], Revision, _changed.Task);
        }
    }

    /// <summary>Forgets the history, as etcd does every five minutes: older watches and continue tokens get 410.</summary>
    public void Compact()
    {
        lock (_lock)
        {
            _history.Clear();
            Compacted = WatchableFrom = Revision;
        }
    }

    /// <summary>
    /// What a restart of kube-apiserver does: objects stay as they are in etcd, with their versions, and its cache of events begins at the
    /// current one.
    /// </summary>
    public void Restart()
    {
        lock (_lock)
        {
            _history.Clear();
            WatchableFrom = Revision;
        }
    }

    /// <summary>
    /// Lets reads with <c>resourceVersion=0</c> see the state of now until <see cref="ThawCache"/>, as a lagging watch cache would.
    /// </summary>
    public void FreezeCache()
    {
        lock (_lock)
        {
            _frozen = _objects.ToDictionary(pair => pair.Key, pair => pair.Value.Values.ToList());
            _frozenRevision = Revision;
        }
    }

    public void ThawCache()
    {
        lock (_lock)
        {
            _frozen = null;
        }
    }

    private static string Key(string? space, string name) => $"{space}/{name}";

    private SortedDictionary<string, JsonObject> Table(ResourceType type)
    {
        var key = (type.Group, type.Plural);
        return _objects.TryGetValue(key, out var table) ? table : _objects[key] = new(StringComparer.Ordinal);
    }

    private void Append(ResourceType type, string kind, JsonObject item, JsonObject? previous)
    {
        Metadata.Of(item)["resourceVersion"] = (++Revision).ToString(CultureInfo.InvariantCulture);
        _history.Add(new(Revision, (type.Group, type.Plural), kind, item, previous));
        var changed = _changed;
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}

/// <summary>One write, as watches see it.</summary>
internal sealed record StoreEvent(long Revision, (string Group, string Plural) Type, string Kind, JsonObject Item, JsonObject? Previous);
