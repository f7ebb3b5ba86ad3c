using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>
/// What our code relies on in an API server. Run against a real one, these tests say whether the test server tells the truth.
/// </summary>
[Trait("Kind", "Sockets")]
public sealed class ApiServerBehaviourTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    private readonly string _name = $"t-{Guid.NewGuid():N}"[..14];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Create_BreaksTheSchema_Is422WithFieldAndReason()
    {
        var (code, text) = await CreateClusterAsync("""{"clusterId":"c","version":-1,"silos":["short"]}""");
        AssertRefused(HttpStatusCode.UnprocessableEntity, "Invalid", (code, text));
        Assert.Equal(["spec.silos", "spec.version"], Causes(text).Select(cause => cause.Field).Order(StringComparer.Ordinal));

        (code, text) = await CreateClusterAsync("""{"clusterId":"c","version":"1"}""");
        AssertRefused(HttpStatusCode.UnprocessableEntity, "Invalid", (code, text));
        Assert.Contains(("spec.silos", "FieldValueRequired"), Causes(text));
        Assert.Contains(Causes(text), cause => cause.Field == "spec.version");
    }

    [Fact]
    public async Task Create_UnknownField_IsPruned()
    {
        var (code, text) = await CreateClusterAsync("""{"clusterId":"c","version":0,"silos":[],"unheard":1}""");
        Assert.Equal(HttpStatusCode.Created, code);
        var created = JsonNode.Parse(text)!;
        Assert.Null(created["spec"]!["unheard"]);
        Assert.Equal(1, (long)created["metadata"]!["generation"]!);
        Assert.False(string.IsNullOrEmpty((string?)created["metadata"]!["uid"]));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", (string)created["metadata"]!["creationTimestamp"]!);
        AssertRefused(HttpStatusCode.Conflict, "AlreadyExists", await CreateClusterAsync("""{"clusterId":"c","version":0,"silos":[]}"""));
    }

    [Fact]
    public async Task Create_NameThatIsNone_Is422()
    {
        var answer = await cluster.SendAsync(HttpMethod.Post, cluster.LeasePath(), Lease("10.0.0.1:80"));
        AssertRefused(HttpStatusCode.UnprocessableEntity, "Invalid", answer);
        Assert.Equal(("metadata.name", "FieldValueInvalid"), Assert.Single(Causes(answer.Text)));
    }

    // kubectl prefers protobuf since 1.32; what a server answers tells it that this kind is JSON only.
    [Fact]
    public async Task Create_CustomObjectInProtobuf_Is415()
    {
        var (code, text) = await cluster.SendAsync(
            HttpMethod.Post, cluster.ClusterPath(), JsonValue.Create("k8s"), contentType: "application/vnd.kubernetes.protobuf");
        AssertRefused(HttpStatusCode.UnsupportedMediaType, "UnsupportedMediaType", (code, text));
        if (!cluster.IsReal)
        {
            AssertRefused(
                HttpStatusCode.UnsupportedMediaType,
                "UnsupportedMediaType",
                await cluster.SendAsync(
                    HttpMethod.Post, "api/v1/namespaces", JsonValue.Create("k8s"), contentType: "application/vnd.kubernetes.protobuf"));
        }
    }

    [Fact]
    public async Task Update_WithoutOrWithOldResourceVersion_IsRefused()
    {
        var created = JsonNode.Parse((await CreateClusterAsync("""{"clusterId":"c","version":0,"silos":[]}""")).Text)!;
        var stale = created.DeepClone();
        created["spec"]!["version"] = 1;
        var (code, text) = await cluster.SendAsync(HttpMethod.Put, cluster.ClusterPath(_name), created);
        Assert.True(code == HttpStatusCode.OK, text);
        Assert.Equal(2, (long)JsonNode.Parse(text)!["metadata"]!["generation"]!);

        (code, text) = await cluster.SendAsync(HttpMethod.Put, cluster.ClusterPath(_name), stale);
        AssertRefused(HttpStatusCode.Conflict, "Conflict", (code, text));

        stale["metadata"]!.AsObject().Remove("resourceVersion");
        (code, text) = await cluster.SendAsync(HttpMethod.Put, cluster.ClusterPath(_name), stale);
        AssertRefused(HttpStatusCode.UnprocessableEntity, "Invalid", (code, text));
        Assert.Equal(("metadata.resourceVersion", "FieldValueInvalid"), Assert.Single(Causes(text)));
    }

    [Fact]
    public async Task Patch_ThatChangesNothing_KeepsTheResourceVersion()
    {
        var created = JsonNode.Parse((await cluster.SendAsync(HttpMethod.Post, cluster.LeasePath(), Lease(_name))).Text)!;
        var (code, text) = await PatchAsync("""{"spec":{"holderIdentity":"a"}}""");
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal((string?)created["metadata"]!["resourceVersion"], (string?)JsonNode.Parse(text)!["metadata"]!["resourceVersion"]);

        (_, text) = await PatchAsync("""{"spec":{"holderIdentity":null}}""");
        Assert.Null(JsonNode.Parse(text)!["spec"]!["holderIdentity"]);
        (code, _) = await PatchAsync("""{"metadata":{"resourceVersion":"1"}}""");
        Assert.Equal(HttpStatusCode.Conflict, code);
        (code, _) = await PatchAsync("""{"spec":{"renewTime":"2026-01-01"}}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        (code, _) = await PatchAsync("""{"spec":{"leaseDurationSeconds":0}}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        (code, _) = await cluster.SendAsync(HttpMethod.Patch, cluster.LeasePath(_name), new JsonObject());

        // 406 by 1.20's router.
        Assert.True(code is HttpStatusCode.UnsupportedMediaType or HttpStatusCode.NotAcceptable, $"{code}");
    }

    [Fact]
    public async Task Delete_WithPreconditions_HoldsThem()
    {
        var created = JsonNode.Parse((await cluster.SendAsync(HttpMethod.Post, cluster.LeasePath(), Lease(_name))).Text)!;
        await PatchAsync("""{"spec":{"holderIdentity":"b"}}""");
        var (code, _) = await cluster.SendAsync(HttpMethod.Delete, cluster.LeasePath(_name), Preconditions("resourceVersion"));
        Assert.Equal(HttpStatusCode.Conflict, code);
        (code, _) = await cluster.SendAsync(HttpMethod.Delete, cluster.LeasePath(_name), Preconditions("uid"));
        Assert.Equal(HttpStatusCode.OK, code);
        (code, var text) = await cluster.SendAsync(HttpMethod.Delete, cluster.LeasePath(_name));
        AssertRefused(HttpStatusCode.NotFound, "NotFound", (code, text));
        Assert.Equal(_name, (string?)JsonNode.Parse(text)!["details"]!["name"]);

        JsonObject Preconditions(string field) =>
            new() { ["preconditions"] = new JsonObject { [field] = created["metadata"]![field]!.DeepClone() } };
    }

    [Fact]
    public async Task List_InPages_ShowsOneMoment()
    {
        for (var index = 0; index < 5; index++)
        {
            var lease = Lease($"{_name}-{index}");
            lease["metadata"]!["labels"] = new JsonObject { ["page"] = _name };
            await cluster.PostAsync(cluster.LeasePath(), lease);
        }

        var query = $"{cluster.LeasePath()}?labelSelector=page%3D{_name}&limit=2";
        var first = JsonNode.Parse((await cluster.SendAsync(HttpMethod.Get, query)).Text)!;
        Assert.Equal(2, first["items"]!.AsArray().Count);
        await cluster.SendAsync(HttpMethod.Delete, cluster.LeasePath($"{_name}-4"));
        var next = Uri.EscapeDataString((string)first["metadata"]!["continue"]!);
        var second = JsonNode.Parse((await cluster.SendAsync(HttpMethod.Get, $"{query}&continue={next}")).Text)!;
        Assert.Equal((string?)first["metadata"]!["resourceVersion"], (string?)second["metadata"]!["resourceVersion"]);
        next = Uri.EscapeDataString((string)second["metadata"]!["continue"]!);
        var third = JsonNode.Parse((await cluster.SendAsync(HttpMethod.Get, $"{query}&continue={next}")).Text)!;
        Assert.Equal($"{_name}-4", (string?)third["items"]![0]!["metadata"]!["name"]);
        Assert.True(string.IsNullOrEmpty((string?)third["metadata"]!["continue"]));

        if (!cluster.IsReal)
        {
            cluster.Server.Registry.Store.Compact();
            await cluster.PostAsync(cluster.LeasePath(), Lease($"{_name}-5"));
            cluster.Server.Registry.Store.Compact();
            var (code, text) = await cluster.SendAsync(HttpMethod.Get, $"{query}&continue={next}");
            Assert.Equal(HttpStatusCode.Gone, code);
            Assert.Equal("Expired", (string?)JsonNode.Parse(text)!["reason"]);
        }
    }

    [Fact]
    public async Task Watch_FromAListOfMetadata_SendsEventsAndEndsInTime()
    {
        var created = JsonNode.Parse((await CreateClusterAsync("""{"clusterId":"c","version":0,"silos":[]}""")).Text)!;
        var from = (string)created["metadata"]!["resourceVersion"]!;
        await cluster.SendAsync(
            HttpMethod.Patch, cluster.ClusterPath(_name),
            JsonNode.Parse("""{"spec":{"version":1}}"""), contentType: "application/merge-patch+json");
        await cluster.SendAsync(HttpMethod.Delete, cluster.ClusterPath(_name));

        var (code, text) = await cluster.SendAsync(
            HttpMethod.Get,
            $"{cluster.ClusterPath()}?watch=true&resourceVersion={from}&timeoutSeconds=2&allowWatchBookmarks=true&fieldSelector=metadata.name%3D{_name}",
            accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json");

        Assert.Equal(HttpStatusCode.OK, code);
        var events = text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal(["MODIFIED", "DELETED"], events.Select(each => (string)each["type"]!).Where(type => type != "BOOKMARK"));
        Assert.All(events, each => Assert.Null(each["object"]!["spec"]));
        Assert.All(events, each => Assert.False(string.IsNullOrEmpty((string?)each["object"]!["metadata"]!["resourceVersion"])));
        Assert.Equal("PartialObjectMetadata", (string?)events[0]["object"]!["kind"]);
    }

    [Theory]
    [InlineData("apis/no.such.group/v1/things")]
    [InlineData("apis/orleans.wireguard/v1/things")]
    public async Task Get_UnknownCustomKind_IsPlainText404(string path)
    {
        var answer = await cluster.SendAsync(HttpMethod.Get, path);
        Assert.Equal(HttpStatusCode.NotFound, answer.Code);
        Assert.False(answer.Text.StartsWith('{'), "a Status, by which our code would take the object for missing, not its kind");
    }

    [Theory]
    [InlineData("api/v1/things")]
    [InlineData("apis/coordination.k8s.io/v1/namespaces/default/things")]
    public async Task Get_UnknownKindOfABuiltInGroup_IsAStatusAboutNothing(string path)
    {
        var answer = await cluster.SendAsync(HttpMethod.Get, path);
        AssertRefused(HttpStatusCode.NotFound, "NotFound", answer);
        Assert.Null(JsonNode.Parse(answer.Text)!["details"]?["name"]);
    }

    [Fact]
    public async Task Get_WithoutRight_Is403ThatNamesVerbAndResource()
    {
        var token = await cluster.CreateUserAsync();
        var (code, text) = await cluster.SendAsync(HttpMethod.Get, cluster.LeasePath("x"), token: token);
        AssertRefused(HttpStatusCode.Forbidden, "Forbidden", (code, text));

        // By these words, for which there is no code, ApiFailures tells a missing right from a policy's no.
        Assert.Contains("cannot get resource", (string)JsonNode.Parse(text)!["message"]!, StringComparison.Ordinal);
        Assert.Null(JsonNode.Parse(text)!["details"]?["causes"]);
        Assert.Equal(
            HttpStatusCode.Unauthorized, (await cluster.SendAsync(HttpMethod.Get, cluster.LeasePath("x"), token: "unheard-of")).Code);
    }

    [Fact]
    public async Task Node_CreateAndUpdate_KeepStatusAndPodCIDR()
    {
        var path = $"api/v1/nodes/{_name}";
        var created = await cluster.PostAsync("api/v1/nodes", Node("10.1.0.0/24", "10.1.0.0/24"));
        Assert.Equal("10.240.0.4", (string?)created["status"]!["addresses"]![0]!["address"]);

        // Status has a path of its own, so here it is ignored.
        var (code, text) = await MergeAsync(path, """{"metadata":{"labels":{"a":"b"}},"status":{"addresses":[]}}""");
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal("10.240.0.4", (string?)JsonNode.Parse(text)!["status"]!["addresses"]![0]!["address"]);
        (code, text) = await MergeAsync(path + "/status", """{"status":{"addresses":[{"type":"InternalIP","address":"10.240.0.5"}]}}""");
        Assert.True(code == HttpStatusCode.OK, text);
        Assert.Equal("10.240.0.5", (string?)JsonNode.Parse(text)!["status"]!["addresses"]![0]!["address"]);

        // A node's pod CIDR is for life: another one needs another object.
        (code, text) = await MergeAsync(path, """{"spec":{"podCIDR":"10.2.0.0/24","podCIDRs":["10.2.0.0/24"]}}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Contains("podCIDR", text, StringComparison.Ordinal);
        await cluster.SendAsync(HttpMethod.Delete, path);

        // Of the two fields the old one wins where they differ.
        created = await cluster.PostAsync("api/v1/nodes", Node("10.1.0.0/24", "10.3.0.0/24"));
        Assert.Equal("10.1.0.0/24", (string?)Assert.Single(created["spec"]!["podCIDRs"]!.AsArray()));
        await cluster.SendAsync(HttpMethod.Delete, path);

        JsonObject Node(string single, params string[] list) => new()
        {
            ["metadata"] = new JsonObject { ["name"] = _name },
            ["spec"] = new JsonObject
            {
                ["podCIDR"] = single,
                ["podCIDRs"] = new JsonArray([.. list.Select(each =>
                JsonValue.Create(each))]),
                ["unschedulable"] = true
            },
            ["status"] = new JsonObject
            {
                ["addresses"] = new JsonArray(
                new JsonObject { ["type"] = "InternalIP", ["address"] = "10.240.0.4" })
            },
        };

        Task<(HttpStatusCode Code, string Text)> MergeAsync(string to, string patch) =>
            cluster.SendAsync(HttpMethod.Patch, to, JsonNode.Parse(patch), contentType: "application/merge-patch+json");
    }

    [Fact]
    public async Task Create_BodyTooLarge_Is413()
    {
        var lease = Lease(_name);
        lease["metadata"]!["annotations"] = new JsonObject { ["a"] = new string('x', 4 * 1024 * 1024) };
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await cluster.SendAsync(HttpMethod.Post, cluster.LeasePath(), lease)).Code);
    }

    [Fact]
    public async Task Kubectl_GetAndCreate_Work()
    {
        Kubectl.SkipUnlessInstalled();
        await CreateClusterAsync("""{"clusterId":"c","version":7,"silos":[]}""");

        var output = await RunAsync("get", "oc", "-o", "wide", "-n", cluster.Namespace);

        TestContext.Current.TestOutputHelper!.WriteLine(output);
        Assert.Matches(@"NAME\s+VERSION\s+SILOS\s+ACTIVE\s+DEAD\s+MEMBERS\s+CLUSTER\s+AGE", output);
        Assert.Matches($@"{_name}\s+7\s.*\sc\s+\d+s", output);

        // As the documentation has it: from a file, which every version sends as JSON.
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(
                file, new JsonObject
                {
                    ["apiVersion"] = "v1",
                    ["kind"] = "Namespace",
                    ["metadata"] = new JsonObject { ["name"] = _name }
                }.ToJsonString(), Token);
            await RunAsync("create", "--validate=false", "-f", file);
            await RunAsync("label", "namespace", _name, "a=b");
            await RunAsync("annotate", "namespace", _name, "a=b");
            await RunAsync("annotate", "namespace", _name, "a-");
            await RunAsync("delete", "namespace", _name, "--wait=false");
        }
        finally
        {
            File.Delete(file);
        }

        async Task<string> RunAsync(params string[] arguments)
        {
            var (code, text) = await Kubectl.RunAsync(cluster, arguments);
            Assert.True(code == 0, text);
            return text;
        }
    }

    private static void AssertRefused(HttpStatusCode code, string reason, (HttpStatusCode Code, string Text) answer)
    {
        Assert.True(answer.Code == code, $"{answer.Code}: {answer.Text}");
        var status = JsonNode.Parse(answer.Text)!;
        Assert.Equal("Status", (string?)status["kind"]);
        Assert.Equal(reason, (string?)status["reason"]);
    }

    // Newer servers add the index: spec.silos[0].
    private static List<(string Field, string Reason)> Causes(string text) =>
        [.. JsonNode.Parse(text)!["details"]!["causes"]!.AsArray()
            .Select(cause => (((string)cause!["field"]!).Split('[')[0], (string)cause["reason"]!))];

    private static JsonObject Lease(string name) => new()
    {
        ["metadata"] = new JsonObject { ["name"] = name },
        ["spec"] = new JsonObject
        {
            ["holderIdentity"] = "a",
            ["leaseDurationSeconds"] = 90,
            ["renewTime"] = "2026-11-23T06:34:00.123456Z"
        },
    };

    private Task<(HttpStatusCode Code, string Text)> CreateClusterAsync(string spec) =>
        cluster.SendAsync(HttpMethod.Post, cluster.ClusterPath(), new JsonObject
        {
            ["apiVersion"] = "orleans.wireguard/v1",
            ["kind"] = "OrleansCluster",
            ["metadata"] = new JsonObject { ["name"] = _name },
            ["spec"] = JsonNode.Parse(spec),
        });

    private Task<(HttpStatusCode Code, string Text)> PatchAsync(string patch) =>
        cluster.SendAsync(HttpMethod.Patch, cluster.LeasePath(_name), JsonNode.Parse(patch), contentType: "application/merge-patch+json");
}
