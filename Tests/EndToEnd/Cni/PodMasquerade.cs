namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>What network plugins do to the source of packets that leave their pods, as tables of nftables.</summary>
internal static class PodMasquerade
{
    /// <summary>
    /// Pods get the node's address towards everything that is no pod, nodes included: kindnet, kubenet, Calico's natOutgoing.
    /// </summary>
    public static string TowardsAllButPods(string podRange) => Create(
        $"ip saddr {podRange} ip daddr != {podRange} fib daddr type != local masquerade fully-random");

    /// <summary>
    /// Flannel's FLANNEL-POSTRTG. Its last rule gives the node's own packets to other nodes' pods an address out of the pod range, where
    /// they leave by flannel's link.
    /// </summary>
    public static string Flannel(string podRange, string ownPods) => Create(
        "meta mark & 0x4000 == 0x4000 return",
        $"ip saddr {ownPods} ip daddr {podRange} return",
        $"ip saddr {podRange} ip daddr {ownPods} return",
        $"ip saddr != {podRange} ip daddr {ownPods} return",
        $"ip saddr {podRange} ip daddr != 224.0.0.0/4 masquerade fully-random",
        $"ip saddr != {podRange} ip daddr {podRange} masquerade fully-random");

    private static string Create(params string[] rules) => $$"""
        table ip zoo_plugin {
          chain postrouting {
            type nat hook postrouting priority srcnat
            {{string.Join("\n    ", rules)}}
          }
        }
        """;
}
