namespace Orleans.WireGuard.Silo.Agent;

/// <summary>How long the agent leaves its devices alone after a pass that failed. Pure.</summary>
internal static class RetryDelay
{
    /// <summary>
    /// The shortest time after a failure for whoever asks: in a large mesh somebody always does, and a device that fails is left alone all
    /// the same.
    /// </summary>
    public static readonly TimeSpan Asked = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Max = TimeSpan.FromSeconds(5);

    /// <summary>The time from the end of a failed pass to the beginning of the next.</summary>
    /// <param name="failures">How many passes in a row have failed.</param>
    /// <param name="isAsked">Whether anybody has asked for a pass since.</param>
    public static TimeSpan After(int failures, bool isAsked)
    {
        var delay = First * Math.Pow(2, Math.Min(failures - 1, 10));
        var limit = isAsked ? Asked : Max;
        return delay < limit ? delay : limit;
    }
}
