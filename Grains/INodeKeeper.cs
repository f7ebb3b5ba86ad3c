namespace Orleans.WireGuard.Grains;

/// <summary>What the silo's own parts ask of their NodeGrain. Not for integrators.</summary>
[Alias("owg.INodeKeeper")]
internal interface INodeKeeper : IGrainWithStringKey
{
    /// <summary>Makes the first key if there is none. Called once when the silo has become active.</summary>
    [Alias("Begin")]
    Task Begin();

    /// <summary>Announces again above <paramref name="sequence"/>, which somebody holds of this node, unless that was done already.</summary>
    [Alias("AnnounceAbove")]
    Task AnnounceAbove(AnnouncementSequence sequence);

    /// <summary>Announces again because the node's own addresses or pod CIDRs changed.</summary>
    [Alias("AnnounceAgain")]
    Task AnnounceAgain();
}
