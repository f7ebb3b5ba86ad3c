using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Orleans.WireGuard.Supervision;

namespace Orleans.WireGuard.Silo.Hosting;

/// <summary>
/// The log for people: one line for each message, in the framework's own form, in which nothing that came from elsewhere can end the line,
/// command the terminal or fill the disk.
/// </summary>
/// <remarks>The framework's formatters print what they are given. Its JSON has everything escaped that is no letter of ASCII.</remarks>
/// <param name="timeProvider">The clock.</param>
internal sealed class LineConsoleFormatter(TimeProvider timeProvider) : ConsoleFormatter(FormatterName)
{
    /// <summary>The name by which the console finds it.</summary>
    public const string FormatterName = "owg";

    /// <summary>How each line begins; the JSON log has the same.</summary>
    public const string TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    // An exception comes with the stack of each of its causes.
    private const int MaxExceptionLength = 4 * Printable.MaxLength;

    /// <summary>Adds the console in one of the two forms.</summary>
    public static void AddTo(ILoggingBuilder logging, bool isJson)
    {
        if (isJson)
        {
            logging.AddJsonConsole(console => (console.UseUtcTimestamp, console.TimestampFormat) = (true, TimestampFormat));
            return;
        }

        logging.Services.AddSingleton<ConsoleFormatter, LineConsoleFormatter>();
        logging.AddConsole(console => console.FormatterName = FormatterName);
    }

    /// <inheritdoc/>
    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var message = logEntry.Formatter(logEntry.State, logEntry.Exception);
        textWriter.Write(timeProvider.GetUtcNow().UtcDateTime.ToString(TimestampFormat, System.Globalization.CultureInfo.InvariantCulture));
        textWriter.Write(
            $" {LevelName(logEntry.LogLevel)}: {logEntry.Category}[{logEntry.EventId.Id}] {OneLine(message, Printable.MaxLength)}");
        if (logEntry.Exception is { } exception)
        {
            textWriter.Write($" {OneLine(exception.ToString(), MaxExceptionLength)}");
        }

        textWriter.Write('\n');
    }

    private static string OneLine(string? text, int maxLength) => Printable.Line(text?.ReplaceLineEndings(" "), maxLength);

    private static string LevelName(LogLevel level) => level switch
    {
        LogLevel.Trace => "trce",
        LogLevel.Debug => "dbug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "fail",
        _ => "crit",
    };
}
