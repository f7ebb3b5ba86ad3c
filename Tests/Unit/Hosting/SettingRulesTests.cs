using Orleans.WireGuard.Silo.Hosting;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

/// <summary>
/// Settings of another version than the program's, in both directions: what is not known is ignored only if the file says to be newer, and
/// below <c>Encryption</c> never.
/// </summary>
public sealed class SettingRulesTests
{
    private static readonly ReleaseVersion Own = new(0, 2, 1);

    private static readonly SettingCatalogue Catalogue = new(new Dictionary<string, Type?>
    {
        ["Logging"] = null,
        ["Encryption"] = typeof(EncryptionLike),
        ["Part"] = typeof(PartLike),
    });

    [Theory]

    // A mistake, whether the file says for which version it is or not.
    [InlineData(null, "Part:Old|Part:Wrong|Encryption:Wrong", "", "Encryption:Wrong, Part:Wrong: not known to this owg (0.2.1)")]
    [InlineData("0.1", "Part:Wrong", "", "Part:Wrong: not known to this owg (0.2.1)")]
    [InlineData("0.2.1", "Wrong:A", "", "Wrong: not known to this owg (0.2.1)")]
    [InlineData("0.2.1", "Encryption:Wrong", "", "Encryption:Wrong: not known to this owg (0.2.1); correct the name")]
    [InlineData("0.2", "wrong", "", "this one says 0.2.0")]

    // Of a newer version, such as after the program was rolled back and its settings were not.
    [InlineData("0.2.2", "Part:Old|Part:Wrong|part:wrong:0|Wrong:A|Wrong:B", "Part:Wrong|Wrong", "")]
    [InlineData("1.0", "Part:List:0:Wrong|Part:Named:node-1:A|Part:Old:A", "Part:List:0:Wrong|Part:Named:node-1:A|Part:Old:A", "")]
    [InlineData("0.3", "Encryptions:A|EncryptionB", "EncryptionB|Encryptions", "")]

    // What means safety.
    [InlineData(
        "0.3", "encryption:Wrong|Part:Wrong", "Part:Wrong", "encryption:Wrong: not known to this owg (0.2.1), the file is of 0.3.0")]
    [InlineData("0.3", "Encryption:Mode:A", "", "never ignored; remove it, or run a version that knows it")]

    // What is known is never a question.
    [InlineData(null, "Part:Old|Part:New|Encryption:Mode|Logging:LogLevel:Anything", "", "")]
    [InlineData("9.9", "Part:Old|Part:New|Encryption:Mode|Part:List:3:Name|Part:List:3:More:9|Part:Named:x|Part:Maybe", "", "")]
    public void Judge_KeysAndVersion_AreAcceptedIgnoredOrRefused(string? version, string keys, string ignored, string fault)
    {
        var verdict = Judge(version, keys);
        Assert.Equal(ignored, string.Join('|', verdict.Ignored));
        Assert.Equal(ReleaseVersion.TryParse(version), verdict.Version);
        if (fault.Length == 0)
        {
            Assert.Empty(verdict.Faults);
        }
        else
        {
            Assert.Contains(fault, Assert.Single(verdict.Faults), StringComparison.Ordinal);
        }
    }

    // It would be no setting at all, and nobody would say so.
    [Theory]
    [InlineData("Part", "Part is one value, '1'; expected settings of its own")]
    [InlineData("Part:List", "Part:List is one value, '1'; expected a list, such as [\"1\"]")]
    [InlineData("part:list:0:more", "part:list:0:more is one value, '1'; expected a list")]
    [InlineData("Part:Named", "Part:Named is one value, '1'; expected a value for each name")]
    [InlineData("Encryption", "Encryption is one value, '1'; expected settings of its own")]
    public void Judge_OneValueForSeveral_IsRefusedWhateverTheVersion(string key, string expected)
    {
        foreach (var version in (string?[])[null, "0.1", "9.9"])
        {
            Assert.StartsWith(expected, Assert.Single(Judge(version, key).Faults), StringComparison.Ordinal);
        }
    }

    // A list or a section that is empty.
    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void Judge_NothingForSeveral_IsAccepted(string? value) => Assert.Empty(
        SettingRules.Judge(new Dictionary<string, string?> { ["Part:List"] = value, ["Encryption"] = value }, Catalogue, Own).Faults);

    [Theory]
    [InlineData("Part_Old", "OWG_Part_Old: sets nothing; write OWG_Part__Old, with two underscores")]
    [InlineData("part_list_0", "OWG_part_list_0: sets nothing; write OWG_part__list_0, with two underscores")]
    [InlineData("Part__List", "Part:List is one value, '1'; expected a list")]
    [InlineData("Part__List__0__Name", "")]
    [InlineData("Part__Old", "")]
    [InlineData("CONFIG", "")]
    [InlineData("LOCAL_STATE", "")]
    public void JudgeVariables_Name_IsAcceptedOrSaid(string name, string expected)
    {
        var said = SettingRules.JudgeVariables([KeyValuePair.Create(name, (string?)"1")], Catalogue, "OWG_");
        Assert.Equal(expected.Length > 0 ? 1 : 0, said.Count);
        Assert.StartsWith(expected, string.Join('\n', said), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("newest")]
    [InlineData("0.3-alpha")]
    [InlineData("v0.3")]
    public void Judge_VersionThatIsNone_IsRefusedByItself(string version)
    {
        var fault = Assert.Single(Judge(version, "Wrong:A").Faults);
        Assert.Equal($"$version is '{version}'; expected the version for which the file was written, such as 0.1 or 0.1.2", fault);
    }

    // It would be taken for a mistake by the very version for which the file says to be written.
    [Theory]
    [InlineData("0.1", "Part:New 0.2.0|Part:Old|Part:List:0:Name 0.2.1", "Part:List:0:Name 0.2.1|Part:New 0.2.0")]
    [InlineData("0.2", "Part:New|Part:List:0:Name", "Part:List:0:Name 0.2.1")]
    [InlineData("0.2.1", "Part:New|Part:List:0:Name", "")]
    [InlineData(null, "Part:New", "")]
    public void Judge_SettingThatIsNewerThanTheFileSays_IsNamed(string? version, string keys, string expected)
    {
        var verdict = Judge(version, string.Join('|', keys.Split('|').Select(key => key.Split(' ')[0])));
        Assert.Equal(expected, string.Join('|', verdict.Ahead.Select(setting => $"{setting.Key} {setting.Since}")));
        Assert.Empty(verdict.Faults);
    }

    [Fact]
    public void Judge_VersionInAnotherCase_IsTheVersion() => Assert.Equal(
        new ReleaseVersion(0, 3), SettingRules.Judge(new Dictionary<string, string?> { ["$VERSION"] = "0.3" }, Catalogue, Own).Version);

    private static SettingVerdict Judge(string? version, string keys)
    {
        var settings = keys.Split('|').ToDictionary(key => key, string? (_) => "1");
        if (version is not null)
        {
            settings[SettingRules.VersionKey] = version;
        }

        return SettingRules.Judge(settings, Catalogue, Own);
    }

    private sealed class EncryptionLike
    {
        [Since("0.1")]
        public string Mode { get; set; } = "";
    }

    private sealed class PartLike
    {
        [Since("0.1")]
        public TimeSpan Old { get; set; }

        [Since("0.2")]
        public Uri? New { get; set; }

        [Since("0.1")]
        public TimeSpan? Maybe { get; set; }

        [Since("0.1")]
        public IList<ItemLike> List { get; } = [];

        [Since("0.1")]
        public IDictionary<string, int> Named { get; } = new Dictionary<string, int>();
    }

    private sealed class ItemLike
    {
        [Since("0.2.1")]
        public string Name { get; set; } = "";

        [Since("0.1")]
        public IList<string> More { get; } = [];
    }
}
