using System.Reflection;
using System.Xml.Linq;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Architecture;

/// <summary>Who may know whom. The compiler holds the walls between assemblies; what is here it does not.</summary>
public sealed class ReferenceTests
{
    private const string GeneratedRoot = "OrleansCodeGen";

    // Where the walls stand: a reference that is added here is a wall that is taken down.
    [Theory]
    [InlineData("Interfaces/Values", "Microsoft.Orleans.Serialization.Abstractions")]
    [InlineData("Interfaces", "Microsoft.Orleans.Sdk", "Values")]
    [InlineData("Grains/Keys", "NSec.Cryptography", "Values")]
    [InlineData("Grains/Supervision", "Microsoft.Extensions.Hosting.Abstractions")]
    [InlineData("Grains", "Microsoft.Orleans.Sdk", "Microsoft.Orleans.Runtime", "Polly.Core", "Interfaces", "Keys", "Supervision")]
    [InlineData("Silo/Linux", "Microsoft.Extensions.Logging.Abstractions", "Polly.Core", "Keys", "Values")]
    [InlineData("Silo/Kubernetes", "Microsoft.Orleans.Runtime", "KubernetesClient", "Polly.Core", "Supervision", "Values")]
    public void ProjectFile_References_AreTheseOnly(string project, params string[] allowed) => Assert.Equal(allowed, References(project));

    [Fact]
    public void ProjectFile_Silo_ReferencesGrainsAndTheTwoClients() =>
        Assert.Equal(
            ["Grains", "Kubernetes", "Linux"], References("Silo").Where(reference => !reference.Contains('.')));

    // A package may bring others along. What an assembly really uses is in its metadata.
    [Fact]
    public void Assemblies_Metadata_KnowsTheseOnly()
    {
        string[] values = ["System.", "Orleans.Serialization.Abstractions"];
        Assert.Empty(Foreign(Product.Values, values));
        Assert.Empty(Foreign(Product.Keys, "System.", "NSec.Cryptography", "Orleans.WireGuard.Values"));
        Assert.Empty(Foreign(Product.Supervision, "System.", "Microsoft.Extensions."));
        Assert.Empty(Foreign(
            Product.Linux, "System.", "Microsoft.Win32.Primitives", "Microsoft.Extensions.Logging.Abstractions",
            "Polly.Core", "Orleans.WireGuard.Keys", "Orleans.WireGuard.Values"));

        // Values and attributes of the serializer, the interfaces of grains, and nothing that runs.
        Assert.Empty(Foreign(
            Product.Interfaces,
            "System.", "Orleans.Core.Abstractions", "Orleans.Core", "Orleans.Serialization",
            "Microsoft.Extensions.DependencyInjection", "Orleans.WireGuard.Values"));
        Assert.Empty(Foreign(Product.Grains, "System.", "Orleans.", "Polly.Core", "Microsoft.Extensions."));
        Assert.Empty(Foreign(
            Product.Cluster,
            "System.", "Orleans.Core", "Orleans.Runtime", "Orleans.Serialization", "KubernetesClient", "Polly.Core", "Microsoft.Extensions.",
            "Orleans.WireGuard.Supervision", "Orleans.WireGuard.Values"));
        Assert.DoesNotContain("KubernetesClient", Foreign(Product.Silo));
    }

    // Keys and prefixes are WireGuard's, of which it knows nothing.
    [Fact]
    public void Assemblies_Kubernetes_TakesALimitOfTimeOfTheValuesAndNothingElse() => Assert.Equal(
        [typeof(TimeLimit)],
        Product.Cluster.GetTypes().SelectMany(TypeReferences.Calls).Select(call => call.Called.DeclaringType)
            .Where(type => type?.Assembly == Product.Values).Distinct());

    [Fact]
    public void Foreign_AssemblyThatIsNotAllowed_IsFound()
    {
        Assert.Contains("Polly.Core", Foreign(Product.Grains, "System.", "Orleans.", "Microsoft.Extensions."));
        Assert.Contains("Microsoft.AspNetCore.Hosting.Abstractions", Foreign(Product.Silo, "System.", "Orleans.", "Microsoft.Extensions."));
        Assert.Contains("KubernetesClient", Foreign(Product.Cluster));
    }

    [Theory]
    [InlineData(nameof(Product.Linux))]
    [InlineData(nameof(Product.Cluster))]
    [InlineData(nameof(Product.Grains))]
    [InlineData(nameof(Product.Silo))]
    public void Folders_OfAnAssembly_KnowEachOtherInOneDirection(string name)
    {
        var assembly = (Assembly)typeof(Product).GetField(name)!.GetValue(null)!;
        var steps = new FolderGraph(assembly.GetTypes().Where(type => !IsGenerated(type.Namespace ?? ""))).CircleSteps();
        Assert.True(steps.Count == 0, string.Join('\n', steps));
    }

    [Fact]
    public void CircleSteps_TwoFoldersOrThree_AreFound()
    {
        string[] two = ["Samples.A -> Samples.B: One knows Two", "Samples.B -> Samples.A: Two knows One"];
        string[] three = [
            "Samples.C -> Samples.D: Three knows Four", "Samples.D -> Samples.E: Four knows Five",
            "Samples.E -> Samples.C: Five knows Three"];
        Assert.Equal([.. two, .. three], new FolderGraph(Samples("A", "B", "C", "D", "E")).CircleSteps());
        Assert.Equal(two, new FolderGraph(Samples("A", "B", "C", "D")).CircleSteps());
        Assert.Empty(new FolderGraph(Samples("A", "C", "D")).CircleSteps());

        static IEnumerable<Type> Samples(params string[] names) =>
            typeof(ReferenceTests).Assembly.GetTypes()
                .Where(type => names.Contains(type.Namespace?.Replace("Samples.", "", StringComparison.Ordinal)));
    }

    [Fact]
    public void Namespaces_Segments_AreNoTraps() => Assert.DoesNotContain(
        Product.Types.Concat(typeof(ReferenceTests).Assembly.GetTypes()).Select(type => type.Namespace ?? "").Distinct(), IsTrap);

    [Theory]
    [InlineData("Orleans.WireGuard.Silo.Kubernetes", true)]
    [InlineData("Orleans.WireGuard.Silo.Device", true)]
    [InlineData("Orleans.WireGuard.Grains.Peer", true)]
    [InlineData("Orleans.WireGuard.Tests.WireGuard", true)]
    [InlineData("Orleans.WireGuard.Linux.Devices", false)]
    [InlineData("Orleans.WireGuard", false)]
    public void IsTrap_Golden_IsASegmentBelowTheRoot(string name, bool expected) => Assert.Equal(expected, IsTrap(name));

    // A project by the last part of its name, as its folder is called.
    private static IEnumerable<string> References(string project)
    {
        var file = XDocument.Load(Assert.Single(Directory.GetFiles(Path.Combine(TestData.Root, project), "*.csproj")));
        return file.Descendants()
            .Where(element => element.Name.LocalName is "PackageReference" or "ProjectReference" or "FrameworkReference" or "Reference")
            .Select(element => element.Attribute("Include")!.Value)
            .Select(name => name.EndsWith(".csproj", StringComparison.Ordinal)
                ? Path.GetFileNameWithoutExtension(name).Split('.')[^1]
                : name);
    }

    private static IEnumerable<string> Foreign(Assembly assembly, params string[] allowed) => assembly.GetReferencedAssemblies()
        .Select(reference => reference.Name!).Where(name => !allowed.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)));

    private static bool IsGenerated(string name) => name.StartsWith(GeneratedRoot, StringComparison.Ordinal);

    // `Kubernetes` hides k8s.Kubernetes (CS0118); the others hide the root, or types that everybody uses.
    private static bool IsTrap(string name) => !IsGenerated(name)
        && name.Split('.').Skip(name.StartsWith("Orleans.WireGuard", StringComparison.Ordinal) ? 2 : 0)
            .Any(segment => segment is "Kubernetes" or "WireGuard" or "Device" or "Peer");
}
