using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>Which of our slots has to have a key because a peer has one nowhere else.</summary>
public sealed class SlotSharingTests
{
    [Theory]
    [InlineData("0", 2, "2:0", "")]
    [InlineData("0", 2, "2:01", "")]
    [InlineData("01", 2, "2:0 3:1", "")]
    [InlineData("1", 2, "2:0", "0 for node-2")]
    [InlineData("0", 2, "2:1", "1 for node-2")]
    [InlineData("0", 1, "2:1", "")]
    [InlineData("1", 2, "4:0 3:0 2:1", "0 for node-3")]
    [InlineData("", 2, "3:01 2:1", "0 for node-3, 1 for node-2")]
    [InlineData("1", 2, "", "")]
    public void FindMissing_OwnAndTheirs_TellsEachSlotOnce(string own, int slots, string others, string expected)
    {
        var announcements = others.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Announced);
        var missing = SlotSharing.FindMissing(Slots(own), slots, announcements).Select(found => $"{found.Slot.Index} for {found.NodeName}");
        Assert.Equal(expected, string.Join(", ", missing));
    }

    private static Slot[] Slots(string indices) => [.. indices.Select(index => new Slot((byte)(index - '0')))];

    // "2:01" is node 2 with keys in both slots.
    private static PeerAnnouncement Announced(string text)
    {
        var (node, indices) = (text[0] - '0', text[2..]);
        var slots = Slots(indices).Select(slot => new SlotAnnouncement(slot, TestMesh.Key(node), new Epoch(1), TestMesh.ListenPort));
        return TestMesh.Announce(node) with { Slots = slots.ToEquatableArray() };
    }
}
