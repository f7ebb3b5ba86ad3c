using System.Globalization;
using System.Text;

namespace Orleans.WireGuard.Membership;

/// <summary>One membership row as one line of text that is short, that people can read, and that loses nothing. Pure.</summary>
/// <remarks>
/// <code>
/// Active 10.240.0.4:11111@132456789 aks-pool-000001 30000 = owg 0/0 2026-11-23T06:34:00.1234567Z +300000000
/// status address                    silo name   proxy port  │   │   │  start time                 │ then votes: address!time
///                                                  host name┘role┘   └update/fault zone           └ I-am-alive, 100 ns after the start
/// </code>
/// Fields are separated by one blank. <c>-</c> is null, <c>%</c> alone is an empty text, <c>=</c> as host name is the silo name;
/// other characters that would break this are written as %XX of their UTF-8 bytes. A lone <c>!</c> is an empty list of votes.
/// </remarks>
internal static class MembershipRowCodec
{
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'";
    private const int FixedFields = 9;

    /// <summary>Writes <paramref name="entry"/>.</summary>
    public static string Encode(MembershipEntry entry)
    {
        var start = Utc(entry.StartTime);
        var alive = Utc(entry.IAmAliveTime);
        var builder = new StringBuilder(160)
            .Append(entry.Status).Append(' ')
            .Append(entry.SiloAddress.ToParsableString()).Append(' ');
        Append(builder, entry.SiloName);
        builder.Append(CultureInfo.InvariantCulture, $" {entry.ProxyPort} ");
        if (entry.HostName is not null && entry.HostName == entry.SiloName)
        {
            builder.Append('=');
        }
        else
        {
            Append(builder, entry.HostName);
        }

        builder.Append(' ');
        Append(builder, entry.RoleName);
        builder.Append(CultureInfo.InvariantCulture, $" {entry.UpdateZone}/{entry.FaultZone} ")
            .Append(start.ToString(TimeFormat, CultureInfo.InvariantCulture))
            .Append(CultureInfo.InvariantCulture, $" {alive.Ticks - start.Ticks:+0;-0;+0}");
        if (entry.SuspectTimes is { Count: 0 })
        {
            builder.Append(" !");
        }

        foreach (var (voter, time) in entry.SuspectTimes ?? [])
        {
            builder.Append(' ').Append(voter.ToParsableString()).Append('!')
                .Append(Utc(time).ToString(TimeFormat, CultureInfo.InvariantCulture));
        }

        return builder.ToString();
    }

    /// <summary>Reads what <see cref="Encode"/> wrote.</summary>
    /// <exception cref="FormatException">It is not a row; the message quotes it.</exception>
    public static MembershipEntry Decode(string row)
    {
        var fields = row.Split(' ');
        try
        {
            if (fields.Length < FixedFields)
            {
                throw new FormatException($"{fields.Length} fields instead of at least {FixedFields}");
            }

            var zones = fields[6].Split('/');
            var start = Time(fields[7]);
            var name = Text(fields[2]);
            return new MembershipEntry
            {
                Status = Enum.Parse<SiloStatus>(fields[0]),
                SiloAddress = SiloAddress.FromParsableString(fields[1]),
                SiloName = name!,
                ProxyPort = int.Parse(fields[3], CultureInfo.InvariantCulture),
                HostName = (fields[4] == "=" ? name : Text(fields[4]))!,
                RoleName = Text(fields[5]),
                UpdateZone = int.Parse(zones[0], CultureInfo.InvariantCulture),
                FaultZone = int.Parse(zones[1], CultureInfo.InvariantCulture),
                StartTime = start,
                IAmAliveTime = start.AddTicks(long.Parse(fields[8], CultureInfo.InvariantCulture)),
                SuspectTimes = Votes(fields.AsSpan(FixedFields)),
            };
        }
        catch (Exception error) when (error is FormatException or ArgumentException or OverflowException or IndexOutOfRangeException)
        {
            throw new FormatException($"Not a membership row: \"{row}\" ({error.Message})", error);
        }
    }

    private static List<Tuple<SiloAddress, DateTime>>? Votes(ReadOnlySpan<string> fields)
    {
        if (fields.IsEmpty)
        {
            return null;
        }

        List<Tuple<SiloAddress, DateTime>> votes = new(fields.Length);
        foreach (var field in fields)
        {
            if (field == "!")
            {
                continue;
            }

            var separator = field.IndexOf('!', StringComparison.Ordinal);
            votes.Add(Tuple.Create(SiloAddress.FromParsableString(field[..separator]), Time(field[(separator + 1)..])));
        }

        return votes;
    }

    private static void Append(StringBuilder builder, string? text)
    {
        switch (text)
        {
            case null:
                builder.Append('-');
                return;
            case "":
                builder.Append('%');
                return;
            case "-":
                builder.Append("%2D");
                return;
            case "=":
                builder.Append("%3D");
                return;
        }

        foreach (var part in Encoding.UTF8.GetBytes(text))
        {
            // Printable ASCII without what JSON or this format would have to escape; all else as bytes.
            if (part is > 0x20 and < 0x7f and not ((byte)'%' or (byte)'"' or (byte)'\\' or (byte)'<' or (byte)'>' or (byte)'&'))
            {
                builder.Append((char)part);
            }
            else
            {
                builder.Append(CultureInfo.InvariantCulture, $"%{part:X2}");
            }
        }
    }

    private static string? Text(string field) => field switch
    {
        "-" => null,
        "%" => string.Empty,
        _ => Uri.UnescapeDataString(field),
    };

    private static DateTime Time(string field) =>
        DateTime.ParseExact(
            field, TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);

    // Orleans writes UTC with whatever kind; only a time that says it is local is one.
    private static DateTime Utc(DateTime time) =>
        time.Kind == DateTimeKind.Local ? time.ToUniversalTime() : DateTime.SpecifyKind(time, DateTimeKind.Utc);
}
