using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>What our code relies on in an API server. Run against a real one, these tests say whether the test server tells the truth.</summary>
public sealed class ApiServerBehaviourTests(ApiCluster cluster) : IClassFixture<ApiCluster>
{
    private readonly string _name = $"t-{Guid.NewGuid():N}"[..14];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Create_BreaksTheSchema_Is422WithFieldAndReason()
    {
        var (code, text) = await CreateClusterAsync("""{"clusterId":"c","version":-1,"silos":["short"]}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Contains("spec.version", text, StringComparison.Ordinal);
        Assert.Contains("should be greater than or equal to 0", text, StringComparison.Ordinal);

        // Newer servers add the index: spec.silos[0].
        Assert.Contains("spec.silos", text, StringComparison.Ordinal);
        Assert.Contains("should be at least 20 chars long", text, StringComparison.Ordinal);
        Assert.Equal("Invalid", (string?)JsonNode.Parse(text)!["reason"]);

        (code, text) = await CreateClusterAsync("""{"clusterId":"c","version":"1"}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Contains("spec.silos: Required value", text, StringComparison.Ordinal);
        Assert.Contains("must be of type integer: \\\"string\\\"", text, StringComparison.Ordinal);
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
        Assert.Equal(HttpStatusCode.Conflict, (await CreateClusterAsync("""{"clusterId":"c","version":0,"silos":[]}""")).Code);
    }

    [Fact]
    public async Task Create_NameThatIsNone_Is422()
    {
        var (code, text) = await cluster.SendAsync(HttpMethod.Post, cluster.LeasePath(), Lease("10.0.0.1:80"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Contains("a lowercase RFC 1123 subdomain must consist of", text, StringComparison.Ordinal);
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
        Assert.Equal(HttpStatusCode.Conflict, code);
        Assert.Contains("the object has been modified; please apply your changes to the latest version and try again", text, StringComparison.Ordinal);

        stale["metadata"]!.AsObject().Remove("resourceVersion");
        (code, text) = await cluster.SendAsync(HttpMethod.Put, cluster.ClusterPath(_name), stale);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Contains("metadata.resourceVersion: Invalid value: 0x0: must be specified for an update", text, StringComparison.Ordinal);
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
        Assert.Equal(HttpStatusCode.NotFound, code);
        Assert.Contains($"leases.coordination.k8s.io \\\"{_name}\\\" not found", text, StringComparison.Ordinal);

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
            HttpMethod.Patch, cluster.ClusterPath(_name), JsonNode.Parse("""{"spec":{"version":1}}"""), contentType: "application/merge-patch+json");
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
        Assert.StartsWith("404 page not found", answer.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("api/v1/things")]
    [InlineData("apis/coordination.k8s.io/v1/namespaces/default/things")]
    public async Task Get_UnknownKindOfABuiltInGroup_IsAStatusAboutNothing(string path)
    {
        var answer = await cluster.SendAsync(HttpMethod.Get, path);
        Assert.Equal(HttpStatusCode.NotFound, answer.Code);
        var status = JsonNode.Parse(answer.Text)!;
        Assert.Equal("the server could not find the requested resource", (string?)status["message"]);
        Assert.Null(status["details"]?["name"]);
    }

    [Fact]
    public async Task Get_WithoutRight_Is403InTheServersWords()
    {
        var token = await cluster.CreateUserAsync();
        var (code, text) = await cluster.SendAsync(HttpMethod.Get, cluster.LeasePath("x"), token: token);
        Assert.Equal(HttpStatusCode.Forbidden, code);
        var message = (string)JsonNode.Parse(text)!["message"]!;
        Assert.StartsWith("leases.coordination.k8s.io \"x\" is forbidden: User \"system:serviceaccount:", message, StringComparison.Ordinal);
        Assert.EndsWith($"cannot get resource \"leases\" in API group \"coordination.k8s.io\" in the namespace \"{cluster.Namespace}\"", message, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Unauthorized, (await cluster.SendAsync(HttpMethod.Get, cluster.LeasePath("x"), token: "unheard-of")).Code);
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
            ["spec"] = new JsonObject { ["podCIDR"] = single, ["podCIDRs"] = new JsonArray([.. list.Select(each => JsonValue.Create(each))]), ["unschedulable"] = true },
            ["status"] = new JsonObject { ["addresses"] = new JsonArray(new JsonObject { ["type"] = "InternalIP", ["address"] = "10.240.0.4" }) },
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
        var kubectl = SystemCommand.Find("kubectl");
        Assert.SkipWhen(kubectl is null, "kubectl is not installed");
        await CreateClusterAsync("""{"clusterId":"c","version":7,"silos":[]}""");

        var (_, output) = await RunAsync("get", "oc", "-o", "wide", "-n", cluster.Namespace);

        TestContext.Current.TestOutputHelper!.WriteLine(output);
        Assert.Matches(@"NAME\s+VERSION\s+SILOS\s+ACTIVE\s+DEAD\s+MEMBERS\s+CLUSTER\s+AGE", output);
        Assert.Matches($@"{_name}\s+7\s.*\sc\s+\d+s", output);
        Assert.Equal(0, (await RunAsync("create", "namespace", _name)).Code);
        Assert.Equal(0, (await RunAsync("delete", "namespace", _name, "--wait=false")).Code);

        async Task<(int Code, string Output)> RunAsync(params string[] arguments)
        {
            string[] server = ["--server", cluster.Server.Address.ToString(), "--certificate-authority", cluster.AuthorityFile, "--token", cluster.Server.AdminToken, "--cache-dir", Path.Combine(Path.GetTempPath(), _name), "--kubeconfig", "/dev/null"];
            using var process = Process.Start(new ProcessStartInfo(kubectl!, [.. server, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var text = await process.StandardOutput.ReadToEndAsync(Token) + await process.StandardError.ReadToEndAsync(Token);
            await process.WaitForExitAsync(Token);
            Assert.True(process.ExitCode == 0, text);
            return (process.ExitCode, text);
        }
    }

    private static JsonObject Lease(string name) => new()
    {
        ["metadata"] = new JsonObject { ["name"] = name },
        ["spec"] = new JsonObject { ["holderIdentity"] = "a", ["leaseDurationSeconds"] = 90, ["renewTime"] = "2026-11-23T06:34:00.123456Z" },
    };

    private Task<(HttpStatusCode Code, string Text)> CreateClusterAsync(string spec) => cluster.SendAsync(HttpMethod.Post, cluster.ClusterPath(), new JsonObject
    {
        ["apiVersion"] = "orleans.wireguard/v1",
        ["kind"] = "OrleansCluster",
        ["metadata"] = new JsonObject { ["name"] = _name },
        ["spec"] = JsonNode.Parse(spec),
    });

    private Task<(HttpStatusCode Code, string Text)> PatchAsync(string patch) =>
        cluster.SendAsync(HttpMethod.Patch, cluster.LeasePath(_name), JsonNode.Parse(patch), contentType: "application/merge-patch+json");
}
