using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Agent;

/// <summary>What a pass believes of the mesh: made once, and the same for each of its steps.</summary>
public sealed class MeshViewTests
{
    // Each reading made the announcements that the roster cuts anew, a dozen times in a pass.
    [Fact]
    public void Others_ReadAgain_AreTheSameObjects()
    {
        var view = View(TestMesh.Announce(2) with { AllowedIPs = [TestMesh.PodCIDR(2), TestMesh.PodCIDR(3)] });
        Assert.Same(view.Others, view.Others);
        Assert.Same(view.Others[0], view.Others[0]);
        Assert.Equal([TestMesh.PodCIDR(2)], view.Others[0].AllowedIPs);
        Assert.Same(view.OtherNames, view.OtherNames);
        Assert.Same(view.NodeNamesOf(Slot.Zero), view.NodeNamesOf(Slot.Zero));
    }

    [Fact]
    public void Others_ThisNodeAndOneThatIsNotInTheRoster_AreNotAmongThem()
    {
        var view = View(TestMesh.Announce(1), TestMesh.Announce(2), TestMesh.Announce(4));
        Assert.Equal([TestMesh.Name(2)], view.Others.Select(other => other.NodeName));
        Assert.Equal([TestMesh.Name(2)], view.OtherNames);
        Assert.Equal(TestMesh.Name(1), view.Self!.NodeName);
    }

    [Fact]
    public void NodeNamesOf_NodeWithoutAKeyInTheSlot_IsNotAmongThem()
    {
        var view = View(TestMesh.Announce(2), TestMesh.Announce(3) with { Slots = [] });
        Assert.Equal([KeyValuePair.Create(TestMesh.Key(2), TestMesh.Name(2))], view.NodeNamesOf(Slot.Zero));
        Assert.Empty(view.NodeNamesOf(Slot.One));
    }

    private static MeshView View(params PeerAnnouncement[] announcements) => new(
        TestMesh.Name(1),
        [],
        announcements.ToDictionary(announcement => announcement.NodeName),
        TestMesh.Roster(1, 2, 3),
        isSynced: true,
        isSettled: true);
}
