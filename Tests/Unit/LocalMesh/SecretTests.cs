using System.Text;
using Orleans.WireGuard.LocalMesh.Secrets;

namespace Orleans.WireGuard.Tests.Unit.LocalMesh;

/// <summary>A private key is found however it was written, and nothing else is.</summary>
public sealed class SecretTests
{
    // Bytes that give '+' and '/' in base64, so that the escaped forms differ.
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)(i % 2 == 0 ? 0xFB - i : 0xEF + i))];

    private readonly SecretScanner _scanner = new([Key, new byte[32]]);

    public static TheoryData<string> Texts => new(
        Convert.ToBase64String(Key),
        Convert.ToHexString(Key),
        Convert.ToHexStringLower(Key),
        BitConverter.ToString(Key),
        string.Join(", ", Key),
        "[" + string.Join(",", Key) + "]",
        Convert.ToBase64String(Key).Replace('+', '-').Replace('/', '_').TrimEnd('='),
        Convert.ToBase64String(Key).Replace("+", "\\u002B", StringComparison.Ordinal),
        Convert.ToBase64String(Key).Replace("/", "\\/", StringComparison.Ordinal),
        Convert.ToBase64String([1, .. Key, 2, 3]),
        Convert.ToBase64String([1, 2, .. Key]));

    [Theory]
    [MemberData(nameof(Texts))]
    public void Search_AnyForm_IsFound(string text) =>
        Assert.NotEmpty(_scanner.Search(Encoding.ASCII.GetBytes("before " + text + " after")));

    [Fact]
    public void Search_RawBytes_AreFoundAlsoUnclamped()
    {
        byte[] unclamped = [.. Key];
        unclamped[0] ^= 7;
        unclamped[31] ^= 0xC0;

        Assert.Equal(["raw bytes"], _scanner.Search([9, 9, .. Key]));
        Assert.Equal(["raw bytes"], _scanner.Search(unclamped));
        Assert.NotEmpty(_scanner.Search(Encoding.ASCII.GetBytes(Convert.ToBase64String(unclamped))));
    }

    [Fact]
    public void Search_OtherKeyOrPartOfOne_IsNotFound()
    {
        byte[] other = [.. Key];
        other[15]++;

        Assert.Empty(_scanner.Search(other));
        Assert.Empty(_scanner.Search(Key[..20]));
        Assert.Empty(_scanner.Search(Encoding.ASCII.GetBytes(Convert.ToBase64String(other))));
        Assert.Empty(_scanner.Search([]));
    }

    [Theory]
    [InlineData((1 << 20) - 16)]
    [InlineData(1 << 20)]
    [InlineData((1 << 20) + 100)]
    [InlineData((3 << 20) - 1)]
    public void Search_KeyAcrossChunks_IsFound(int offset)
    {
        var bytes = new byte[offset + 1000];
        bytes.AsSpan().Fill(0x55);
        Key.CopyTo(bytes, offset);

        Assert.Equal(["raw bytes"], _scanner.Search(new MemoryStream(bytes)));
    }

    [Fact]
    public void SecretCollection_ToString_ShowsNothing()
    {
        var secrets = new SecretCollection();
        secrets.Add(Convert.ToBase64String(Key));
        secrets.Add(Convert.ToBase64String(Key));
        secrets.Add(null);

        Assert.Equal(1, secrets.Count);
        Assert.Equal(Key, secrets.ToList().Single());
        Assert.DoesNotContain(Convert.ToBase64String(Key), secrets.ToString(), StringComparison.Ordinal);
    }
}
