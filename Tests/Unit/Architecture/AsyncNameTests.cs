using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Orleans.WireGuard.Grains;
using Orleans.WireGuard.LocalMesh.Silos;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Architecture;

/// <summary>
/// A method of ours that returns a task ends in Async, except those of grain interfaces and those whose name others have chosen.
/// </summary>
public sealed partial class AsyncNameTests
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic
        | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    [Fact]
    public void Methods_ThatReturnATask_EndInAsync() => Assert.Equal(
        "", string.Join(
            '\n', Product.Types.Concat(typeof(LogTail).Assembly.GetTypes()).SelectMany(Misnamed).Order(StringComparer.Ordinal)));

    [Fact]
    public void Misnamed_Golden_AreOursAlone()
    {
        Assert.Equal(["Follow", "Look", "Read"], Misnamed(typeof(Sample)).Select(name => name.Split('.')[1]).Order(StringComparer.Ordinal));
        Assert.Empty(Misnamed(typeof(INodeGrain)).Concat(Misnamed(typeof(NodeGrain))));
    }

    private static IEnumerable<string> Misnamed(Type type) =>
        from method in type.GetMethods(All)
        let local = LocalFunction().Match(method.Name)
        let name = local.Success ? local.Groups[1].Value : method.Name
        where ReturnsTask(method) && !name.EndsWith("Async", StringComparison.Ordinal) && (local.Success || IsOurChoice(type, method))
        select $"{Outermost(type).Name}.{name}";

    private static bool IsOurChoice(Type type, MethodInfo method) => method.Name.All(char.IsLetterOrDigit)
        && !IsGenerated(type) && !typeof(Delegate).IsAssignableFrom(type)
        && !(IsGrain(type) && type.IsInterface) && !IsNamedByOthers(method);

    private static bool ReturnsTask(MethodInfo method) =>
        typeof(Task).IsAssignableFrom(method.ReturnType) || method.ReturnType == typeof(ValueTask)
        || (method.ReturnType.IsGenericType && method.ReturnType.GetGenericTypeDefinition() is var generic
            && (generic == typeof(ValueTask<>) || generic == typeof(IAsyncEnumerable<>)));

    private static bool IsNamedByOthers(MethodInfo method) => !IsOurs(method.GetBaseDefinition().DeclaringType!)
        || (method.DeclaringType is { IsInterface: false } type && type.GetInterfaces().Where(known => !IsOurs(known) || IsGrain(known))
            .Any(known => type.GetInterfaceMap(known).TargetMethods.Contains(method)));

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    // As the compiler names it: <Method>g__Name|0_1.
    [GeneratedRegex("g__(\\w+)\\|")]
    private static partial Regex LocalFunction();

    private static bool IsOurs(Type type) => Product.Assemblies.Contains(type.Assembly)
        || type.Assembly == typeof(AsyncNameTests).Assembly || type.Assembly == typeof(LogTail).Assembly;

    private static bool IsGrain(Type type) => typeof(IAddressable).IsAssignableFrom(type);

    private static bool IsGenerated(Type type) => type.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false)
        || type.Namespace?.StartsWith("OrleansCodeGen", StringComparison.Ordinal) == true;

    private sealed class Sample : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        public static ValueTask<int> Read() => ValueTask.FromResult(1);

        public static Task<int> ReadAsync() => Task.FromResult(1);

        public static async IAsyncEnumerable<int> Follow()
        {
            yield return await ReadAsync() + await Look();

            static Task<int> Look() => Task.FromResult(1);
        }
    }
}
