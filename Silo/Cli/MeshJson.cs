using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Orleans.WireGuard.Silo.Cli;

/// <summary>
/// The JSON that every <c>-o json</c> prints: camel case, keys in base64, prefixes and addresses as text, durations in seconds, times in
/// ISO 8601, enums by name; reasons as sentences and as values (<see cref="ReasonJson"/>).
/// </summary>
internal static class MeshJson
{
    /// <summary>How keys, slots, epochs and the like become JSON.</summary>
    public static JsonSerializerOptions Options { get; } = Create();

    /// <summary>Prints a value.</summary>
    public static void Print<T>(T value) => Terminal.Out.Json(JsonSerializer.Serialize(value, Options));

    /// <summary>The same on one line, for a stream of values.</summary>
    public static string Line<T>(T value) => JsonSerializer.Serialize(value, LineOptions);

    private static JsonSerializerOptions LineOptions { get; } = new(Options) { WriteIndented = false };

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            WriteIndented = true,

            // The default escapes the '+' of base64, for the sake of HTML. This goes to a terminal or to jq.
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { ReasonJson.AddText } },
        };
        options.Converters.Add(new JsonStringEnumConverter<Transport>(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new JsonStringEnumConverter());
        options.Converters.Add(new TextConverter<PublicKey>(PublicKey.Parse));
        options.Converters.Add(new TextConverter<IPPrefix>(IPPrefix.Parse));
        options.Converters.Add(new TextConverter<IPEndPoint>(IPEndPoint.Parse));
        options.Converters.Add(new TextConverter<IPAddress>(IPAddress.Parse));
        options.Converters.Add(new TextConverter<AnnouncementSequence>(ParseSequence));
        options.Converters.Add(new NumberConverter<Epoch>(value => new Epoch(value), epoch => epoch.Value));
        options.Converters.Add(new NumberConverter<Slot>(value => new Slot((byte)value), slot => slot.Index));
        options.Converters.Add(new SecondsConverter());
        options.Converters.Add(new EquatableArrayConverterFactory());
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

    private static AnnouncementSequence ParseSequence(string text) => text.Split('.') is [var epoch, var revision]
        ? new(new Epoch(long.Parse(epoch, System.Globalization.CultureInfo.InvariantCulture)), long.Parse(
            revision, System.Globalization.CultureInfo.InvariantCulture))
        : throw new FormatException($"'{text}' is not a sequence: expected epoch, a dot, revision.");

    private sealed class TextConverter<T>(Func<string, T> parse) : JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            try
            {
                return parse(reader.GetString() ?? throw new JsonException($"Expected text for {typeof(T).Name}."));
            }
            catch (FormatException e)
            {
                throw new JsonException(e.Message, e);
            }
        }

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value!.ToString());
    }

    private sealed class NumberConverter<T>(Func<long, T> make, Func<T, long> read) : JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => make(reader.GetInt64());

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteNumberValue(read(value));
    }

    private sealed class SecondsConverter : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TimeSpan.FromSeconds(reader.GetDouble());

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
            writer.WriteNumberValue(value.TotalSeconds);
    }

    private sealed class EquatableArrayConverterFactory : JsonConverterFactory
    {
        public override bool CanConvert(Type typeToConvert) =>
            typeToConvert.IsGenericType && typeToConvert.GetGenericTypeDefinition() == typeof(EquatableArray<>);

        public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
            (JsonConverter)Activator.CreateInstance(
            typeof(EquatableArrayConverter<>).MakeGenericType(typeToConvert.GetGenericArguments()))!;
    }

    private sealed class EquatableArrayConverter<T> : JsonConverter<EquatableArray<T>>
    {
        public override EquatableArray<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            (JsonSerializer.Deserialize<List<T>>(ref reader, options) ?? []).ToEquatableArray();

        public override void Write(Utf8JsonWriter writer, EquatableArray<T> value, JsonSerializerOptions options)
        {
            writer.WriteStartArray();
            foreach (var item in value)
            {
                JsonSerializer.Serialize(writer, item, options);
            }

            writer.WriteEndArray();
        }
    }
}
