using System.Reflection;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>An object that implements a wide interface by one function, for the few members of it that anybody calls.</summary>
/// <remarks>A class that implements a grain interface would be taken for a grain by the clusters of other tests.</remarks>
public class Stub : DispatchProxy
{
    private Func<MethodInfo, object?[], object?> _handler = static (_, _) => null;

    /// <summary>Makes one.</summary>
    /// <param name="handler">Is given the member and its arguments; returns <see langword="null"/> for members that do nothing.</param>
    public static T Of<T>(Func<MethodInfo, object?[], object?> handler)
        where T : class
    {
        var stub = Create<T, Stub>();
        ((Stub)(object)stub)._handler = handler;
        return stub;
    }

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _handler(targetMethod!, args ?? []);
}
