using Microsoft.Extensions.Options;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Security;

/// <summary>
/// Decides which calls reach a system target: Orleans' own parts of a silo, and the services of ours that are addressed by silo.
/// </summary>
/// <remarks>
/// Nobody may tell a silo what the membership is; it reads the table itself, and a watch tells it when. A client may reach the one system
/// target that Orleans' own client needs, the cluster's list of interfaces; everything else that a client is for is a grain.
/// </remarks>
internal sealed partial class CallFilter(IOptions<ClientAccessOptions> access, TimeProvider timeProvider, ILogger<CallFilter> logger)
    : IIncomingGrainCallFilter
{
    /// <summary>IMembershipService: believed as it comes, a view in which the receiver is dead included.</summary>
    public const string GossipMethod = "MembershipChangeNotification";

    // The key of the client that a silo has in its own process (HostedClient in Orleans).
    private const string HostedPrefix = "hosted-";

    private const int MaxShownLength = 100;

    private readonly Lock _lock = new();
    private readonly LogPace _refusals = new(timeProvider);

    /// <inheritdoc/>
    public Task Invoke(IIncomingGrainCallContext context)
    {
        var target = context.TargetId;
        if (!target.IsSystemTarget()
            || FindFault(context.SourceId, context.InterfaceMethod.DeclaringType?.Name, context.MethodName, access.Value) is not { } fault)
        {
            return context.Invoke();
        }

        TellRefused(context.SourceId is { } source ? Show(source) : "nobody", $"{target.Type}.{context.MethodName}");
        throw new UnauthorizedAccessException(fault);
    }

    /// <summary>What is wrong with a call of a system target. Pure.</summary>
    /// <param name="source">Who calls; <see langword="null"/> if nobody is named.</param>
    /// <param name="interfaceName">What of it is called; <see langword="null"/> if the call does not say.</param>
    /// <param name="methodName">As the call names it.</param>
    /// <param name="access">What clients may call.</param>
    public static string? FindFault(GrainId? source, string? interfaceName, string methodName, ClientAccessOptions access) =>
        methodName == GossipMethod ? $"{methodName} is refused: this silo reads the membership itself."
        : source is { } client && IsOutsideClient(client) && !access.SystemTargets.Contains(interfaceName ?? "")
            ? $"{interfaceName}.{methodName} is not for clients."
        : null;

    /// <summary>Whether a sender is a client outside of all silos.</summary>
    public static bool IsOutsideClient(GrainId sender) =>
        sender.Type == GrainTypePrefix.ClientGrainType && sender.Key.ToString() is { Length: > 0 } key
            && !key.StartsWith(HostedPrefix, StringComparison.Ordinal);

    /// <summary>A sender's name as it may be printed: it is the sender's own choice.</summary>
    public static string Show(GrainId sender)
    {
        var shown = sender.ToString();
        shown = shown.Length <= MaxShownLength ? shown : shown[..MaxShownLength] + "…";
        return string.Create(shown.Length, shown, static (target, text) =>
        {
            for (var index = 0; index < text.Length; index++)
            {
                target[index] = char.IsControl(text[index]) ? '?' : text[index];
            }
        });
    }

    private void TellRefused(string source, string call)
    {
        long count;
        lock (_lock)
        {
            count = _refusals.Note("", call);
        }

        if (count > 0)
        {
            LogRefused(logger, call, source, count);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Refused a call of {Call} by {Source} ({Count} since the last such line)")]
    private static partial void LogRefused(ILogger logger, string call, string source, long count);
}
