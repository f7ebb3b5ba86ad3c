using System.Net;

namespace Orleans.WireGuard.Tests.EndToEnd;

/// <summary>Membership rows for tests, in the form of Orleans' own membership tests.</summary>
internal static class TableEntries
{
    private static int _generation;

    public static DateTime Now
    {
        get
        {
            var now = TimeProvider.System.GetUtcNow().UtcDateTime;
            return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerSecond));
        }
    }

    public static SiloAddress Address(IPAddress? ip = null) =>
        SiloAddress.New(ip ?? IPAddress.Loopback, 12345, Interlocked.Increment(ref _generation));

    public static MembershipEntry Entry(SiloStatus status = SiloStatus.Joining, SiloAddress? address = null) => new()
    {
        SiloAddress = address ?? Address(),
        HostName = "host-1",
        SiloName = "TestSiloName",
        Status = status,
        ProxyPort = 12345,
        StartTime = Now,
        IAmAliveTime = Now,
    };

    /// <summary>A cluster id with an upper-case letter and an underscore, which no object name may have.</summary>
    public static string ClusterId() => $"Test_{Guid.NewGuid():N}";
}
