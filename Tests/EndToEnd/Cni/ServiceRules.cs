using System.Globalization;
using System.Net;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>Which connections to a ClusterIP get the node's own address as their source.</summary>
internal enum ServiceMasquerade
{
    /// <summary>Those that do not come from a pod: kube-proxy that knows the cluster's CIDR.</summary>
    FromOutside,

    /// <summary>All of them: <c>--masquerade-all</c>.</summary>
    All,

    /// <summary>None: kube-proxy that knows no CIDR.</summary>
    None,
}

/// <summary>What kube-proxy makes of one Service with a ClusterIP and a NodePort, as tables of nftables.</summary>
/// <remarks>Marks before, masquerades after the route is chosen, as kube-proxy's KUBE-MARK-MASQ and KUBE-POSTROUTING do.</remarks>
internal static class ServiceRules
{
    /// <summary>Port of the ClusterIP.</summary>
    public const int Port = 80;

    /// <summary>Port of every node.</summary>
    public const int NodePort = 30080;

    /// <summary>The Service's address, which no machine has.</summary>
    public static IPAddress ClusterIP { get; } = IPAddress.Parse("10.96.0.10");

    /// <summary>The tables of a node; those of all nodes are the same.</summary>
    /// <param name="podRange">The cluster's pods, for kube-proxy that knows them.</param>
    /// <param name="masquerade">Of whom the source is replaced.</param>
    /// <param name="backends">The pods behind the Service, which take turns.</param>
    public static string Create(string podRange, ServiceMasquerade masquerade, IReadOnlyList<IPAddress> backends)
    {
        var turns = string.Join(", ", backends.Select((backend, i) => string.Create(
            CultureInfo.InvariantCulture, $"{i} : {backend} . {CniPlan.PodPort}")));
        var service = string.Create(CultureInfo.InvariantCulture, $"ip daddr {ClusterIP} tcp dport {Port}");
        const string Mark = "meta mark set meta mark | 0x4000";
        var marked = masquerade switch
        {
            ServiceMasquerade.FromOutside => $"{service} ip saddr != {podRange} {Mark}",
            ServiceMasquerade.All => $"{service} {Mark}",
            _ => "",
        };
        return string.Create(CultureInfo.InvariantCulture, $$"""
            table ip zoo_proxy {
              chain backends {
                meta l4proto tcp dnat ip to numgen inc mod {{backends.Count}} map { {{turns}} }
              }
              chain services {
                {{marked}}
                {{service}} goto backends
                fib daddr type local tcp dport {{NodePort}} {{Mark}}
                fib daddr type local tcp dport {{NodePort}} goto backends
              }
              chain prerouting { type nat hook prerouting priority dstnat; jump services; }
              chain output { type nat hook output priority -100; jump services; }
              chain postrouting {
                type nat hook postrouting priority srcnat - 1
                meta mark & 0x4000 == 0 return
                meta mark set meta mark ^ 0x4000
                masquerade fully-random
              }
            }
            """);
    }
}
