// News about links, their addresses and their settings.
using Orleans.WireGuard.Linux.Netlink;
using static Orleans.WireGuard.Linux.Netlink.NetlinkConstants;

namespace Orleans.WireGuard.Linux.Routing;

public sealed partial class NewsFilter
{
    private const int LinkHeaderSize = 16;

    // struct netconfmsg, padded.
    private const int SettingHeaderSize = 4;

    // A renamed link is told of under its new name alone, one that left for another namespace as deleted.
    private KernelNews JudgeLink(ReadOnlySpan<byte> payload)
    {
        var index = Index(payload);
        var news = _links.Contains(index) ? KernelNews.Underlay : KernelNews.None;
        news |= _devices.Contains(index) ? KernelNews.Devices : KernelNews.None;
        var reader = new NetlinkReader(payload);
        reader.ReadPast(LinkHeaderSize);
        while (reader.TryReadAttribute(out var attribute))
        {
            switch (attribute.Type)
            {
                case IFLA_IFNAME when IsOurName(attribute.Value.TrimEnd((byte)0)):
                    news |= KernelNews.Devices;
                    break;
                case IFLA_LINKINFO when IsEncapsulating(attribute.AsNested()):
                    news |= KernelNews.Encapsulation;
                    break;
            }
        }

        return news;
    }

    private static bool IsEncapsulating(NetlinkReader info)
    {
        while (info.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == IFLA_INFO_KIND)
            {
                var kind = attribute.Value.TrimEnd((byte)0);
                return kind.SequenceEqual("vxlan"u8) || kind.SequenceEqual("geneve"u8) || kind.SequenceEqual("openvswitch"u8);
            }
        }

        return false;
    }

    private KernelNews JudgeAddress(int link) =>
        (_links.Contains(link) ? KernelNews.Underlay : KernelNews.None) | (_devices.Contains(link) ? KernelNews.Devices : KernelNews.None);

    private KernelNews JudgeSetting(ReadOnlySpan<byte> payload)
    {
        var reader = new NetlinkReader(payload);
        reader.ReadPast(SettingHeaderSize);
        while (reader.TryReadAttribute(out var attribute))
        {
            if (attribute.Type == NETCONFA_IFINDEX)
            {
                return _devices.Contains((int)attribute.AsUInt32()) ? KernelNews.Devices : KernelNews.None;
            }
        }

        return KernelNews.None;
    }

    private bool IsOurName(ReadOnlySpan<byte> name)
    {
        foreach (var ours in _names)
        {
            if (name.SequenceEqual(ours))
            {
                return true;
            }
        }

        return false;
    }
}
