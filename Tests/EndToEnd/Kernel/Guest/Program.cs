// Runs the tables of cases on the guest's kernel and reports on standard output, which is the serial console.
using System.Diagnostics;
using System.Globalization;
using Orleans.WireGuard.Silo.Devices.Netlink;
using Orleans.WireGuard.Tests.EndToEnd.Devices;
using Orleans.WireGuard.Tests.EndToEnd.Kernel.Guest;
using Orleans.WireGuard.Tests.EndToEnd.Routing;

// One line for each case: CASE|name|PASS or FAIL|milliseconds|why. KernelReport on the host reads it.
var filter = args.Length > 0 ? args[0] : "";
var limit = TimeSpan.FromSeconds(60);
if (filter == "bench")
{
    await DeviceBench.Run(CancellationToken.None);
    Console.WriteLine("DONE|");
    return 0;
}

IEnumerable<(string Name, Func<CancellationToken, Task> Run)> cases =
[
    .. LinkCases.All.Select(c => ($"link.{c.Name}", (Func<CancellationToken, Task>)c.RunInNamespace)),
    .. DeviceCases.All.Select(c => (
        $"device.{c.Name}",
        (Func<CancellationToken, Task>)(token => DeviceCaseContext.Run(c, () => new NetlinkWireGuardClient(TimeProvider.System), token)))),
];

foreach (var (name, run) in cases.Where(c => c.Name.Contains(filter, StringComparison.Ordinal)))
{
    var clock = Stopwatch.StartNew();
    string? failure = null;
    try
    {
        using var timeout = new CancellationTokenSource(limit, TimeProvider.System);
        await run(timeout.Token);
    }
    catch (Exception e)
    {
        failure = string.Join(" / ", e.ToString().Split('\n', StringSplitOptions.TrimEntries)).Replace('|', '!');
    }

    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"CASE|{name}|{(failure is null ? "PASS" : "FAIL")}|{clock.ElapsedMilliseconds}|{failure}"));
}

Console.WriteLine("DONE|");
return 0;
