using System.Buffers.Binary;
using System.Net;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Serialization;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>What a stranger sends to the port of a silo, as far as he knows the cluster's name.</summary>
internal static class StrangerFrames
{
    /// <summary>What another silo of the cluster would send first, as Orleans writes it.</summary>
    /// <param name="services">Of a silo or client, for its serializer.</param>
    /// <param name="clusterId">The name of the cluster.</param>
    public static byte[] Preamble(IServiceProvider services, string clusterId)
    {
        var type = Assembly.Load("Orleans.Core").GetType("Orleans.Runtime.Messaging.ConnectionPreamble", throwOnError: true)!;
        var preamble = Activator.CreateInstance(type)!;
        type.GetProperty("NetworkProtocolVersion")!.SetValue(
            preamble, services.GetRequiredService<IOptions<ConnectionOptions>>().Value.ProtocolVersion);
        type.GetProperty("NodeIdentity")!.SetValue(preamble, GrainId.Create("sys.silo", "01111111-1111-1111-1111-111111111111"));
        type.GetProperty("SiloAddress")!.SetValue(preamble, SiloAddress.New(IPAddress.Loopback, 1, 1));
        type.GetProperty("ClusterId")!.SetValue(preamble, clusterId);
        var serializer = services.GetRequiredService(typeof(Serializer<>).MakeGenericType(type));
        var body = (byte[])serializer.GetType().GetMethods()
            .Single(method => method.Name == "SerializeToArray" && method.GetParameters().Length == 1).Invoke(serializer, [preamble])!;
        byte[] sent = [.. new byte[sizeof(int)], .. body];
        BinaryPrimitives.WriteInt32LittleEndian(sent, body.Length);
        return sent;
    }

    /// <summary>How every message begins: its two lengths.</summary>
    public static byte[] Lengths(int header, int body)
    {
        var lengths = new byte[2 * sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(lengths, header);
        BinaryPrimitives.WriteInt32LittleEndian(lengths.AsSpan(sizeof(int)), body);
        return lengths;
    }
}
