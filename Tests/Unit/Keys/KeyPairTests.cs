using CsCheck;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Keys;

/// <summary>X25519 pairs: the right public half, and a private half that leaves by one door only.</summary>
public sealed class KeyPairTests
{
    /// <summary>Private and public keys in hexadecimal.</summary>
    public static TheoryData<string, string> Rfc7748 { get; } = ReadVectors();

    [Theory]
    [MemberData(nameof(Rfc7748))]
    public void Import_Rfc7748_GivesThePublicKey(string privateKey, string publicKey)
    {
        using var pair = KeyPair.Import(Convert.FromHexString(privateKey));
        Assert.Equal(publicKey, Convert.ToHexStringLower(pair.PublicKey.ToArray()));
    }

    [Fact]
    public void ExportPrivateKey_WhatWasImported_IsTheSame() => Gen.Byte.Array[KeyPair.PrivateKeySize].Sample(privateKey =>
    {
        using var pair = KeyPair.Import(privateKey);
        var exported = new byte[KeyPair.PrivateKeySize];
        pair.ExportPrivateKey(exported);
        Assert.Equal(privateKey, exported);
        using var again = KeyPair.Import(exported);
        Assert.Equal(pair.PublicKey, again.PublicKey);
    });

    [Fact]
    public void Create_Twice_GivesDifferentPairs()
    {
        using var first = KeyPair.Create();
        using var second = KeyPair.Create();
        Assert.NotEqual(first.PublicKey, second.PublicKey);
        Assert.False(first.PublicKey.IsZero);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    public void Import_WrongLength_IsRefused(int length) => Assert.Throws<FormatException>(() => KeyPair.Import(new byte[length]));

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    public void ExportPrivateKey_WrongLength_IsRefusedAndWritesNothing(int length)
    {
        using var pair = KeyPair.Create();
        var destination = new byte[length];
        Assert.Throws<ArgumentException>(() => pair.ExportPrivateKey(destination));
        Assert.All(destination, part => Assert.Equal(0, part));
    }

    [Fact]
    public void ExportPrivateKey_Disposed_IsRefused()
    {
        var pair = KeyPair.Create();
        var publicKey = pair.PublicKey;
        pair.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pair.ExportPrivateKey(new byte[KeyPair.PrivateKeySize]));
        Assert.Equal(publicKey, pair.PublicKey);
    }

    private static TheoryData<string, string> ReadVectors()
    {
        var vectors = new TheoryData<string, string>();
        foreach (var line in TestData.Read("rfc7748/x25519.txt").Split('\n').Where(line => line.Length > 0 && line[0] != '#'))
        {
            vectors.Add(line.Split(' ')[0], line.Split(' ')[1]);
        }

        return vectors;
    }
}
