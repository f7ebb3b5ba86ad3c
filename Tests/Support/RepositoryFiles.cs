using System.Text.RegularExpressions;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Files of the repository that tests read where they are, so that what is tested is what is deployed.</summary>
internal static partial class RepositoryFiles
{
    // What .gitignore names, and git's own.
    private static readonly string[] Untracked = [".git", "artifacts", "TestResults", ".vs", ".idea", "node_modules"];

    /// <summary>Full path of <paramref name="relative"/>, found by the solution file above the test binaries.</summary>
    public static string Find(string relative)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Orleans.WireGuard.sln")))
            {
                return Path.Combine(folder.FullName, relative);
            }
        }

        throw new FileNotFoundException($"No repository above {AppContext.BaseDirectory}", relative);
    }

    /// <summary>Whether there is a file or folder of that name, and it lies inside the repository.</summary>
    public static bool Contains(string relative)
    {
        var (root, path) = (Find(""), Path.GetFullPath(Find(relative)));
        return path.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal) && Path.Exists(path);
    }

    /// <summary>Every text file, by its path from the root; without what git ignores.</summary>
    public static IEnumerable<(string Path, string Text)> ReadTexts() =>
        from path in Files(new DirectoryInfo(Find("")))
        let text = File.ReadAllText(path)
        where !text.Contains('\0', StringComparison.Ordinal)
        select (Path.GetRelativePath(Find(""), path), text);

    /// <summary>A text in one line, without the marks of comments, so that a sentence is in one piece.</summary>
    public static string JoinLines(string text) => LineBreak().Replace(text, " ");

    private static IEnumerable<string> Files(DirectoryInfo folder) => folder.EnumerateFiles().Where(IsOurs).Select(file => file.FullName)
        .Concat(folder.EnumerateDirectories().Where(IsOurs).SelectMany(Files));

    // Of a work tree .git is a file.
    private static bool IsOurs(FileSystemInfo entry) => entry.LinkTarget is null && !Untracked.Contains(entry.Name);

    [GeneratedRegex(@"\s*\n\s*(?:///?|#|\*|>)?\s*")]
    private static partial Regex LineBreak();
}
