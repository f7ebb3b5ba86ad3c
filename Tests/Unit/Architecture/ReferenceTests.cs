using System.Reflection;
using System.Xml.Linq;
using Orleans.WireGuard.Grains.Keys;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Architecture;

/// <summary>Who may know whom. Each rule is shown to fail on something that breaks it.</summary>
public sealed class ReferenceTests
{
    private const string SiloRoot = "Orleans.WireGuard.Silo";
    private const string GeneratedRoot = "OrleansCodeGen";

    private static readonly Assembly Interfaces = typeof(PublicKey).Assembly;
    private static readonly Assembly Grains = typeof(KeyPair).Assembly;
    private static readonly Assembly Silo = typeof(Device).Assembly;

    // What of ours the parts below the agent may know: values, and the key pair that they hand to the system.
    private static readonly Type[] SharedValues =
        [typeof(PublicKey), typeof(IPPrefix), typeof(EquatableArray<>), typeof(EquatableArray), typeof(KeyPair)];

    [Theory]
    [InlineData("Interfaces", "Microsoft.Orleans.Sdk")]
    [InlineData("Grains", "Microsoft.Orleans.Sdk", "Microsoft.Orleans.Runtime", "NSec.Cryptography", "Polly.Core", "../Interfaces/Orleans.WireGuard.Interfaces.csproj")]
    public void ProjectFile_References_AreTheseOnly(string project, params string[] allowed) => Assert.Equal(allowed, References(project));

    [Fact]
    public void ProjectFile_Silo_ReferencesGrainsOnly() =>
        Assert.Equal(["../Grains/Orleans.WireGuard.Grains.csproj"], References("Silo").Where(reference => reference.Contains('/')));

    // Values and attributes of the serializer, the interfaces of grains, and nothing that runs.
    [Fact]
    public void Interfaces_Assembly_KnowsOrleansContractsOnly() => Assert.Empty(Foreign(
        Interfaces, "System.", "Orleans.Core.Abstractions", "Orleans.Core", "Orleans.Serialization", "Microsoft.Extensions.DependencyInjection"));

    [Fact]
    public void Grains_Assembly_KnowsNoHostAndNoKubernetes() => Assert.Empty(Foreign(
        Grains, "System.", "Orleans.", "NSec.Cryptography", "Polly.Core", "Microsoft.Extensions."));

    [Fact]
    public void Foreign_AssemblyThatIsNotAllowed_IsFound()
    {
        Assert.Contains("NSec.Cryptography", Foreign(Grains, "System.", "Orleans.", "Polly.Core", "Microsoft.Extensions."));
        Assert.Contains("Microsoft.AspNetCore.Hosting.Abstractions", Foreign(Silo, "System.", "Orleans.", "Microsoft.Extensions."));
    }

    [Theory]
    [InlineData("Devices")]
    [InlineData("Routing")]
    public void DevicesAndRouting_KnowNeitherOrleansNorKubernetes(string folder)
    {
        var types = TypesIn(folder).ToList();
        Assert.NotEmpty(types);
        Assert.Empty(types.SelectMany(Violations));
    }

    [Fact]
    public void Violations_TypeThatKnowsOrleans_AreFound()
    {
        Assert.Contains(typeof(IGrainFactory), Violations(typeof(KnowsOrleansInAField)).Select(violation => violation.Known));
        Assert.Contains(typeof(SiloAddress), Violations(typeof(KnowsOrleansInAMethod)).Select(violation => violation.Known));
        Assert.Contains(typeof(NodeStatus), Violations(typeof(KnowsMoreOfOursThanValues)).Select(violation => violation.Known));

        // Lambdas and async methods are types of the compiler's own.
        Assert.Contains(
            typeof(IGrainFactory),
            typeof(KnowsOrleansInALambda).GetNestedTypes(BindingFlags.NonPublic).SelectMany(Violations).Select(violation => violation.Known));

        // And the silo's wiring knows Orleans, where the same search must see it.
        Assert.NotEmpty(TypesIn("Hosting").SelectMany(Violations));
    }

    [Fact]
    public void Kubernetes_IsKnownToNodesAndClusteringOnly() => Assert.Empty(Outside(["Nodes", "Clustering"], "KubernetesClient"));

    // The same search finds the command line where it is, and says so if that is not allowed.
    [Fact]
    public void Outside_FolderThatIsNotAllowed_IsFound()
    {
        Assert.Empty(Outside(["Cli", ""], "Spectre.Console"));
        Assert.Contains($"{SiloRoot}.Cli.Terminal", Outside(["Nodes", "Clustering"], "Spectre.Console"));
    }

    [Fact]
    public void Namespaces_Segments_AreNoTraps() => Assert.DoesNotContain(
        ((Assembly[])[Interfaces, Grains, Silo, typeof(ReferenceTests).Assembly]).SelectMany(assembly => assembly.GetTypes())
            .Select(type => type.Namespace ?? "").Distinct(),
        IsTrap);

    [Theory]
    [InlineData("Orleans.WireGuard.Silo.Kubernetes", true)]
    [InlineData("Orleans.WireGuard.Silo.Device", true)]
    [InlineData("Orleans.WireGuard.Grains.Peer", true)]
    [InlineData("Orleans.WireGuard.Tests.WireGuard", true)]
    [InlineData("Orleans.WireGuard.Silo.Devices", false)]
    [InlineData("Orleans.WireGuard", false)]
    public void IsTrap_Golden_IsASegmentBelowTheRoot(string name, bool expected) => Assert.Equal(expected, IsTrap(name));

    private static IEnumerable<string> References(string project)
    {
        var folder = Path.Combine(TestData.Root, project);
        var file = XDocument.Load(Assert.Single(Directory.GetFiles(folder, "*.csproj")));
        return file.Descendants().Where(element => element.Name.LocalName is "PackageReference" or "ProjectReference" or "FrameworkReference" or "Reference")
            .Select(element => element.Attribute("Include")!.Value);
    }

    private static IEnumerable<string> Foreign(Assembly assembly, params string[] allowed) => assembly.GetReferencedAssemblies()
        .Select(reference => reference.Name!).Where(name => !allowed.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)));

    private static IEnumerable<Type> TypesIn(string folder) => Silo.GetTypes().Where(type => Folder(type) == folder);

    // The folder below Silo; empty for what lies beside Program.cs and for the compiler's own types.
    private static string Folder(Type type) => type.Namespace?.StartsWith(SiloRoot + ".", StringComparison.Ordinal) == true
        ? type.Namespace[(SiloRoot.Length + 1)..].Split('.')[0]
        : "";

    private static IEnumerable<(Type Type, Type Known)> Violations(Type type) => TypeReferences.Of(type).Where(known =>
        known.Assembly == Interfaces || known.Assembly == Grains
            ? !SharedValues.Contains(Outermost(known))
            : known.Assembly == Silo
                ? Folder(known) is not ("Devices" or "Routing" or "")
                : !IsSystem(known.Assembly.GetName().Name!) && known.Assembly != type.Assembly).Select(known => (type, known));

    // A logger is all that they take from the host, and Polly for waits and retries.
    private static bool IsSystem(string assembly) => assembly == "System" || assembly.StartsWith("System.", StringComparison.Ordinal)
        || assembly is "Microsoft.Win32.Primitives" or "Microsoft.Extensions.Logging.Abstractions" or "Polly.Core";

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    private static IEnumerable<string> Outside(string[] allowed, string assembly) => Silo.GetTypes()
        .Where(type => type.Namespace?.StartsWith(GeneratedRoot, StringComparison.Ordinal) != true && !allowed.Contains(Folder(type)))
        .Where(type => TypeReferences.Of(type).Any(known => known.Assembly.GetName().Name!.StartsWith(assembly, StringComparison.Ordinal)))
        .Select(type => Outermost(type).FullName!).Distinct();

    // `Kubernetes` hides k8s.Kubernetes (CS0118); the others hide the root, or types that everybody uses.
    private static bool IsTrap(string name) => !name.StartsWith(GeneratedRoot, StringComparison.Ordinal)
        && name.Split('.').Skip(name.StartsWith("Orleans.WireGuard", StringComparison.Ordinal) ? 2 : 0)
            .Any(segment => segment is "Kubernetes" or "WireGuard" or "Device" or "Peer");

#pragma warning disable CA1823, CS0169, IDE0051 // Nobody uses these; they are looked at.
    private sealed class KnowsOrleansInAField
    {
        private readonly IGrainFactory? _grains;
    }

    private static class KnowsOrleansInAMethod
    {
        private static int Read() => ((object)1 as SiloAddress)?.Generation ?? 0;
    }

    private static class KnowsMoreOfOursThanValues
    {
        private static string Read(object status) => ((NodeStatus)status).NodeName;
    }

    private static class KnowsOrleansInALambda
    {
        private static readonly Func<object, IGrainFactory?> Cast = value => value as IGrainFactory;
    }
#pragma warning restore CA1823, CS0169, IDE0051
}
