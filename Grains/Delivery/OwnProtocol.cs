namespace Orleans.WireGuard.Grains.Delivery;

/// <summary>What this release speaks. Pure, but for its version, which is read once.</summary>
/// <remarks>
/// A release that adds an entry of the extensions, a method or a member of a record takes the next version for <see cref="Range"/>, the
/// former highest for its lowest. What is new it announces where <see cref="MeshProtocol.Effective"/> has come there, and sends to a single
/// silo that has said that it knows it (<see cref="MeshProtocol.Of(SiloAddress, string)"/>). The first one whose lowest is above 2 also has
/// to refuse who answers and says nothing. Numbers of entries, members and codes that went are not used again.
/// <list type="table">
/// <item><term>2</term><description>Signed are the fields of an announcement that are listed in
/// <see cref="AnnouncementEncoding"/>.</description></item>
/// <item><term>3</term><description>Extensions, and each silo says what it speaks.</description></item>
/// <item><term>4</term><description>Addresses of pods have announcements of their own, and are no part of those of keys
/// (<see cref="AddressAnnouncement"/>).</description></item>
/// </list>
/// The variants are other releases, which the upgrade tests build: the next one, the one after it, and one whose announcements everybody
/// else refuses.
/// </remarks>
internal static class OwnProtocol
{
    /// <summary>From this version on, announcements have a block of extensions.</summary>
    public const int WithExtensions = 3;

    /// <summary>From this version on, silos take announcements of addresses.</summary>
    public const int WithAddresses = 4;

#if VARIANT_NEXT
    /// <summary>From this version on, silos greet each other.</summary>
    public const int WithGreeting = 5;

    private const ushort GreetingEntry = 2;
#endif

    /// <summary>The versions of the protocol that this release speaks.</summary>
    public static readonly ProtocolRange Range =
#if VARIANT_NEXT
        new(4, 5);
#elif VARIANT_AFTER_NEXT
        new(5, 6);
#else
        new(2, 4);
#endif

    /// <summary>This program's version, with the commit that it was built from.</summary>
    public static string Version { get; } = ReleaseVersion.TextOfAssembly(typeof(OwnProtocol).Assembly) ?? "unknown";

    /// <summary>What is signed begins with this, so that a signature is valid for nothing else.</summary>
    public static ReadOnlySpan<byte> SignatureContext =>
#if VARIANT_BROKEN
        "orleans-wireguard/announcement/broken\0"u8;
#else
        "orleans-wireguard/announcement/2\0"u8;
#endif

    /// <summary>The same if there are extensions.</summary>
    public static ReadOnlySpan<byte> SignatureContextWithExtensions =>
#if VARIANT_BROKEN
        SignatureContext;
#else
        "orleans-wireguard/announcement/3\0"u8;
#endif

    /// <summary>The same of an announcement of addresses.</summary>
    public static ReadOnlySpan<byte> AddressSignatureContext => "orleans-wireguard/addresses/1\0"u8;

    /// <summary>The extensions that this release announces in a mesh that speaks a version of the protocol.</summary>
    public static EquatableArray<byte> BuildExtensions(int effective)
    {
        if (effective < WithExtensions)
        {
            return [];
        }

        List<(ushort Number, byte[] Value)> entries =
            [(AnnouncementExtensions.ProtocolEntry, AnnouncementExtensions.EncodeProtocol(Range, Version))];
#if VARIANT_NEXT
        if (effective >= WithGreeting)
        {
            entries.Add((GreetingEntry, "hello"u8.ToArray()));
        }
#endif
        return AnnouncementExtensions.Build([.. entries]);
    }

    /// <summary>
    /// Whether a silo can verify an announcement: one that knows no extensions takes what they change for a bad signature.
    /// </summary>
    /// <param name="reader">What that silo said of itself; <see langword="null"/> if it says nothing.</param>
    /// <param name="announcement">The announcement.</param>
    public static bool IsReadable(ProtocolRange? reader, PeerAnnouncement announcement) =>
        announcement.Extensions.Count == 0 || (reader ?? ProtocolRange.Silent).Max >= WithExtensions;
}
