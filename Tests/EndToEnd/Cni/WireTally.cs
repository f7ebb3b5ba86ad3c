using System.Buffers.Binary;
using System.Net;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>What a capture of the underlay shows of pods, whatever the kind of cluster.</summary>
internal sealed class WireTally
{
    private const int EthernetHeader = 14;
    private const int SourceOffset = EthernetHeader + 12;
    private const int MarkerLength = 16;
    private const int MaxExamples = 3;
    private const ushort EtherTypeIPv4 = 0x0800;
    private const byte ProtocolUdp = 17;

    /// <summary>In what pods send to pods and to a ClusterIP, throughout.</summary>
    public static byte[] PodContent { get; } = Repeat("zoo: pod to pod "u8);

    /// <summary>In what pods send to nodes.</summary>
    public static byte[] NodeContent { get; } = Repeat("zoo: pod to node"u8);

    /// <summary>In what nodes send.</summary>
    public static byte[] HostContent { get; } = Repeat("zoo: of the node"u8);

    /// <summary>Bytes of frames between nodes that are WireGuard's, by their ports.</summary>
    public long EncryptedBytes { get; private set; }

    /// <summary>Frames from pod to pod, as they are.</summary>
    public int Bare { get; private set; }

    /// <summary>Frames from pod to pod inside others.</summary>
    public int Encapsulated { get; private set; }

    /// <summary>Frames with what a pod sent to a pod, from or to another address.</summary>
    public int Masqueraded { get; private set; }

    /// <summary>Frames with what a pod sent to a node's port. No promise covers them.</summary>
    public int ToNodes { get; private set; }

    /// <summary>The first frames that had to be none.</summary>
    public List<string> Examples { get; } = [];

    /// <summary>Frames that nobody on the way may read.</summary>
    public int Clear => Bare + Encapsulated + Masqueraded;

    /// <summary>Counts.</summary>
    /// <param name="frames">As captured.</param>
    /// <param name="pods">The addresses of all pods that there were.</param>
    public static WireTally Count(IEnumerable<byte[]> frames, IEnumerable<IPAddress> pods)
    {
        var tally = new WireTally();
        var addresses = pods.Select(pod => BinaryPrimitives.ReadUInt32BigEndian(pod.GetAddressBytes())).ToHashSet();
        foreach (var frame in frames)
        {
            tally.Add(frame, addresses);
        }

        return tally;
    }

    private void Add(ReadOnlySpan<byte> frame, HashSet<uint> pods)
    {
        if (frame.Length < EthernetHeader + 20 || BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != EtherTypeIPv4)
        {
            return;
        }

        // First what it shows, then what it pretends to be. A later fragment of something encapsulated shows its content only.
        if (FindPair(frame, pods) is { } offset)
        {
            _ = offset == SourceOffset ? Bare++ : Encapsulated++;
            Keep(frame);
        }
        else if (frame.IndexOf(PodContent.AsSpan(0, MarkerLength)) >= 0)
        {
            Masqueraded++;
            Keep(frame);
        }
        else if (frame.IndexOf(NodeContent.AsSpan(0, MarkerLength)) >= 0)
        {
            ToNodes++;
        }
        else if (frame[EthernetHeader + 9] == ProtocolUdp
            && MeshPlan.WireGuardPorts.Contains(BinaryPrimitives.ReadUInt16BigEndian(frame[(EthernetHeader + 22)..])))
        {
            EncryptedBytes += frame.Length;
        }
    }

    private void Keep(ReadOnlySpan<byte> frame)
    {
        if (Examples.Count < MaxExamples)
        {
            Examples.Add(LocalMesh.Capture.FrameClassifier.Describe(frame));
        }
    }

    // Source and destination stand side by side in a header, at whatever depth it lies; eight chosen bytes do not occur by chance.
    private static int? FindPair(ReadOnlySpan<byte> frame, HashSet<uint> pods)
    {
        for (var i = EthernetHeader; i + 8 <= frame.Length; i++)
        {
            if (pods.Contains(BinaryPrimitives.ReadUInt32BigEndian(frame[i..]))
                && pods.Contains(BinaryPrimitives.ReadUInt32BigEndian(frame[(i + 4)..])))
            {
                return i;
            }
        }

        return null;
    }

    private static byte[] Repeat(ReadOnlySpan<byte> marker)
    {
        var content = new byte[EchoClient.Length];
        for (var i = 0; i < content.Length; i += marker.Length)
        {
            marker.CopyTo(content.AsSpan(i));
        }

        return content;
    }
}
