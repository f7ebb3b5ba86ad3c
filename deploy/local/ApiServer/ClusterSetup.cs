using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.ApiServer;

/// <summary>
/// What <c>deploy/base</c> puts into a cluster, as far as processes outside of it need it: definition, account, rights, and a token.
/// </summary>
/// <remarks>Read from the files that an operator applies, so that the silos of a demo have exactly the rights of the DaemonSet's.</remarks>
internal sealed class ClusterSetup(IKubernetes client, MeshPlan plan, string sourceDirectory)
{
    private const string AccountName = "orleans-wireguard";

    // Longer than a demo lasts; a server may grant less.
    private const int TokenSeconds = 24 * 60 * 60;

    /// <summary>Namespace of membership and account; another one each time, since the last one may still be ending, or never end.</summary>
    public string Namespace { get; } = $"{plan.Prefix}-local-{Guid.NewGuid():N}"[..(plan.Prefix.Length + 13)];

    private string ClusterRoleName => $"{Namespace}-nodes";

    /// <summary>Installs everything; what is there already stays.</summary>
    public async Task InstallAsync(CancellationToken cancellationToken)
    {
        var definition = KubernetesYaml.Deserialize<V1CustomResourceDefinition>(
            await ReadAsync("crds/orleansclusters.yaml", cancellationToken));
        await KeepAsync(() => client.ApiextensionsV1.CreateCustomResourceDefinitionAsync(definition, cancellationToken: cancellationToken));
        await KeepAsync(() => client.CoreV1.CreateNamespaceAsync(
            new V1Namespace { Metadata = new() { Name = Namespace } }, cancellationToken: cancellationToken));
        foreach (var item in await LoadAsync(cancellationToken))
        {
            await KeepAsync(() => item switch
            {
                V1ServiceAccount account =>
                    client.CoreV1.CreateNamespacedServiceAccountAsync(account, Namespace, cancellationToken: cancellationToken),
                V1Role role => client.RbacAuthorizationV1.CreateNamespacedRoleAsync(role, Namespace, cancellationToken: cancellationToken),
                V1RoleBinding binding =>
                    client.RbacAuthorizationV1.CreateNamespacedRoleBindingAsync(binding, Namespace, cancellationToken: cancellationToken),
                V1ClusterRole role => client.RbacAuthorizationV1.CreateClusterRoleAsync(role, cancellationToken: cancellationToken),
                V1ClusterRoleBinding binding =>
                    client.RbacAuthorizationV1.CreateClusterRoleBindingAsync(binding, cancellationToken: cancellationToken),
                _ => throw new MeshFailedException($"deploy/base has a {item.GetType().Name}, which a local mesh cannot install."),
            });
        }
    }

    /// <summary>A token of the account.</summary>
    public async Task<string> CreateTokenAsync(CancellationToken cancellationToken)
    {
        var request = new Authenticationv1TokenRequest { Spec = new() { Audiences = [], ExpirationSeconds = TokenSeconds } };
        return (await client.CoreV1.CreateNamespacedServiceAccountTokenAsync(
            request, AccountName, Namespace, cancellationToken: cancellationToken)).Status.Token;
    }

    /// <summary>Removes what <see cref="InstallAsync"/> made, but not the definition, on which other meshes may rely.</summary>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await ForgetAsync(
            () => client.RbacAuthorizationV1.DeleteClusterRoleBindingAsync(ClusterRoleName, cancellationToken: cancellationToken));
        await ForgetAsync(() => client.RbacAuthorizationV1.DeleteClusterRoleAsync(ClusterRoleName, cancellationToken: cancellationToken));
        await ForgetAsync(() => client.CoreV1.DeleteNamespaceAsync(Namespace, cancellationToken: cancellationToken));
    }

    private async Task<IEnumerable<IKubernetesObject<V1ObjectMeta>>> LoadAsync(CancellationToken cancellationToken)
    {
        var items = KubernetesYaml.LoadAllFromString(
                await ReadAsync("base/serviceaccount.yaml", cancellationToken)
                    + "\n---\n" + await ReadAsync("base/rbac.yaml", cancellationToken))
            .Cast<IKubernetesObject<V1ObjectMeta>>().ToList();

        // What is for AKS' own namespace has no object here to be about.
        items.RemoveAll(item => item.Metadata.NamespaceProperty == "kube-system");

        // Cluster-wide names are the demo's own, so that it never changes the rights of a real installation.
        foreach (var item in items)
        {
            item.Metadata.NamespaceProperty = item is V1ClusterRole or V1ClusterRoleBinding ? null : Namespace;
            switch (item)
            {
                case V1ClusterRole:
                    item.Metadata.Name = ClusterRoleName;
                    break;
                case V1ClusterRoleBinding binding:
                    binding.Metadata.Name = binding.RoleRef.Name = ClusterRoleName;
                    binding.Subjects[0].NamespaceProperty = Namespace;
                    break;
                case V1RoleBinding binding:
                    binding.Subjects[0].NamespaceProperty = Namespace;
                    break;
            }
        }

        return items;
    }

    private Task<string> ReadAsync(string file, CancellationToken cancellationToken) =>
        File.ReadAllTextAsync(Path.Combine(sourceDirectory, "deploy", file), cancellationToken);

    private static async Task KeepAsync(Func<Task> create)
    {
        try
        {
            await create();
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Conflict)
        {
            // From an earlier demo, or from an installation.
        }
    }

    private static async Task ForgetAsync(Func<Task> delete)
    {
        try
        {
            await delete();
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
        {
            // Gone, or on its way: the namespace of a server without a namespace controller stays on its way for ever.
        }
    }
}
