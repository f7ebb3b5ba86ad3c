using System.Reflection;
using Orleans.WireGuard.Silo.Security;

namespace Orleans.WireGuard.Tests.Unit.Security;

/// <summary>Which calls reach a system target, and that the names by which they are told are Orleans' own.</summary>
public sealed class CallFilterTests
{
    private static readonly GrainId Client = GrainId.Create(GrainTypePrefix.ClientGrainType, IdSpan.Create("a"));
    private static readonly GrainId Hosted = GrainId.Create(GrainTypePrefix.ClientGrainType, IdSpan.Create("hosted-10.0.0.1:11111@5"));
    private static readonly GrainId Silo =
        SystemTargetGrainId.Create(SystemTargetGrainId.CreateGrainType("clustering"), SiloAddress.Zero).GrainId;

    /// <summary>Source, interface, method, whether it passes.</summary>
    public static TheoryData<string, string, string, bool> Calls { get; } = new()
    {
        // Nobody tells a silo what the membership is.
        { "silo", "IMembershipService", "MembershipChangeNotification", false },
        { "hosted", "IMembershipService", "MembershipChangeNotification", false },
        { "client", "IMembershipService", "MembershipChangeNotification", false },
        { "nobody", "IMembershipService", "MembershipChangeNotification", false },

        // A client reaches the list of interfaces and no other system target, and no service of ours.
        { "client", "IClusterManifestSystemTarget", "GetClusterManifestUpdate", true },
        { "client", "IMembershipService", "Ping", false },
        { "client", "IMembershipService", "ProbeIndirectly", false },
        { "client", "ISiloControl", "ForceGarbageCollection", false },
        { "client", "IRemoteGrainDirectory", "AcceptSplitPartition", false },
        { "client", "IPeerService", "Receive", false },
        { "client", "IPeerService", "Exchange", false },
        { "silo", "IMembershipService", "ProbeIndirectly", true },
        { "silo", "IPeerService", "Receive", true },
        { "hosted", "IPeerService", "Receive", true },
        { "hosted", "ISiloControl", "GetRuntimeStatistics", true },
        { "nobody", "IPeerService", "Receive", true },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public void FindFault_Table(string source, string interfaceName, string methodName, bool passes)
    {
        GrainId? sender = source switch { "client" => Client, "hosted" => Hosted, "silo" => Silo, _ => null };
        Assert.Equal(passes, CallFilter.FindFault(sender, interfaceName, methodName, new ClientAccessOptions()) is null);
    }

    // A new version of Orleans that names them otherwise must not open what is closed here.
    [Fact]
    public void Names_AreOrleansOwn()
    {
        var core = typeof(IManagementGrain).Assembly.GetType("Orleans.Runtime.IMembershipService") is { } found
            ? found.Assembly : Assembly.Load("Orleans.Core");
        var gossip = core.GetType("Orleans.Runtime.IMembershipService", throwOnError: true)!;
        Assert.NotNull(gossip.GetMethod(CallFilter.GossipMethod));
        Assert.All(new ClientAccessOptions().SystemTargets, name => Assert.Contains(
            core.GetTypes(), type => type.Name == name && type.IsInterface));
    }

    [Fact]
    public void Show_SenderOfAnyBytes_HasNoControlCharacterAndAnEnd()
    {
        var shown = CallFilter.Show(GrainId.Create("sys.client", "\u001b[2J\n" + new string('x', 1000)));
        Assert.DoesNotContain(shown, char.IsControl);
        Assert.InRange(shown.Length, 1, 101);
    }
}
