using System.Net;
using Microsoft.Extensions.Time.Testing;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Linux.Netlink;
using Orleans.WireGuard.Tests.Support;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.Unit.Linux.Netlink;

public sealed class NetlinkTransportTests
{

    private const string Entry = "14000000 1234 0200 00000000 00000000 2a000000";
    private const string InterruptedEntry = "14000000 1234 1200 00000000 00000000 2b000000";
    private const string InterruptedDone = "14000000 0300 1200 00000000 00000000 00000000";

    private readonly FakeKernel _kernel = new();

    [Fact]
    public async Task Run_AnswerOverSeveralDatagrams_HandsOutEveryMessage()
    {
        _kernel.Answer(Entry + Entry, Entry, FakeKernel.Done);
        Assert.Equal([0x2a, 0x2a, 0x2a], await RunAsync());
        Assert.Equal(0, _kernel.Open);
    }

    [Theory]
    [InlineData(InterruptedEntry)]
    [InlineData(InterruptedDone)]
    public async Task Run_DumpThatChangedMeanwhile_StartsOverOnANewSocket(string interrupted)
    {
        _kernel.Answer(Entry, interrupted).Answer(Entry, FakeKernel.Done);

        Assert.Equal([0x2a], await RunAsync());

        Assert.Equal(2, _kernel.Opened.Count);
        Assert.Equal(0, _kernel.Open);
    }

    [Theory]
    [InlineData(ENOBUFS)]
    [InlineData(EINTR)]
    public async Task Run_ReceiveThatWasInterrupted_StartsOver(int errno)
    {
        _kernel.AnswerRaw(new FakeKernel.Reply([], errno)).Answer(Entry, FakeKernel.Done);
        Assert.Equal([0x2a], await RunAsync());
    }

    [Fact]
    public async Task Run_InterruptedEveryTime_GivesUpAfterTheLastAttempt()
    {
        for (var attempt = 0; attempt < 20; attempt++)
        {
            _kernel.Answer(InterruptedDone);
        }

        var e = await Assert.ThrowsAsync<LinuxException>(() => RunAsync());

        Assert.Equal("dump: given up after 8 attempts: it changed while it was read (errno 11)", e.Message);
        Assert.Equal(NetlinkTransport.MaxAttempts, _kernel.Requests.Count);
        Assert.Equal(0, _kernel.Open);
    }

    [Fact]
    public async Task Run_Interrupted_PausesByTheInjectedClock()
    {
        var time = new FakeTimeProvider();
        _kernel.Answer(InterruptedDone).Answer(InterruptedDone).Answer(Entry, FakeKernel.Done);

        var run = RunAsync(time);
        Assert.Single(_kernel.Requests);
        time.Advance(TimeSpan.FromMilliseconds(1));
        await WaitUntilAsync(() => _kernel.Requests.Count == 2);
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(2, _kernel.Requests.Count);
        time.Advance(TimeSpan.FromMilliseconds(1));

        Assert.Equal([0x2a], await run);
    }

    [Fact]
    public async Task Run_DatagramThatWasCutOff_ComesBackWithALargerBuffer()
    {
        var large = $"{Hex.Text(BitConverter.GetBytes(40_000))} 1234 0200 00000000 00000000 2a000000" + new string('0', 2 * (40_000 - 20));
        _kernel.Answer(large, FakeKernel.Done).Answer(large, FakeKernel.Done);

        Assert.Equal([0x2a], await RunAsync());

        Assert.Equal([NetlinkConnection.ReceiveSize, 40_000, 40_000], _kernel.BufferSizes);
    }

    [Fact]
    public async Task Run_DatagramBeyondTheLargestBuffer_GivesUp()
    {
        _kernel.AnswerRaw(new FakeKernel.Reply(new byte[NetlinkTransport.MaxReceiveSize + 1]));
        Assert.Equal(EMSGSIZE, (await Assert.ThrowsAsync<LinuxException>(() => RunAsync())).Errno);
    }

    [Fact]
    public async Task Run_NoAnswer_SaysSo()
    {
        var e = await Assert.ThrowsAsync<LinuxException>(() => RunAsync());
        Assert.Equal(ETIMEDOUT, e.Errno);
        Assert.Contains("the kernel did not answer", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_AnswerToAnotherRequest_SaysSo()
    {
        _kernel.AnswerRaw(new FakeKernel.Reply(Hex.Bytes("14000000 0300 0200 07000000 00000000 00000000")));
        var e = await Assert.ThrowsAsync<LinuxException>(() => RunAsync());
        Assert.Equal("dump: An answer to request 7 came, 1 was asked. (errno 74)", e.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0f000000 0300 0200 01000000 00000000")]
    [InlineData("10000000 0200 0000 01000000 00000000")]
    [InlineData("14000000 0200 0000 01000000 00000000 01000000")]
    public async Task Run_AnswerThatMakesNoSense_SaysSo(string datagram)
    {
        _kernel.AnswerRaw(new FakeKernel.Reply(Hex.Bytes(datagram)));
        Assert.Equal(EBADMSG, (await Assert.ThrowsAsync<LinuxException>(() => RunAsync())).Errno);
        Assert.Equal(0, _kernel.Open);
    }

    [Fact]
    public async Task Run_Refused_AddsTheHint()
    {
        _kernel.Answer(FakeKernel.Error(1)).Answer(FakeKernel.Error(ENODEV));

        var capability = await Assert.ThrowsAsync<LinuxException>(() => RunAsync());
        var hinted = await Assert.ThrowsAsync<LinuxException>(() => RunAsync(hint: errno => errno == ENODEV ? "look there" : null));

        Assert.Equal(
            "dump: Operation not permitted; the process needs the capability CAP_NET_ADMIN in this network namespace (errno 1)",
            capability.Message);
        Assert.Equal("dump: No such device; look there (errno 19)", hinted.Message);
    }

    [Fact]
    public async Task Run_Cancelled_SendsNothing()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(cancellationToken: cancelled.Token));
        Assert.Empty(_kernel.Requests);
    }

    [Fact]
    public async Task Client_ManyPeers_AsksForTheFamilyOnceAndSendsEveryBatch()
    {
        const int Count = 1000;
        _kernel.Answer(Recorded.Family, FakeKernel.Ack);
        for (var i = 0; i < 10; i++)
        {
            _kernel.Answer(FakeKernel.Ack);
        }

        var client = new NetlinkWireGuardClient(TimeProvider.System, _kernel.OpenChannel);
        await client.ConfigureAsync("wg0", new DevicePatch(null, null, [.. Enumerable.Range(0, Count).Select(Peer)]), Token);

        // 128 bytes for each peer and its two IPv4 prefixes: five batches of 32 KiB at most.
        Assert.InRange(_kernel.Requests.Count, 5, 6);
        Assert.Equal([1u, 2u, 3u, 4u, 5u], _kernel.Requests.Take(5).Select(r => BitConverter.ToUInt32(r, NetlinkWriter.SequenceOffset)));
        Assert.Equal([NetlinkConstants.NETLINK_GENERIC], _kernel.Opened);

        _kernel.Requests.Clear();
        await client.ConfigureAsync("wg0", new DevicePatch(null, null, [Peer(1)]), Token);
        Assert.Single(_kernel.Requests);
    }

    [Fact]
    public async Task Client_MissingDevice_IsNull()
    {
        _kernel.Answer(Recorded.Family, FakeKernel.Ack).Answer(FakeKernel.Error(ENODEV));
        Assert.Null(await new NetlinkWireGuardClient(TimeProvider.System, _kernel.OpenChannel).TryGetDeviceAsync("wg0", Token));
    }

    [Fact]
    public async Task Client_KernelWithoutWireGuard_SaysWhatToDoAndAsksAgainNextTime()
    {
        _kernel.Answer(FakeKernel.Error(2)).Answer(Recorded.Family, FakeKernel.Ack).Answer(Recorded.EmptyDevice);
        var client = new NetlinkWireGuardClient(TimeProvider.System, _kernel.OpenChannel);

        var e = await Assert.ThrowsAsync<LinuxException>(() => client.TryGetDeviceAsync("wg0", Token));
        Assert.Contains("the kernel has no WireGuard: load its module (modprobe wireguard)", e.Message, StringComparison.Ordinal);

        Assert.NotNull(await client.TryGetDeviceAsync("wg0", Token));
    }

    [Fact]
    public async Task Client_KernelWithoutWireGuard_IsNotAvailable()
    {
        _kernel.Answer(FakeKernel.Error(2)).Answer(Recorded.Family, FakeKernel.Ack);
        var client = new NetlinkWireGuardClient(TimeProvider.System, _kernel.OpenChannel);
        Assert.False(await client.IsAvailableAsync(Token));
        Assert.True(await client.IsAvailableAsync(Token));
    }

    [Fact]
    public async Task Client_EmptyPatch_SendsNothing()
    {
        await new NetlinkWireGuardClient(TimeProvider.System, _kernel.OpenChannel).ConfigureAsync("wg0", DevicePatch.Empty, Token);
        Assert.Empty(_kernel.Opened);
    }

    [Theory]
    [InlineData("")]
    [InlineData("sixteen-bytes-16")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("..")]
    public async Task Client_NameThatNoLinkCanHave_Throws(string name)
    {
        var client = new NetlinkWireGuardClient(TimeProvider.System, _kernel.OpenChannel);
        await Assert.ThrowsAnyAsync<ArgumentException>(() => client.TryGetDeviceAsync(name, Token));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static PeerPatch Peer(int number)
    {
        var key = new byte[PublicKey.Size];
        BitConverter.TryWriteBytes(key, number);
        return new PeerPatch(
            new PublicKey(key),
            PeerChange.Add,
            new IPEndPoint(IPAddress.Loopback, 51871),
            AllowedIPs: [IPPrefix.Parse($"10.{number >> 8}.{number & 255}.0/24"), IPPrefix.Parse($"11.{number >> 8}.{number & 255}.0/24")]);
    }

    private static async Task WaitUntilAsync(Func<bool> condition)
    {
        for (var waited = 0; !condition(); waited++)
        {
            Assert.True(waited < 1_000, "It did not come within a second.");
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, Token);
        }
    }

    // Dumps numbers.
    private Task<List<int>> RunAsync(
        TimeProvider? timeProvider = null, Func<int, string?>? hint = null, CancellationToken? cancellationToken = null) =>
        new NetlinkTransport(NetlinkConstants.NETLINK_ROUTE, timeProvider ?? TimeProvider.System, _kernel.OpenChannel).RunAsync(
            "dump",
            connection =>
            {
                List<int> numbers = [];
                connection.Execute(
                    new NetlinkWriter(connection.Request, 0x12, 0x301).Complete(),
                    (in NetlinkMessage message) => numbers.Add(BitConverter.ToInt32(message.Payload)));
                return numbers;
            },
            hint,
            cancellationToken ?? Token);
}
