using System.Globalization;

namespace Orleans.WireGuard.Tests.EndToEnd.Image;

/// <summary>What the kernel says of a container's first process.</summary>
internal sealed class ContainerProcess(int id)
{
    private readonly Dictionary<string, string> _status = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/status"))
        .Select(line => line.Split(':', 2)).ToDictionary(parts => parts[0], parts => parts[1].Trim());

    /// <summary>A line of proc(5)'s status, such as <c>CapEff</c>.</summary>
    public string Status(string name) => _status[name];

    /// <summary>Memory that belongs to the process alone or with others, in bytes.</summary>
    public long ResidentSize => long.Parse(Status("VmRSS").Split(' ')[0], CultureInfo.InvariantCulture) << 10;

    /// <summary>What the kubelet compares with the limit: all that the container uses, without files that are not in use.</summary>
    public long WorkingSet
    {
        get
        {
            var lines = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/cgroup"))
                .Select(line => line.Split(':', 3)).ToList();
            var memory = lines.FirstOrDefault(parts => parts[1].Split(',').Contains("memory"));
            var (directory, usage, inactive) = memory is not null
                ? ("/sys/fs/cgroup/memory" + memory[2], "memory.usage_in_bytes", "total_inactive_file")
                : ("/sys/fs/cgroup" + lines.First(parts => parts[0] == "0")[2], "memory.current", "inactive_file");
            var files = File.ReadLines(Path.Combine(directory, "memory.stat"))
                .Select(line => line.Split(' ')).First(parts => parts[0] == inactive)[1];
            return long.Parse(File.ReadAllText(Path.Combine(directory, usage)), CultureInfo.InvariantCulture)
                - long.Parse(files, CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Where it may write, as far as mounts decide: of several on one path the last one counts (proc(5), mountinfo).</summary>
    public IReadOnlyDictionary<string, bool> Mounts => File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/mountinfo"))
        .Select(line => line.Split(' '))
        .Select(parts => (Path: parts[4], IsWritable: Has(parts[5], "rw") && !Has(parts[^1], "ro")))
        .GroupBy(mount => mount.Path).ToDictionary(group => group.Key, group => group.Last().IsWritable);

    /// <summary>A file as the process has it.</summary>
    public string Read(string path) => File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/root{path}"));

    private static bool Has(string options, string option) => options.Split(',').Contains(option);
}
