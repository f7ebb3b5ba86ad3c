namespace Orleans.WireGuard;

/// <summary>Who holds a node's current announcement.</summary>
/// <param name="Sequence">The announcement this is about; <see langword="null"/> before the first one.</param>
/// <param name="PublishedAt">When it was given to the PeerGrain.</param>
/// <param name="Receivers">Every other active silo, by node name.</param>
[GenerateSerializer, Immutable, Alias("owg.DeliveryStatus")]
public sealed record DeliveryStatus(
    [property: Id(0)] AnnouncementSequence? Sequence,
    [property: Id(1)] DateTimeOffset? PublishedAt,
    [property: Id(2)] EquatableArray<ReceiverStatus> Receivers);
