namespace Orleans.WireGuard.Silo.Nodes.Prefixes;

/// <summary>What is known of this node's object of a kind.</summary>
/// <typeparam name="T">The kind.</typeparam>
/// <param name="Object">The object as it was read last; <see langword="null"/> if there is none, or none was read yet.</param>
/// <param name="Absence">Why there is none, in a clause; <see langword="null"/> if there is one or the server has not answered yet.</param>
internal sealed record OwnObjectState<T>(T? Object, string? Absence)
    where T : class;
