using Microsoft.AspNetCore.Http;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>Applies <see cref="ApiFaults"/> to requests on their way in, and counts them.</summary>
internal sealed class FaultMiddleware(ApiFaults faults, RequestLog log, TimeProvider timeProvider)
{
    /// <summary>Cancelled when the watches that were open or on their way with this request are dropped.</summary>
    public static CancellationToken WatchToken(HttpContext context) => (CancellationToken)context.Items[typeof(ApiFaults)]!;

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var watching = context.Request.Query["watch"] == "true";
        var token = context.Request.Headers.Authorization.ToString().Replace("Bearer ", string.Empty, StringComparison.Ordinal);
        var request = new ApiRequest(context.Request.Method, context.Request.Path, watching, context.Request.QueryString.ToString(), token);
        log.Add(request, timeProvider.GetUtcNow());
        // Before the faults are looked at: a watch that just came through must not outlive the drop that follows.
        context.Items[typeof(ApiFaults)] = faults.WatchToken;
        if (faults.ClockOffset != TimeSpan.Zero)
        {
            context.Response.Headers.Date = (timeProvider.GetUtcNow() + faults.ClockOffset).ToString("r");
        }

        var fault = faults.Take(request);
        if (fault is null)
        {
            await next(context);
            return;
        }

        await Task.Delay(fault.Latency, timeProvider, context.RequestAborted);
        if (fault.RetryAfter is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        if (fault.Error is { } error)
        {
            await ApiHandler.WriteAsync(context, error.Code, error.ToStatus());
            return;
        }

        if (fault.Answer is not null || fault.Hangs || fault.Resets)
        {
            await MisbehaveAsync(context, fault);
            return;
        }

        if (!fault.LosesAnswer)
        {
            await next(context);
            return;
        }

        context.Response.Body = Stream.Null;
        await next(context);
        context.Abort();
    }

    private async Task MisbehaveAsync(HttpContext context, ApiFault fault)
    {
        if (fault.Answer is { } answer)
        {
            context.Response.ContentType = "application/json";
            await context.Response.Body.WriteAsync(answer, context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
        }

        if (fault.Hangs)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, timeProvider, context.RequestAborted);
        }

        if (fault.Resets)
        {
            context.Abort();
        }
    }
}

/// <summary>The requests a server has seen, for tests that count them.</summary>
internal sealed class RequestLog
{
    private readonly Lock _lock = new();
    private readonly List<(ApiRequest Request, DateTimeOffset At)> _requests = [];

    public void Add(ApiRequest request, DateTimeOffset at)
    {
        lock (_lock)
        {
            _requests.Add((request, at));
        }
    }

    public void Clear()
    {
        lock (_lock)
        {
            _requests.Clear();
        }
    }

    public IReadOnlyList<(ApiRequest Request, DateTimeOffset At)> Snapshot()
    {
        lock (_lock)
        {
            return [.. _requests];
        }
    }

    public int Count(string method, string pathPart) =>
        Snapshot().Count(item => item.Request.Method == method && item.Request.Path.Contains(pathPart, StringComparison.Ordinal));
}
