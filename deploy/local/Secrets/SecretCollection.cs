namespace Orleans.WireGuard.LocalMesh.Secrets;

/// <summary>Every private key that was seen on a device during a run. It never prints what it holds.</summary>
internal sealed class SecretCollection
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _keys = [];

    /// <summary>How many different keys.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _keys.Count;
            }
        }
    }

    /// <summary>Adds a key.</summary>
    /// <param name="privateKey">Base64; nothing is added for <see langword="null"/>.</param>
    public void Add(string? privateKey)
    {
        if (privateKey is not null)
        {
            lock (_lock)
            {
                _keys.Add(privateKey);
            }
        }
    }

    /// <summary>All keys, as 32 bytes each.</summary>
    public IReadOnlyList<byte[]> ToList()
    {
        lock (_lock)
        {
            return [.. _keys.Select(Convert.FromBase64String)];
        }
    }
}
