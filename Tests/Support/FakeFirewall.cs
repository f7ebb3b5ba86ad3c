using System.Collections.Immutable;
using Orleans.WireGuard.Silo.Devices;
using Orleans.WireGuard.Silo.Routing.Firewall;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>
/// A table in memory that behaves as the kernel's: a change needs a table, a prefix is added and removed once, intervals do not overlap.
/// Records calls, and fails the next one if told to.
/// </summary>
internal sealed class FakeFirewall : IFirewall
{
    private const int ENOENT = 2;
    private const int EEXIST = 17;

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
    public Task<FirewallState?> TryGet(CancellationToken cancellationToken) => Call("TryGet", () => _state);

    /// <inheritdoc/>
    public Task Create(EquatableArray<IPPrefix> sources, CancellationToken cancellationToken) =>
        Call($"Create {string.Join(' ', sources)}", () => _state = new FirewallState(Checked(sources), IsIntact: true, 0, 0));

    /// <inheritdoc/>
    public Task Change(EquatableArray<IPPrefix> remove, EquatableArray<IPPrefix> add, CancellationToken cancellationToken) => Call(
        $"Change -[{string.Join(' ', remove)}] +[{string.Join(' ', add)}]",
        () =>
        {
            if (_state is not { } state || remove.Any(prefix => !state.Sources.Contains(prefix)))
            {
                throw new DeviceException("change", ENOENT, "No such file or directory");
            }

            return _state = state with { Sources = Checked(state.Sources.Except(remove).Concat(add)) };
        });

    /// <inheritdoc/>
    public Task Delete(CancellationToken cancellationToken) => Call("Delete", () => _state = null);

    private static EquatableArray<IPPrefix> Checked(IEnumerable<IPPrefix> sources)
    {
        var sorted = sources.Order().ToEquatableArray();
        return sorted.Zip(sorted.Skip(1)).Any(pair => pair.First.Overlaps(pair.Second))
            ? throw new DeviceException("change", EEXIST, "File exists")
            : sorted;
    }

    private Task<T> Call<T>(string call, Func<T> effect)
    {
        OnCall?.Invoke(call);
        lock (_lock)
        {
            _calls = _calls.Add(call);
            var errno = _nextErrno;
            _nextErrno = 0;
            return errno == 0 ? Task.FromResult(effect()) : throw new DeviceException(call, errno, "the fake was told to fail this call");
        }
    }
}
