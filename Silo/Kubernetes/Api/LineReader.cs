namespace Orleans.WireGuard.Api;

/// <summary>Reads a watch's stream line by line, each line one JSON event, with a limit on its length.</summary>
/// <param name="stream">The response's body; not owned.</param>
/// <param name="maxBytes">Longest line accepted.</param>
internal sealed class LineReader(Stream stream, int maxBytes)
{
    private byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _end;

    /// <summary>The next line without its end, valid until the next call; null at the end of the stream.</summary>
    /// <exception cref="IOException">The line is longer than allowed, or the stream broke inside a line.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        var searched = _start;
        while (true)
        {
            var index = _buffer.AsSpan(searched, _end - searched).IndexOf((byte)'\n');
            if (index >= 0)
            {
                var line = _buffer.AsMemory(_start, searched + index - _start);
                _start = searched + index + 1;
                if (line.IsEmpty)
                {
                    searched = _start;
                    continue;
                }

                return line;
            }

            MakeRoom();
            searched = _end;
            var read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
            if (read == 0)
            {
                return _end == _start ? null : throw new IOException("The watch broke in the middle of an event.");
            }

            _end += read;
        }
    }

    private void MakeRoom()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length)
        {
            if (_buffer.Length >= maxBytes)
            {
                throw new IOException($"An event of a watch is longer than {maxBytes} bytes.");
            }

            Array.Resize(ref _buffer, Math.Min(maxBytes, _buffer.Length * 2));
        }
    }
}
