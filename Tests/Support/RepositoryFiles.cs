namespace Orleans.WireGuard.Tests.Support;

/// <summary>Files of the repository that tests read where they are, so that what is tested is what is deployed.</summary>
internal static class RepositoryFiles
{
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
}
