using System.Reflection;
using Orleans.WireGuard.LocalMesh.Bench;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Architecture;

/// <summary>
/// <c>DECISIONS.md</c> says of every decision whether it stands and where it is to be seen, and whoever cites one cites one that exists.
/// Each rule is shown to fail on something that breaks it.
/// </summary>
public sealed class DecisionTests
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static;

    private static readonly ILookup<string, Type> Types =
        Product.Types.Concat(typeof(WitnessBench).Assembly.GetTypes())
            .Concat(typeof(DecisionTests).Assembly.GetTypes()).ToLookup(type => type.Name.Split('`')[0]);

    private static IReadOnlyList<DecisionEntry> Entries => DecisionLog.Parse(File.ReadAllText(RepositoryFiles.Find(DecisionLog.FileName)));

    [Fact]
    public void Table_SaysWhatTheEntriesSay() =>
        TestData.AssertSection(DecisionLog.FileName, "<!-- decisions -->\n", "<!-- end of decisions -->", DecisionLog.Table(Entries));

    [Fact]
    public void Table_ChangedTwice_NamesBothInOrder()
    {
        var text = Sample("1. A key", "2. A second; changes entry 1 *Changes:* 1.", "3. A third *Changes:* 1, 2.");
        var table = DecisionLog.Table(DecisionLog.Parse(text));
        Assert.Contains("\n| 1 | A key | changed by 2, 3 | `KeyRing`, `Silo/Agent` |\n", table, StringComparison.Ordinal);
        Assert.Contains("\n| 2 | A second | changed by 3 | `KeyRing`, `Silo/Agent` |\n", table, StringComparison.Ordinal);
        Assert.Contains("\n| 3 | A third | stands | `KeyRing`, `Silo/Agent` |\n", table, StringComparison.Ordinal);
    }

    [Fact]
    public void Entries_NumbersDatesAndChanges_HaveNoFault()
    {
        Assert.NotEmpty(Entries);
        Assert.Empty(DecisionLog.FindFaults(Entries));
    }

    [Theory]
    [InlineData("Entry 2 has the number 3.", "1. A key", "3. Another")]
    [InlineData("Entry 2 has the number 1.", "1. A key", "1. Another")]
    [InlineData("Entry 1 changes 1, which is not an earlier one.", "1. A key *Changes:* 1.")]
    [InlineData("Entry 1 changes 2, which is not an earlier one.", "1. A key *Changes:* 2.", "2. Another")]
    [InlineData("Entry 2 says that it changes 1, and its line does not.", "1. A key", "2. Another; supersedes the second half of 1")]
    [InlineData("Entry 3 says that it changes 2, and its line does not.", "1. A", "2. B", "3. C; adds to entries 1 and 2 *Changes:* 1.")]
    public void FindFaults_Fault_IsFound(string fault, params string[] entries) =>
        Assert.Equal([fault], DecisionLog.FindFaults(DecisionLog.Parse(Sample(entries))));

    [Fact]
    public void FindFaults_InTheTextOrByTheDate_IsFound()
    {
        var text = Sample("1. A key", "2. Another");
        Assert.Empty(DecisionLog.FindFaults(DecisionLog.Parse(text)));
        Assert.Equal(
            ["Entry 2 says that it changes 1, and its line does not."],
            DecisionLog.FindFaults(DecisionLog.Parse(text + "**Decision.** Supersedes that consequence of entry 1.\n")));
        Assert.Equal(
            ["Entry 2 is older than the one before it."],
            DecisionLog.FindFaults(DecisionLog.Parse(text.Replace("Another (2026", "Another (2025", StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData("## 1. A key\n\n*Code:* `KeyRing`.\n\n")]
    [InlineData("## 1. A key (yesterday)\n\n*Code:* `KeyRing`.\n\n")]
    [InlineData("## 1. A key (2026-13-01)\n\n*Code:* `KeyRing`.\n\n")]
    [InlineData("## A key (2026-11-23)\n\n*Code:* `KeyRing`.\n\n")]
    [InlineData("## 1. A key (2026-11-23)\n\n**Context.** None.\n\n")]
    [InlineData("## 1. A key (2026-11-23)\n\n*Code:* KeyRing.\n\n")]
    [InlineData("## 1. A key (2026-11-23)\n\n*Code:* `KeyRing`. *Changes:* all.\n\n")]
    [InlineData("## 1. A key (2026-11-23)\n\n**Context.** None.\n\n*Code:* `KeyRing`.\n\n")]
    public void Parse_DateOrLineIsMissing_Throws(string text) => Assert.Throws<FormatException>(() => DecisionLog.Parse(text));

    [Fact]
    public void Entries_WhereTheyAreToBeSeen_Exists() => Assert.Empty(
        from entry in Entries
        from name in entry.Code
        where !Exists(name)
        select $"Entry {entry.Number} names {name}, which is not there.");

    [Theory]
    [InlineData("KeyRing", true)]
    [InlineData("FollowedOptions", true)]
    [InlineData("NodeGrain.AdoptAsync", true)]
    [InlineData("Grains/Placement", true)]
    [InlineData("deploy/Dockerfile", true)]
    [InlineData("KeyChain", false)]
    [InlineData("NodeGrain.RetireAtOnce", false)]
    [InlineData("Grains/Nowhere", false)]
    [InlineData("../..", false)]
    [InlineData("/etc/passwd", false)]
    public void Exists_Golden_IsATypeAMemberOrAPath(string name, bool expected) => Assert.Equal(expected, Exists(name));

    [Fact]
    public void Citations_OfAllFiles_AreOfDecisionsThatExist()
    {
        var numbers = Entries.Select(entry => entry.Number).ToHashSet();
        var cited = (
            from file in RepositoryFiles.ReadTexts()
            where Path.GetFileName(file.Path) != $"{nameof(DecisionTests)}.cs"
            from number in DecisionLog.FindCitations(file.Text, file.Path == DecisionLog.FileName)
            select (file.Path, number)).ToList();
        Assert.Contains((DecisionLog.FileName, 42), cited);
        Assert.DoesNotContain(cited, citation => !numbers.Contains(citation.number));
    }

    [Theory]
    [InlineData("as decision 65 says", 65)]
    [InlineData("(decisions 68 and 69)", 68, 69)]
    [InlineData("Decisions 6, 31 and 40 of them", 6, 31, 40)]
    [InlineData("DECISIONS 12", 12)]
    [InlineData("DECISIONS.md, entry 12.", 12)]
    [InlineData("// see decision\n    // 99, which", 99)]
    [InlineData("/// decisions 98\n/// and 99", 98, 99)]
    [InlineData("the decision of 12 nodes; entry 7; DECISIONS.md")]
    public void FindCitations_Golden_AreTheNumbers(string text, params int[] expected) =>
        Assert.Equal(expected, DecisionLog.FindCitations(text));

    [Theory]
    [InlineData("**Context.** Entry 1 let it.", 1)]
    [InlineData("the consequences of entries 11 and 13", 11, 13)]
    public void FindCitations_WithinTheLog_EntriesCountToo(string text, params int[] expected) =>
        Assert.Equal(expected, DecisionLog.FindCitations(text, isLog: true));

    private static bool Exists(string name)
    {
        if (name.Contains('/', StringComparison.Ordinal))
        {
            return RepositoryFiles.Contains(name);
        }

        var parts = name.Split('.');
        return parts.Length <= 2 && Types[parts[0]].Any(type => parts.Length == 1 || type.GetMember(parts[1], All).Length > 0);
    }

    // Each as "NUMBER. TITLE", perhaps with the end of its line.
    private static string Sample(params string[] entries) => "# Decisions\n\n" + string.Concat(entries.Select(entry =>
        entry.Split(" *Changes:*") is var parts && parts.Length > 1
            ? $"## {parts[0]} (2026-11-23)\n\n*Code:* `KeyRing`, `Silo/Agent`. *Changes:*{parts[1]}\n\n**Context.** None.\n\n"
            : $"## {entry} (2026-11-23)\n\n*Code:* `KeyRing`, `Silo/Agent`.\n\n**Context.** None.\n\n"));
}
