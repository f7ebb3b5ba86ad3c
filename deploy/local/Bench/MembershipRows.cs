using System.Text;
using System.Text.Json;
using Orleans.WireGuard.LocalMesh.Silos;

namespace Orleans.WireGuard.LocalMesh.Bench;

/// <summary>What the membership store says of a silo, read past Orleans.</summary>
internal static class MembershipRows
{
    // SiloStatus.Dead of Orleans.
    private const int Dead = 6;

    /// <summary>How many rows of this silo are declared dead.</summary>
    public static async Task<int> CountDeadAsync(RespClient redis, string siloName, CancellationToken cancellationToken)
    {
        var dead = 0;
        foreach (var key in ((object?[])(await redis.SendAsync(cancellationToken, "KEYS", "*"))!).OfType<byte[]>())
        {
            if (await redis.SendAsync(cancellationToken, "TYPE", key) is not "hash")
            {
                continue;
            }

            foreach (var value in ((object?[])(await redis.SendAsync(cancellationToken, "HVALS", key))!).OfType<byte[]>())
            {
                dead += IsDeadRow(Encoding.UTF8.GetString(value), siloName) ? 1 : 0;
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
            && row.RootElement.TryGetProperty("Status", out var status) && status.ValueKind == JsonValueKind.Number && status.GetInt32() == Dead;
    }
}
