// Memory for messages that may hold keys.
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Orleans.WireGuard.Linux.Netlink;

/// <summary>
/// Memory outside the managed heap that is zeroed before it is freed. WG_CMD_GET_DEVICE always answers with the private key, so every
/// receive buffer may hold one; the garbage collector would copy it when it moves an array.
/// </summary>
internal sealed unsafe class NetlinkBuffer : SafeHandle
{
    private readonly int _length;

    /// <summary>Allocates.</summary>
    /// <param name="length">Bytes.</param>
    public NetlinkBuffer(int length)
        : base(0, ownsHandle: true)
    {
        _length = length;
        SetHandle((nint)NativeMemory.AllocZeroed((nuint)length));
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>All of it. Valid until this is disposed.</summary>
    public Span<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return new((void*)handle, _length);
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        CryptographicOperations.ZeroMemory(new Span<byte>((void*)handle, _length));
        NativeMemory.Free((void*)handle);
        return true;
    }
}
