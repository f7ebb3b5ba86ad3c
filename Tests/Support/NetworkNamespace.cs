using System.Diagnostics;
using System.Globalization;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices.Uapi;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// A network namespace of a test's own, with a mount namespace in which <c>/run/wireguard</c> is a directory that the test can see.
/// </summary>
/// <remarks>
/// The test process stays where it is: threads of .NET cannot be moved one by one. Commands are brought into the namespace by nsenter(1),
/// and sockets are reached through the shared directory. Whatever still runs inside is killed at the end.
/// </remarks>
internal sealed class NetworkNamespace : IAsyncDisposable
{
    private static readonly string[] Programs = ["unshare", "nsenter", "mount", "ip", "wg", "wireguard-go"];

    private readonly DirectoryInfo _directory;
    private readonly Process _holder;
    private readonly SystemCommand _command = new(TimeProvider.System);

    private NetworkNamespace(DirectoryInfo directory, Process holder)
    {
        _directory = directory;
        _holder = holder;
    }

    /// <summary>Why this machine cannot make one, or <see langword="null"/>.</summary>
    public static string? WhyImpossible { get; } = FindObstacle();

    /// <summary>What its <c>/run/wireguard</c> is to the test.</summary>
    public string SocketDirectory => _directory.FullName;

    /// <summary>Path of the namespace.</summary>
    public string Path => $"/proc/{_holder.Id}/ns/net";

    /// <summary>How a userspace device is made inside.</summary>
    public UserspaceDeviceOptions Options => new()
    {
        Command = Enter("wireguard-go"),
        SocketDirectory = SocketDirectory,
        NetworkNamespace = Path,
    };

    /// <summary>Makes a namespace whose loopback is up.</summary>
    public static async Task<NetworkNamespace> CreateAsync(CancellationToken cancellationToken)
    {
        var directory = Directory.CreateTempSubdirectory("owg-ns-");

        // `cat` keeps the namespace until its input ends, also when the test process is killed.
        const string Script =
            "mount -t tmpfs none /run && mkdir /run/wireguard && mount --bind \"$0\" /run/wireguard && ip link set lo up && echo ready && exec cat";
        var holder = Process.Start(new ProcessStartInfo(
            "unshare", ["--net", "--mount", "--propagation", "private", "--", "sh", "-c", Script, directory.FullName])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        var result = new NetworkNamespace(directory, holder);
        if (await holder.StandardOutput.ReadLineAsync(cancellationToken) != "ready")
        {
            await result.DisposeAsync();
            throw new InvalidOperationException("The namespace could not be made; see the error output above.");
        }

        return result;
    }

    /// <summary>The command that runs another one inside.</summary>
    public string[] Enter(params string[] command) =>
        ["nsenter", "--target", _holder.Id.ToString(CultureInfo.InvariantCulture), "--net", "--mount", "--", .. command];

    /// <summary>Runs a command inside and gives its output.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public async Task<string> RunAsync(CancellationToken cancellationToken, params string[] command)
    {
        var result = await _command.RunAsync("test", Enter(command), new Dictionary<string, string?>(), cancellationToken);
        return result.ExitCode == 0
            ? result.Output
            : throw new InvalidOperationException($"'{string.Join(' ', command)}' failed: {result.Error}");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        var inside = new FileInfo(Path).LinkTarget;
        foreach (var processId in Directory.EnumerateDirectories("/proc")
            .Select(directory => int.TryParse(System.IO.Path.GetFileName(directory), out var id) ? id : 0)
            .Where(id => id > 0 && inside is not null && NamespaceOf(id) == inside))
        {
            try
            {
                using var process = Process.GetProcessById(processId);
                process.Kill();
            }
            catch (ArgumentException)
            {
                // It ended by itself.
            }
        }

        await _holder.WaitForExitAsync();
        _holder.Dispose();
        _directory.Delete(recursive: true);
    }

    private static string? NamespaceOf(int processId)
    {
        try
        {
            return new FileInfo($"/proc/{processId}/ns/net").LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string? FindObstacle()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root")
        {
            return "network namespaces need root on Linux";
        }

        if (Programs.FirstOrDefault(program => SystemCommand.Find(program) is null) is { } missing)
        {
            return $"the program '{missing}' is missing (Debian packages wireguard-go, wireguard-tools, iproute2, util-linux)";
        }

        if (!File.Exists("/dev/net/tun"))
        {
            return "/dev/net/tun is missing";
        }

        using var probe = Process.Start(new ProcessStartInfo("unshare", ["--net", "--mount", "true"]) { RedirectStandardError = true })!;
        var error = probe.StandardError.ReadToEnd();
        probe.WaitForExit();
        return probe.ExitCode == 0 ? null : $"namespaces are not allowed here: {error.Trim()}";
    }
}
