namespace Orleans.WireGuard.LocalMesh.Capture;

/// <summary>How many frames of each kind a capture holds, and examples of those that must not be there.</summary>
internal sealed class CaptureTally
{
    private const int MaxExamples = 3;

    private readonly int[] _counts = new int[Enum.GetValues<FrameKind>().Length];
    private readonly List<string> _examples = [];

    /// <summary>Descriptions of the first frames that nobody may send.</summary>
    public IReadOnlyList<string> Examples => _examples;

    /// <summary>All frames.</summary>
    public int Total => _counts.Sum();

    /// <summary>Whether nothing but permitted traffic was seen.</summary>
    public bool IsClean => this[FrameKind.PodInClear] == 0 && this[FrameKind.Foreign] == 0;

    /// <summary>Frames of a kind.</summary>
    public int this[FrameKind kind] => _counts[(int)kind];

    /// <summary>Counts all frames.</summary>
    public static CaptureTally Count(IEnumerable<byte[]> frames, FrameClassifier classifier)
    {
        var tally = new CaptureTally();
        foreach (var frame in frames)
        {
            var kind = classifier.Classify(frame);
            tally._counts[(int)kind]++;
            if (kind is FrameKind.PodInClear or FrameKind.Foreign && tally._examples.Count < MaxExamples)
            {
                tally._examples.Add(FrameClassifier.Describe(frame));
            }
        }

        return tally;
    }

    /// <summary>The counts in one line.</summary>
    public override string ToString() => string.Join(", ", Enum.GetValues<FrameKind>().Select(k => $"{k} {this[k]}"));
}
