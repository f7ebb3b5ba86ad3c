// Part of the silo only in a build with VARIANT_NEXT, for the upgrade tests: what a next release would add.
#if VARIANT_NEXT
using Microsoft.Extensions.Logging;
using Orleans.WireGuard.Grains.Delivery;

namespace Orleans.WireGuard.Grains;

internal sealed partial class PeerService
{
    /// <inheritdoc/>
    public override Task Start() => Task.WhenAll(
        base.Start(),
        Task.Run(() => _loops.RepeatAsync(
            "Greeting", _ => GreetAsync(), _ => _options.GreetingInterval, StoppedCancellationTokenSource.Token)));

    /// <inheritdoc/>
    public Task<string> Greet() => Task.FromResult($"{_members.LocalNodeName} greets");

    // Only a silo that has said that it knows the call is called.
    private async Task GreetAsync()
    {
        var whoKnow = _members.Others.Where(other => _protocol.Of(other.Silo, other.NodeName)?.Max >= OwnProtocol.WithGreeting);
        foreach (var (silo, nodeName) in whoKnow)
        {
            try
            {
                var greeting = await ((PeerServiceClient)_client).GreetAsync(silo).WaitAsync(_options.AttemptTimeout, _timeProvider);
                LogGreeting(_logger, greeting);
            }
            catch (Exception e) when (!StoppedCancellationTokenSource.IsCancellationRequested)
            {
                LogNoGreeting(_logger, e, nodeName);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Greeting: {Text}")]
    private static partial void LogGreeting(ILogger logger, string text);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No greeting of {NodeName}")]
    private static partial void LogNoGreeting(ILogger logger, Exception exception, string nodeName);
}
#endif
