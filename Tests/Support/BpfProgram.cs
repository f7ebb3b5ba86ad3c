using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;

// Loads a BPF program for tc(8): bpf(2), linux/bpf.h.

namespace Orleans.WireGuard.Tests.Support;

/// <summary>A program of the kind that a data plane attaches to a pod's link. Pinned, so that tc(8) finds it.</summary>
/// <remarks>
/// Two programs are enough to be the data plane of E2b of a tunnelling network plugin: what Cilium does, in a dozen instructions each.
/// </remarks>
internal static partial class BpfProgram
{
    private const int BPF_PROG_LOAD = 5;
    private const int BPF_OBJ_PIN = 6;
    private const int BPF_PROG_TYPE_SCHED_CLS = 3;
    private const int BPF_FUNC_skb_set_tunnel_key = 21;
    private const int BPF_FUNC_redirect = 23;
    private const int BPF_FUNC_skb_load_bytes = 26;
    private const int BPF_FUNC_fib_lookup = 69;
    private const int BPF_FUNC_redirect_neigh = 152;
    private const int AttributeSize = 128;

    // The next program decides, and after the last one the packet passes.
    private const int TC_ACT_UNSPEC = -1;
    private const int TC_ACT_SHOT = 2;

    // Marks a jump to the end, where the packet passes.
    private const short Out = 0x7FFF;

    // Behind the Ethernet header lies the IPv4 header, whose last field is the destination.
    private const int DestinationOffset = 14 + 16;

    /// <summary>
    /// On the way in from a pod: what goes to a prefix is sent into a metadata VXLAN link, to a node, before the stack has seen it.
    /// </summary>
    /// <param name="prefix">IPv4, with a length of whole bytes.</param>
    /// <param name="node">Where the other end of the encapsulation is.</param>
    /// <param name="vxlanIndex">Number of the link.</param>
    public static byte[] Encapsulate(IPPrefix prefix, IPAddress node, int vxlanIndex)
    {
        var remote = BinaryPrimitives.ReadInt32BigEndian(node.GetAddressBytes());
        return Assemble(
            [
                .. Match(prefix),
                (0x62, 10, 0, -16, 5), // struct bpf_tunnel_key: tunnel_id
                (0x62, 10, 0, -12, remote), // and remote_ipv4
                (0xBF, 1, 6, 0, 0),
                (0xBF, 2, 10, 0, 0),
                (0x07, 2, 0, 0, -16),
                (0xB7, 3, 0, 0, 8),
                (0xB7, 4, 0, 0, 0),
                (0x85, 0, 0, 0, BPF_FUNC_skb_set_tunnel_key),
                (0x55, 0, 0, Out, 0),
                (0xB7, 1, 0, 0, vxlanIndex),
                (0xB7, 2, 0, 0, 0),
                (0x85, 0, 0, 0, BPF_FUNC_redirect),
                (0x95, 0, 0, 0, 0),
            ]);
    }

    /// <summary>
    /// On the way in from a pod: what goes to a prefix is routed here, by the routes and rules of the kernel, before the stack has seen it;
    /// Cilium's "BPF host routing".
    /// </summary>
    /// <param name="prefix">IPv4, with a length of whole bytes.</param>
    public static byte[] Route(IPPrefix prefix)
    {
        const int NoNeighbour = 7; // BPF_FIB_LKUP_RET_NO_NEIGH: a device of ours has none
        const int TooLarge = 8; // BPF_FIB_LKUP_RET_FRAG_NEEDED
        return Assemble(
            [
                .. Match(prefix),

                // struct bpf_fib_lookup: 64 bytes, cleared
                .. Enumerable.Range(1, 8).Select(word => ((byte)0x7A, (byte)10, (byte)0, (short)(-8 * word), 0)),
                (0x72, 10, 0, -64, 2), // family: AF_INET
                (0x61, 1, 6, 40, 0),
                (0x63, 10, 1, -56, 0), // ifindex: where it came in
                .. Load(DestinationOffset - 4, stack: -48), // ipv4_src
                .. Load(DestinationOffset, stack: -32), // ipv4_dst
                (0xBF, 1, 6, 0, 0),
                (0xBF, 2, 10, 0, 0),
                (0x07, 2, 0, 0, -64),
                (0xB7, 3, 0, 0, 64),
                (0xB7, 4, 0, 0, 0),
                (0x85, 0, 0, 0, BPF_FUNC_fib_lookup),
                (0x15, 0, 0, 4, 0),
                (0x15, 0, 0, 3, NoNeighbour),
                (0x55, 0, 0, Out, TooLarge), // no route, or to this node
                (0xB7, 0, 0, 0, TC_ACT_SHOT), // and nobody is told
                (0x95, 0, 0, 0, 0),
                (0x61, 1, 10, -56, 0), // ifindex: where it leaves
                (0xB7, 2, 0, 0, 0),
                (0xB7, 3, 0, 0, 0),
                (0xB7, 4, 0, 0, 0),
                (0x85, 0, 0, 0, BPF_FUNC_redirect_neigh),
                (0x95, 0, 0, 0, 0),
            ]);
    }

    /// <summary>What goes to a prefix is sent by another link, past the stack.</summary>
    /// <param name="prefix">IPv4, with a length of whole bytes.</param>
    /// <param name="linkIndex">Number of that link.</param>
    /// <param name="node">The neighbour on that link that gets it; <see langword="null"/> for the destination itself.</param>
    public static byte[] Send(IPPrefix prefix, int linkIndex, IPAddress? node) => Assemble(
        [
            .. Match(prefix),

            // struct bpf_redir_neigh: nh_family and ipv4_nh
            (0x7A, 10, 0, -8, 0),
            (0x7A, 10, 0, -16, 0),
            (0x7A, 10, 0, -24, 0),
            (0x62, 10, 0, -24, 2),
            (0x62, 10, 0, -20, node is null ? 0 : BinaryPrimitives.ReadInt32LittleEndian(node.GetAddressBytes())),
            (0xB7, 1, 0, 0, linkIndex),
            (0xBF, 2, 10, 0, 0),
            (0x07, 2, 0, 0, -24),
            (0xB7, 3, 0, 0, 20),
            .. node is null ? [(0xB7, 2, 0, 0, 0), (0xB7, 3, 0, 0, 0)] : Array.Empty<(byte, byte, byte, short, int)>(),
            (0xB7, 4, 0, 0, 0),
            (0x85, 0, 0, 0, BPF_FUNC_redirect_neigh),
            (0x95, 0, 0, 0, 0),
        ]);

    /// <summary>Loads a program and pins it.</summary>
    /// <param name="instructions">The program.</param>
    /// <param name="path">A file that does not exist yet, in a file system of the kind bpf.</param>
    public static unsafe void Pin(byte[] instructions, string path)
    {
        var license = "GPL\0"u8.ToArray();
        var log = new byte[64 * 1024];
        var name = Encoding.UTF8.GetBytes(path + "\0");
        fixed (byte* program = instructions, text = license, verifier = log, file = name)
        {
            var attribute = stackalloc byte[AttributeSize];
            var words = (uint*)attribute;
            var longs = (ulong*)attribute;
            new Span<byte>(attribute, AttributeSize).Clear();
            (words[0], words[1], longs[1], longs[2]) =
                (BPF_PROG_TYPE_SCHED_CLS, (uint)instructions.Length / 8, (ulong)program, (ulong)text);
            (words[6], words[7], longs[4]) = (1, (uint)log.Length, (ulong)verifier);
            var descriptor = (int)Bpf(Number, BPF_PROG_LOAD, attribute, AttributeSize);
            if (descriptor < 0)
            {
                throw new InvalidOperationException(
                    $"BPF_PROG_LOAD: errno {Marshal.GetLastPInvokeError()}: {Encoding.ASCII.GetString(log).TrimEnd('\0')}");
            }

            try
            {
                new Span<byte>(attribute, AttributeSize).Clear();
                (longs[0], words[2]) = ((ulong)file, (uint)descriptor);
                Native.Check((int)Bpf(Number, BPF_OBJ_PIN, attribute, AttributeSize), $"BPF_OBJ_PIN {path}");
            }
            finally
            {
                _ = Close(descriptor);
            }
        }
    }

    // Keeps the packet in r6. One that is too short, or goes elsewhere than to the prefix, passes.
    private static (byte Code, byte Target, byte Source, short Offset, int Constant)[] Match(IPPrefix prefix) =>
    [
        (0xBF, 6, 1, 0, 0),
        .. Load(DestinationOffset, stack: -4),
        (0x61, 1, 10, -4, 0),
        (0x54, 1, 0, 0, Mask(prefix)),
        (0x56, 1, 0, Out, Network(prefix)),
    ];

    private static (byte Code, byte Target, byte Source, short Offset, int Constant)[] Load(int packet, short stack) =>
    [
        (0xBF, 1, 6, 0, 0),
        (0xB7, 2, 0, 0, packet),
        (0xBF, 3, 10, 0, 0),
        (0x07, 3, 0, 0, stack),
        (0xB7, 4, 0, 0, 4),
        (0x85, 0, 0, 0, BPF_FUNC_skb_load_bytes),
        (0x55, 0, 0, Out, 0),
    ];

    // As a program loads them from a packet: in the byte order of the machine, the first byte lowest.
    private static int Mask(IPPrefix prefix) =>
        BinaryPrimitives.ReadInt32LittleEndian([.. Enumerable.Range(0, 4).Select(i => (byte)(i < prefix.Length / 8 ? 0xFF : 0))]);

    private static int Network(IPPrefix prefix) => BinaryPrimitives.ReadInt32LittleEndian(prefix.Address.GetAddressBytes());

    private static long Number => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 280 : 321;

    // struct bpf_insn: the operation, two registers in a byte, an offset, a constant. A jump to the end lets the packet pass.
    private static byte[] Assemble((byte Code, byte Target, byte Source, short Offset, int Constant)[] instructions)
    {
        (byte Code, byte Target, byte Source, short Offset, int Constant)[] all =
            [.. instructions, (0xB7, 0, 0, 0, TC_ACT_UNSPEC), (0x95, 0, 0, 0, 0)];
        var bytes = new byte[all.Length * 8];
        for (var i = 0; i < all.Length; i++)
        {
            var (code, target, source, offset, constant) = all[i];
            var jump = offset == Out ? (short)(instructions.Length - i - 1) : offset;
            (bytes[i * 8], bytes[(i * 8) + 1]) = (code, (byte)((source << 4) | target));
            BinaryPrimitives.WriteInt16LittleEndian(bytes.AsSpan((i * 8) + 2), jump);
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan((i * 8) + 4), constant);
        }

        return bytes;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial long Bpf(long number, int command, void* attribute, uint size);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
