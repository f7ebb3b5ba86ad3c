namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>Whether a node of the model has its silo.</summary>
internal enum Life : byte
{
    /// <summary>Its silo runs.</summary>
    Alive,

    /// <summary>Its silo is dead; its devices, peers and routes work on.</summary>
    Dead,

    /// <summary>It will join later.</summary>
    Absent,
}

/// <summary>
/// An announcement as far as the rules look at it: the sequence, and of each slot the number of the key and the epoch it serves.
/// </summary>
internal readonly record struct Announced(byte Epoch, byte Revision, byte Key0, byte Serves0, byte Key1, byte Serves1)
{
    /// <summary>The number of a slot's key; 0 if none is announced.</summary>
    public byte Key(int slot) => slot == 0 ? Key0 : Key1;

    /// <summary>The epoch it serves.</summary>
    public byte Serves(int slot) => slot == 0 ? Serves0 : Serves1;

    /// <summary>Whether there is one at all.</summary>
    public bool Exists => Epoch != 0;
}

/// <summary>
/// Everything that the nodes of a mesh, their devices and the messages on the way are, in bytes, so that states compare by content.
/// </summary>
internal sealed class ModelState
{
    /// <summary>No route.</summary>
    public const byte None = 255;

    private const int NodeSize = 17;
    private const int PairSize = 12;

    /// <summary>A mesh of nodes of which nothing is known.</summary>
    public ModelState(int nodes)
        : this(nodes, new byte[(nodes * NodeSize) + (nodes * nodes * PairSize)])
    {
    }

    private ModelState(int nodes, byte[] bytes) => (Nodes, Bytes) = (nodes, bytes);

    /// <summary>All of it.</summary>
    public byte[] Bytes { get; }

    /// <summary>How many nodes.</summary>
    public int Nodes { get; }

    /// <summary>The epoch by a node's clock.</summary>
    public ref byte Clock(int node) => ref Bytes[node * NodeSize];

    /// <summary>How many keys it has made.</summary>
    public ref byte Keys(int node) => ref Bytes[(node * NodeSize) + 1];

    /// <summary>How often it has announced, which stands for the milliseconds of its clock.</summary>
    public ref byte Ticks(int node) => ref Bytes[(node * NodeSize) + 2];

    /// <summary>The number of the key on a slot's device; 0 without.</summary>
    public ref byte Key(int node, int slot) => ref Bytes[(node * NodeSize) + 4 + slot];

    /// <summary>The epoch it serves.</summary>
    public ref byte Serves(int node, int slot) => ref Bytes[(node * NodeSize) + 6 + slot];

    /// <summary>The epoch it was made for.</summary>
    public ref byte Made(int node, int slot) => ref Bytes[(node * NodeSize) + 14 + slot];

    /// <summary>The epoch in which its silo last restarted.</summary>
    public ref byte RestartedIn(int node) => ref Bytes[(node * NodeSize) + 16];

    /// <summary>The slot through which a node's packets for another one go.</summary>
    public ref byte Route(int from, int to) => ref Bytes[Pair(from, to) + 6];

    /// <summary>Whether the other one's acknowledgement of this node's announcement has come.</summary>
    public ref byte Acked(int by, int announcer) => ref Bytes[Pair(announcer, by) + 8];

    /// <summary>What a node was last told: 0 if nothing, 1 if no route, else 2 and the slot.</summary>
    public ref byte Answer(int asker, int asked) => ref Bytes[Pair(asker, asked) + 9];

    /// <summary>The key to which the asked one then encrypted.</summary>
    public ref byte AnswerKey(int asker, int asked) => ref Bytes[Pair(asker, asked) + 10];

    /// <summary>The slots, a bit each, whose keys were made after that answer.</summary>
    public ref byte AnswersBefore(int asker, int asked) => ref Bytes[Pair(asker, asked) + 11];

    /// <summary>Whether the key of a slot was made after that answer, which then does not tell who uses it.</summary>
    public bool IsAnswerBefore(int asker, int asked, int slot) => (AnswersBefore(asker, asked) & (1 << slot)) != 0;

    /// <summary>Whether its silo runs.</summary>
    public Life Life(int node) => (Life)Bytes[(node * NodeSize) + 3];

    /// <summary>Sets <see cref="Life(int)"/>.</summary>
    public void SetLife(int node, Life life) => Bytes[(node * NodeSize) + 3] = (byte)life;

    /// <summary>A node's own announcement.</summary>
    public Announced Own(int node) => Read((node * NodeSize) + 8);

    /// <summary>Sets <see cref="Own"/>.</summary>
    public void SetOwn(int node, Announced announced) => Write((node * NodeSize) + 8, announced);

    /// <summary>What a node holds of another one, and so what its devices have as peers.</summary>
    public Announced Held(int holder, int node) => Read(Pair(holder, node));

    /// <summary>Sets <see cref="Held"/>.</summary>
    public void SetHeld(int holder, int node, Announced announced) => Write(Pair(holder, node), announced);

    /// <summary>Whether a node's device shows a handshake between its key and the peer key that it holds.</summary>
    public bool IsProven(int node, int peer, int slot) => (Bytes[Pair(node, peer) + 7] & (1 << slot)) != 0;

    /// <summary>Whether the pair could ever talk: from then on it must not stop.</summary>
    public bool HasTalked(int node, int peer) => (Bytes[Pair(node, peer) + 7] & 4) != 0;

    /// <summary>Sets <see cref="IsProven"/>.</summary>
    public void SetProven(int node, int peer, int slot, bool proven)
    {
        ref var bits = ref Bytes[Pair(node, peer) + 7];
        bits = (byte)(proven ? bits | (1 << slot) : bits & ~(1 << slot));
    }

    /// <summary>Notes that a route through a proven slot was taken.</summary>
    public void NoteTalk(int node, int peer) => Bytes[Pair(node, peer) + 7] |= 4;

    /// <summary>A copy to change.</summary>
    public ModelState Copy() => new(Nodes, (byte[])Bytes.Clone());

    /// <summary>The same mesh, with its nodes in another order.</summary>
    /// <param name="order">Which node comes first, second and so on.</param>
    public ModelState Permute(ReadOnlySpan<int> order)
    {
        var next = new ModelState(Nodes);
        for (var node = 0; node < Nodes; node++)
        {
            Bytes.AsSpan(order[node] * NodeSize, NodeSize).CopyTo(next.Bytes.AsSpan(node * NodeSize));
            for (var other = 0; other < Nodes; other++)
            {
                Bytes.AsSpan(Pair(order[node], order[other]), PairSize).CopyTo(next.Bytes.AsSpan(Pair(node, other)));
            }
        }

        return next;
    }

    /// <summary>The content in 128 bits; two states of a million share one with a probability below 10^-26.</summary>
    public UInt128 Hash() => System.IO.Hashing.XxHash128.HashToUInt128(Bytes);

    private int Pair(int from, int to) => (Nodes * NodeSize) + (((from * Nodes) + to) * PairSize);

    private Announced Read(int at) => new(Bytes[at], Bytes[at + 1], Bytes[at + 2], Bytes[at + 3], Bytes[at + 4], Bytes[at + 5]);

    private void Write(int at, Announced value) =>
        (Bytes[at], Bytes[at + 1], Bytes[at + 2], Bytes[at + 3], Bytes[at + 4], Bytes[at + 5]) =
            (value.Epoch, value.Revision, value.Key0, value.Serves0, value.Key1, value.Serves1);
}
