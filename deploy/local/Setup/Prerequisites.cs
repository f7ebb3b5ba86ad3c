using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.LocalMesh.Setup;

/// <summary>A program that a mesh needs cannot be had; the message says which and what to do.</summary>
internal sealed class PrerequisiteException(string message) : Exception(message);

/// <summary>Makes sure that the programs which a mesh uses are installed, from Debian's packages.</summary>
internal static class Prerequisites
{
    private static readonly (string Program, string Package)[] Needed =
    [
        ("ip", "iproute2"),
        ("wg", "wireguard-tools"),
        ("wireguard-go", "wireguard-go"),
        ("redis-server", "redis-server"),
        ("tcpdump", "tcpdump"),
        ("nft", "nftables"),
        ("ping", "iputils-ping"),
        ("nsenter", "util-linux"),
        ("unshare", "util-linux"),
        ("setsid", "util-linux"),
        ("mount", "mount"),
    ];

    /// <summary>What measuring throughput needs besides.</summary>
    public static IReadOnlyList<(string Program, string Package)> ForThroughput { get; } = [("iperf3", "iperf3")];

    /// <summary>Packages of the programs that are missing.</summary>
    /// <param name="isInstalled">Whether a program is there.</param>
    /// <param name="besides">Programs that not every mesh needs.</param>
    public static IReadOnlyList<string> FindMissing(
        Func<string, bool> isInstalled, IReadOnlyList<(string Program, string Package)>? besides = null) =>
        [.. Needed.Concat(besides ?? []).Where(n => !isInstalled(n.Program)).Select(n => n.Package).Distinct()];

    /// <summary>Installs what is missing; does nothing, not even say so, if nothing is.</summary>
    /// <exception cref="PrerequisiteException">Packages are missing and could not be installed.</exception>
    public static async Task EnsureAsync(
        TextWriter output, TimeProvider timeProvider, CancellationToken cancellationToken,
        IReadOnlyList<(string Program, string Package)>? besides = null)
    {
        var missing = FindMissing(IsInstalled, besides);
        if (missing.Count > 0)
        {
            await InstallAsync(missing, output, timeProvider, cancellationToken);
        }

        if (!File.Exists("/dev/net/tun"))
        {
            throw new PrerequisiteException(
                "/dev/net/tun is missing: userspace WireGuard needs it; expected a kernel with TUN (modprobe tun).");
        }
    }

    /// <summary>Whether a program is installed.</summary>
    public static bool IsInstalled(string program) => Command.Find(program) is not null;

    private static async Task InstallAsync(
        IReadOnlyList<string> packages, TextWriter output, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var list = string.Join(' ', packages);
        if (!IsInstalled("apt-get"))
        {
            throw new PrerequisiteException(
                $"Missing: {list}. They are installed with apt-get, which this system does not have; install them with its own package manager.");
        }

        output.WriteLine($"Installing Debian packages: {list}");
        string[] install = ["install", "--yes", "--no-install-recommends", .. packages];
        var environment = new Dictionary<string, string?> { ["DEBIAN_FRONTEND"] = "noninteractive" };
        if (await Command.RunVisiblyAsync("apt-get", install, timeProvider, cancellationToken, environment) == 0)
        {
            return;
        }

        // Lists that are missing or too old are the usual reason on a fresh machine.
        await Command.RunVisiblyAsync("apt-get", ["update"], timeProvider, cancellationToken, environment);
        if (await Command.RunVisiblyAsync("apt-get", install, timeProvider, cancellationToken, environment) != 0)
        {
            throw new PrerequisiteException($"apt-get could not install: {list}. Its messages are above.");
        }
    }
}
