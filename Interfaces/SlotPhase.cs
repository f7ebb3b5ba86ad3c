namespace Orleans.WireGuard;

/// <summary>Where a slot is in its life.</summary>
public enum SlotPhase
{
    /// <summary>It has no key: the last one was destroyed.</summary>
    Idle,

    /// <summary>It has a key, and no traffic yet: peers are agreeing on it.</summary>
    Keyed,

    /// <summary>It has the latest key and carries traffic.</summary>
    Carrying,

    /// <summary>The other slot has a later key; peers are moving off this one, or it waits to become quiet.</summary>
    Draining,
}
