namespace Orleans.WireGuard.Api;

/// <summary>To whom this process may send its token. Pure.</summary>
/// <remarks>
/// Whoever may change our ConfigMap, or the file that a setting names, must not get the token of the service account by it. So it goes over
/// TLS, and in a pod to the pod's own API server only: the address, the authorities and the token of a pod come from the kubelet and not
/// from a setting.
/// </remarks>
internal static class ApiTargetRules
{
    /// <summary>What is wrong with the settings, each in a sentence that says what to do.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="pod">The pod in which this process runs; null outside of pods.</param>
    public static IReadOnlyList<string> FindFaults(KubernetesApiOptions options, PodIdentity? pod)
    {
        List<string> faults = [];
        if (pod is null)
        {
            if (options.Address is { } address)
            {
                faults.AddRange(FindFault(address.OriginalString, "Kubernetes:Address is"));
            }

            return faults;
        }

        if (options.Address is { } other && other != pod.Server)
        {
            faults.Add(
                $"Kubernetes:Address is \"{other.OriginalString}\", but in a pod the token goes to the pod's own API server only{(pod.Server is { } own ? $" ({own})" : "")}: "
                + $"remove the setting. To reach that server by another address, set {PodIdentity.HostVariable} and {PodIdentity.PortVariable} on the container.");
        }

        Check(options.TokenFile, PodIdentity.TokenFile, "TokenFile", "mount the service account's token");
        Check(options.CertificateAuthorityFile, PodIdentity.AuthorityFile, "CertificateAuthorityFile", "the authorities come with the service account");
        Check(options.KubeConfigPath, null, "KubeConfigPath", "a pod has a service account instead");
        return faults;

        void Check(string? value, string? own, string setting, string remedy)
        {
            if (!string.IsNullOrEmpty(value) && value != own)
            {
                faults.Add($"Kubernetes:{setting} is \"{value}\", but this is a pod, and what is not its own is not used: remove the setting; {remedy}.");
            }
        }
    }

    /// <summary>What is wrong with the address of a server, wherever it comes from; empty if nothing is.</summary>
    /// <param name="server">The address as it is written.</param>
    /// <param name="subject">How the sentence begins.</param>
    public static IReadOnlyList<string> FindFault(string server, string subject = "The address of the API server is") =>
        Uri.TryCreate(server, UriKind.Absolute, out var address)
            && (address.Scheme == Uri.UriSchemeHttps || (address.Scheme == Uri.UriSchemeHttp && address.IsLoopback))
            ? []
            : [$"{subject} \"{server}\", to which our token would go in clear: expected https://HOST:PORT, or http on loopback."];
}
