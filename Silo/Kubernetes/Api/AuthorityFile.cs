using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Orleans.WireGuard.Api;

/// <summary>Judges a server's certificate by the authorities that a file holds at that moment.</summary>
/// <remarks>
/// The kubelet replaces <c>ca.crt</c> when the cluster's authority is rotated: a silo that read it once would lose the API server then, and
/// no restart of a silo should be needed for that. One small file for each TLS handshake, of which there are few.
/// </remarks>
internal sealed class AuthorityFile(string path)
{
    /// <summary>For <see cref="SslClientAuthenticationOptions.RemoteCertificateValidationCallback"/>.</summary>
    public bool Accepts(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        // Another name or no certificate at all cannot be cured by an authority.
        if (certificate is not X509Certificate2 server || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
        {
            return false;
        }

        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(path);
        using var judged = new X509Chain();
        judged.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        judged.ChainPolicy.CustomTrustStore.AddRange(authorities);
        judged.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;

        // The file is all there is to trust; nothing is fetched from where a certificate says.
        judged.ChainPolicy.DisableCertificateDownloads = true;
        foreach (var element in chain?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
        {
            judged.ChainPolicy.ExtraStore.Add(element.Certificate);
        }

        return judged.Build(server);
    }
}
