using System.Text.RegularExpressions;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Architecture;

/// <summary>
/// Whoever has the repository has all that its texts refer to: none leans on a document, a tracker or a folder that only its authors had.
/// Each rule is shown to fail on something that breaks it.
/// </summary>
public sealed partial class OutsideReferenceTests
{
    private static readonly Lazy<HashSet<string>> Documents = new(
        () => RepositoryFiles.ReadTexts().Select(file => Path.GetFileName(file.Path)).ToHashSet(StringComparer.Ordinal));

    [Fact]
    public void Texts_OfAllFiles_ReferToNothingOutside()
    {
        const string ThisFile = $"{nameof(OutsideReferenceTests)}.cs";
        var texts = RepositoryFiles.ReadTexts().Where(file => Path.GetFileName(file.Path) != ThisFile).ToList();
        Assert.Contains("README.md", texts.Select(file => file.Path));
        Assert.Contains("Silo/Program.cs", texts.Select(file => file.Path));
        Assert.Empty(texts.SelectMany(file => FindOutside(file.Text).Select(reference => $"{file.Path}: {reference}")));
    }

    [Fact]
    public void Links_OfAllDocuments_LeadToFiles() => Assert.Empty(
        from file in RepositoryFiles.ReadTexts()
        where Path.GetExtension(file.Path) == ".md"
        from link in FindBrokenLinks(Path.GetDirectoryName(file.Path)!, file.Text)
        select $"{file.Path}: {link}");

    [Theory]
    [InlineData("so does one sent before. The issue proposed the lower key.", "The issue")]
    [InlineData("as the\n/// issue says", "the issue")]
    [InlineData("the specification wants it", "the specification")]
    [InlineData("closes issue 10", "issue 10")]
    [InlineData("see issues #10 and #11", "issues #10", "#11")]
    [InlineData("fixed (#10)", "#10")]
    [InlineData("what NOWHERE.md section 9 names, beside README.md", "NOWHERE.md")]
    [InlineData("the house's ../NOTES_OF_OURS.md", "NOTES_OF_OURS.md")]
    [InlineData("cat /" + "home/somebody/notes.txt", "/" + "home/")]
    [InlineData("open /" + "Users/somebody/notes.txt", "/" + "Users/")]
    public void FindOutside_ReferenceToOutside_IsFound(string text, params string[] expected) => Assert.Equal(expected, FindOutside(text));

    [Theory]
    [InlineData("please do not open an issue; the cause of this issue is rp_filter")]
    [InlineData("the specification of the Kubernetes API")]
    [InlineData("https://github.com/dotnet/orleans/issues/1234, dotnet/orleans#1234, PKCS#12, &#39;, #region 1")]
    [InlineData("design, by design; style; ../SECURITY.md; a page of the home/start kind")]
    public void FindOutside_WhatEverybodyHas_IsNotFound(string text) => Assert.Empty(FindOutside(text));

    [Theory]
    [InlineData("", "[a](README.md), [b](Silo/Findings/README.md#the-codes), [c](#limits), [d](https://learn.microsoft.com/dotnet)")]
    [InlineData("deploy", "[a](../SECURITY.md), [b](base)")]
    [InlineData("", "[a](NOWHERE.md)", "NOWHERE.md")]
    [InlineData("deploy", "[a](README.md), [b](SECURITY.md#keys)", "SECURITY.md#keys")]
    [InlineData("deploy", "[a](../../README.md)", "../../README.md")]
    public void FindBrokenLinks_Golden_AreThoseThatLeadNowhere(string folder, string text, params string[] expected) =>
        Assert.Equal(expected, FindBrokenLinks(folder, text));

    private static IEnumerable<string> FindOutside(string text) =>
        Outside().Matches(RepositoryFiles.JoinLines(text)).Select(match => match.Value)
            .Where(found => !found.EndsWith(".md", StringComparison.Ordinal) || !Documents.Value.Contains(found));

    private static IEnumerable<string> FindBrokenLinks(string folder, string text) =>
        from match in Link().Matches(text)
        let link = match.Groups[1].Value
        let path = link.Split('#')[0]
        where path.Length > 0 && !path.Contains("://", StringComparison.Ordinal) && !RepositoryFiles.Contains(Path.Combine(folder, path))
        select link;

    // Whose number has a repository before it, as in dotnet/orleans#1234, says where to look.
    [GeneratedRegex(
        @"\b[Tt]he (?:issue|specification)\b(?! of)|\b[Ii]ssues? #?\d+|(?<![\w&#])#\d{1,5}\b|"
        + @"\b[A-Z][A-Z_]+\.md\b|(?<![\w.])/(?:home|Users)/")]
    private static partial Regex Outside();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
