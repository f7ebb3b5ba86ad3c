using Orleans.Timers;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>What a grain has of Orleans without a silo: an id, grain timers and other grains. Nobody takes care of its turns.</summary>
internal static class UnhostedGrain
{
    /// <summary>Makes the context that a grain is constructed with, which has the runtime too that the grain asks it for.</summary>
    public static IGrainContext Context(string key, ITimerRegistry timers, IGrainFactory factory)
    {
        IServiceProvider services = null!;
        var runtime = Stub.Of<IGrainRuntime>((member, _) => member.Name switch
        {
            "get_GrainFactory" => factory,
            "get_TimerRegistry" => timers,
            "get_ServiceProvider" => services,
            _ => null,
        });
        services = Stub.Of<IServiceProvider>((_, arguments) =>
            (Type)arguments[0]! == typeof(ITimerRegistry) ? timers : (Type)arguments[0]! == typeof(IGrainRuntime) ? runtime : null);
        var id = GrainId.Create("node", key);
        return Stub.Of<IGrainContext>((member, _) => member.Name switch
        {
            "get_GrainId" => id,
            "get_ActivationServices" => services,
            _ => null,
        });
    }
}
