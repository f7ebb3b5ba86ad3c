using Microsoft.Extensions.Configuration.Json;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>
/// A JSON file of configuration that can be read again while it is used. It watches nothing: somebody has to ask it to look.
/// </summary>
/// <remarks>
/// The framework's own asks the kernel for a watch on the folder and everything below: that fails where a node's inotify instances are used
/// up, and it does not see the link of a ConfigMap's volume move. The content is the same by whatever way it is replaced.
/// </remarks>
/// <param name="file">The file.</param>
/// <param name="judge">Says what becomes of its keys; null takes all of them, whoever knows them.</param>
internal sealed class FollowedJsonFile(FileInfo file, Func<IReadOnlyDictionary<string, string?>, SettingVerdict>? judge = null)
    : ConfigurationProvider, IConfigurationSource
{
    private byte[]? _content;

    /// <summary>The path of the file.</summary>
    public string Path => file.FullName;

    /// <summary>What became of its keys when it was read last; null if nobody judged them.</summary>
    public SettingVerdict? Verdict { get; private set; }

    /// <inheritdoc/>
    public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

    /// <inheritdoc/>
    /// <exception cref="IOException">It is not there, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read, or is a folder.</exception>
    /// <exception cref="InvalidDataException">It is not JSON, or has keys that are refused.</exception>
    public override void Load() => _ = TryRead();

    /// <summary>Reads the file. What was read before stays if that fails. Nobody is told yet; see <see cref="Announce"/>.</summary>
    /// <returns>Whether it says something else than before.</returns>
    /// <exception cref="IOException">It is not there, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read, or is a folder.</exception>
    /// <exception cref="InvalidDataException">It is not JSON, or has keys that are refused.</exception>
    public bool TryRead()
    {
        var content = File.ReadAllBytes(Path);
        if (_content is not null && content.AsSpan().SequenceEqual(_content))
        {
            return false;
        }

        var data = new Parser(content, Path).Parse();
        if (judge?.Invoke(data.AsReadOnly()) is { } verdict)
        {
            if (!verdict.Faults.IsEmpty)
            {
                throw new InvalidDataException($"{string.Join(". ", verdict.Faults)}.");
            }

            foreach (var key in data.Keys.Where(key => SettingRules.IsAmong(verdict.Ignored, key)).ToList())
            {
                data.Remove(key);
            }

            Verdict = verdict;
        }

        Data = data;
        _content = content;
        return true;
    }

    /// <summary>Tells whoever follows that the configuration changed.</summary>
    public void Announce() => OnReload();

    /// <summary>The framework's reading of JSON.</summary>
    private sealed class Parser(byte[] content, string path)
        : JsonStreamConfigurationProvider(new JsonStreamConfigurationSource { Stream = new MemoryStream(content) })
    {
        public IDictionary<string, string?> Parse()
        {
            try
            {
                Load();
                return Data;
            }
            catch (Exception e) when (e is FormatException or System.Text.Json.JsonException)
            {
                throw new InvalidDataException($"{path} is not JSON as a configuration is written: {e.Message}", e);
            }
        }
    }
}
