using System.Globalization;
using Orleans.WireGuard.Grains.Clocks;
using Orleans.WireGuard.Grains.Reasons;
using Orleans.WireGuard.Grains.Rotation;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>How the rotation of a node is told to people. Pure.</summary>
internal static class RotationText
{
    /// <summary>The head of the table.</summary>
    public static string[] Columns { get; } =
        ["NODE", "EPOCH", "KEY", "KEY AGE", "SLOT", "PHASE", "MOVED", "TOOK", "NEXT KEY IN", "ROTATIONS", "AGREE", "HANDSHAKE"];

    /// <summary>The lines of the table, one for each node.</summary>
    public static IEnumerable<IReadOnlyList<string>> Rows(MeshSnapshot snapshot)
    {
        var agreements = snapshot.Agreements.ToLookup(cell => cell.NodeName, StringComparer.Ordinal);
        return snapshot.Nodes.Select(node => Row(node, [.. agreements[node.NodeName]]));
    }

    private static IReadOnlyList<string> Row(MeshNode node, IReadOnlyList<KeyAgreement> cells)
    {
        var agree = Text($"{cells.Count(cell => cell.State == AgreementState.Agrees)}/{cells.Count}");
        if (node.Status is not { } status)
        {
            return [node.NodeName, "-", "-", "-", "-", "-", "-", "-", "-", "-", agree, "-"];
        }

        var rotation = status.Rotation;
        var key = SlotPhases.ActiveKey(status);
        var handshake = status.Devices.SelectMany(device => device.Peers).Max(peer => peer.LastHandshakeTime);
        return
        [
            node.NodeName,
            status.Epoch.ToString(),
            key?.PublicKey.ToShortString() ?? "-",
            key is null ? "-" : Format.Duration(status.TakenAt - key.CreatedAt),
            rotation.ActiveSlot?.ToString() ?? "-",
            rotation.FrozenUntil is not null ? "FROZEN" : key?.Phase.ToString() ?? "-",
            Text($"{rotation.CutOverPeers}/{rotation.Peers}"),
            rotation.LastDuration is { } duration ? Format.Duration(duration) : "-",
            Format.Duration(status.NextRotationAt - status.TakenAt),
            Text($"{status.Rotations}"),
            agree,
            Format.Ago(handshake, status.TakenAt),
        ];
    }

    /// <summary>What there is to say about a node's rotation beyond the table; nothing if all is well.</summary>
    public static IEnumerable<string> Notes(MeshNode node)
    {
        if (node.Status is not { } status)
        {
            yield break;
        }

        var (name, rotation) = (node.NodeName, status.Rotation);
        if (rotation.FrozenUntil is { } until)
        {
            yield return Text($"{name} is FROZEN until {until.UtcDateTime:u}, for another {Format.Duration(until - status.TakenAt)}; 'owg unfreeze --node {name}' ends that");
        }

        if (rotation.Problem is { } problem)
        {
            yield return $"{name} rotation: {RotationReasonText.Describe(problem)}";
        }

        foreach (var lagging in rotation.Lagging)
        {
            yield return $"{name} waits for {lagging.NodeName}: {RotationReasonText.Describe(lagging)}";
        }

        if (rotation.Deferrals > 0)
        {
            yield return Text(
                $"{name} has kept a key for another turn {rotation.Deferrals} times since its silo started, because others depended on it");
        }

        if (rotation.HandshakeRetries > 0)
        {
            yield return Text($"{name} has added a peer anew {rotation.HandshakeRetries} times since its silo started, because no handshake came; does UDP {Ports(status)} pass?");
        }

        foreach (var skew in rotation.ClockSkews.Where(skew => MeshClock.IsWorthAWarning(skew.Ahead, status.RotationPeriod)))
        {
            yield return $"WARNING: the clock of {skew.NodeName} is {Format.Duration(skew.Ahead.Duration())} {(skew.Ahead > TimeSpan.Zero ? "ahead of" : "behind")} that of {name}, "
                + "more than an eighth of the period; check time synchronisation on both";
        }

        if (rotation.ClockCorrection != TimeSpan.Zero)
        {
            yield return $"WARNING: {name} rotates by the mesh's time, which is {Format.Duration(rotation.ClockCorrection.Duration())} "
                + $"{(rotation.ClockCorrection > TimeSpan.Zero ? "ahead of" : "behind")} its own clock; check its time synchronisation";
        }
    }

    private static string Ports(NodeStatus status) => string.Join(
        " and ", status.Devices.Select(device => device.ListenPort.ToString(CultureInfo.InvariantCulture)));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
