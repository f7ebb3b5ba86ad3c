using System.Globalization;

namespace Orleans.WireGuard.Grains.Reasons;

/// <summary>Why a key was not made, in words. Pure.</summary>
internal static class RotationReasonText
{
    /// <summary>Why a node depends on a key, in half a sentence about "it".</summary>
    public static string Describe(LaggingNode lagging) => lagging.Reason switch
    {
        LaggingReason.WouldNotLearnKey => "its silo does not answer, so it would not learn the new key",
        LaggingReason.PathUnknown => "its silo does not answer, and nobody knows through which slot it sends",
        LaggingReason.Sends => $"it sends through slot {lagging.Slot}; no handshake with it was completed on the other slot",
        LaggingReason.SentLast => $"its silo does not answer, and it sent through slot {lagging.Slot} when it last did",
        LaggingReason.NoOtherHandshake => "it had shaken hands on no other slot when it last answered",
        LaggingReason.MayMove =>
            $"it may still move to slot {lagging.Slot}: its other key or ours serves no later epoch, or it has not heard which epochs ours serve",
        LaggingReason.PacketsArrive => $"packets of it still come in through slot {lagging.Slot}",
        LaggingReason.IsSentTo => $"this node still sends to it through slot {lagging.Slot}",
        var reason => NodeProblemText.Unknown("reason", (int)reason),
    };

    /// <summary>What became of a key that was due.</summary>
    public static string Describe(RotationProblem problem)
    {
        // Another version may name nobody.
        var who = (problem.FirstLagging is { } first ? $"{first.NodeName}: {Describe(first)}" : "somebody")
            + (problem.LaggingPeers > 1 ? Text($", and {problem.LaggingPeers - 1} more") : "");
        return problem.Code switch
        {
            RotationProblemCode.Waits => who,
            RotationProblemCode.Kept => $"kept the key for another turn, because it would cut off {who}",
            RotationProblemCode.TooManyLagging => Text(
                $"ROTATION IS FROZEN: the key is older than {problem.MaxKeyAge}, and replacing it would cut off {problem.LaggingPeers} of {problem.LivePeers} live peers, ")
                + Text($"more than {problem.MaxLaggingFraction:P0}. {who}"),
            RotationProblemCode.Replaced => Text($"replaced a key older than {problem.MaxKeyAge} although that cuts off {who}"),
            var code => $"{NodeProblemText.Unknown("problem", (int)code)}; {who}",
        };
    }

    /// <summary>Why a node refuses a key, and when to ask again.</summary>
    public static string Describe(RotationRefusal refusal) => refusal.Code switch
    {
        RotationRefusalCode.Frozen => Text($"'{refusal.NodeName}' is frozen until {refusal.Until:u}; unfreeze it first."),
        RotationRefusalCode.HasKey => Text(
            $"'{refusal.NodeName}' has the key of the next epoch already; the one after it can be brought forward from {refusal.Until:u} on."),
        RotationRefusalCode.PeersDepend =>
            $"Peers still depend on the key that '{refusal.NodeName}' would replace. {(refusal.Problem is { } problem ? Describe(problem) + ". " : "")}Try again later.",
        var code => $"'{refusal.NodeName}' refuses: {NodeProblemText.Unknown("reason", (int)code)}.",
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
