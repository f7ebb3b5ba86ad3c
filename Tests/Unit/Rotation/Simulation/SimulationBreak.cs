namespace Orleans.WireGuard.Tests.Unit.Rotation.Simulation;

/// <summary>A rule that a test breaks on purpose.</summary>
internal enum SimulationBreak
{
    /// <summary>None.</summary>
    None,

    /// <summary>I2: traffic moves as soon as the peer is on the device, as if its handshake had been seen.</summary>
    MoveWithoutHandshake,

    /// <summary>I3: a key is replaced when its turn has come, whoever depends on it.</summary>
    ReplaceInSpite,

    /// <summary>I3: everybody takes it that it sends through the other slot, and says so, and what comes in is not looked at.</summary>
    NobodySaysThatItSends,

    /// <summary>I6: a restarted silo does not care what others hold of its former self.</summary>
    SequenceRestarts,

    /// <summary>I6: a receiver takes what comes last, and not what is newest.</summary>
    OlderAnnouncementsAreTaken,

    /// <summary>Liveness: no side starts a handshake.</summary>
    NobodyStarts,
}
