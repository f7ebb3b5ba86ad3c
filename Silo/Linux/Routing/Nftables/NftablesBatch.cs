using Orleans.WireGuard.Linux.Netlink;

namespace Orleans.WireGuard.Linux.Routing.Nftables;

/// <summary>A transaction: messages one behind the other in one buffer, each aligned.</summary>
internal ref struct NftablesBatch
{
    private readonly Span<byte> _buffer;
    private int _length;

    /// <summary>Begins it.</summary>
    public NftablesBatch(Span<byte> buffer)
    {
        _buffer = buffer;
        Take(NftablesMessages.WriteBegin(buffer));
    }

    /// <summary>Where the next message is written.</summary>
    public readonly Span<byte> Rest => _buffer[_length..];

    /// <summary>Keeps what was written to <see cref="Rest"/>.</summary>
    public void Take(ReadOnlySpan<byte> written) => _length += NetlinkWriter.Align(written.Length);

    /// <summary>Ends it.</summary>
    public Span<byte> Complete()
    {
        Take(NftablesMessages.WriteEnd(Rest));
        return _buffer[.._length];
    }
}
