using System.Net;

namespace Orleans.WireGuard.Silo.Security;

/// <summary>Counts the connections of one port: those of each address, and those that have not said yet who they are.</summary>
/// <remarks>
/// Whoever comes last is let in, and the connection that has been silent for longest goes: an honest peer says who it is within one round
/// trip, so silent ones do not keep it out however many there are. Only what has spoken keeps its place. Safe to use from several threads.
/// </remarks>
internal sealed class ConnectionBudget(ConnectionLimits limits)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, int> _open = [];
    private readonly LinkedList<Place> _silent = [];

    /// <summary>Connections that are open.</summary>
    public int Open
    {
        get
        {
            lock (_lock)
            {
                return _open.Values.Sum();
            }
        }
    }

    /// <summary>Connections that have not said yet who they are.</summary>
    public int Silent
    {
        get
        {
            lock (_lock)
            {
                return _silent.Count;
            }
        }
    }

    /// <summary>Asks for a place.</summary>
    /// <param name="address">Where the connection comes from.</param>
    /// <param name="close">Ends the connection if another one needs its place. Called by whoever asks for that one.</param>
    /// <returns>
    /// The place, to be disposed of when the connection ends; <see langword="null"/> if the address has all that it may have.
    /// </returns>
    public Place? TryTake(IPAddress address, Action close)
    {
        Place? victim = null;
        Place place;
        lock (_lock)
        {
            var count = _open.GetValueOrDefault(address);
            if (count >= limits.MaxPerAddress)
            {
                victim = _silent.FirstOrDefault(silent => silent.Address.Equals(address));
                if (victim is null)
                {
                    return null;
                }
            }
            else if (_silent.Count >= limits.MaxSilent)
            {
                victim = _silent.First!.Value;
            }

            victim?.Release();
            place = new Place(this, address, close);
            _open[address] = _open.GetValueOrDefault(address) + 1;
            place.Node = _silent.AddLast(place);
        }

        victim?.Close();
        return place;
    }

    /// <summary>The place of one connection.</summary>
    internal sealed class Place(ConnectionBudget budget, IPAddress address, Action close) : IDisposable
    {
        private bool _isReleased;

        /// <summary>Where the connection comes from.</summary>
        public IPAddress Address => address;

        /// <summary>Where it stands among the silent ones; <see langword="null"/> once it has spoken.</summary>
        internal LinkedListNode<Place>? Node { get; set; }

        /// <summary>The connection has said who it is.</summary>
        public void Speak()
        {
            lock (budget._lock)
            {
                LeaveSilent();
            }
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            lock (budget._lock)
            {
                Release();
            }
        }

        /// <summary>Ends the connection.</summary>
        internal void Close() => close();

        /// <summary>Gives the place back. The caller holds the lock.</summary>
        internal void Release()
        {
            if (_isReleased)
            {
                return;
            }

            _isReleased = true;
            LeaveSilent();
            if (--budget._open[address] == 0)
            {
                _ = budget._open.Remove(address);
            }
        }

        private void LeaveSilent()
        {
            if (Node is not null)
            {
                budget._silent.Remove(Node);
                Node = null;
            }
        }
    }
}
