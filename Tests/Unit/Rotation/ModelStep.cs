namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>A step of a <see cref="RotationModel"/>.</summary>
/// <param name="Name">What happens, for people; made when somebody asks, for there are millions of steps and a trace has twenty.</param>
/// <param name="State">What comes of it.</param>
/// <param name="IsCertain">
/// Whether it is possible in each of the states that <see cref="ModelReduction"/> takes for one, once all clocks have arrived.
/// </param>
internal readonly record struct ModelStep(Func<string> Name, ModelState State, bool IsCertain = true);
