namespace Orleans.WireGuard.Linux.Routing;

/// <summary>A route of our table that is none of ours, whoever added it.</summary>
/// <param name="Description">As <c>ip route</c> would say it.</param>
/// <param name="Message">As the kernel told it: what deletes this route and no other one.</param>
public sealed record ForeignRoute(string Description, EquatableArray<byte> Message);
