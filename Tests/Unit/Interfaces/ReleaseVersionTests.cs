using System.Reflection;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Interfaces;

/// <summary>What is newer, of what people write and of what builds say.</summary>
public sealed class ReleaseVersionTests
{
    [Theory]
    [InlineData("0.1", "0.1.0")]
    [InlineData("0.1.2", "0.1.2")]
    [InlineData("10.0.999999999", "10.0.999999999")]
    [InlineData(null, null)]
    [InlineData("", null)]
    [InlineData("1", null)]
    [InlineData("v0.1", null)]
    [InlineData("0.1.", null)]
    [InlineData("0.01", null)]
    [InlineData("0.1.2.3", null)]
    [InlineData("0.1-alpha", null)]
    [InlineData(" 0.1", null)]
    [InlineData("0.1\n", null)]
    [InlineData("0.1.9999999999", null)]
    [InlineData("0.\u0661", null)]
    public void TryParse_Golden_IsMajorMinorAndPerhapsPatch(string? text, string? expected) =>
        Assert.Equal(expected, ReleaseVersion.TryParse(text)?.ToString());

    [Theory]
    [InlineData("0.1.0", "0.1.0")]
    [InlineData("0.1.0-alpha.0.183+5cdc9bbd020ae72c0ba60c44501d7f604f853b35", "0.1.0")]
    [InlineData("1.2.3+unknown", "1.2.3")]
    [InlineData("1.2.3-rc.1", "1.2.3")]
    [InlineData(null, null)]
    [InlineData("0.1", null)]
    [InlineData("0.1.0 ", null)]
    [InlineData("0.1.0-", null)]
    [InlineData("unknown", null)]
    public void TryParseBuild_Golden_IsTheReleaseItLeadsTo(string? text, string? expected) =>
        Assert.Equal(expected, ReleaseVersion.TryParseBuild(text)?.ToString());

    [Theory]
    [InlineData("0.1", "0.1.0", 0)]
    [InlineData("0.1", "0.1.1", -1)]
    [InlineData("0.2", "0.1.9", 1)]
    [InlineData("0.10", "0.9", 1)]
    [InlineData("1.0", "0.99.99", 1)]
    public void Compare_Golden_IsByNumbers(string left, string right, int expected)
    {
        var (a, b) = (ReleaseVersion.TryParse(left)!.Value, ReleaseVersion.TryParse(right)!.Value);
        Assert.Equal(expected, Math.Sign(a.CompareTo(b)));
        Assert.Equal(expected < 0, a < b);
        Assert.Equal(expected > 0, a > b);
        Assert.Equal(expected <= 0, a <= b);
        Assert.Equal(expected >= 0, a >= b);
        Assert.Equal(expected == 0, a == b);
    }

    // The commit is told by git, or by whoever builds without it: "unknown" is honest there, and a mistake here.
    [Fact]
    public void OfAssembly_EveryOneOfTheProduct_HasOneVersionAndTheCommit()
    {
        var texts = Product.Assemblies.Select(ReleaseVersion.TextOfAssembly).Distinct().ToList();
        var text = Assert.Single(texts);
        Assert.All(Product.Assemblies, assembly => Assert.True(ReleaseVersion.OfAssembly(assembly) >= new ReleaseVersion(0, 1)));
        Assert.SkipUnless(
            RepositoryFiles.Contains(".git"), $"These sources have no history, so nothing tells the commit: {text}");
        Assert.Matches(@"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?\+[0-9a-f]{40}$", text);
    }

    [Fact]
    public void OfAssembly_OneWithoutAVersion_Throws() =>
        Assert.Throws<InvalidOperationException>(() => ReleaseVersion.OfAssembly(new NoVersion()));

    private sealed class NoVersion : Assembly
    {
        public override AssemblyName GetName() => new("nothing");

        public override object[] GetCustomAttributes(Type attributeType, bool inherit) => (object[])Array.CreateInstance(attributeType, 0);
    }
}
