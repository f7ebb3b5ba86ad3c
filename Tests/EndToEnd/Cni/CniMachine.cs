using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;
using Orleans.WireGuard.Tests.Support;
using NetworkNamespace = Orleans.WireGuard.LocalMesh.Processes.NetworkNamespace;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>
/// What a network plugin does to a machine: links, routes, rules, filters, programs. Every kind of cluster is made of these.
/// </summary>
internal sealed class CniMachine(MeshHarness mesh)
{
    /// <summary>Where Debian's <c>containernetworking-plugins</c> are.</summary>
    public const string PluginFolder = "/usr/lib/cni";

    private const string Ingress = "ingress";

    // A mount below the mesh's directory goes with it, and the programs with the mount.
    private readonly string _programs = Path.Combine(mesh.State.Directory, "programs");

    /// <summary>Whether a plugin is installed.</summary>
    public static bool HasPlugin(string name) => File.Exists(Path.Combine(PluginFolder, name));

    /// <summary>Runs commands of <c>ip</c> in a namespace; <see langword="null"/> for the host's, where the underlay is.</summary>
    public static Task IpAsync(string? networkNamespace, IEnumerable<string> commands, CancellationToken token) => RunAsync(
        "ip", [.. networkNamespace is null ? (string[])[] : ["-n", networkNamespace], "-batch", "-"], token, commands);

    /// <summary>Runs commands of <c>bridge</c>, which fills forwarding tables.</summary>
    public static Task BridgeAsync(string networkNamespace, IEnumerable<string> commands, CancellationToken token) =>
        RunInAsync(networkNamespace, ["bridge", "-batch", "-"], token, commands);

    /// <summary>Loads tables of nftables.</summary>
    public static Task FilterAsync(string networkNamespace, string tables, CancellationToken token) =>
        RunInAsync(networkNamespace, ["nft", "-f", "-"], token, [tables]);

    /// <summary>Makes the namespace of a pod, as the runtime does before it calls a plugin.</summary>
    public static async Task CreatePodAsync(string name, CancellationToken token)
    {
        await IpAsync(null, [$"netns add {name}"], token);
        foreach (var link in (string[])["all", "default"])
        {
            Set(name, $"ipv6/conf/{link}/disable_ipv6", 1);
            Set(name, $"ipv4/conf/{link}/rp_filter", 0);
        }

        await IpAsync(name, ["link set lo up"], token);
    }

    /// <summary>Writes a setting below <c>/proc/sys/net</c>, of a namespace or of the host.</summary>
    public static void Set(string? networkNamespace, string setting, int value)
    {
        void Write() => File.WriteAllText("/proc/sys/net/" + setting, value.ToString(CultureInfo.InvariantCulture));
        if (networkNamespace is null)
        {
            Write();
        }
        else
        {
            NetworkNamespace.Run(networkNamespace, Write);
        }
    }

    /// <summary>Lets a link answer for addresses behind other links at once, as the network below a cloud's nodes delivers them.</summary>
    public static void AnswerForOthers(string networkNamespace, string link)
    {
        Set(networkNamespace, $"ipv4/conf/{link}/proxy_arp", 1);
        Set(networkNamespace, $"ipv4/neigh/{link}/proxy_delay", 0);
    }

    /// <summary>Calls a plugin as a container runtime does: variables, and the configuration on standard input.</summary>
    /// <param name="command">ADD or DEL.</param>
    /// <param name="node">In whose namespace it runs.</param>
    /// <param name="slot">The pod.</param>
    /// <param name="configuration">As a file of <c>/etc/cni/net.d</c>.</param>
    /// <param name="token">Ends it.</param>
    /// <returns>The result; empty after DEL.</returns>
    public static async Task<JsonObject> CallAsync(
        string command, NodePlan node, int slot, JsonObject configuration, CancellationToken token)
    {
        var pod = CniPlan.NamespaceOf(node, slot);
        var result = await Command.RunAsync(
            "nsenter",
            ["--net=" + NetworkNamespace.HandleOf(node.Namespace), Path.Combine(PluginFolder, (string)configuration["type"]!)],
            token,
            configuration.ToJsonString(),
            new Dictionary<string, string?>
            {
                ["CNI_COMMAND"] = command,
                ["CNI_CONTAINERID"] = pod,
                ["CNI_NETNS"] = NetworkNamespace.HandleOf(pod),
                ["CNI_IFNAME"] = TopologyCommands.PodLink,
                ["CNI_PATH"] = PluginFolder,
            });
        return result.EnsureSuccess().Output is { Length: > 0 } output ? JsonNode.Parse(output)!.AsObject() : [];
    }

    /// <summary>Where a plugin keeps which addresses of a node are taken.</summary>
    public string AllocationFolder(NodePlan node) => Path.Combine(mesh.State.NodeDirectory(node), "cni");

    /// <summary>Attaches a program to what comes in by a link, or to what leaves by it.</summary>
    /// <param name="node">Whose link.</param>
    /// <param name="link">Its name.</param>
    /// <param name="name">The program's name on that node: one that is there already is attached once more.</param>
    /// <param name="program">Makes it.</param>
    /// <param name="token">Stops it.</param>
    /// <param name="direction"><c>ingress</c> or <c>egress</c>.</param>
    public async Task AttachAsync(
        NodePlan node, string link, string name, Func<byte[]> program, CancellationToken token, string direction = Ingress)
    {
        await EnsureProgramsAsync(token);
        var file = Path.Combine(_programs, $"{node.Name}-{name}");
        if (!File.Exists(file))
        {
            BpfProgram.Pin(program(), file);
        }

        // The place for programs is there already if the link has one.
        _ = await Command.RunAsync("nsenter", [In(node.Namespace), "tc", "qdisc", "add", "dev", link, "clsact"], token);
        await RunInAsync(
            node.Namespace, ["tc", "filter", "add", "dev", link, direction, "bpf", "direct-action", "object-pinned", file], token);
    }

    /// <summary>The number of a link, by which a program names it.</summary>
    public static async Task<int> IndexAsync(NodePlan node, string link, CancellationToken token)
    {
        var result = await Command.RunAsync("ip", ["-n", node.Namespace, "-j", "link", "show", "dev", link], token);
        using var document = JsonDocument.Parse(result.EnsureSuccess().Output);
        return document.RootElement[0].GetProperty("ifindex").GetInt32();
    }

    private async Task EnsureProgramsAsync(CancellationToken token)
    {
        if (!Directory.Exists(_programs))
        {
            Directory.CreateDirectory(_programs);
            await RunAsync("mount", ["-t", "bpf", "owg-programs", _programs], token);
        }
    }

    private static string In(string networkNamespace) => "--net=" + NetworkNamespace.HandleOf(networkNamespace);

    private static Task RunInAsync(
        string networkNamespace, IEnumerable<string> command, CancellationToken token, IEnumerable<string>? input = null) =>
        RunAsync("nsenter", [In(networkNamespace), .. command], token, input);

    private static async Task RunAsync(
        string program, IEnumerable<string> arguments, CancellationToken token, IEnumerable<string>? input = null) =>
        (await Command.RunAsync(program, arguments, token, input is null ? null : string.Join('\n', input) + "\n")).EnsureSuccess();
}
