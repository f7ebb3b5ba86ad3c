// The kernel's verdict on a request: struct nlmsgerr and its extended acknowledgement, linux/netlink.h.
using System.Globalization;
using System.Runtime.InteropServices;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>What the kernel said about a request.</summary>
/// <param name="Errno">Positive; 0 if it went well.</param>
/// <param name="Detail">The kernel's own words if it had any, else those of the errno.</param>
internal readonly record struct NetlinkError(int Errno, string Detail)
{
    /// <summary>Reads an NLMSG_ERROR (struct nlmsgerr, then attributes) or an NLMSG_DONE (int, then attributes).</summary>
    /// <exception cref="NetlinkFormatException">It is neither.</exception>
    public static NetlinkError Read(in NetlinkMessage message)
    {
        var reader = new NetlinkReader(message.Payload);

        // A dump that ends on an old kernel may carry no code at all.
        var code = message.Type == NLMSG_DONE && reader.Remaining == 0 ? 0 : (int)reader.ReadUInt32();
        if (code is > 0 or int.MinValue)
        {
            throw new NetlinkFormatException($"An error code is zero or negative, {code} came.");
        }

        if (code == 0)
        {
            return default;
        }

        string? words = null;
        uint? offset = null;
        ushort? missing = null;
        if (message.Has(NLM_F_ACK_TLVS))
        {
            SkipRequest(message, ref reader);
            while (reader.TryReadAttribute(out var attribute))
            {
                switch (attribute.Type)
                {
                    case NLMSGERR_ATTR_MSG:
                        words = attribute.AsString();
                        break;
                    case NLMSGERR_ATTR_OFFS:
                        offset = attribute.AsUInt32();
                        break;
                    case NLMSGERR_ATTR_MISS_TYPE:
                        missing = (ushort)attribute.AsUInt32();
                        break;
                }
            }
        }

        return new NetlinkError(-code, Describe(-code, words, offset, missing));
    }

    // The request follows its error: all of it, or its header only if NETLINK_CAP_ACK is on.
    private static void SkipRequest(in NetlinkMessage message, ref NetlinkReader reader)
    {
        if (message.Type == NLMSG_DONE)
        {
            return;
        }

        var length = message.Has(NLM_F_CAPPED) ? NetlinkWriter.HeaderSize : new NetlinkReader(message.Payload[sizeof(int)..]).ReadUInt32();
        reader.ReadPast(NetlinkWriter.Align((int)Math.Min(length, ushort.MaxValue * 2)));
    }

    private static string Describe(int errno, string? words, uint? offset, ushort? missing)
    {
        var text = Marshal.GetPInvokeErrorMessage(errno);
        if (!string.IsNullOrEmpty(words))
        {
            text = $"{text}: {words.TrimEnd('.')}";
        }

        if (missing is { } type)
        {
            text += string.Create(CultureInfo.InvariantCulture, $", attribute {type} is missing");
        }

        return offset is { } at ? text + string.Create(CultureInfo.InvariantCulture, $", at byte {at} of the request") : text;
    }
}
