namespace Orleans.WireGuard.Silo.Agent;

/// <summary>The names of our devices (<see cref="DeviceOptions.Names"/>).</summary>
/// <param name="Zero">That of slot 0.</param>
/// <param name="One">That of slot 1.</param>
internal sealed record DeviceNames(string Zero, string One)
{
    /// <summary>
    /// What all names begin with. Cilium takes links of such names for its own and leaves them out when it looks for the node's.
    /// </summary>
    public const string Prefix = "cilium_";

    /// <summary>The names unless somebody says otherwise: operators of Cilium know the first one.</summary>
    public static DeviceNames Default { get; } = new("cilium_wg0", "cilium_wg1");

    /// <summary>Both.</summary>
    public IReadOnlyList<string> All { get; } = [Zero, One];

    /// <summary>The name of a slot's device.</summary>
    public string Of(Slot slot) => slot == Slot.Zero ? Zero : One;

    /// <summary>Whether a link has the name of one of our devices.</summary>
    public bool Contains(string name) => name == Zero || name == One;
}
