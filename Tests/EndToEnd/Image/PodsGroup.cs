using System.Globalization;

namespace Orleans.WireGuard.Tests.EndToEnd.Image;

/// <summary>The control group that holds all containers, as a kubelet's <c>kubepods</c>.</summary>
/// <remarks>
/// A container's share of the processor is a few percent of a core if somebody else wants it. On a node that are other pods; here it would
/// be the test itself, a compiler, another test. So this group is ahead of whatever is not in it.
/// </remarks>
/// <param name="name">Of the group.</param>
internal sealed class PodsGroup(string name)
{
    private const string Root = "/sys/fs/cgroup";

    // The largest that there are.
    private static readonly (string Controller, string File, int Value)[] Ahead = [("cpu", "cpu.shares", 262_144), ("", "cpu.weight", 10_000)];

    /// <summary>Its name.</summary>
    public string Name => name;

    /// <summary>Makes it.</summary>
    public void Create()
    {
        // Version 1 has a folder for each controller, version 2 one for all.
        var (controller, file, value) = Ahead
            .First(item => item.Controller.Length == 0 || Directory.Exists(Path.Combine(Root, item.Controller)));
        var directory = Directory.CreateDirectory(Path.Combine(Root, controller, name)).FullName;
        File.WriteAllText(Path.Combine(directory, file), value.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Removes what is empty of it; the kernel refuses the rest.</summary>
    public void Remove()
    {
        foreach (var directory in Directory.EnumerateDirectories(Root).Append(Root)
            .Select(controller => Path.Combine(controller, name)).Where(Directory.Exists))
        {
            foreach (var inner in Directory.EnumerateDirectories(directory).Append(directory))
            {
                Directory.Delete(inner);
            }
        }
    }
}
