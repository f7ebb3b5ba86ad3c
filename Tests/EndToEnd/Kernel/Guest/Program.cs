// Runs the tables of cases on the guest's kernel and reports on standard output, which is the serial console.
using System.Diagnostics;
using System.Globalization;
using Orleans.WireGuard.Linux.Devices;
using Orleans.WireGuard.Tests.EndToEnd.Devices;
using Orleans.WireGuard.Tests.EndToEnd.Findings;
using Orleans.WireGuard.Tests.EndToEnd.Kernel;
using Orleans.WireGuard.Tests.EndToEnd.Kernel.Guest;
using Orleans.WireGuard.Tests.EndToEnd.Routing;
using Orleans.WireGuard.Tests.EndToEnd.Routing.Witness;
using Orleans.WireGuard.Tests.Support;

// One line for each case: CASE|name|PASS or FAIL|milliseconds|why, or what it measured. KernelReport on the host reads it.
var filter = args.Length > 0 ? args[0] : "";
var isShort = filter == "short";
if (filter == "bench")
{
    await DeviceBench.RunAsync(CancellationToken.None);
    Console.WriteLine("DONE|");
    return 0;
}

var caseLimit = TimeSpan.FromSeconds(60);
var meshLimit = TimeSpan.FromMinutes(9);

// Not removed at the end: the guest does not outlive this.
var mesh = new MeshCases();
IEnumerable<(string Name, TimeSpan Limit, Func<CancellationToken, Task<string>> Run)> cases =
[
    .. LinkCases.All.Select(c => ($"link.{c.Name}", caseLimit, Silent(c.RunInNamespaceAsync))),
    .. DeviceCases.All.Select(c => (
        $"device.{c.Name}",
        caseLimit,
        Silent(token => DeviceCaseContext.RunAsync(c, () => new NetlinkWireGuardClient(TimeProvider.System), token)))),
    .. WitnessCases.All.Select(c => ($"witness.{c.Name}", caseLimit, Silent(c.Run))),
    .. RealityTable.Rows.Select(
        row => ($"reality.{row.Name}", caseLimit, (Func<CancellationToken, Task<string>>)(token => FindAsync(row, token)))),
    .. MeshCases.All.Where(c => !(isShort && c.IsLong))
        .Select(c => ($"mesh.{c.Name}", meshLimit, (Func<CancellationToken, Task<string>>)(token => c.Run(mesh, token)))),
];

foreach (var (name, limit, run) in cases.Where(c => isShort || c.Name.Contains(filter, StringComparison.Ordinal)))
{
    var clock = Stopwatch.StartNew();
    var (outcome, text) = ("PASS", "");
    try
    {
        using var timeout = new CancellationTokenSource(limit, TimeProvider.System);
        text = await run(timeout.Token);
    }
    catch (Exception e)
    {
        (outcome, text) = ("FAIL", e.ToString());
    }

    text = string.Join(" / ", text.Split('\n', StringSplitOptions.TrimEntries)).Replace('|', '!');
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"CASE|{name}|{outcome}|{clock.ElapsedMilliseconds}|{text}"));
}

Console.WriteLine("DONE|");
return 0;

static async Task<string> FindAsync(RealityRow row, CancellationToken token)
{
    List<string> report = [];
    var found = await RealityNode.FindAsync(row, change: [], report.Add, token);
    Expect.Equal(string.Join(", ", row.Found), string.Join(", ", found.Select(finding => finding.Code)));
    return string.Join("; ", report);
}

static Func<CancellationToken, Task<string>> Silent(Func<CancellationToken, Task> run) => async token =>
{
    await run(token);
    return "";
};
