using System.Net.Http.Headers;
using k8s;
using Microsoft.AspNetCore.Http;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>Passes requests on to the API server of a kubeconfig, so that the fault switches work in front of a real one too.</summary>
/// <remarks>The administrator's token stands for the kubeconfig's credentials; any other token goes through as it is.</remarks>
internal sealed class RealApiForwarder : IDisposable
{
    private static readonly string[] PassedOn = ["Accept", "User-Agent"];

    private readonly Kubernetes _admin;
    private readonly Kubernetes _anyone;
    private readonly string _adminToken;

    public RealApiForwarder(string kubeConfig, string adminToken)
    {
        _adminToken = adminToken;
        _admin = new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeConfig));

        // A client certificate would win over a bearer token, so other users need a connection without one.
        var withoutCredentials = KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeConfig);
        withoutCredentials.ClientCertificateData = null;
        withoutCredentials.ClientCertificateKeyData = null;
        withoutCredentials.ClientCertificateFilePath = null;
        withoutCredentials.ClientKeyFilePath = null;
        withoutCredentials.AccessToken = null;
        withoutCredentials.TokenProvider = null;
        _anyone = new Kubernetes(withoutCredentials);
    }

    public async Task ForwardAsync(HttpContext context)
    {
        try
        {
            await TryForwardAsync(context);
        }
        catch (Exception e) when (!context.RequestAborted.IsCancellationRequested
            && !context.Response.HasStarted && e is not OperationCanceledException)
        {
            // The text names the cause, so that the test that fails says where to look.
            await ApiHandler.WriteAsync(context, 502, ApiException.Internal(e.ToString()).ToStatus());
        }
    }

    private async Task TryForwardAsync(HttpContext context)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, FaultMiddleware.WatchToken(context));
        using var request = new HttpRequestMessage(
            new HttpMethod(context.Request.Method), new Uri(
                _admin.BaseUri, context.Request.Path.Value!.TrimStart('/') + context.Request.QueryString));
        foreach (var header in PassedOn)
        {
            request.Headers.TryAddWithoutValidation(header, context.Request.Headers[header].ToArray());
        }

        if (context.Request.ContentType is { } contentType)
        {
            request.Content = new StreamContent(context.Request.Body);
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        }

        var client = _admin;
        var authorization = context.Request.Headers.Authorization.ToString();
        if (authorization == $"Bearer {_adminToken}")
        {
            if (_admin.Credentials is { } credentials)
            {
                await credentials.ProcessHttpRequestAsync(request, ended.Token);
            }
        }
        else
        {
            client = _anyone;
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        }

        using var response = await client.HttpClient.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ended.Token);
        context.Response.StatusCode = (int)response.StatusCode;
        context.Response.ContentType = response.Content.Headers.ContentType?.ToString();
        if (response.Headers.RetryAfter is { } after)
        {
            context.Response.Headers.RetryAfter = after.ToString();
        }

        await CopyAsync(response, context, ended.Token);
    }

    public void Dispose()
    {
        _admin.Dispose();
        _anyone.Dispose();
    }

    private static async Task CopyAsync(HttpResponseMessage response, HttpContext context, CancellationToken cancellationToken)
    {
        try
        {
            // Flushed piece by piece: a watch's event must not wait for the next one.
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            var chunk = new byte[65_536];
            int read;
            while ((read = await stream.ReadAsync(chunk, cancellationToken)) > 0)
            {
                await context.Response.Body.WriteAsync(chunk.AsMemory(0, read), cancellationToken);
                await context.Response.Body.FlushAsync(cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            context.Abort();
        }
    }
}
