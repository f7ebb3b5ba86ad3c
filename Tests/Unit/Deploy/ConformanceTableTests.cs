using System.Reflection;
using System.Text.RegularExpressions;
using Orleans.WireGuard.Tests.EndToEnd;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Deploy;

/// <summary>The table of membership cases names every test, and no test that is not there.</summary>
public sealed partial class ConformanceTableTests
{
    private static readonly Type[] Classes =
        [typeof(MembershipTableConformanceTests), typeof(CommunityProviderDefectsTests), typeof(MembershipTableOwnCasesTests)];

    [Fact]
    public void Table_Tests_AreThoseThatExist()
    {
        // The first cells name Orleans' cases, so only what looks like our names counts: Member_Condition_Outcome in the last cell.
        var named = File.ReadLines(RepositoryFiles.Find("Tests/EndToEnd/Kubernetes/README.md")).Where(line => line.StartsWith('|'))
            .SelectMany(line => TestName().Matches(line.Split('|')[2])).Select(match => match.Groups[1].Value);
        Assert.Equal(Tests().Order(StringComparer.Ordinal), named.Distinct().Order(StringComparer.Ordinal));
    }

    private static IEnumerable<string> Tests() =>
        Classes.SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
        .Where(method => method.GetCustomAttributes<FactAttribute>().Any()
            && method.Name != nameof(CommunityProviderDefectsTests.Options_OutOfRange_AreAllReported))
        .Select(method => method.Name);

    [GeneratedRegex("`([A-Z]\\w+_\\w+)`")]
    private static partial Regex TestName();
}
