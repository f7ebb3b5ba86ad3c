using System.Globalization;
using System.Text.RegularExpressions;
using Orleans.WireGuard.LocalMesh.Processes;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// A silo and the verbs on a node whose inotify instances are used up: 128 by default, shared by all of root's processes. The mode is
/// changed meanwhile in the way in which a kubelet brings a changed ConfigMap, which a watch of the file would not see anyway.
/// </summary>
[Trait("Kind", "EndToEnd")]
[Collection(LocalMeshCollection.Name)]
public sealed partial class InotifyTests(ITestOutputHelper output) : IDisposable
{
    private const string Configuration = """
        { "Node": { "Name": "node-1" },
          "Nodes": { "Source": "Static", "Static": [ { "Name": "node-1", "Addresses": ["127.0.0.1"], "PodCIDRs": ["10.244.1.0/24"] },
                                                     { "Name": "node-2", "Addresses": ["127.0.0.2"], "PodCIDRs": ["10.244.2.0/24"] } ] },
          "Clustering": { "Provider": "Development" }, "Device": { "Transport": "Userspace", "StartUserspace": true, "ResyncInterval": "00:00:01" },
          "Encryption": { "Mode": "Permissive" } }
        """;

    // In a user namespace of its own the limit can be zero without anybody else noticing; all that was started ends with the script.
    private const string Script = """
        echo 0 >/proc/sys/user/max_inotify_instances || exit 9
        mount -t tmpfs none /run && ip link set lo up || exit 9
        "$OWG" run >log 2>&1 &
        silo=$!
        n=0; until "$OWG" peers >/dev/null 2>&1; [ $? -ne 1 ]; do n=$((n+1)); [ $n -lt 60 ] || break; sleep 0.5; done
        n=0; until grep -q "Reconcile failed" log; do n=$((n+1)); [ $n -lt 60 ] || break; sleep 0.5; done
        for verb in status peers unfreeze watch cleanup; do
          limit=60; [ $verb = watch ] && limit=5
          timeout --signal=INT --kill-after=20 $limit "$OWG" $verb >out 2>err
          echo "@ $verb $? $(cat err out | tr '\n' '|')"
        done
        echo "@ watches $(ls -l /proc/$silo/fd | grep -c anon_inode:inotify)"
        echo "@ permissive $(ip route show table 201 2>/dev/null | tr '\n' '|')"
        mkdir ..2026_2 && sed s/Permissive/Strict/ ..2026_1/owg.json >..2026_2/owg.json &&
          ln -s ..2026_2 ..data_tmp && mv -T ..data_tmp ..data && rm -r ..2026_1
        n=0; until ip route show table 201 2>/dev/null | grep -q unreachable; do n=$((n+1)); [ $n -lt 300 ] || break; sleep 0.1; done
        echo "@ strict $n $(ip route show table 201 2>/dev/null | tr '\n' '|')"
        [ -d /proc/$silo ] && kill $silo; wait $silo; echo "@ run $?"
        grep -E "inotify|ignored" log; tail -n 3 log
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("owg-inotify-");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Run_InotifyInstancesUsedUp_GoesOnAndFollowsTheConfigMap()
    {
        LocalMeshCollection.SkipUnlessPossible();
        var lines = await RunAsync();
        Assert.True(lines.TryGetValue("run", out var run), "the script did not come to its end");
        Assert.Equal("0", run);
        Assert.Equal("0", lines["watches"]);

        // Without inotify wireguard-go cannot be, and says so to nobody but us.
        var verbs = (string[])["status", "peers", "unfreeze", "watch", "cleanup"];
        Assert.All(verbs, verb => Assert.DoesNotContain("   at ", lines[verb], StringComparison.Ordinal));
        Assert.All(verbs, verb => Assert.DoesNotContain("Unhandled", lines[verb], StringComparison.Ordinal));
        Assert.StartsWith("3 ", lines["status"], StringComparison.Ordinal);
        Assert.Contains("Failed to listen on uapi socket: too many open files", lines["status"], StringComparison.Ordinal);
        Assert.Contains("answers. Stop it first", lines["cleanup"], StringComparison.Ordinal);
        Assert.DoesNotContain("unreachable", lines["permissive"], StringComparison.Ordinal);
        Assert.Contains("unreachable 10.244.2.0/24", lines["strict"], StringComparison.Ordinal);
        var tenths = int.Parse(lines["strict"].Split(' ')[0], CultureInfo.InvariantCulture);
        output.WriteLine(
            $"No inotify instance left: Permissive became Strict {tenths / 10.0:0.0} s after the link of the ConfigMap had moved");
    }

    private async Task<Dictionary<string, string>> RunAsync()
    {
        // A ConfigMap's volume.
        var volume = Directory.CreateDirectory(Path.Combine(_folder.FullName, "..2026_1"));
        await File.WriteAllTextAsync(Path.Combine(volume.FullName, "owg.json"), Configuration, Token);
        File.CreateSymbolicLink(Path.Combine(_folder.FullName, "..data"), volume.Name);
        File.CreateSymbolicLink(Path.Combine(_folder.FullName, "owg.json"), "..data/owg.json");
        var result = await Command.RunAsync(
            "unshare",
            ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", $"--wd={_folder.FullName}", "sh", "-c", Script],
            Token,
            environment: new Dictionary<string, string?>
            {
                ["OWG"] = LocalMeshCollection.Binary,
                ["OWG_CONFIG"] = Path.Combine(_folder.FullName, "owg.json"),
            });
        output.WriteLine(result.Output);
        Assert.SkipWhen(result.ExitCode == 9 || result.Error.Contains(
            "unshare", StringComparison.Ordinal), $"This machine gives no user namespace of its own: {result.Error}");
        return Line().Matches(result.Output).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
    }

    [GeneratedRegex("^@ ([a-z]+) (.*)$", RegexOptions.Multiline)]
    private static partial Regex Line();
}
