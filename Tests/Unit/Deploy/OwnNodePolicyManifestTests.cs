using System.Reflection;
using System.Text.Json.Serialization;
using Cel;
using k8s.Models;
using Orleans.WireGuard.Tests.Support;
using YamlDotNet.RepresentationModel;

namespace Orleans.WireGuard.Tests.Unit.Deploy;

/// <summary>
/// What of the policy of <c>deploy/components/own-node</c> can be told without a server; its cases are in the end-to-end tests.
/// </summary>
public sealed class OwnNodePolicyManifestTests
{
    private static readonly YamlNode Spec = Manifests.At(
        Manifests.Parse(File.ReadAllText(RepositoryFiles.Find("deploy/components/own-node/policy.yaml"))).First(), "spec");

    public static TheoryData<string> MetadataFields() =>
        [.. typeof(V1ObjectMeta).GetProperties()
            .Select(property => property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name).OfType<string>()];

    [Theory]
    [MemberData(nameof(MetadataFields))]
    public void Validations_EveryFieldOfMetadata_IsComparedUnlessItIsTheServers(string field)
    {
        var isCompared = Items("validations").Any(rule => Manifests.Text(rule, "expression")
            .Contains($"object.metadata.{field} == oldObject.metadata.{field}", StringComparison.Ordinal));
        Assert.Equal(field is not ("annotations" or "resourceVersion" or "generation" or "managedFields"), isCompared);
    }

    [Fact]
    public void Rules_All_SayForbiddenAndWhatTheServerWouldAdd()
    {
        Assert.All(Items("validations"), rule => Assert.Equal("Forbidden", Manifests.Text(rule, "reason")));
        Assert.All((YamlSequenceNode)Manifests.At(Spec, "matchConstraints", "resourceRules"), rule => Assert.Equal(
            "*", Manifests.Text(rule, "scope")));
        Assert.Equal("Fail", Manifests.Text(Spec, "failurePolicy"));
    }

    // An overlay may put the mesh into any namespace, and the policy must not fall silent there.
    [Theory]
    [InlineData("system:serviceaccount:orleans-wireguard:orleans-wireguard", true)]
    [InlineData("system:serviceaccount:other:orleans-wireguard", true)]
    [InlineData("system:serviceaccount:orleans-wireguard:default", false)]
    [InlineData("system:node:orleans-wireguard", false)]
    [InlineData("orleans-wireguard", false)]
    [InlineData("somebody:orleans-wireguard", false)]
    public void MatchConditions_Account_IsMetInAnyNamespace(string user, bool expected)
    {
        var variables = new Dictionary<string, object?>
        {
            ["request"] = new Dictionary<string, object?> { ["userInfo"] = new Dictionary<string, object?> { ["username"] = user } },
        };
        Assert.Equal(expected, Items("matchConditions")
            .All(condition => new CelEnvironment(null, "").Compile(Manifests.Text(condition, "expression"))(variables) is true));
        Assert.Equal("orleans-wireguard", Manifests.Text(Manifests.Base("ServiceAccount"), "metadata", "name"));
    }

    private static YamlSequenceNode Items(string list) => (YamlSequenceNode)Spec[list];
}
