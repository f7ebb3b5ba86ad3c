using System.Runtime.CompilerServices;
using Orleans.Timers;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Gives a grain what it has of Orleans, without a silo: an id, grain timers and other grains.</summary>
internal static class UnhostedGrain
{
    /// <summary>Sets up a grain that was just made. Nobody takes care of its turns.</summary>
    /// <param name="grain">The grain.</param>
    /// <param name="key">Its key.</param>
    /// <param name="timers">Its grain timers.</param>
    /// <param name="factory">The others.</param>
    public static T SetUp<T>(T grain, string key, ITimerRegistry timers, IGrainFactory factory)
        where T : Grain
    {
        var services = Stub.Of<IServiceProvider>((_, arguments) => (Type)arguments[0]! == typeof(ITimerRegistry) ? timers : null);
        var id = GrainId.Create("node", key);
        SetContext(grain, Stub.Of<IGrainContext>((member, _) => member.Name switch
        {
            "get_GrainId" => id,
            "get_ActivationServices" => services,
            _ => null,
        }));
        Runtime(grain) = Stub.Of<IGrainRuntime>((member, _) => member.Name switch
        {
            "get_GrainFactory" => factory,
            "get_TimerRegistry" => timers,
            "get_ServiceProvider" => services,
            _ => null,
        });
        return grain;
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_GrainContext")]
    private static extern void SetContext(Grain grain, IGrainContext context);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<Runtime>k__BackingField")]
    private static extern ref IGrainRuntime Runtime(Grain grain);
}
