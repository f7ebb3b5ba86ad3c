using System.Net;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using k8s.Models;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Membership;
using Orleans.WireGuard.Silo.Nodes;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// What the policy of <c>deploy/components/own-node</c> lets a silo do to node objects, whatever it may by RBAC: on the test server its
/// expressions are evaluated as they stand in the file, on a real one (<c>KUBECONFIG</c>) by the server.
/// </summary>
[Trait("Kind", "Sockets")]
public sealed class OwnNodePolicyTests(OwnNodePolicyFixture policy) : IClassFixture<OwnNodePolicyFixture>
{
    private const string Key = """{"metadata":{"annotations":{"network.cilium.io/wg-pub-key":"k"}}}""";

    // What the server writes itself, whatever a client sends.
    private static readonly string[] ServersOwn = ["resourceVersion", "generation", "managedFields"];

    // Where the server lets a client write, so that only the policy can say no.
    private static readonly string[] ClientsOwn = ["annotations", "labels", "finalizers", "ownerReferences", "generateName"];

    public static TheoryData<string> Kinds() => ["nodes", "ciliumnodes"];

    public static MatrixTheoryData<string, string> MetadataFields() => new(
        ["nodes", "ciliumnodes"],
        typeof(V1ObjectMeta).GetProperties()
            .Select(property => property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name).OfType<string>());

    public static MatrixTheoryData<string, string> Changes() => new(["nodes", "ciliumnodes"],
    [
        """{"metadata":{"labels":{"other":"x"}}}""",
        """{"metadata":{"labels":{"kept":"y"}}}""",
        """{"metadata":{"labels":null}}""",
        """{"metadata":{"annotations":{"other":"x"}}}""",
        """{"metadata":{"annotations":{"kept":"y"}}}""",
        """{"metadata":{"annotations":{"kept":null}}}""",
        """{"metadata":{"annotations":null}}""",
        """{"metadata":{"annotations":{"network.cilium.io/wg-pub-key":"k","network.cilium.io/other":"x"}}}""",
        """{"metadata":{"finalizers":["example.com/kept","example.com/other"]}}""",
        """{"metadata":{"finalizers":["example.com/other"]}}""",
        """{"metadata":{"finalizers":null}}""",
        """{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"nobody","uid":"11111111-1111-1111-1111-111111111111"}]}}""",
        """{"metadata":{"ownerReferences":null}}""",
        """{"metadata":{"generateName":"x"}}""",
        """{"spec":{"taints":[{"key":"a","effect":"NoExecute"}]}}""",
        """{"spec":{"ipam":{"podCIDRs":["0.0.0.0/0"]},"unschedulable":true}}""",
        """{"metadata":{"annotations":{"network.cilium.io/wg-pub-key":"k"}},"spec":{"unschedulable":true}}""",
    ]);

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Patch_AnnotationOfOwnNode_IsAllowed(string kind)
    {
        SkipIfImpossible();
        foreach (var value in (string[])["\"first\"", "\"second\"", "null"])
        {
            var (code, text) = await policy.PatchAsync(
                Own(kind), """{"metadata":{"annotations":{"network.cilium.io/wg-pub-key":VALUE}}}""".Replace(
                    "VALUE", value, StringComparison.Ordinal), policy.Silo);
            Assert.True(code == HttpStatusCode.OK, text);
            Assert.Equal(value.Trim('"'), (string?)JsonNode.Parse(text)!["metadata"]!["annotations"]!["network.cilium.io/wg-pub-key"]
                ?? "null");
        }
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task Patch_AnythingElse_IsForbiddenAndChangesNothing(string kind, string patch)
    {
        SkipIfImpossible();
        var before = await ReadAsync(Own(kind));
        AssertForbidden(await policy.PatchAsync(Own(kind), patch, policy.Silo));
        Assert.True(JsonNode.DeepEquals(before, await ReadAsync(Own(kind))));
    }

    // Holds for whatever metadata has: a field that Kubernetes adds is refused or stays, too.
    [Theory]
    [MemberData(nameof(MetadataFields))]
    public async Task Patch_AnyFieldOfMetadata_IsRefusedOrChangesNothing(string kind, string field)
    {
        SkipIfImpossible();
        var before = await ReadAsync(Own(kind));
        var patch = new JsonObject { ["metadata"] = new JsonObject { [field] = Sample(field) } };
        var answer = await policy.PatchAsync(Own(kind), patch.ToJsonString(), policy.Silo);
        var after = await ReadAsync(Own(kind));
        if (ClientsOwn.Contains(field))
        {
            AssertForbidden(answer);
        }

        foreach (var own in ServersOwn)
        {
            before["metadata"]!.AsObject().Remove(own);
            after["metadata"]!.AsObject().Remove(own);
        }

        Assert.True(JsonNode.DeepEquals(before, after), $"{answer.Code}: {before.ToJsonString()} became {after.ToJsonString()}");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Patch_Status_IsForbidden(string kind)
    {
        SkipIfImpossible();
        var addresses = """{"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.1"}]}}""";
        AssertForbidden(await policy.PatchAsync(Own(kind) + "/status", addresses, policy.Silo));
        AssertForbidden(await policy.PatchAsync(Other(kind) + "/status", addresses, policy.Silo));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Patch_AnnotationOfAnotherNode_IsForbidden(string kind)
    {
        SkipIfImpossible();
        AssertForbidden(await policy.PatchAsync(Other(kind), Key, policy.Silo));
    }

    // Whoever is told of a missing right adds one, in vain.
    [Fact]
    public async Task Publish_ToAnotherNode_IsExplainedByThePolicyAndNotByRbac()
    {
        SkipIfImpossible();
        var api = policy.Cluster.CreateApi(tokenFile: policy.Cluster.WriteToken(policy.Silo));
        var refused = await Assert.ThrowsAsync<KubernetesApiException>(() => api.SendAsync(
            AnnotationPublisher.Patch(ApiResource.Nodes, policy.OtherNode, "k"),
            ClusteringJson.Compact.Acknowledgement, TestContext.Current.CancellationToken));
        Assert.Equal(ApiFailure.Forbidden, refused.Failure);
        Assert.DoesNotContain("RBAC", refused.Message, StringComparison.Ordinal);
        Assert.Contains("A silo writes its own node only.", refused.Message, StringComparison.Ordinal);
    }

    // "Resulted in error" would be an expression that asked for what is not there.
    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Patch_TokenThatNamesNoNode_IsForbiddenAndNotAnError(string kind)
    {
        SkipIfImpossible();
        foreach (var token in (string[])[policy.Unbound, policy.Unscheduled])
        {
            var answer = await policy.PatchAsync(Own(kind), Key, token);
            AssertForbidden(answer);
            Assert.DoesNotContain("resulted in error", answer.Text, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Patch_TokenOfAPodThatIsGone_IsUnauthorized(string kind)
    {
        SkipIfImpossible();

        // A real server remembers for some seconds that a token was good.
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30), TimeProvider.System);
        (HttpStatusCode Code, string Text) answer;
        while ((answer = await policy.PatchAsync(Own(kind), Key, policy.Dead)).Code == HttpStatusCode.OK
            && !patience.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        Assert.Equal(HttpStatusCode.Unauthorized, answer.Code);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task CreateAndDelete_BySilo_AreForbidden(string kind)
    {
        SkipIfImpossible();
        var made = new JsonObject
        {
            ["apiVersion"] = kind == "nodes" ? "v1" : "cilium.io/v2",
            ["kind"] = kind == "nodes" ? "Node" : "CiliumNode",
            ["metadata"] = new JsonObject { ["name"] = policy.OwnNode + "-made" },
        };
        AssertForbidden(await policy.Cluster.SendAsync(HttpMethod.Post, Path(kind, null), made, policy.Silo));
        AssertForbidden(await policy.Cluster.SendAsync(HttpMethod.Delete, Own(kind), token: policy.Silo));
        Assert.Null((await ReadAsync(Own(kind)))["metadata"]!["deletionTimestamp"]);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Patch_AnotherAccount_IsNotHeldToIt(string kind)
    {
        SkipIfImpossible();
        var (code, text) = await policy.PatchAsync(Other(kind), """{"metadata":{"labels":{"by":"stranger"}}}""", policy.Stranger);
        Assert.True(code == HttpStatusCode.OK, text);
    }

    private static void AssertForbidden((HttpStatusCode Code, string Text) answer)
    {
        Assert.True(answer.Code == HttpStatusCode.Forbidden, $"{answer.Code}: {answer.Text}");
        var status = JsonNode.Parse(answer.Text)!;
        Assert.Equal("Forbidden", (string?)status["reason"]);

        // By the policy, not by RBAC: only the former says why.
        Assert.NotNull(status["details"]?["causes"]);
    }

    private static JsonNode Sample(string field) => field switch
    {
        "annotations" or "labels" => new JsonObject { ["other"] = "x" },
        "finalizers" => new JsonArray("example.com/other"),
        "ownerReferences" => new JsonArray(new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Node",
            ["name"] = "nobody",
            ["uid"] = "11111111-1111-1111-1111-111111111111"
        }),
        "managedFields" => new JsonArray(new JsonObject()),
        "creationTimestamp" or "deletionTimestamp" => JsonValue.Create("2020-01-01T00:00:00Z"),
        "deletionGracePeriodSeconds" or "generation" => JsonValue.Create(99),
        _ => JsonValue.Create("99"),
    };

    private static string Path(string kind, string? name) =>
        (kind == "nodes" ? "api/v1/nodes" : "apis/cilium.io/v2/ciliumnodes") + (name is null ? "" : "/" + name);

    private string Own(string kind) => Path(kind, policy.OwnNode);

    private string Other(string kind) => Path(kind, policy.OtherNode);

    private void SkipIfImpossible() => Assert.SkipWhen(policy.Obstacle is not null, policy.Obstacle ?? "");

    private async Task<JsonNode> ReadAsync(string path)
    {
        var (code, text) = await policy.Cluster.SendAsync(HttpMethod.Get, path);
        Assert.True(code == HttpStatusCode.OK, text);
        return JsonNode.Parse(text)!;
    }
}
