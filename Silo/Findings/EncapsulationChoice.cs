using System.Globalization;

namespace Orleans.WireGuard.Silo.Findings;

/// <summary>
/// Which packets of the node's own data plane are led through the tunnels as they are packed
/// (<see cref="EncryptionOptions.Encapsulation"/>).
/// </summary>
/// <param name="IsAuto">Whether the node's links tell.</param>
/// <param name="Packets">What the setting names otherwise; empty for none.</param>
internal sealed record EncapsulationChoice(bool IsAuto, EquatableArray<Encapsulation> Packets)
{
    private const string Automatic = "Auto";
    private const string Nothing = "Off";
    private const string IPInIP = "ipip";

    /// <summary>Whether nothing is led.</summary>
    public bool IsOff => !IsAuto && Packets.Count == 0;

    /// <summary>Reads the setting.</summary>
    /// <returns><see langword="null"/> if it is none.</returns>
    public static EncapsulationChoice? TryParse(string text)
    {
        var words = text.Split(',', StringSplitOptions.TrimEntries);
        if (words is [var word] && (Is(word, Automatic) || Is(word, Nothing)))
        {
            return new EncapsulationChoice(Is(word, Automatic), []);
        }

        var packets = words.Select(TryParsePacket).ToList();
        return packets.Contains(null) || packets.Distinct().Count() > AddressAnnouncement.MaxEncapsulations
            ? null
            : new EncapsulationChoice(IsAuto: false, packets.OfType<Encapsulation>().Distinct().Order(Order).ToEquatableArray());
    }

    /// <summary>The order in which they are kept and announced.</summary>
    public static IComparer<Encapsulation> Order { get; } =
        Comparer<Encapsulation>.Create((left, right) => (left.Protocol, left.Port).CompareTo((right.Protocol, right.Port)));

    private static Encapsulation? TryParsePacket(string word) =>
        Is(word, IPInIP) ? Encapsulation.IPInIP
        : ushort.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port != 0 ? Encapsulation.Udp(port)
        : null;

    private static bool Is(string word, string other) => word.Equals(other, StringComparison.OrdinalIgnoreCase);
}
