using Orleans.WireGuard.Silo.Findings;

namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>What the kernel showed of this node's pods when it was read last.</summary>
/// <param name="Pods">The pods; sorted.</param>
/// <param name="Prefixes">What of them, and of Calico's blocks, lies in the ranges of pods; merged.</param>
internal sealed record KernelView(EquatableArray<LocalPod> Pods, EquatableArray<IPPrefix> Prefixes);
