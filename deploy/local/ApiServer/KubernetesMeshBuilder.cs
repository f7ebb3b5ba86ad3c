using System.Text.Json.Nodes;
using k8s;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Setup;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.LocalMesh.ApiServer;

/// <summary>A mesh whose membership and nodes are in an API server, on machines that are there before they are nodes.</summary>
internal sealed class KubernetesMeshBuilder : IAsyncDisposable
{
    private readonly MeshHarness _mesh;
    private readonly TimeSpan _period;
    private readonly Kubernetes _client;
    private readonly ClusterSetup _setup;

    private KubernetesMeshBuilder(MeshHarness mesh, OwnedProcess server, TimeSpan period)
    {
        (_mesh, Server, _period) = (mesh, server, period);
        _client = Connect(mesh.State);
        Objects = new NodeObjects(_client);
        _setup = new ClusterSetup(
            _client, mesh.Plan, SiloBuild.FindSourceDirectory()
                ?? throw new PrerequisiteException("deploy/base is not there: expected to run from a clone of the project."));
    }

    /// <summary>The API server.</summary>
    public OwnedProcess Server { get; }

    /// <summary>Where it listens.</summary>
    public Uri ServerAddress => _client.BaseUri;

    /// <summary>Namespace of membership and account.</summary>
    public string MembershipNamespace => _setup.Namespace;

    /// <summary>The node objects.</summary>
    public NodeObjects Objects { get; }

    /// <summary>Starts the API server and installs what silos need in it.</summary>
    /// <param name="mesh">Machines without silos.</param>
    /// <param name="kubeConfig">A cluster to use; <see langword="null"/> for the test API server alone.</param>
    /// <param name="period">Length of an epoch.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MeshFailedException">The API server did not start.</exception>
    public static async Task<KubernetesMeshBuilder> CreateAsync(
        MeshHarness mesh, string? kubeConfig, TimeSpan period, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var server = await ApiServerProcess.StartAsync(mesh, kubeConfig, timeProvider, cancellationToken);
        var builder = new KubernetesMeshBuilder(mesh, server, period);
        try
        {
            await builder._setup.InstallAsync(cancellationToken);
            await File.WriteAllTextAsync(
                mesh.State.ApiToken, await builder._setup.CreateTokenAsync(cancellationToken) + "\n", cancellationToken);
            await File.WriteAllTextAsync(mesh.State.ApiAuthority, Authority(mesh.State), cancellationToken);
            foreach (var node in mesh.Plan.Nodes)
            {
                await File.WriteAllTextAsync(
                    mesh.State.NodeObject(node), KubernetesJson.Serialize(NodeObjects.Create(mesh.Plan, node)) + "\n", cancellationToken);
            }

            return builder;
        }
        catch
        {
            await builder.DisposeAsync();
            throw;
        }
    }

    /// <summary>A client for the API server of a running mesh.</summary>
    /// <exception cref="FileNotFoundException">None runs.</exception>
    public static Kubernetes Connect(MeshState state) => File.Exists(state.KubeConfig)
        ? new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(state.KubeConfig))
        : throw new FileNotFoundException(
            $"No API server of a local mesh runs (there is no {state.KubeConfig}); is 'make demo-kubernetes' running?");

    /// <summary>Writes the configuration of a node's silo.</summary>
    public void Configure(NodePlan node)
    {
        var configuration = SiloConfiguration.Create(_mesh.Plan, node, _period);
        configuration["Node"]!["Address"] = node.Address.ToString();
        configuration.Remove("Nodes");
        configuration["Clustering"]!["Provider"] = "Kubernetes";
        configuration["Clustering"]!.AsObject().Remove("Redis");
        configuration["Kubernetes"] = new JsonObject
        {
            ["Address"] = _client.BaseUri.ToString(),
            ["TokenFile"] = _mesh.State.ApiToken,
            ["CertificateAuthorityFile"] = _mesh.State.ApiAuthority,
            ["Namespace"] = _setup.Namespace,
        };
        File.WriteAllText(_mesh.State.SiloConfiguration(node), configuration.ToJsonString() + "\n");
    }

    /// <summary>Removes from the cluster what the mesh made there. Not cancellable, but bounded by the client's time limits.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await Objects.DeleteAllAsync(_mesh.Plan, CancellationToken.None);
            await _setup.RemoveAsync(CancellationToken.None);
        }
        catch (HttpRequestException)
        {
            // The server is gone, and what it stored with it.
        }
        finally
        {
            _client.Dispose();
        }
    }

    private static string Authority(MeshState state)
    {
        var configuration = KubernetesClientConfiguration.BuildConfigFromConfigFile(state.KubeConfig);
        return string.Concat(configuration.SslCaCerts.Select(certificate => certificate.ExportCertificatePem() + "\n"));
    }
}
