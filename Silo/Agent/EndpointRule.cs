using System.Net;

namespace Orleans.WireGuard.Silo.Agent;

/// <summary>Where a device shall send to for a peer: whether to keep the endpoint that WireGuard has, or to set another. Pure.</summary>
/// <remarks>
/// WireGuard follows a peer to wherever its last authentic packet came from, which may be what the peer announced to nobody: it is behind
/// NAT, or sends from its second address. That is an answer, and an announcement is only a guess. So what works is left alone (Talos,
/// <c>ShouldChangeEndpoint</c>):
/// <code>
///                      never heard      up              down
/// no endpoint          first            first           first
/// announced            keep             keep            keep
/// not announced        first            keep            first
/// announced no more    first            first           first      if the device has it only because it was announced
/// without an answer    next             next            next       of those announced, over and over
/// set by somebody      the former one, as WireGuard left it
/// </code>
/// </remarks>
internal static class EndpointRule
{
    /// <summary>The endpoint that the device shall have; <see langword="null"/> if there is none to have.</summary>
    /// <param name="candidates">What the peer announced and this node has a route to, in order of preference.</param>
    /// <param name="current">What the device has.</param>
    /// <param name="state">Of the peer: <see cref="PeerState.Unknown"/> if it was never heard.</param>
    /// <param name="isWithdrawn">Whether <paramref name="current"/> was announced when this node last looked, and is not any more.</param>
    /// <param name="isUnanswered">Whether what was sent to <paramref name="current"/> stayed without an answer.</param>
    /// <param name="former">What the device had before somebody else set another; <see langword="null"/> if nobody did.</param>
    public static IPEndPoint? Choose(
        EquatableArray<IPEndPoint> candidates, IPEndPoint? current,
        PeerState state, bool isWithdrawn, bool isUnanswered, IPEndPoint? former)
    {
        if (former is not null)
        {
            return former;
        }

        if (current is null || candidates.Count == 0)
        {
            return candidates.Count == 0 ? current : candidates[0];
        }

        var index = candidates.ToList().IndexOf(current);
        return isUnanswered ? candidates[(index + 1) % candidates.Count]
            : index >= 0 || (state == PeerState.Up && !isWithdrawn) ? current
            : candidates[0];
    }
}
