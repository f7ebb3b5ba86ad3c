namespace Orleans.WireGuard.Tests.Unit.Rotation;

/// <summary>Whose announcement is the older one.</summary>
internal enum Older : byte
{
    /// <summary>By the sequences in the state.</summary>
    AsAnnounced,

    /// <summary>That of the node with the lower number.</summary>
    First,

    /// <summary>That of the node with the higher number.</summary>
    Second,
}

/// <summary>Takes states for one if no rule and no invariant tells them apart, so that fewer are left to visit.</summary>
/// <remarks>
/// What is forgotten is either never read again, or read as "anything that it could be", so that the reduced model can do whatever the full
/// one can, and perhaps more: what never happens here never happens there. A test compares the two on small meshes, state by state.
/// </remarks>
internal sealed class ModelReduction
{
    // Key numbers. What is announced of a slot is its present key, the one that somebody holds may be an earlier one.
    private const byte StaleKey = Slot.Count + 1;

    // The revision of the latest announcement; an earlier one gets one less.
    private const byte Latest = 2;

    private readonly ModelOptions _options;
    private readonly int[][] _orders;

    /// <summary>Makes one for meshes of a size.</summary>
    public ModelReduction(ModelOptions options, int nodes)
    {
        _options = options;
        _orders = [.. Permutations([.. Enumerable.Range(0, nodes)])];
    }

    /// <summary>The state that stands for all that are like this one.</summary>
    public ModelState Canonical(ModelState state) => Sort(Forget(state));

    /// <summary>Without what makes no difference; the nodes keep their names.</summary>
    public ModelState Forget(ModelState state)
    {
        var next = state.Copy();
        var deathsLeft = _options.Deaths;
        for (var node = 0; node < state.Nodes; node++)
        {
            deathsLeft -= state.Life(node) == Life.Dead ? 1 : 0;
        }

        for (var node = 0; node < state.Nodes; node++)
        {
            ForgetNumbers(state, next, node);
            for (var other = 0; other < state.Nodes; other++)
            {
                if (other != node)
                {
                    ForgetAnswer(state, next, node, other, deathsLeft);
                    ForgetHeld(state, next, other, node);
                }
            }

            if (state.Own(node).Exists)
            {
                next.SetOwn(node, new Announced(
                    next.Clock(node), Latest, next.Key(node, 0), next.Serves(node, 0), next.Key(node, 1), next.Serves(node, 1)));
            }
        }

        return next;
    }

    // A key is only ever compared with keys of the same node and slot: it is the present one, an earlier one, or none. The epochs for which
    // two keys were made are only compared with one another, and a key that is yet to be made is for a later one.
    //
    // Nobody sees a clock before the node replaces a key or restarts, so it is left open until then how far it has come: not less far than
    // its keys say. The milliseconds of an announcement, for which the ticks stand, and its epoch only tell newer from older (ForgetHeld).
    private static void ForgetNumbers(ModelState state, ModelState next, int node)
    {
        if (state.Life(node) == Life.Absent)
        {
            return;
        }

        for (var slot = 0; slot < Slot.Count; slot++)
        {
            next.Key(node, slot) = (byte)(state.Key(node, slot) == 0 ? 0 : slot + 1);
            next.Made(node, slot) = (byte)(state.Key(node, slot) == 0 ? 0 : state.Key(node, 1 - slot) != 0
                && state.Made(node, slot) > state.Made(node, 1 - slot) ? 2 : 1);
        }

        var latest = Math.Max(state.Serves(node, 0), state.Serves(node, 1));
        next.RestartedIn(node) = state.RestartedIn(node) < latest ? (byte)0 : state.RestartedIn(node);
        (next.Clock(node), next.Keys(node), next.Ticks(node)) = (Math.Max(latest, next.RestartedIn(node)), StaleKey, Latest);
    }

    // What an asker remembers counts only when the other one no longer answers; then the question is whether it spoke of the present key.
    private static void ForgetAnswer(ModelState state, ModelState next, int asker, int asked, int deathsLeft)
    {
        var answer = state.Answer(asker, asked);
        var isUseless = state.Life(asker) != Life.Alive || (state.Life(asked) == Life.Alive && deathsLeft == 0);
        var key = state.AnswerKey(asker, asked);
        next.AnswersBefore(asker, asked) = isUseless ? (byte)0 : state.AnswersBefore(asker, asked);
        (next.Answer(asker, asked), next.AnswerKey(asker, asked)) = isUseless ? default
            : (answer, answer < 2 || key == 0 ? (byte)0 : key == state.Key(asker, answer - 2) ? (byte)(answer - 1) : StaleKey);
    }

    // Whether it is the latest announcement, and of each key whether it is the present one. Which of two nodes announced first hangs on
    // their clocks, which may be wrong; RotationModel.Next tries both.
    private static void ForgetHeld(ModelState state, ModelState next, int holder, int node)
    {
        var (own, held) = (state.Own(node), state.Held(holder, node));
        if (held.Exists)
        {
            next.SetHeld(holder, node, new Announced(
                next.Clock(node),
                (byte)(Latest + RotationModel.ToSequence(held).CompareTo(RotationModel.ToSequence(own))),
                Rename(held.Key0, state.Key(node, 0), 0),
                held.Serves0,
                Rename(held.Key1, state.Key(node, 1), 1),
                held.Serves1));
        }

        if (state.Life(holder) == Life.Dead)
        {
            next.Acked(holder, node) = 0;
        }
    }

    private static byte Rename(byte key, byte present, int slot) => key == 0 ? (byte)0 : key == present ? (byte)(slot + 1) : StaleKey;

    // All nodes follow the same rules, and their names only order lists.
    private ModelState Sort(ModelState state)
    {
        var least = state;
        for (var index = 1; index < _orders.Length; index++)
        {
            var next = state.Permute(_orders[index]);
            least = next.Bytes.AsSpan().SequenceCompareTo(least.Bytes) < 0 ? next : least;
        }

        return least;
    }

    private static IEnumerable<int[]> Permutations(int[] items) => items.Length < 2
        ? [items]
        : items.SelectMany(first => Permutations([.. items.Where(item => item != first)]).Select(rest => (int[])[first, .. rest]));
}
