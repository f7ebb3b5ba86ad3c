using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Deploy;

/// <summary>A copy of <c>deploy/</c> without its programs, to be changed.</summary>
internal sealed class DeployCopy : IDisposable
{
    /// <summary>Copies.</summary>
    public DeployCopy()
    {
        foreach (var file in Manifests.Files.Append(RepositoryFiles.Find(Path.Combine("deploy", SettingsFile))))
        {
            Write(Path.GetRelativePath(RepositoryFiles.Find("deploy"), file), File.ReadAllText(file));
        }
    }

    /// <summary>The settings, below <see cref="Root"/>.</summary>
    public const string SettingsFile = "base/settings/owg.json";

    /// <summary>Where it is.</summary>
    public string Root { get; } = Directory.CreateTempSubdirectory("owg-deploy-").FullName;

    /// <summary>Writes a file of it.</summary>
    public void Write(string path, string content)
    {
        var file = Path.Combine(Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, content);
    }

    /// <summary>Removes it.</summary>
    public void Dispose() => Directory.Delete(Root, recursive: true);
}
