using System.Net;
using Orleans.WireGuard.LocalMesh.Processes;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>
/// A kind whose pods have a cable and one address each, which their node routes to; its plugin is known for that, not in Debian.
/// </summary>
internal abstract class CableKind : CniKind
{
    private const string PodLink = TopologyCommands.PodLink;

    /// <summary>
    /// Of every cable's end at a node, as Calico has one for all. Packets that are unpacked on another node bear it too, and where a link
    /// has
    /// it they are taken for the node's own.
    /// </summary>
    protected const string Hardware = "02:ca:b1:e0:00:00";

    /// <summary>Where such pods send everything: nobody has the address, the node's end of the cable answers for it.</summary>
    protected static readonly IPAddress LinkLocalGateway = IPAddress.Parse("169.254.1.1");

    /// <summary>Before the number in the name of a cable's end at the node.</summary>
    protected abstract string LinkPrefix { get; }

    /// <summary>Whether the node answers when the pod asks for its gateway; otherwise the pod knows.</summary>
    protected virtual bool AnswersForGateway => false;

    /// <inheritdoc/>
    public override async Task<IPAddress> AddAsync(CniMachine machine, NodePlan node, int slot, CancellationToken token)
    {
        var pod = new CniPod(node, slot, AddressOf(node, slot));
        var (link, gateway) = (LinkOf(pod), GatewayOf(node));
        await CniMachine.IpAsync(
            node.Namespace,
            [$"link add {link} address {Hardware} mtu {PodMtu} type veth peer name {PodLink} mtu {PodMtu} netns {pod.Namespace}"],
            token);
        if (AnswersForGateway)
        {
            CniMachine.AnswerForOthers(node.Namespace, link);
        }

        await CniMachine.IpAsync(
            pod.Namespace,
            [
                $"address add {pod.Address}/32 dev {PodLink}",
                $"link set {PodLink} up",
                .. AnswersForGateway ? (string[])[] : [$"neigh add {gateway} lladdr {Hardware} dev {PodLink} nud permanent"],
                $"route add {gateway} dev {PodLink} scope link",
                $"route add default via {gateway} dev {PodLink}",
            ],
            token);
        await PrepareAsync(machine, pod, () => CniMachine.IpAsync(node.Namespace, [$"link set {link} up"], token), token);
        await CniMachine.IpAsync(node.Namespace, [$"route add {pod.Address}/32 dev {link} scope link", .. Attached(pod)], token);
        await UntilUpAsync(node.Namespace, link, token);
        await UntilUpAsync(pod.Namespace, PodLink, token);
        return pod.Address;
    }

    /// <inheritdoc/>
    public override Task RemoveAsync(CniMachine machine, CniPod pod, CancellationToken token) =>
        CniMachine.IpAsync(pod.Node.Namespace, [.. Detached(pod), $"link delete {LinkOf(pod)}"], token);

    /// <summary>The address of a place.</summary>
    protected abstract IPAddress AddressOf(NodePlan node, int slot);

    /// <summary>Where the pods of a node send everything.</summary>
    protected virtual IPAddress GatewayOf(NodePlan node) => LinkLocalGateway;

    /// <summary>Commands of <c>ip</c> for a pod besides its route.</summary>
    protected virtual IEnumerable<string> Attached(CniPod pod) => [];

    /// <summary>What takes <see cref="Attached"/> back.</summary>
    protected virtual IEnumerable<string> Detached(CniPod pod) => [];

    /// <summary>Brings a cable up; programs are attached before.</summary>
    protected virtual Task PrepareAsync(CniMachine machine, CniPod pod, Func<Task> raiseAsync, CancellationToken token) => raiseAsync();

    // As plugins do: a link that the kernel has just raised drops what is sent until it has taken notice.
    private static async Task UntilUpAsync(string networkNamespace, string link, CancellationToken token)
    {
        while (!(await Command.RunAsync("ip", ["-n", networkNamespace, "-brief", "link", "show", "dev", link], token))
            .EnsureSuccess().Output.Contains(" UP ", StringComparison.Ordinal))
        {
            token.ThrowIfCancellationRequested();
        }
    }

    /// <summary>The node's end of a cable.</summary>
    protected string LinkOf(CniPod pod) => FormattableString.Invariant($"{LinkPrefix}{CniPlan.NumberOf(pod.Node, pod.Slot)}");
}
