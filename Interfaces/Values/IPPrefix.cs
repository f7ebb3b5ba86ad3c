using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Orleans.WireGuard;

/// <summary>An IPv4 or IPv6 prefix in CIDR notation, such as <c>10.244.1.0/24</c> or <c>fd00:1::/64</c>.</summary>
/// <remarks>
/// <see cref="IPNetwork"/> of the framework has no Orleans codec and no order; this value has both. Host bits are refused
/// rather than dropped: in a pod CIDR they are a typing error, and a dropped one hides an overlap.
/// </remarks>
[GenerateSerializer(IncludePrimaryConstructorParameters = false), Immutable, Alias("owg.IPPrefix")]
public readonly record struct IPPrefix : ISpanParsable<IPPrefix>, IComparable<IPPrefix>
{
    private const int IPv4Bits = 32;
    private const int IPv6Bits = 128;

    // Left-aligned, so that a prefix compares the same way in both families.
    [Id(0)]
    private readonly UInt128 _bits;

    /// <summary>Makes a prefix.</summary>
    /// <param name="address">The network address; every bit behind <paramref name="length"/> is zero.</param>
    /// <param name="length">0 to 32 for IPv4, 0 to 128 for IPv6.</param>
    /// <exception cref="ArgumentException">The length is out of range, or the address has host bits.</exception>
    public IPPrefix(IPAddress address, int length)
    {
        ArgumentNullException.ThrowIfNull(address);
        IsIPv6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        if (length < 0 || length > (IsIPv6 ? IPv6Bits : IPv4Bits))
        {
            throw new ArgumentException(
                $"{address}/{length}: the length must be from 0 to {(IsIPv6 ? IPv6Bits : IPv4Bits)}.", nameof(length));
        }

        Length = length;
        _bits = ToBits(address);
        if ((_bits & ~Mask(length)) != 0)
        {
            throw new ArgumentException(
                $"{address}/{length} has bits behind its length; did you mean {ToAddress(_bits & Mask(length), IsIPv6)}/{length}?", nameof(
                    address));
        }
    }

    private IPPrefix(UInt128 bits, int length, bool isIPv6) => (_bits, Length, IsIPv6) = (bits, length, isIPv6);

    /// <summary>Number of leading bits that are fixed.</summary>
    [Id(1)]
    public int Length { get; }

    /// <summary>Whether the prefix is IPv6.</summary>
    [Id(2)]
    public bool IsIPv6 { get; }

    /// <summary>
    /// Whether it could have been made by a constructor. A serializer sets fields, so one that came from elsewhere may have bits behind its
    /// length, or no possible length.
    /// </summary>
    public bool IsWellFormed =>
        Length >= 0 && Length <= (IsIPv6 ? IPv6Bits : IPv4Bits) && (_bits & ~Mask(Length)) == 0;

    /// <summary>The network address.</summary>
    public IPAddress Address => ToAddress(_bits, IsIPv6);

    /// <summary>The prefix that holds this one address: /32 or /128.</summary>
    public static IPPrefix Host(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return new IPPrefix(address, address.AddressFamily == AddressFamily.InterNetworkV6 ? IPv6Bits : IPv4Bits);
    }

    /// <summary>Parses CIDR notation; an address without a length is a host prefix.</summary>
    /// <exception cref="FormatException">The text is not a prefix, or has host bits.</exception>
    public static IPPrefix Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Parse(text.AsSpan());
    }

    /// <inheritdoc cref="Parse(string)"/>
    public static IPPrefix Parse(ReadOnlySpan<char> text)
    {
        if (!TrySplit(text, out var address, out var length))
        {
            throw new FormatException($"'{text}' is not a CIDR: expected an address and a length, such as 10.244.1.0/24 or fd00:1::/64.");
        }

        try
        {
            return new IPPrefix(address, length);
        }
        catch (ArgumentException e)
        {
            throw new FormatException($"'{text}' is not a CIDR: {e.Message.Split(" (Parameter", 2)[0]}", e);
        }
    }

    /// <summary>Parses CIDR notation, or returns <see langword="false"/>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out IPPrefix prefix) => TryParse(text.AsSpan(), out prefix);

    /// <inheritdoc cref="TryParse(string?, out IPPrefix)"/>
    public static bool TryParse(ReadOnlySpan<char> text, out IPPrefix prefix)
    {
        prefix = default;
        if (!TrySplit(text, out var address, out var length))
        {
            return false;
        }

        var isIPv6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        if (length > (isIPv6 ? IPv6Bits : IPv4Bits) || (ToBits(address) & ~Mask(length)) != 0)
        {
            return false;
        }

        prefix = new IPPrefix(address, length);
        return true;
    }

    /// <inheritdoc/>
    static IPPrefix IParsable<IPPrefix>.Parse(string s, IFormatProvider? provider) => Parse(s);

    /// <inheritdoc/>
    static IPPrefix ISpanParsable<IPPrefix>.Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => Parse(s);

    /// <inheritdoc/>
    static bool IParsable<IPPrefix>.TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out IPPrefix result) =>
        TryParse(s, out result);

    /// <inheritdoc/>
    static bool ISpanParsable<IPPrefix>.TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out IPPrefix result) =>
        TryParse(s, out result);

    /// <summary>Whether <paramref name="address"/> lies inside. An address of the other family never does.</summary>
    public bool Contains(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return IsIPv6 == (address.AddressFamily == AddressFamily.InterNetworkV6) && (ToBits(address) & Mask(Length)) == _bits;
    }

    /// <summary>Whether all of <paramref name="other"/> lies inside this prefix.</summary>
    public bool Contains(IPPrefix other) => IsIPv6 == other.IsIPv6 && Length <= other.Length && (other._bits & Mask(Length)) == _bits;

    /// <summary>Whether the two prefixes share an address.</summary>
    public bool Overlaps(IPPrefix other) => Contains(other) || other.Contains(this);

    /// <summary>The prefix of a shorter length that this one lies in.</summary>
    /// <param name="length">0 to <see cref="Length"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is out of range.</exception>
    public IPPrefix Shorten(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        return new IPPrefix(_bits & Mask(length), length, IsIPv6);
    }

    /// <summary>The two prefixes, longer by one bit, that this one is made of.</summary>
    /// <exception cref="InvalidOperationException">The prefix is a single address.</exception>
    public (IPPrefix Lower, IPPrefix Upper) Split()
    {
        if (Length == (IsIPv6 ? IPv6Bits : IPv4Bits))
        {
            throw new InvalidOperationException($"{this} is a single address and has no halves.");
        }

        return (new IPPrefix(_bits, Length + 1, IsIPv6), new IPPrefix(
            _bits | (UInt128.One << (IPv6Bits - 1 - Length)), Length + 1, IsIPv6));
    }

    /// <summary>IPv4 before IPv6, then by address, then by length.</summary>
    public int CompareTo(IPPrefix other) =>

        // Not as tuples, whose comparison costs ten times as much: lists of tens of thousands of prefixes are sorted by this.
        IsIPv6 != other.IsIPv6 ? (IsIPv6 ? 1 : -1)
        : _bits != other._bits ? (_bits < other._bits ? -1 : 1)
        : Length.CompareTo(other.Length);

    /// <summary>The address, a slash, the length.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address}/{Length}");

    /// <summary>Whether <paramref name="left"/> sorts before <paramref name="right"/>.</summary>
    public static bool operator <(IPPrefix left, IPPrefix right) => left.CompareTo(right) < 0;

    /// <summary>Whether <paramref name="left"/> sorts after <paramref name="right"/>.</summary>
    public static bool operator >(IPPrefix left, IPPrefix right) => left.CompareTo(right) > 0;

    /// <summary>Whether <paramref name="left"/> does not sort after <paramref name="right"/>.</summary>
    public static bool operator <=(IPPrefix left, IPPrefix right) => left.CompareTo(right) <= 0;

    /// <summary>Whether <paramref name="left"/> does not sort before <paramref name="right"/>.</summary>
    public static bool operator >=(IPPrefix left, IPPrefix right) => left.CompareTo(right) >= 0;

    private static bool TrySplit(ReadOnlySpan<char> text, [NotNullWhen(true)] out IPAddress? address, out int length)
    {
        length = 0;
        var slash = text.IndexOf('/');
        var head = slash < 0 ? text : text[..slash];
        if (!IPAddress.TryParse(head, out address) || address.AddressFamily switch
        {
            // The framework also reads '10.1', the octal '010.0.0.0' and '0x0a.0.0.0'; inet_pton(3) and every CIDR field do not.
            AddressFamily.InterNetwork => !head.SequenceEqual(address.ToString()),

            // And '[::1]', '[::1]:80' and zones.
            AddressFamily.InterNetworkV6 => head.ContainsAny('[', '%'),
            _ => true,
        })
        {
            return false;
        }

        if (slash < 0)
        {
            length = address.AddressFamily == AddressFamily.InterNetworkV6 ? IPv6Bits : IPv4Bits;
            return true;
        }

        return int.TryParse(text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out length);
    }

    private static UInt128 Mask(int length) => length == 0 ? UInt128.Zero : UInt128.MaxValue << (IPv6Bits - length);

    private static UInt128 ToBits(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[IPv6Bits / 8];
        bytes.Clear();
        address.TryWriteBytes(bytes, out _);
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    private static IPAddress ToAddress(UInt128 bits, bool isIPv6)
    {
        Span<byte> bytes = stackalloc byte[IPv6Bits / 8];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, bits);
        return new IPAddress(isIPv6 ? bytes : bytes[..(IPv4Bits / 8)]);
    }
}
