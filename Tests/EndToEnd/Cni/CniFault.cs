namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>What can be wrong with a cluster, as its packets show it.</summary>
internal enum CniFault
{
    /// <summary>A silo says that it is not ready.</summary>
    NotReady,

    /// <summary>Packets between pods, or what pods sent to a ClusterIP, could be read on the way.</summary>
    InClear,

    /// <summary>Next to nothing went through the tunnel.</summary>
    NotEncrypted,

    /// <summary>Packets between pods that nothing happened to were lost.</summary>
    Lost,

    /// <summary>Connections of that kind failed; the others in the order of <see cref="CniPath"/>.</summary>
    PodToPod,

    /// <inheritdoc cref="PodToPod"/>
    PodToOwnNode,

    /// <inheritdoc cref="PodToPod"/>
    NodeToOwnPod,

    /// <inheritdoc cref="PodToPod"/>
    NodeToPod,

    /// <inheritdoc cref="PodToPod"/>
    NodeToService,

    /// <inheritdoc cref="PodToPod"/>
    PodToService,

    /// <inheritdoc cref="PodToPod"/>
    PodToNodePort,

    /// <inheritdoc cref="PodToPod"/>
    OutsideToNodePort,

    /// <summary>A pod that was added later could not be reached for seconds.</summary>
    NewPod,
}

/// <summary>Who connects to whom.</summary>
internal enum CniPath
{
    /// <summary>A pod to a pod of another node.</summary>
    PodToPod,

    /// <summary>A pod to its own node, as to a kubelet or a daemon.</summary>
    PodToOwnNode,

    /// <summary>A node to a pod of its own, as a probe.</summary>
    NodeToOwnPod,

    /// <summary>A node to a pod of another node.</summary>
    NodeToPod,

    /// <summary>A node to the ClusterIP, with pods of another node behind it: the API server that calls a webhook.</summary>
    NodeToService,

    /// <summary>A pod to the ClusterIP, with pods of another node behind it.</summary>
    PodToService,

    /// <summary>A pod to the NodePort of another node, with and without a pod of its own behind it.</summary>
    PodToNodePort,

    /// <summary>A machine that is no node to the NodePort of a node without a pod behind it, as a load balancer does.</summary>
    OutsideToNodePort,
}
