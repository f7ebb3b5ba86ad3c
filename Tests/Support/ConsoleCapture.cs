using System.Text;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>What the calling test, and what it starts, prints; the output of others goes where it went.</summary>
internal sealed class ConsoleCapture : IDisposable
{
    private static readonly AsyncLocal<ConsoleCapture?> Current = new();
    private static readonly Lock Install = new();
    private static bool _isInstalled;

    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    /// <summary>Takes the place of the console until it is disposed of.</summary>
    public ConsoleCapture()
    {
        lock (Install)
        {
            if (!_isInstalled)
            {
                Console.SetOut(new Router(Console.Out, capture => capture._output));
                Console.SetError(new Router(Console.Error, capture => capture._error));
                _isInstalled = true;
            }
        }

        Current.Value = this;
    }

    /// <summary>What went to standard output.</summary>
    public string Output => Read(_output);

    /// <summary>What went to standard error.</summary>
    public string Error => Read(_error);

    /// <inheritdoc/>
    public void Dispose() => Current.Value = null;

    private static string Read(StringWriter writer)
    {
        lock (writer)
        {
            return writer.ToString();
        }
    }

    private sealed class Router(TextWriter original, Func<ConsoleCapture, StringWriter> select) : TextWriter
    {
        public override Encoding Encoding => original.Encoding;

        public override void Write(char value)
        {
            var target = Target;
            lock (target)
            {
                target.Write(value);
            }
        }

        public override void Write(string? value)
        {
            var target = Target;
            lock (target)
            {
                target.Write(value);
            }
        }

        public override void WriteLine(string? value) => Write(value + "\n");

        public override void Flush() => Target.Flush();

        private TextWriter Target => Current.Value is { } capture ? select(capture) : original;
    }
}
