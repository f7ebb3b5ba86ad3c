using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using CsCheck;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.Serialization;
using Orleans.Serialization.Buffers;
using Orleans.WireGuard.Silo.Security;

namespace Orleans.WireGuard.Tests.Unit.Security;

/// <summary>What a client sends comes through as it is, however it is cut; what it sends in another's name ends the connection.</summary>
public sealed class ClientFrameGateTests
{
    private static readonly ServiceProvider Services = new ServiceCollection().AddSerializer().BuildServiceProvider();
    private static readonly GrainId Client = GrainId.Create(GrainTypePrefix.ClientGrainType, IdSpan.Create("0123456789"));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Senders that no client is.</summary>
    public static TheoryData<string, string> Impostors { get; } = new()
    {
        { "sys.svc.clustering", "10.0.0.1:11111@5" },
        { "sys.client", "hosted-10.0.0.1:11111@5" },
        { "sys.client", "" },
        { "sys.silo", "01111111-1111-1111-1111-111111111111" },
        { "node", "node-1" },
        { "sys.clientx", "a" },
    };

    [Fact]
    public async Task Use_FramesOfAClientCutAnywhere_PassUnchanged()
    {
        await Gen.Select(Gen.Int[0, 9_000].List[0, 6], Gen.Int[1, 5_000].List[1, 6]).SampleAsync(async (bodies, cuts) =>
        {
            byte[] sent = [.. Preamble(Client), .. bodies.SelectMany(body => Frame(Client, body))];
            Assert.Equal(sent, await PassAsync(sent, cuts));
        }, iter: 60);
    }

    // Longer than what is read ahead.
    [Fact]
    public async Task Use_LargestFrame_Passes()
    {
        byte[] sent = [.. Preamble(Client), .. Frame(Client, ConnectionLimits.MaxBodyBytes)];
        Assert.Equal(sent.Length, (await PassAsync(sent, [70_000])).Length);
    }

    [Theory]
    [MemberData(nameof(Impostors))]
    public async Task Use_FrameInAnothersName_EndsTheConnectionBeforeOrleansSeesIt(string type, string key)
    {
        byte[] honest = [.. Preamble(Client), .. Frame(Client, 10)];
        byte[] sent = [.. honest, .. Frame(GrainId.Create(GrainType.Create(type), IdSpan.Create(key)), 10), .. Frame(Client, 10)];
        AssertBeginsWith(honest, await PassAsync(sent, [sent.Length], isRefused: true));
        AssertBeginsWith(honest, await PassAsync(sent, [7], isRefused: true));
    }

    [Fact]
    public async Task Use_PreambleOfASilosOwnClient_EndsTheConnection() => Assert.Empty(
        await PassAsync(
            Preamble(GrainId.Create(GrainTypePrefix.ClientGrainType, IdSpan.Create("hosted-10.0.0.1:11111@5"))), [7], isRefused: true));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-1, 0)]
    [InlineData(ConnectionLimits.MaxHeaderBytes + 1, 0)]
    [InlineData(100, -1)]
    [InlineData(100, ConnectionLimits.MaxBodyBytes + 1)]
    [InlineData(100, 0)]
    public async Task Use_FrameThatIsNone_EndsTheConnection(int header, int body)
    {
        var junk = new byte[8 + 200];
        Array.Fill(junk, (byte)0xFF);
        BinaryPrimitives.WriteInt32LittleEndian(junk, header);
        BinaryPrimitives.WriteInt32LittleEndian(junk.AsSpan(4), body);
        var preamble = Preamble(Client);
        AssertBeginsWith(preamble, await PassAsync([.. preamble, .. junk], [1_000], isRefused: true));
    }

    // What came at once with the fault may be gone with it.
    private static void AssertBeginsWith(byte[] honest, byte[] received) =>
        Assert.True(honest.AsSpan().StartsWith(received), "Something of the fault came through.");

    private static async Task<byte[]> PassAsync(byte[] sent, List<int> cuts, bool isRefused = false)
    {
        var (toSilo, toClient) = (new Pipe(), new Pipe());
        var connection = new Connection(
            "test", new Duplex(toSilo.Reader, toClient.Writer), new Duplex(toClient.Reader, toSilo.Writer));
        var received = new ArrayBufferWriter<byte>();
        var gate = new ClientFrameGate(
            Services.GetRequiredService<Serializer<ClientPreamble>>(), TimeProvider.System, NullLogger<ClientFrameGate>.Instance);

        // What Orleans does: everything is read until there is no more.
        var running = gate.Use(async context =>
        {
            try
            {
                while (true)
                {
                    var read = await context.Transport.Input.ReadAsync(Token);
                    foreach (var memory in read.Buffer)
                    {
                        received.Write(memory.Span);
                    }

                    context.Transport.Input.AdvanceTo(read.Buffer.End);
                    if (read.IsCompleted)
                    {
                        return;
                    }
                }
            }
            catch (InvalidDataException) when (isRefused)
            {
            }
        })(connection);

        // The guard lets a connection through when its preamble is complete.
        var preamble = 4 + BinaryPrimitives.ReadInt32LittleEndian(sent);
        await toSilo.Writer.WriteAsync(sent.AsMemory(0, preamble), Token);
        for (var (at, turn) = (preamble, 0); at < sent.Length; turn++)
        {
            var length = Math.Min(cuts[turn % cuts.Count], sent.Length - at);
            if ((await toSilo.Writer.WriteAsync(sent.AsMemory(at, length), Token)).IsCompleted)
            {
                break;
            }

            at += length;
        }

        await toSilo.Writer.CompleteAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Token);
        Assert.Equal(isRefused, connection.IsAborted);
        return received.WrittenSpan.ToArray();
    }

    private static byte[] Preamble(GrainId client)
    {
        var body = Services.GetRequiredService<Serializer<ClientPreamble>>().SerializeToArray(new ClientPreamble { NodeIdentity = client });
        byte[] preamble = [.. new byte[4], .. body];
        BinaryPrimitives.WriteInt32LittleEndian(preamble, body.Length);
        return preamble;
    }

    private static byte[] Frame(GrainId sender, int bodyLength)
    {
        var header = new ArrayBufferWriter<byte>();
        var writer = Writer.Create(header, null!);
        writer.WriteUInt32(0);
        writer.WriteInt64(1);
        IdSpanCodec.WriteRaw(ref writer, sender.Type.Value);
        IdSpanCodec.WriteRaw(ref writer, sender.Key);
        writer.Commit();
        byte[] frame = [.. new byte[8], .. header.WrittenSpan, .. new byte[bodyLength]];
        BinaryPrimitives.WriteInt32LittleEndian(frame, header.WrittenCount);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(4), bodyLength);
        return frame;
    }

    // The one of the framework tells of its end from another thread.
    private sealed class Connection(string id, IDuplexPipe transport, IDuplexPipe application)
        : DefaultConnectionContext(id, transport, application)
    {
        public bool IsAborted { get; private set; }

        public override void Abort(ConnectionAbortedException abortReason)
        {
            IsAborted = true;
            base.Abort(abortReason);
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
