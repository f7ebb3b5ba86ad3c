using System.CommandLine;
using System.Globalization;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary><c>owg status</c>: every node, its key, and whether the others agree on it.</summary>
internal static class StatusCommand
{
    /// <summary>Makes the verb.</summary>
    public static Command Create()
    {
        var command = new Command(
            "status", "Show every node: epoch, key, how its rotation goes, who agrees on its key, what it refused. Exit code 3 if a node has a problem.")
        {
            CommonOptions.Output, CommonOptions.Gateway, CommonOptions.Config,
        };
        command.SetAction((parsed, cancellationToken) => MeshConnection.UseAsync(
            parsed,
            async connection =>
            {
                var snapshot = await MeshReader.ReadAsync(
                    connection.Grains.GetGrain<IMeshGrain>(IMeshGrain.DefaultMesh), TimeProvider.System, cancellationToken);
                if (parsed.GetValue(CommonOptions.Output) == OutputFormat.Json)
                {
                    MeshJson.Print(snapshot);
                }
                else
                {
                    Print(snapshot, Terminal.Out);
                }

                return IsWell(snapshot) ? ExitCode.Success : ExitCode.Unhealthy;
            },
            cancellationToken));
        return command;
    }

    /// <summary>
    /// Whether every node answered without complaint, rotates as it should or is frozen by an operator, and all agree on all keys.
    /// </summary>
    public static bool IsWell(MeshSnapshot snapshot) =>
        snapshot.Nodes.All(node => node.Problems.Count == 0 && node.Status?.Rotation.Problem is null)
            && snapshot.Agreements.All(cell => cell.State == AgreementState.Agrees);

    /// <summary>Prints all of it for people.</summary>
    public static void Print(MeshSnapshot snapshot, Terminal output)
    {
        output.Table(RotationText.Columns, RotationText.Rows(snapshot));
        foreach (var line in VersionText.Lines(snapshot))
        {
            output.Line(line);
        }

        foreach (var line in AddressText.Lines(snapshot))
        {
            output.Line(line);
        }

        foreach (var node in snapshot.Nodes.Where(node => node.Problems.Count > 0))
        {
            output.Line($"{node.NodeName}: {NodeProblemText.Describe(node.Problems)}");
        }

        foreach (var node in snapshot.Nodes.Where(node => node.Notes.Count > 0))
        {
            output.Line($"NOTE: {node.NodeName}: {NodeProblemText.Describe(node.Notes)}");
        }

        foreach (var node in snapshot.Nodes)
        {
            foreach (var finding in (node.Status?.Findings ?? []).Where(finding => finding.Severity > FindingSeverity.Notice))
            {
                output.Line($"{node.NodeName} {FindingText.CodeOf(finding.Code)}: {FindingText.Describe(finding)} What to do: owg doctor --node {node.NodeName}");
            }

            if (node.Status?.Witness is { IsPartial: true })
            {
                var reason = node.Status.Findings.Any(finding => finding.Code == FindingCode.SentPastNetfilter)
                    ? "because packets leave past netfilter (OWG313), which are not counted"
                    : "because its kernel has no egress hook (before 5.16): what BPF redirects past netfilter is not counted";
                output.Line($"{node.NodeName} witness: partial, {reason}");
            }
        }

        foreach (var line in snapshot.Nodes.SelectMany(RotationText.Notes))
        {
            output.Line(line);
        }

        foreach (var node in snapshot.Nodes)
        {
            foreach (var refusal in node.Status?.Refusals ?? [])
            {
                output.Line(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{node.NodeName} refused {refusal.Count} announcements as {refusal.Outcome}, the last of '{refusal.LastNodeName}' {Format.Ago(refusal.LastAt, snapshot.TakenAt)}: {refusal.LastDetail}"));
            }
        }

        foreach (var node in snapshot.Nodes)
        {
            foreach (var drift in node.Status?.Drifts ?? [])
            {
                output.Line(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{node.NodeName} repaired {drift.Count} changes by somebody else, {drift.Kind}, the last of {drift.LastSubject} {Format.Ago(drift.LastAt, snapshot.TakenAt)}; find out what else configures that node"));
            }
        }

        foreach (var node in snapshot.Nodes.Where(node => node.Status is { DroppedPackets: > 0 }))
        {
            output.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"{node.NodeName} dropped {node.Status!.DroppedPackets} packets that came in clear from pods of other nodes; is Encryption:Mode Strict on all of them?"));
        }

        foreach (var node in snapshot.Nodes.Where(node => node.Status is { DroppedOutgoingPackets: > 0 }))
        {
            output.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"{node.NodeName} dropped {node.Status!.DroppedOutgoingPackets} packets of its pods that would have left in clear; what else routes on that node?"));
        }

        foreach (var cell in snapshot.Agreements.Where(cell => cell.State is AgreementState.Differs or AgreementState.Missing))
        {
            output.Line(
                $"{cell.Holder} {(cell.State == AgreementState.Missing ? "has no peer for" : "holds another key of")} {cell.NodeName}; "
                + "if this line stays, look at that node's log for refused or undelivered announcements");
        }
    }
}
