namespace Orleans.WireGuard.LocalMesh.Silos;

/// <summary>The end of a log file, for messages.</summary>
internal static class LogTail
{
    /// <summary>The last lines, indented; a phrase if there is none.</summary>
    public static string Read(string file, int lines = 8)
    {
        try
        {
            var all = File.ReadAllLines(file);
            return all.Length == 0 ? "    (empty)" : string.Join('\n', all.TakeLast(lines).Select(l => "    " + l));
        }
        catch (IOException)
        {
            return $"    (no log at {file})";
        }
    }
}
