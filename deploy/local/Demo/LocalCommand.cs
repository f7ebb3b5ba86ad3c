using System.CommandLine;

namespace Orleans.WireGuard.LocalMesh.Demo;

/// <summary>The command <c>owg-local</c> with its verbs: for people (demo), for scripts (check), for experiments (up).</summary>
internal static class LocalCommand
{
    private const int Misused = 2;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    // A script that waits for ten rotations shall not wait long.
    private static readonly TimeSpan ShortPeriod = TimeSpan.FromSeconds(5);

    private delegate Task<int> Run(LocalOptions options, ParseResult parsed, CancellationToken cancellationToken);

    /// <summary>Makes the command with all its verbs.</summary>
    /// <param name="timeProvider">The clock of all verbs.</param>
    /// <param name="output">Where they print.</param>
    public static RootCommand Create(TimeProvider timeProvider, TextWriter output) => new(
        "A mesh of silos on one machine. What a verb takes in capitals are environment variables: NODES=5 PERIOD=10s owg-local demo")
    {
        Verb("demo", "Show a mesh, live, until Ctrl-C. NODES PERIOD",
            (options, _, token) => new DemoCommand(options, timeProvider, output).RunAsync(token)),
        Verb("demo-kubernetes", "The demo with an API server: nodes come and go as node objects do. NODES PERIOD KUBECONFIG",
            (options, _, token) => new KubernetesDemoCommand(options, timeProvider, output).RunAsync(token)),
        Node(output),
        Verb("check", "Prove what the demo shows, unattended. Exit code 1 if a proof failed. NODES PERIOD DURATION",
            (options, _, token) => new CheckCommand(options, timeProvider, output).RunAsync(token), period: ShortPeriod),
        Verb("bench", "Measure propagation of keys, memory, idle CPU, start, detection of a dead silo. NODES PERIOD DURATION",
            (options, _, token) => new BenchCommand(options, timeProvider, output).RunAsync(token), period: ShortPeriod),
        Verb("bench-rotation",
            "Measure packets lost, latency and TCP with and without rotations. Exit code 1 if rotations lost one. "
            + "NODES PERIOD DURATION ROTATIONS ROUNDS RUNS",
            (options, _, token) => new RotationBenchCommand(options, timeProvider, output).RunAsync(token)),
        Verb("bench-witness", "Measure what the witness costs. Exit code 1 if it did not count the packets of the tunnel as such. ROUNDS",
            (options, _, token) => new WitnessBenchCommand(options, timeProvider, output).RunAsync(token)),
        Verb("down", "End a running demo, or remove what a crashed one left.",
            (options, _, token) => new DownCommand(options, timeProvider, output).RunAsync(token)),
        Verb("up", "Make namespaces, links and the membership store without silos, and hold them until Ctrl-C. NODES PERIOD",
            (options, _, token) => new UpCommand(options, timeProvider, output).RunAsync(token)),
        Verb("prerequisites", "Install the Debian packages that a mesh needs, if any is missing.",
            async (_, _, token) =>
            {
                await Setup.Prerequisites.EnsureAsync(output, timeProvider, token);
                return 0;
            }),
    };

    /// <summary>Does what the command line says.</summary>
    /// <returns>The exit code: 0 done, 1 a proof or a measurement failed, 2 wrong use, or the machine lacks something.</returns>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, TimeProvider timeProvider, TextWriter output, CancellationToken cancellationToken)
    {
        // Without the parser's own signal handling, which limits how long the removal of a mesh may take, and its stack traces.
        var invocation = new InvocationConfiguration { ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = false };
        var parsed = Create(timeProvider, output).Parse(arguments);
        var code = await parsed.InvokeAsync(invocation, cancellationToken);

        // The parser ends a wrong command line with 1.
        return parsed.Errors.Count > 0 ? Misused : code;
    }

    private static Command Node(TextWriter output)
    {
        var name = new Argument<string>("name") { Description = "Name of a machine, such as node-4." };
        return new Command("node", "List, create and delete the node objects of a running demo-kubernetes, where kubectl is missing.")
        {
            Verb("list", "Show the machines of the demo, and which of them are nodes.",
                (options, _, token) => new NodeCommand(options, output).ListAsync(token)),
            Verb("add", "Create the node object of a machine: it gets a silo and joins.",
                (options, parsed, token) => new NodeCommand(options, output).AddAsync(parsed.GetRequiredValue(name), token), name),
            Verb("delete", "Delete a node object: its machine loses the silo, and the others drop its peer.",
                (options, parsed, token) => new NodeCommand(options, output).DeleteAsync(parsed.GetRequiredValue(name), token), name),
        };
    }

    private static Command Verb(string name, string description, Run run, Argument? argument = null, TimeSpan? period = null)
    {
        var verb = new Command(name, description);
        if (argument is not null)
        {
            verb.Add(argument);
        }

        verb.SetAction(async (parsed, token) =>
        {
            var options = LocalOptions.Read(Environment.GetEnvironmentVariable, period ?? Period);
            if (Processes.NativeMethods.EffectiveUserId() != 0)
            {
                Console.Error.WriteLine("A local mesh makes network namespaces, which needs root: run it again with sudo.");
                return Misused;
            }

            return await run(options, parsed, token);
        });
        return verb;
    }
}
