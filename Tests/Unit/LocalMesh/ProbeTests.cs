using Orleans.WireGuard.LocalMesh.Probes;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.LocalMesh.Topology;

namespace Orleans.WireGuard.Tests.Unit.LocalMesh;

/// <summary>Pings, dumps of devices, and the histories made from them.</summary>
public sealed class ProbeTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch.AddDays(20_000);
    private static readonly NodePair Pair = new("node-1", "node-2");
    private static readonly MeshPlan Plan = MeshPlan.Demo(2);

    [Fact]
    public void EchoPacket_Encode_HasTheLiteralBytesAndAValidChecksum()
    {
        var packet = EchoPacket.Encode(0x1234, 0x0001, [0xAB, 0xCD, 0xEF]);

        Assert.Equal(Convert.FromHexString("08004afc12340001abcdef"), packet);
        Assert.Equal(0, EchoPacket.Checksum(packet));
    }

    [Fact]
    public void EchoPacket_TryReadReply_TakesOnlyRepliesToUs()
    {
        byte[] header = [0x45, .. new byte[19]];
        byte[] reply = [.. header, 0, 0, 0, 0, 0x12, 0x34, 0, 7];
        byte[] request = [.. header, 8, 0, 0, 0, 0x12, 0x34, 0, 7];

        Assert.True(EchoPacket.TryReadReply(reply, 0x1234, out var sequence));
        Assert.Equal(7, sequence);
        Assert.False(EchoPacket.TryReadReply(reply, 0x4321, out _));
        Assert.False(EchoPacket.TryReadReply(request, 0x1234, out _));
        Assert.False(EchoPacket.TryReadReply(reply.AsSpan(0, 27), 0x1234, out _));
        Assert.False(EchoPacket.TryReadReply([], 0x1234, out _));
    }

    [Fact]
    public void PingLedger_Report_CountsLossAndTheLongestSilence()
    {
        var ledger = new PingLedger();
        for (var second = 0; second < 10; second++)
        {
            var sequence = ledger.Send(Pair, Start.AddSeconds(second));
            if (second is < 3 or > 6)
            {
                ledger.Reply(Pair, sequence);
            }
        }

        var report = ledger.Report(Pair, Start, Start.AddSeconds(10));

        Assert.Equal(new PingReport(10, 4, TimeSpan.FromSeconds(5)), report);
        Assert.Equal(40, report.LossPercent);
        Assert.Equal(Start.AddSeconds(9), ledger.LastAnswered(Pair));
    }

    [Fact]
    public void PingLedger_NothingAnswered_IsSilentForTheWholeSpan()
    {
        var ledger = new PingLedger();
        ledger.Send(Pair, Start);

        Assert.Equal(new PingReport(1, 1, TimeSpan.FromSeconds(8)), ledger.Report(Pair, Start, Start.AddSeconds(8)));
        Assert.Equal(new PingReport(0, 0, TimeSpan.FromSeconds(8)), ledger.Report(new("a", "b"), Start, Start.AddSeconds(8)));
        Assert.Null(ledger.LastAnswered(Pair));
    }

    [Fact]
    public void PingLedger_SequenceBeyond16Bits_StillFindsItsPing()
    {
        var ledger = new PingLedger(capacity: 4);
        for (var i = 0; i < 70_000; i++)
        {
            ledger.Reply(Pair, ledger.Send(Pair, Start.AddSeconds(i)));
        }

        Assert.Equal(
            new PingReport(4, 0, TimeSpan.FromSeconds(1)), ledger.Report(Pair, Start.AddSeconds(69_996), Start.AddSeconds(70_000)));

        ledger.Reply(Pair, 12345);
        Assert.Equal(4, ledger.Report(Pair, Start, Start.AddDays(1)).Sent);
    }

    [Fact]
    public void DeviceDump_Parse_ReadsDeviceAndPeersAndHandsTheKeyOutBeside()
    {
        var dump = DeviceDump.Parse(
            "PRIVATE=\tPUBLIC=\t51871\toff\nPEER=\t(none)\t192.168.100.2:51871\t10.244.2.0/24,10.244.3.0/24\t1700000000\t11\t22\t25\n"
            + "NEW=\t(none)\t(none)\t(none)\t0\t0\t0\toff\n",
            out var privateKey);

        Assert.Equal("PRIVATE=", privateKey);
        Assert.Equal("PUBLIC=", dump.PublicKey);
        Assert.Equal(51871, dump.ListenPort);
        Assert.Equal("PEER=", dump.PeerFor("10.244.2.0/24")!.PublicKey);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1_700_000_000), dump.Peers[0].LatestHandshake);
        Assert.Equal((11, 22), (dump.Peers[0].ReceiveBytes, dump.Peers[0].TransmitBytes));
        Assert.Null(dump.Peers[1].LatestHandshake);
        Assert.Empty(dump.Peers[1].AllowedIPs);
        Assert.Null(dump.PeerFor("10.244.9.0/24"));
        Assert.DoesNotContain("PRIVATE", dump.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void DeviceDump_WithoutKey_HasNone()
    {
        Assert.Null(DeviceDump.Parse("(none)\t(none)\t0\toff\n", out var privateKey).PublicKey);
        Assert.Null(privateKey);
    }

    [Theory]
    [InlineData("")]
    [InlineData("SECRET")]
    [InlineData("SECRET\tb\t1\td\ne\tf")]
    [InlineData("SECRET\tb\tc\td")]
    public void DeviceDump_SomethingElse_ThrowsWithoutQuotingIt(string text) => Assert.DoesNotContain(
        "SECRET", Assert.Throws<FormatException>(() => DeviceDump.Parse(text, out _)).Message, StringComparison.Ordinal);

    [Fact]
    public void KeyHistory_Observe_KeepsUsesInOrder()
    {
        var history = new KeyHistory();
        string[] keys = ["AAAAAAAAAA", "AAAAAAAAAA", "BBBBBBBBBB", "CCCCCCCCCC"];
        for (var i = 0; i < keys.Length; i++)
        {
            history.Observe(Sample(Start.AddSeconds(i), keys[i], "other"));
        }

        Assert.Equal(2, history.Rotations("node-1"));
        Assert.Equal(0, history.Rotations("node-2"));
        Assert.Equal(0, history.Rotations("node-9"));
        Assert.Equal(TimeSpan.FromSeconds(1), history.Of("node-1")[0].LastSeen - history.Of("node-1")[0].FirstSeen);
        Assert.Equal(TimeSpan.FromSeconds(3), history.LongestUse());
        Assert.Empty(history.Reused());
    }

    [Fact]
    public void DeviceDump_ParseAll_ReadsTheSlotsInOrderAndHandsTheKeysOut()
    {
        List<string?> secrets = [];
        var devices = DeviceDump.ParseAll(
            "cilium_wg1\tPRIVATE1=\tONE=\t51872\toff\ncilium_wg0\tPRIVATE0=\tZERO=\t51871\toff\n"
            + "cilium_wg0\tPEER=\t(none)\t(none)\t10.244.2.0/24\t0\t0\t0\toff\nother\tPRIVATE2=\tX=\t1\toff\n",
            MeshPlan.DeviceNames,
            secrets.Add);

        Assert.Equal(["ZERO=", "ONE="], devices.Select(device => device.PublicKey));
        Assert.Equal(["PRIVATE0=", "PRIVATE1="], secrets);
        Assert.NotNull(devices[0].PeerFor("10.244.2.0/24"));
    }

    [Fact]
    public void KeyHistory_TwoSlots_CountsNewKeysOfEither()
    {
        var history = new KeyHistory();
        (string?, string?)[] keys = [("A", "B"), ("A", null), ("A", "C"), (null, "C"), ("D", "C")];
        for (var i = 0; i < keys.Length; i++)
        {
            history.Observe(new(Start.AddSeconds(i), new Dictionary<string, IReadOnlyList<DeviceDump>>
            {
                ["node-1"] = [
                new(keys[i].Item1, 51871, []), new(keys[i].Item2, 51872, [])]
            }));
        }

        Assert.Equal(["A", "B", "C", "D"], history.Of("node-1").Select(use => use.PublicKey));
        Assert.Equal(2, history.Rotations("node-1"));
    }

    [Fact]
    public void KeyHistory_KeyThatComesBackOrIsShared_IsReused()
    {
        var history = new KeyHistory();
        history.Observe(Sample(Start, "AAAAAAAAAA", "SSSSSSSSSS"));
        history.Observe(Sample(Start.AddSeconds(1), "SSSSSSSSSS", "XXXXXXXXXX"));
        history.Observe(Sample(Start.AddSeconds(2), "AAAAAAAAAA", "XXXXXXXXXX"));

        Assert.Equal(["AAAAAAAA", "SSSSSSSS"], history.Reused().Order());
    }

    [Fact]
    public void AgreementHistory_PassingDisagreement_LastsOnlyAsLongAsItWasSeen()
    {
        var history = new AgreementHistory(Plan);
        history.Observe(Sample(Start, "A", "B", heldOf1: "A", heldOf2: "B"));
        history.Observe(Sample(Start.AddSeconds(1), "A2", "B", heldOf1: "A", heldOf2: "B"));
        history.Observe(Sample(Start.AddSeconds(1.5), "A2", "B", heldOf1: "A", heldOf2: "B"));
        history.Observe(Sample(Start.AddSeconds(2), "A2", "B", heldOf1: "A2", heldOf2: "B"));

        Assert.Equal(TimeSpan.FromSeconds(0.5), history.Longest(new("node-2", "node-1")));
        Assert.Equal(TimeSpan.Zero, history.Longest(new("node-1", "node-2")));
        Assert.Equal(8, history.Comparisons);
        Assert.Empty(history.Current);
    }

    [Fact]
    public void AgreementHistory_UnreadableDevice_Disagrees()
    {
        var history = new AgreementHistory(Plan);
        history.Observe(new DeviceSample(Start, new Dictionary<string, IReadOnlyList<DeviceDump>>()));
        history.Observe(new DeviceSample(Start.AddSeconds(3), new Dictionary<string, IReadOnlyList<DeviceDump>>()));

        Assert.Equal(2, history.Current.Count);
        Assert.Equal(TimeSpan.FromSeconds(3), history.Longest(new("node-1", "node-2")));
    }

    [Fact]
    public void MeshStatus_Parse_ReadsTheContract()
    {
        var status = MeshStatus.Parse("""
            {"takenAt":"2026-01-02T03:04:05Z","nodes":[
              {"nodeName":"node-1","status":{"nodeName":"node-1","epoch":42,"rotations":7,"rotationPeriod":5.0,
                "slots":[{"slot":0,"publicKey":"KEY=","keyEpoch":42,"createdAt":"2026-01-02T03:04:00Z"}],"problem":null},"problem":null},
              {"nodeName":"node-2","status":null,"problem":"did not answer"}],
             "agreements":[{"nodeName":"node-1","holder":"node-2","slot":0,"state":"Agrees"},{"nodeName":"node-2","holder":"node-1","slot":0,"state":"Unknown"}]}
            """);

        Assert.Equal((42, 7), (status.Nodes["node-1"].Epoch, status.Nodes["node-1"].Rotations));
        Assert.Equal(DateTimeOffset.Parse("2026-01-02T03:04:00Z", null), status.Nodes["node-1"].CreatedAt["KEY="]);
        Assert.Null(status.Nodes["node-2"].Epoch);
        Assert.Equal("did not answer", status.Nodes["node-2"].Problem);
        Assert.Equal((2, 1), (status.Agreements, status.Agreeing));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("Connecting ...")]
    public void MeshStatus_SomethingElse_ThrowsFormatException(string text) => Assert.Throws<FormatException>(() => MeshStatus.Parse(text));

    internal static DeviceSample Sample(DateTimeOffset at, string key1, string key2, string? heldOf1 = null, string? heldOf2 = null) =>
        new(at, new Dictionary<string, IReadOnlyList<DeviceDump>>
        {
            ["node-1"] = Devices(key1, Peer(heldOf2 ?? key2, "10.244.2.0/24")),
            ["node-2"] = Devices(key2, Peer(heldOf1 ?? key1, "10.244.1.0/24")),
        });

    // Slot 0 in use, slot 1 idle.
    private static IReadOnlyList<DeviceDump> Devices(string key, PeerDump peer) => [new(key, 51871, [peer]), new(null, 51872, [])];

    private static PeerDump Peer(string key, string allowedIP) => new(key, "192.168.100.9:51871", [allowedIP], null, 0, 0);
}
