using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni.Kinds;

/// <summary>Cilium with native routing past the host's stack: a program asks for the route and sends the packet there.</summary>
internal sealed class CiliumHostRouting : CiliumKind
{
    /// <inheritdoc/>
    public override string Name => "cilium-bpf-routing";

    /// <inheritdoc/>
    public override string Way => "a program at each pod's link looks up the route and redirects; netfilter sees nothing of it";

    // Its pods may send more than the device takes, and what cannot be cured for them by segment size is said.
    /// <inheritdoc/>
    public override IReadOnlyList<string> Findings => ["OWG307"];

    /// <inheritdoc/>
    public override IReadOnlyList<CniFix> Fixes { get; } =
    [
        new("segment-size", CniSettings.None, CniFault.PodToPod)
        {
            // As large as the pod's link takes, whatever the other side was told on the way.
            PodFilter = """
                table ip zoo_pod {
                  chain prerouting {
                    type filter hook prerouting priority mangle
                    tcp flags syn tcp option maxseg size set 1460
                  }
                }
                """,
        },
    ];

    /// <inheritdoc/>
    protected override async Task PrepareAsync(CniMachine machine, CniPod pod, Func<Task> raiseAsync, CancellationToken token)
    {
        await machine.AttachAsync(pod.Node, LinkOf(pod), "route", () => BpfProgram.Route(IPPrefix.Parse(PodRange)), token);
        await raiseAsync();
    }
}
