namespace Orleans.WireGuard.Grains.Rotation;

/// <summary>Where a turn is. Each stage is entered once, in this order.</summary>
internal enum TurnStage
{
    /// <summary>The keys that the devices had are taken over, or the first ones made.</summary>
    Settling,

    /// <summary>Keys are made that somebody waits for.</summary>
    Answering,

    /// <summary>The key that is due is replaced or kept.</summary>
    Replacing,

    /// <summary>Keys are made for peers that have one in none of our slots.</summary>
    Sharing,

    /// <summary>The key is destroyed whose slot had its turn and is quiet.</summary>
    Retiring,

    /// <summary>What has changed is announced.</summary>
    Announcing,

    /// <summary>Nothing is left to do.</summary>
    Over,
}
