namespace Orleans.WireGuard.Linux;

/// <summary>The system refused an operation on a device, link, address, route or rule.</summary>
public sealed class LinuxException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="operation">What was tried on what, such as <c>set cilium_wg0</c>.</param>
    /// <param name="errno">The errno, positive; 0 if the failure has none.</param>
    /// <param name="detail">What the system said, and what to do if that is known.</param>
    /// <param name="innerException">The cause.</param>
    public LinuxException(string operation, int errno, string detail, Exception? innerException = null)
        : base(errno == 0 ? $"{operation}: {detail}" : $"{operation}: {detail} (errno {errno})", innerException)
    {
        Operation = operation;
        Errno = errno;
    }

    /// <summary>What was tried on what.</summary>
    public string Operation { get; }

    /// <summary>The errno, positive; 0 if the failure has none.</summary>
    public int Errno { get; }
}
