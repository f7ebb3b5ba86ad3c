using System.Security.Cryptography;
using System.Text;
using Orleans.WireGuard.LocalMesh.Secrets;
using Orleans.WireGuard.LocalMesh.Silos;
using StackExchange.Redis;

namespace Orleans.WireGuard.LocalMesh.Check;

/// <summary>Searches everything that a run wrote for the private keys that it saw.</summary>
/// <param name="mesh">Its logs, configurations, captures and membership store are searched.</param>
/// <param name="options">Files below its source directory that were written since <paramref name="since"/> are searched too.</param>
/// <param name="since">When the run started.</param>
internal sealed class SecretSearch(MeshHarness mesh, CheckOptions options, DateTimeOffset since)
{
    private const string PlantedKey = "owg-local-planted";

    private static readonly EnumerationOptions Everything = new()
    {
        RecurseSubdirectories = true,
        AttributesToSkip = FileAttributes.ReparsePoint,
        IgnoreInaccessible = true,
    };

    /// <summary>Searches, after it has planted a key of its own in every kind of place and found it there.</summary>
    public async Task<Proof> RunAsync(IReadOnlyList<byte[]> keys, CancellationToken cancellationToken)
    {
        var notFound = await CheckSelfAsync(cancellationToken);
        var scanner = new SecretScanner(keys);
        var files = Files().ToList();
        var findings = await Task.Run(() => scanner.SearchFiles(files).ToList(), cancellationToken);
        await using var redis = await mesh.Redis.ConnectAsync(cancellationToken);
        var entries = await DumpAllAsync(redis, cancellationToken);
        findings.AddRange(SearchEntries(scanner, entries));
        return ProofEvaluation.SecretsStayInside(keys.Count, files.Count, entries.Count, findings, notFound);
    }

    private async Task<IReadOnlyList<string>> CheckSelfAsync(CancellationToken cancellationToken)
    {
        var planted = RandomNumberGenerator.GetBytes(SecretForms.KeyLength);
        var scanner = new SecretScanner([planted]);
        var log = Path.Combine(mesh.State.NodeDirectory(mesh.Plan.Nodes[0]), "planted.log");
        (string Place, byte[] Content)[] places =
        [
            ("a log as base64", Encoding.ASCII.GetBytes($"info: key={Convert.ToBase64String(planted)}\n")),
            ("a log as hexadecimal", Encoding.ASCII.GetBytes($"private_key={Convert.ToHexStringLower(planted)}\n")),
            ("a file as raw bytes", [1, 2, 3, .. planted, 4, 5]),
        ];
        var missed = new List<string>();
        foreach (var (place, content) in places)
        {
            await File.WriteAllBytesAsync(log, content, cancellationToken);
            if (!scanner.SearchFiles(Files()).Any(f => f.Place == log))
            {
                missed.Add(place);
            }

            File.Delete(log);
        }

        await using var redis = await mesh.Redis.ConnectAsync(cancellationToken);
        await redis.GetDatabase().HashSetAsync(PlantedKey, "row", Convert.ToBase64String(planted));
        if (!SearchEntries(scanner, await DumpAllAsync(redis, cancellationToken)).Any())
        {
            missed.Add("the membership store");
        }

        await redis.GetDatabase().KeyDeleteAsync(PlantedKey);
        return missed;
    }

    /// <summary>Every key of the membership store with its value as the server serializes it.</summary>
    private static async Task<IReadOnlyList<(byte[] Key, byte[] Value)>> DumpAllAsync(
        ConnectionMultiplexer redis, CancellationToken cancellationToken)
    {
        var (database, found) = (redis.GetDatabase(), new List<(byte[], byte[])>());
        await foreach (var key in redis.GetServers().Single().KeysAsync().WithCancellation(cancellationToken))
        {
            // DUMP knows every type; a key may have expired since.
            if (await database.KeyDumpAsync(key) is { } value)
            {
                found.Add(((byte[])key!, value));
            }
        }

        return found;
    }

    private static IEnumerable<SecretFinding> SearchEntries(SecretScanner scanner, IEnumerable<(byte[] Key, byte[] Value)> entries) =>
        from entry in entries
        from form in scanner.Search(entry.Key).Concat(scanner.Search(entry.Value))
        select new SecretFinding("membership entry " + Encoding.UTF8.GetString(entry.Key), form);

    private IEnumerable<string> Files()
    {
        var written = Directory.EnumerateFiles(mesh.State.Directory, "*", Everything);
        if (options.SourceDirectory is not { } source)
        {
            return written;
        }

        // What an earlier phase kept as evidence of a leak is not a leak of this one.
        return written.Concat(Directory.EnumerateFiles(source, "*", Everything).Where(f =>
            File.GetLastWriteTimeUtc(f) >= since.UtcDateTime
            && (options.EvidenceDirectory is null || !f.StartsWith(options.EvidenceDirectory + "/", StringComparison.Ordinal))));
    }
}
