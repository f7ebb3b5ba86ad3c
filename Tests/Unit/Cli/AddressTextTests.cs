using Orleans.WireGuard.Silo.Cli;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Cli;

/// <summary>What <c>owg status</c> says of the addresses of nodes.</summary>
public sealed class AddressTextTests
{
    [Fact]
    public void Lines_NobodyIsExempt_SaysNothingOfIt() => Assert.DoesNotContain(Lines(Node(1)), IsAboutExempt);

    // A node that has not heard of the newest one yet says less.
    [Fact]
    public void Lines_NodesThatCanRunNoSilo_AreNamedOnce() => Assert.Equal(
        ["exempt, in clear: win-1, win-2 and 3 more: no silo can run there (Nodes:Exempt)"],
        Lines(Node(1, 1, "win-1"), Node(2, 5, "win-1", "win-2")).Where(IsAboutExempt));

    // Where no source has answered yet there is no line of addresses, and still nodes that can run no silo.
    [Fact]
    public void Lines_NoSourceHasAnswered_AreNamedAllTheSame()
    {
        var node = Node(1, 1, "win-1");
        var silent = node with { Status = node.Status! with { Addresses = node.Status.Addresses! with { Source = "" } } };
        Assert.Equal(["exempt, in clear: win-1: no silo can run there (Nodes:Exempt)"], Lines(silent));
    }

    private static bool IsAboutExempt(string line) => line.StartsWith("exempt", StringComparison.Ordinal);

    private static IEnumerable<string> Lines(params MeshNode[] nodes) =>
        AddressText.Lines(new MeshSnapshot(TestMesh.Start, [.. nodes], []));

    private static MeshNode Node(int number, int exemptCount = 0, params string[] exempt) => new(
        TestMesh.Name(number),
        TestMesh.Status(number) with
        {
            Addresses = new AddressStatus
            {
                Source = "Node",
                Because = "",
                Prefixes = [],
                PrefixCount = 1,
                ExemptNodes = [.. exempt],
                ExemptCount = exemptCount,
            },
        },
        []);
}
