using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>Watches: events after a resource version, bookmarks, timeouts, and 410 in both of its forms.</summary>
/// <remarks>https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.</remarks>
internal sealed class WatchHandler(Registry registry, TimeProvider timeProvider)
{
    /// <summary>Pause between bookmarks; about a minute on a real server.</summary>
    public TimeSpan BookmarkPeriod { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Answer 410 with that HTTP status (as servers without a watch cache do) and not inside a stream that began with 200.
    /// </summary>
    public bool GoneAsStatus { get; set; }

    public async Task HandleAsync(HttpContext context, ResourceType type, string? space)
    {
        var query = context.Request.Query;
        if (query.ContainsKey("sendInitialEvents"))
        {
            throw ApiException.Invalid(type, string.Empty, [new("sendInitialEvents", "FieldValueForbidden", "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")]);
        }

        var selector = new Selector(query["labelSelector"], query["fieldSelector"]);
        var bookmarks = query["allowWatchBookmarks"] == "true";
        var from = query["resourceVersion"].ToString();
        long revision = 0;
        if (from.Length > 0 && !long.TryParse(from, CultureInfo.InvariantCulture, out revision))
        {
            throw ApiException.BadRequest($"resourceVersion: Invalid value: \"{from}\"");
        }

        if (revision > 0 && revision < registry.Store.WatchableFrom && GoneAsStatus)
        {
            throw ApiException.TooOld(revision, registry.Store.WatchableFrom);
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, FaultMiddleware.WatchToken(context));
        using var timeout = int.TryParse(query["timeoutSeconds"], CultureInfo.InvariantCulture, out var seconds) && seconds > 0
            ? new CancellationTokenSource(TimeSpan.FromSeconds(seconds), timeProvider)
            : new CancellationTokenSource();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ended.Token, timeout.Token);
        context.Response.StatusCode = 200;
        context.Response.ContentType = "application/json";
        await context.Response.StartAsync(ended.Token);
        await context.Response.Body.FlushAsync(ended.Token);
        try
        {
            await RunAsync(context, type, space, selector, revision, bookmarks, either.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !ended.IsCancellationRequested)
        {
            // timeoutSeconds ends the stream properly: the response simply completes.
        }
        catch (OperationCanceledException)
        {
            context.Abort();
        }
    }

    private async Task RunAsync(
        HttpContext context, ResourceType type, string? space, Selector selector,
        long revision, bool bookmarks, CancellationToken cancellationToken)
    {
        var partial = Representation.Form(context).StartsWith("PartialObjectMetadata", StringComparison.Ordinal);
        if (revision == 0)
        {
            // Unset and 0 both start with what exists now, as ADDED events.
            (var items, revision) = registry.Store.List(type, space);
            foreach (var item in items.Where(selector.Matches))
            {
                await SendAsync(context, type, "ADDED", item, partial, cancellationToken);
            }
        }

        using var clock = new PeriodicTimer(BookmarkPeriod, timeProvider);
        var tick = clock.WaitForNextTickAsync(cancellationToken).AsTask();
        while (true)
        {
            var (events, newest, changed) = registry.Store.After(type, revision);
            if (events is null)
            {
                var gone = ApiException.TooOld(revision, registry.Store.WatchableFrom).ToStatus();
                await SendLineAsync(context, new JsonObject { ["type"] = "ERROR", ["object"] = gone }.ToJsonString(), cancellationToken);
                return;
            }

            foreach (var item in events)
            {
                if (Seen(item, space, selector) is { } kind)
                {
                    await SendAsync(context, type, kind, item.Item, partial, cancellationToken);
                }
            }

            revision = newest;
            if (await Task.WhenAny(changed, tick).WaitAsync(cancellationToken) == tick)
            {
                await tick;
                tick = clock.WaitForNextTickAsync(cancellationToken).AsTask();
                if (bookmarks)
                {
                    await SendLineAsync(context, Representation.Bookmark(type, revision, partial), cancellationToken);
                }
            }
        }
    }

    // An object that begins to match is ADDED, one that ceases to is DELETED.
    private static string? Seen(StoreEvent change, string? space, Selector selector)
    {
        if (space is not null && Metadata.Namespace(change.Item) != space)
        {
            return null;
        }

        var before = change.Previous is not null && selector.Matches(change.Previous);
        var after = change.Kind != "DELETED" && selector.Matches(change.Item);
        return (before, after) switch
        {
            (true, true) => "MODIFIED",
            (false, true) => "ADDED",
            (true, false) => "DELETED",
            _ => null,
        };
    }

    private static Task SendAsync(
        HttpContext context, ResourceType type, string kind, JsonObject item, bool partial, CancellationToken cancellationToken)
    {
        var shown = partial ? Representation.Of(context, type, item) : item.DeepClone();
        return SendLineAsync(context, new JsonObject { ["type"] = kind, ["object"] = shown }.ToJsonString(), cancellationToken);
    }

    private static async Task SendLineAsync(HttpContext context, string line, CancellationToken cancellationToken)
    {
        await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), cancellationToken);
        await context.Response.Body.FlushAsync(cancellationToken);
    }
}
