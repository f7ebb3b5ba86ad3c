using System.Globalization;

namespace Orleans.WireGuard.Linux.Devices.Uapi;

/// <summary>
/// Takes a reply of the userspace protocol apart: lines of <c>key=value</c>, then <c>errno=N</c>, then an empty line. Anything else is a
/// <see cref="FormatException"/>, whose text never quotes the reply, because the reply may carry keys.
/// </summary>
internal ref struct UapiLineReader
{
    private ReadOnlySpan<byte> _rest;

    /// <summary>Starts at the first line.</summary>
    /// <param name="reply">A whole reply; it ends with an empty line.</param>
    /// <exception cref="FormatException">The reply is not whole, or something follows it.</exception>
    public UapiLineReader(ReadOnlySpan<byte> reply)
    {
        if (reply.Length > UapiReader.MaxReplySize)
        {
            throw new FormatException($"the reply has more than {UapiReader.MaxReplySize} bytes");
        }

        if (!reply.EndsWith("\n\n"u8))
        {
            throw new FormatException("the reply ended early: expected an empty line at its end");
        }

        // Of the two line feeds the first ends the last line.
        reply = reply[..^1];
        var start = reply[..^1].LastIndexOf((byte)'\n') + 1;
        Errno = ParseErrno(reply[start..^1]);
        _rest = reply[..start];
    }

    /// <summary>The errno that ends the reply, as a positive number; 0 for success.</summary>
    public int Errno { get; }

    /// <summary>Number of the current line, counted from 1.</summary>
    public int LineNumber { get; private set; }

    /// <summary>What stands before the first <c>=</c>.</summary>
    public ReadOnlySpan<byte> Key { get; private set; }

    /// <summary>What stands behind it.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>Moves on, or returns <see langword="false"/> before the errno.</summary>
    /// <exception cref="FormatException">The line is too long, or no <c>key=value</c>.</exception>
    public bool Read()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        LineNumber++;
        var end = _rest.IndexOf((byte)'\n');
        var line = _rest[..end];
        _rest = _rest[(end + 1)..];
        if (line.Length > UapiReader.MaxLineLength)
        {
            throw Error($"is longer than {UapiReader.MaxLineLength} bytes");
        }

        var equals = line.IndexOf((byte)'=');
        if (equals <= 0 || line.ContainsAnyExceptInRange((byte)' ', (byte)'~'))
        {
            throw Error("is not of the form key=value");
        }

        Key = line[..equals];
        Value = line[(equals + 1)..];
        return true;
    }

    /// <summary>Makes an exception that names the line.</summary>
    public readonly FormatException Error(string problem) => new($"line {LineNumber} of the reply {problem}");

    private static int ParseErrno(ReadOnlySpan<byte> line)
    {
        // int.MinValue has no positive counterpart, and no errno is that large.
        return line.StartsWith("errno="u8)
            && int.TryParse(line["errno=".Length..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var errno)
            && errno != int.MinValue
                ? Math.Abs(errno)
                : throw new FormatException("the reply does not end with errno=N");
    }
}
