using Orleans.Concurrency;

namespace Orleans.WireGuard.Grains;

/// <summary>What the silo's own parts ask of their NodeGrain. Not for integrators.</summary>
[Alias("owg.INodeKeeper")]
internal interface INodeKeeper : IGrainWithStringKey
{
    /// <summary>Adopts the key of the device, or makes the first one. Called once when the silo has become active.</summary>
    [Alias("Begin"), AlwaysInterleave]
    Task Begin();

    /// <summary>
    /// Announces again above <paramref name="sequence"/>, which somebody holds of this node, unless that was done already.
    /// </summary>
    [Alias("AnnounceAbove"), AlwaysInterleave]
    Task AnnounceAbove(AnnouncementSequence sequence);

    /// <summary>
    /// Announces above what a former silo of this node made (<see cref="Delivery.OwnAnnouncement.FormerSelf"/>), and learns from it in
    /// which epoch a key was made that this silo found on the device.
    /// </summary>
    [Alias("MeetFormerSelf"), AlwaysInterleave]
    Task MeetFormerSelf();

    /// <summary>
    /// Looks whether there is something else to announce: the node's own addresses or pod CIDRs changed, or another node has keys in none
    /// of its slots (<see cref="Rotation.SlotSharing"/>).
    /// </summary>
    [Alias("AnnounceAgain"), AlwaysInterleave]
    Task AnnounceAgain();
}
