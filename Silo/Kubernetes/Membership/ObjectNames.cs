using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Orleans.WireGuard.Api;

namespace Orleans.WireGuard.Membership;

/// <summary>Names of our objects: valid for any cluster id and any silo address, and never shared by two of them. Pure.</summary>
/// <remarks>
/// An object name is an RFC 1123 subdomain (a-z, 0-9, '-', '.', at most 253 characters); a label value has at most 63 characters.
/// See https://kubernetes.io/docs/concepts/overview/working-with-objects/names/.
/// </remarks>
internal static class ObjectNames
{
    /// <summary>Label and annotation prefix of everything we write.</summary>
    public const string Prefix = "orleans.wireguard/";

    /// <summary>Label of a lease: name of the object of its cluster.</summary>
    public const string ClusterLabel = Prefix + "cluster";

    /// <summary>Annotation of the cluster's object: table version, for watches that see metadata only.</summary>
    public const string VersionAnnotation = Prefix + "table-version";

    private const int HashLength = 10;

    /// <summary>
    /// Name of the object that holds the membership of <paramref name="clusterId"/>: the id itself if it is a DNS label, else what is left
    /// of it plus a hash of it. At most 63 characters, so that it is a label value too.
    /// </summary>
    /// <exception cref="ArgumentException">The id is empty.</exception>
    public static string Cluster(string clusterId)
    {
        ArgumentException.ThrowIfNullOrEmpty(clusterId);
        return DnsLabel.IsValid(clusterId) ? clusterId : Readable(clusterId, DnsLabel.MaxLength - HashLength - 1) + Hash(clusterId);
    }

    /// <summary>
    /// Name of the lease of <paramref name="silo"/>. The hash stands between the two variable parts, so that no cluster id can be
    /// continued into the address of another cluster's silo.
    /// </summary>
    public static string Lease(string clusterId, SiloAddress silo)
    {
        var address = silo.Endpoint.Address;
        var ip = address.AddressFamily == AddressFamily.InterNetworkV6
            ? address.ToString().Replace(':', '-').Replace("%", "-z", StringComparison.Ordinal).ToLowerInvariant()
            : address.ToString();
        return string.Create(
            CultureInfo.InvariantCulture, $"{Readable(clusterId, 40)}{Hash(clusterId)}-{ip}-{silo.Endpoint.Port}-{silo.Generation}");
    }

    // Everything that is not allowed becomes '-', with no '-' at the start; ends with '-' unless it is empty.
    private static string Readable(string text, int maxLength)
    {
        var builder = new StringBuilder(Math.Min(text.Length, maxLength) + 1);
        foreach (var character in text.ToLowerInvariant())
        {
            var allowed = char.IsAsciiLetterLower(character) || char.IsAsciiDigit(character);
            if (builder.Length < maxLength && (allowed || (builder.Length > 0 && builder[^1] != '-')))
            {
                builder.Append(allowed ? character : '-');
            }
        }

        return builder.Length == 0 || builder[^1] == '-' ? builder.ToString() : builder.Append('-').ToString();
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..HashLength];
}
