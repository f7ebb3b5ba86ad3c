namespace Orleans.WireGuard.Silo.Agent;

/// <summary>What our device shows of a pair's session.</summary>
internal enum HandshakeSession
{
    /// <summary>There is none.</summary>
    None,

    /// <summary>
    /// The other side may still send in it, so it must not be taken away; if it is ours to renew, the keepalive does that.
    /// </summary>
    Live,

    /// <summary>It is over at both ends. A keepalive does not renew it in time, so its peer begins afresh.</summary>
    Over,
}
