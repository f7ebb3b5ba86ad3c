using System.Text.Json;
using StackExchange.Redis;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>What the membership store says of a silo, read past Orleans.</summary>
internal static class MembershipRows
{
    // SiloStatus.Dead of Orleans.
    private const int Dead = 6;

    /// <summary>How many rows of this silo are declared dead.</summary>
    public static async Task<int> CountDeadAsync(ConnectionMultiplexer redis, string siloName, CancellationToken cancellationToken)
    {
        var (database, dead) = (redis.GetDatabase(), 0);
        await foreach (var key in redis.GetServers().Single().KeysAsync().WithCancellation(cancellationToken))
        {
            if (await database.KeyTypeAsync(key) == RedisType.Hash)
            {
                dead += (await database.HashValuesAsync(key)).Count(value => IsDeadRow(value.ToString(), siloName));
            }
        }

        return dead;
    }

    /// <summary>Whether a value of the store is the row of this silo and says that it is dead.</summary>
    public static bool IsDeadRow(string value, string siloName)
    {
        if (!value.StartsWith('{'))
        {
            return false;
        }

        using var row = JsonDocument.Parse(value);
        return row.RootElement.TryGetProperty("SiloName", out var name) && name.GetString() == siloName
            && row.RootElement.TryGetProperty("Status", out var status)
            && status.ValueKind == JsonValueKind.Number && status.GetInt32() == Dead;
    }
}
