using CsCheck;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Linux.Netlink;

public sealed class NetlinkCodecPropertyTests
{
    private const ushort Family = 0x20;

    // An attribute with bytes, or one with attributes inside.
    private sealed record Node(ushort Type, byte[] Value, Node[] Children)
    {
        public override string ToString() => Children.Length == 0
            ? $"{Type}:{Convert.ToHexString(Value)}"
            : $"{Type}[{string.Join(",", (object[])Children)}]";
    }

    private static readonly ushort[] MessageTypes = [2, 3, 16, 20, 24, Family];

    private static readonly Gen<byte[]> RecordedOnes = Gen.Int[0, Recorded.All.Length - 1].Select(i => Recorded.All[i]);

    private static readonly Gen<ushort> Types = Gen.UShort[0, 0x3fff];

    private static readonly Gen<Node> Trees = Gen.Recursive<Node>((depth, inner) => depth > 2
        ? Leaves()
        : Gen.OneOf(Leaves(), Gen.Select(Types, inner.Array[1, 4], (type, children) => new Node(type, [], children))));

    private static Gen<Node> Leaves() => Gen.Select(Types, Gen.Byte.Array[0, 40], (type, value) => new Node(type, value, []));

    [Fact]
    public void Read_OfWhatWasWritten_IsTheSame() => Trees.Array[0, 8].Sample(nodes =>
    {
        var buffer = new byte[32_768];
        Array.Fill(buffer, (byte)0xaa);
        var writer = new NetlinkWriter(buffer, 1, 2);
        Write(ref writer, nodes);
        var message = writer.Complete();
        var reader = new NetlinkReader(message);
        Assert.True(reader.TryReadMessage(out var read));
        Assert.Equal(0, message.Length % 4);
        Assert.Equal(string.Join(",", (object[])nodes), string.Join(",", (object[])Read(new NetlinkReader(read.Payload), nodes)));
    });

    [Fact]
    public void Readers_OfRandomBytes_EndOrSayWhatIsWrong() => Gen.Byte.Array[0, 300].Sample(ReadEverything, iter: 20_000);

    [Fact]
    public void Readers_OfTruncatedMessages_EndOrSayWhatIsWrong() =>
        Gen.Select(RecordedOnes, Gen.Int[0, 600]).Sample(
            (recorded, length) => ReadEverything(recorded[..Math.Min(length, recorded.Length)]), iter: 5_000);

    [Fact]
    public void Readers_OfMutatedMessages_EndOrSayWhatIsWrong() =>
        Gen.Select(RecordedOnes, Gen.Select(Gen.Int[0, 2_000], Gen.Byte).Array[1, 6]).Sample(
            (recorded, changes) =>
            {
                var bytes = (byte[])recorded.Clone();
                foreach (var (at, value) in changes)
                {
                    bytes[at % bytes.Length] = value;
                }

                ReadEverything(bytes);
            },
            iter: 20_000);

    [Fact]
    public void Readers_OfRandomPayloads_EndOrSayWhatIsWrong() =>
        Gen.Select(Gen.Int[0, MessageTypes.Length - 1].Select(i => MessageTypes[i]), Gen.Byte.Array[0, 200]).Sample(
            (type, payload) =>
            {
                var writer = new NetlinkWriter(new byte[512], type, 0x300);
                foreach (var value in payload)
                {
                    writer.WriteByte(value);
                }

                ReadEverything(writer.Complete().ToArray());
            },
            iter: 20_000);

    // Runs every reader over the same bytes. Each ends on its own, or with the one exception that is meant for it.
    private static void ReadEverything(byte[] datagram)
    {
        var messages = 0;
        var reader = new NetlinkReader(datagram);
        while (Survives(ref reader, out var message))
        {
            Assert.True(++messages <= datagram.Length / NetlinkWriter.HeaderSize);
            Try(message, static (in NetlinkMessage m) => NetlinkError.Read(m));
            Try(message, static (in NetlinkMessage m) => GenericNetlink.ReadFamily(m));
            Try(message, static (in NetlinkMessage m) => LinkMessages.ReadLink(m));
            Try(message, static (in NetlinkMessage m) => LinkMessages.TryReadAddress(m, 1));
            Try(message, static (in NetlinkMessage m) => DumpMessages.ReadLink(m));
            Try(message, static (in NetlinkMessage m) => RouteMessages.TryReadRoute(m, RouteTable.Default.Number));
            Try(message, static (in NetlinkMessage m) => RouteMessages.ReadAnyRoute(m));
            Try(message, static (in NetlinkMessage m) => RouteMessages.ReadWay(m));
            Try(message, static (in NetlinkMessage m) => RouteMessages.ReadPath(m));
            Try(message, static (in NetlinkMessage m) => DumpMessages.ReadRule(m));
            Try(message, static (in NetlinkMessage m) => WireGuardMessageReader.ReadKeyPair(m, Family)?.Dispose());
            Try(message, static (in NetlinkMessage m) =>
            {
                var device = new WireGuardMessageReader(Family);
                device.Read(m);
                device.ToDevice("owg0");
            });
        }
    }

    private static bool Survives(ref NetlinkReader reader, out NetlinkMessage message)
    {
        try
        {
            return reader.TryReadMessage(out message);
        }
        catch (NetlinkFormatException e)
        {
            Assert.NotEmpty(e.Message);
            message = default;
            return false;
        }
    }

    private static void Try(in NetlinkMessage message, NetlinkMessageHandler read)
    {
        try
        {
            read(message);
        }
        catch (NetlinkFormatException e)
        {
            Assert.NotEmpty(e.Message);
        }
    }

    private static void Write(ref NetlinkWriter writer, Node[] nodes)
    {
        foreach (var node in nodes)
        {
            if (node.Children.Length == 0)
            {
                writer.WriteBytes(node.Type, node.Value);
                continue;
            }

            var start = writer.BeginNested(node.Type);
            Write(ref writer, node.Children);
            writer.EndNested(start);
        }
    }

    // The bytes do not say which attributes are nested, so the shape is taken from what was written.
    private static Node[] Read(NetlinkReader reader, Node[] shape)
    {
        List<Node> nodes = [];
        while (reader.TryReadAttribute(out var attribute))
        {
            var expected = shape[nodes.Count];
            nodes.Add(expected.Children.Length == 0
                ? new Node(attribute.Type, attribute.Value.ToArray(), [])
                : new Node(attribute.Type, [], Read(attribute.AsNested(), expected.Children)));
        }

        Assert.Equal(shape.Length, nodes.Count);
        return [.. nodes];
    }
}
