using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.LocalMesh.Topology;

/// <summary>Makes the namespaces, links and mounts of a plan.</summary>
internal sealed class TopologyBuilder(MeshPlan plan, MeshState state)
{
    /// <summary>Where userspace WireGuard keeps the sockets of its devices.</summary>
    public const string SocketDirectory = "/var/run/wireguard";

    // The tmpfs hides the host's sockets, which are visible from all network namespaces; the fresh sysfs lists this
    // namespace's links instead of the host's, as `ip netns exec` does it.
    private const string FillMountNamespace =
        "umount -l /sys; mount -t sysfs sysfs /sys && mount -t tmpfs -o mode=0755 owg-sockets " + SocketDirectory;

    /// <summary>Makes everything. Call on a machine without leftovers; on failure the caller removes what was made.</summary>
    public async Task CreateAsync(CancellationToken cancellationToken)
    {
        CreateDirectories();
        await CreateMountDirectoryAsync(cancellationToken);
        await IpAsync(null, TopologyCommands.CreateLinks(plan), cancellationToken);
        DisableIPv6(plan.Bridge);
        foreach (var node in plan.Nodes)
        {
            DisableIPv6(node.UnderlayLink);
            NetworkNamespace.Run(node.Namespace, () => SetSysctls(forwarding: true, plan.IsDualStack));
            NetworkNamespace.Run(node.PodNamespace, () => SetSysctls(forwarding: false, plan.IsDualStack));
        }

        await IpAsync(null, TopologyCommands.RaiseHost(plan), cancellationToken);
        foreach (var node in plan.Nodes)
        {
            await IpAsync(node.Namespace, TopologyCommands.RaiseNode(plan, node), cancellationToken);
            await IpAsync(node.PodNamespace, TopologyCommands.RaisePod(node), cancellationToken);
            (await Command.RunAsync(
                "nsenter",
                ["--net=" + NetworkNamespace.HandleOf(node.Namespace), "unshare", "--mount="
                    + state.MountNamespace(node), "sh", "-c", FillMountNamespace],
                cancellationToken)).EnsureSuccess();
        }

        await EnsureUnderlayWorksAsync(cancellationToken);
    }

    /// <summary>Lets pods reach each other in clear over the underlay: the control run that shows what a leak looks like.</summary>
    public Task AddPlainRoutesAsync(CancellationToken cancellationToken) => Task.WhenAll(
        plan.Nodes.Select(n => IpAsync(n.Namespace, TopologyCommands.AddPlainRoutes(plan, n), cancellationToken)));

    /// <summary>Takes <see cref="AddPlainRoutesAsync"/> back.</summary>
    public Task RemovePlainRoutesAsync(CancellationToken cancellationToken) => Task.WhenAll(
        plan.Nodes.Select(n => IpAsync(n.Namespace, TopologyCommands.RemovePlainRoutes(plan, n), cancellationToken)));

    // A host with Docker passes bridged packets to iptables and drops them there; every silo would then seem to be at fault.
    private async Task EnsureUnderlayWorksAsync(CancellationToken cancellationToken)
    {
        var (from, to) = (plan.Nodes[0], plan.Nodes[^1]);
        var ping = await Command.RunAsync(
            "nsenter", ["--net=" + NetworkNamespace.HandleOf(
                from.Namespace), "ping", "-c", "2", "-i", "0.2", "-W", "2", to.Address.ToString()], cancellationToken);
        if (ping.ExitCode != 0)
        {
            throw new MeshFailedException(
                $"{from.Name} cannot reach {to.Name} over {plan.Bridge}. A firewall of this host may drop bridged packets: expected them to pass; "
                + $"try 'iptables -I FORWARD -i {plan.Bridge} -o {plan.Bridge} -j ACCEPT'.");
        }
    }

    private void CreateDirectories()
    {
        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(state.Directory, Private);
        foreach (var directory in (string[])[state.BinDirectory, state.MountDirectory, state.CaptureDirectory, state.RedisDirectory])
        {
            Directory.CreateDirectory(directory, Private);
        }

        foreach (var node in plan.Nodes)
        {
            Directory.CreateDirectory(state.NodeDirectory(node), Private);
        }

        if (!Directory.Exists(SocketDirectory))
        {
            File.WriteAllText(state.SocketDirectoryMark, "");
            Directory.CreateDirectory(SocketDirectory, Private);
        }
    }

    private async Task CreateMountDirectoryAsync(CancellationToken cancellationToken)
    {
        // A mount namespace can be kept only on a mount that does not propagate, and systemd makes / propagate.
        (await Command.RunAsync("mount", ["-t", "tmpfs", "-o", "mode=0700", "owg-mounts", state.MountDirectory], cancellationToken))
            .EnsureSuccess();
        (await Command.RunAsync("mount", ["--make-private", state.MountDirectory], cancellationToken)).EnsureSuccess();
        foreach (var node in plan.Nodes)
        {
            await File.WriteAllTextAsync(state.MountNamespace(node), "", cancellationToken);
        }
    }

    private static async Task IpAsync(string? networkNamespace, IEnumerable<string> commands, CancellationToken cancellationToken)
    {
        string[] arguments = networkNamespace is null ? ["-batch", "-"] : ["-n", networkNamespace, "-batch", "-"];
        var result = await Command.RunAsync("ip", arguments, cancellationToken, string.Join('\n', commands) + "\n");
        result.EnsureSuccess();
    }

    private static void SetSysctls(bool forwarding, bool isDualStack)
    {
        Write("/proc/sys/net/ipv4/ip_forward", forwarding ? "1" : "0");

        // A reply may come by another link than the one a request would take, as on nodes with a network plugin.
        Write("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
        Write("/proc/sys/net/ipv4/conf/default/rp_filter", "0");
        if (!isDualStack)
        {
            DisableIPv6("all");
            DisableIPv6("default");
            return;
        }

        // What a dual-stack node needs (docs of kubeadm name the same): forwarding for its pods; no addresses or routes by advertisement.
        Write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0");
        Write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0");
        Write("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
        Write("/proc/sys/net/ipv6/conf/all/forwarding", forwarding ? "1" : "0");
    }

    // The host has no part in a mesh's IPv6, and a mesh of IPv4 alone none at all. Without this every link would send neighbour discovery,
    // which a capture would have to excuse.
    private static void DisableIPv6(string link) => Write($"/proc/sys/net/ipv6/conf/{link}/disable_ipv6", "1");

    private static void Write(string path, string value)
    {
        // A kernel without IPv6 has no such file, and nothing to switch off.
        if (File.Exists(path))
        {
            File.WriteAllText(path, value);
        }
    }
}
