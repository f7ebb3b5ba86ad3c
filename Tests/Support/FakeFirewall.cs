using System.Collections.Immutable;
using Orleans.WireGuard.Linux;
using Orleans.WireGuard.Linux.Routing;
using Orleans.WireGuard.Linux.Routing.Firewall;
using static Orleans.WireGuard.Linux.Errno;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// A table in memory that behaves as the kernel's: a change needs a table, a prefix is added and removed once, intervals do not overlap.
/// Records calls, and fails the next one if told to.
/// </summary>
internal sealed class FakeFirewall : IFirewall
{

    private readonly Lock _lock = new();
    private ImmutableList<string> _calls = [];
    private FirewallState? _state;
    private int _nextErrno;

    /// <summary>The table as it is; settable as somebody else would change it.</summary>
    public FirewallState? State
    {
        get
        {
            lock (_lock)
            {
                return _state;
            }
        }

        set
        {
            lock (_lock)
            {
                _state = value;
            }
        }
    }

    /// <summary>Everything that was called, in order: the member and what was removed and added.</summary>
    public IReadOnlyList<string> Calls => Volatile.Read(ref _calls);

    /// <summary>Runs before every call takes effect.</summary>
    public Action<string>? OnCall { get; set; }

    /// <summary>Makes the next call fail without an effect.</summary>
    public void FailNextCall(int errno) => Volatile.Write(ref _nextErrno, errno);

    /// <inheritdoc/>
    public Task<FirewallState?> TryGetAsync(CancellationToken cancellationToken) => CallAsync("TryGet", () => _state);

    /// <inheritdoc/>
    public Task CreateAsync(FirewallPrefixes prefixes, CancellationToken cancellationToken) =>
        CallAsync($"Create {Text(prefixes)}", () => _state = new FirewallState(Checked(prefixes), IsIntact: true));

    /// <inheritdoc/>
    public Task ChangeAsync(FirewallPrefixes remove, FirewallPrefixes add, CancellationToken cancellationToken) => CallAsync(
        $"Change -[{Text(remove)}] +[{Text(add)}]",
        () =>
        {
            if (_state is not { } state || !remove.Except(state.Prefixes).IsEmpty)
            {
                throw new LinuxException("change", ENOENT, "No such file or directory");
            }

            var rest = state.Prefixes.Except(remove);
            var prefixes = new FirewallPrefixes([.. rest.Remote, .. add.Remote], [.. rest.Local, .. add.Local])
            {
                Spared = [.. rest.Spared, .. add.Spared],
                Encapsulating = [.. rest.Encapsulating, .. add.Encapsulating],
            };
            return _state = state with { Prefixes = Checked(prefixes) };
        });

    /// <inheritdoc/>
    public Task LimitSegmentsAsync(EquatableArray<SegmentLimit> limits, CancellationToken cancellationToken) => CallAsync(
        $"Limit {string.Join(' ', limits.Select(limit => $"{limit.DeviceName}={limit.Mtu}"))}",
        () => _state = _state is { } state
            ? state with { Limits = limits }
            : throw new LinuxException("limit", ENOENT, "No such file or directory"));

    /// <inheritdoc/>
    public Task DropPacketsAsync(
        EquatableArray<OuterPacket> packets, EquatableArray<string> unpacking, CancellationToken cancellationToken) => CallAsync(
        $"Drop {string.Join(' ', packets)} {string.Join(' ', unpacking)}",
        () => _state = _state is { } state
            ? state with { Packets = packets, Unpacking = unpacking }
            : throw new LinuxException("drop", ENOENT, "No such file or directory"));

    /// <inheritdoc/>
    public Task DeleteAsync(CancellationToken cancellationToken) => CallAsync("Delete", () => _state = null);

    // What is in the sets of other nodes' pods, then, behind bars, in those of this node's and of what is spared.
    private static string Text(FirewallPrefixes prefixes) =>
        string.Join(' ', prefixes.Remote) + (prefixes.Local.Count > 0 ? $" | {string.Join(' ', prefixes.Local)}" : "")
            + (prefixes.Spared.Count > 0 ? $" || {string.Join(' ', prefixes.Spared)}" : "")
            + (prefixes.Encapsulating.Count > 0 ? $" ||| {string.Join(' ', prefixes.Encapsulating)}" : "");

    private static FirewallPrefixes Checked(FirewallPrefixes prefixes) =>
        new(CheckedSet(prefixes.Remote), CheckedSet(prefixes.Local))
        {
            Spared = CheckedSet(prefixes.Spared),
            Encapsulating = CheckedSet(prefixes.Encapsulating),
        };

    private static EquatableArray<IPPrefix> CheckedSet(IEnumerable<IPPrefix> sources)
    {
        var sorted = sources.Order().ToEquatableArray();
        return sorted.Zip(sorted.Skip(1)).Any(pair => pair.First.Overlaps(pair.Second))
            ? throw new LinuxException("change", EEXIST, "File exists")
            : sorted;
    }

    private Task<T> CallAsync<T>(string call, Func<T> effect)
    {
        OnCall?.Invoke(call);
        lock (_lock)
        {
            _calls = _calls.Add(call);
            var errno = _nextErrno;
            _nextErrno = 0;
            return errno == 0 ? Task.FromResult(effect()) : throw new LinuxException(call, errno, "the fake was told to fail this call");
        }
    }
}
