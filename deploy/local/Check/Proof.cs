namespace Orleans.WireGuard.LocalMesh.Check;

/// <summary>One claim about a running mesh and what was measured for it.</summary>
/// <param name="Claim">What has to be true.</param>
/// <param name="Passed">Whether it is.</param>
/// <param name="Figures">The numbers behind the verdict.</param>
internal sealed record Proof(string Claim, bool Passed, string Figures)
{
    /// <summary>Verdict, claim and figures in one or two lines.</summary>
    public override string ToString() => $"{(Passed ? "PASS" : "FAIL")}  {Claim}\n      {Figures}";
}
