namespace Orleans.WireGuard.Linux.Routing;

/// <summary>What may have changed, told from what the kernel said.</summary>
[Flags]
public enum KernelNews
{
    /// <summary>Nothing that concerns us.</summary>
    None = 0,

    /// <summary>A link of ours, or one that has or had the name of one.</summary>
    Devices = 1,

    /// <summary>Our routing table, or the rules that lead into it.</summary>
    Routes = 2,

    /// <summary>A link or route by which peers are reached.</summary>
    Underlay = 4,

    /// <summary>Our nftables table.</summary>
    Firewall = 8,

    /// <summary>Something was said and not understood, or more than was heard: anything may have changed.</summary>
    Lost = 16,

    /// <summary>A rule or route of somebody else that may lead packets of pods past our table.</summary>
    Ways = 32,

    /// <summary>A link of anybody that puts packets into others, by which pods may talk past our devices.</summary>
    Encapsulation = 64,
}
