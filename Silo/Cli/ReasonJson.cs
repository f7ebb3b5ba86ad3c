using System.Text.Json.Serialization.Metadata;
using Orleans.WireGuard.Grains.Reasons;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>
/// Has a reason that crosses the wire as a value appear in JSON twice: as the sentence that people read, and beside it as the value on
/// which a program can branch.
/// </summary>
/// <remarks>
/// <code>
/// reason, transportReason   a sentence        reasonCode, transportReasonCode   the code
/// problem                   a sentence        problemDetail                     code and arguments
/// problem, note             a sentence        problems, notes                   code and arguments of each
/// </code>
/// A sentence is not read back: it follows from the value.
/// </remarks>
internal static class ReasonJson
{
    /// <summary>Adds the sentences to a type that has reasons.</summary>
    public static void AddText(JsonTypeInfo type)
    {
        if (type.Type == typeof(LaggingNode))
        {
            Rename(type, "reason", "reasonCode");
            Add<LaggingNode>(type, "reason", RotationReasonText.Describe);
        }
        else if (type.Type == typeof(RotationStatus))
        {
            Rename(type, "problem", "problemDetail");
            Add<RotationStatus>(type, "problem", status => status.Problem is { } problem ? RotationReasonText.Describe(problem) : null);
        }
        else if (type.Type == typeof(DeviceStatus))
        {
            Rename(type, "transportReason", "transportReasonCode");
            Add<DeviceStatus>(type, "transportReason", device => TransportText.Describe(device.TransportReason));
        }
        else if (type.Type == typeof(ReceiverStatus))
        {
            Rename(type, "problem", "problemDetail");
            Add<ReceiverStatus>(type, "problem", receiver => receiver.Problem is { } problem ? NodeProblemText.Describe(problem) : null);
        }
        else if (type.Type == typeof(NodeStatus))
        {
            Add<NodeStatus>(type, "problem", status => NodeProblemText.Describe(status.Problems));
        }
        else if (type.Type == typeof(MeshNode))
        {
            Add<MeshNode>(type, "problem", node => NodeProblemText.Describe(node.Problems));
            Add<MeshNode>(type, "note", node => NodeProblemText.Describe(node.Notes));
        }
    }

    private static void Rename(JsonTypeInfo type, string name, string newName) =>
        type.Properties.Single(property => property.Name == name).Name = newName;

    private static void Add<T>(JsonTypeInfo type, string name, Func<T, string?> describe)
    {
        var property = type.CreateJsonPropertyInfo(typeof(string), name);
        property.Get = value => describe((T)value);
        type.Properties.Add(property);
    }
}
