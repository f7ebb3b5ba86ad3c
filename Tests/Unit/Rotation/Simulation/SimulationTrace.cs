using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>The latest steps of a simulation, a line each.</summary>
internal sealed class SimulationTrace
{
    private const int MaxSteps = 250;

    private readonly Queue<(TimeSpan At, Func<string> Step)> _steps = [];

    /// <summary>Notes a step.</summary>
    public void Note(TimeSpan at, Func<string> step)
    {
        _steps.Enqueue((at, step));
        if (_steps.Count > MaxSteps)
        {
            _ = _steps.Dequeue();
        }
    }

    /// <summary>A hash of them, to be compared.</summary>
    public string ToHash() => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(ToString())));

    /// <inheritdoc/>
    public override string ToString() => new StringBuilder().AppendJoin(
        Environment.NewLine,
        _steps.Select(step => string.Create(CultureInfo.InvariantCulture, $"  {step.At.TotalSeconds,9:0.00} {step.Step()}"))).ToString();
}
