using Orleans.WireGuard.Linux.Netlink;

namespace Orleans.WireGuard.Linux.Routing.Nftables;

/// <summary>A transaction: messages one behind the other in one buffer, each aligned.</summary>
internal ref struct NftablesBatch
{
    private readonly Span<byte> _buffer;
    private int _length;

    /// <summary>Begins a transaction in a buffer, which has to hold all of it.</summary>
    public NftablesBatch(Span<byte> buffer)
    {
        _buffer = buffer;
        Take(NftablesMessages.WriteBegin(buffer));
    }

    /// <summary>Where the next message is written.</summary>
    public readonly Span<byte> Rest => _buffer[_length..];

    /// <summary>Keeps what was written to <see cref="Rest"/>.</summary>
    public void Take(ReadOnlySpan<byte> written) => _length += NetlinkWriter.Align(written.Length);

    /// <summary>Writes the end of the transaction, and gives all that is to be sent.</summary>
    public Span<byte> Complete()
    {
        Take(NftablesMessages.WriteEnd(Rest));
        return _buffer[.._length];
    }
}
