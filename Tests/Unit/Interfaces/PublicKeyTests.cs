using System.Globalization;
using CsCheck;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Interfaces;

/// <summary>Keys in the form that <c>wg(8)</c> prints, and their order.</summary>
public sealed class PublicKeyTests
{
    // Alice's public key of RFC 7748 section 6.1, and what `base64` prints for it.
    private const string Hex = "8520F0098930A754748B7DDCB43EF75A0DBF3A0D26381AF4EBA4A98EAA9B4E6A";
    private const string Base64 = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

    [Fact]
    public void ToString_Golden_IsBase64() => Assert.Equal(Base64, new PublicKey(Convert.FromHexString(Hex)).ToString());

    [Fact]
    public void Parse_Golden_GivesTheBytes() => Assert.Equal(Hex, Convert.ToHexString(PublicKey.Parse(Base64).ToArray()));

    [Fact]
    public void ToShortString_Golden_IsItsBeginning() => Assert.Equal("hSDwCYkw", PublicKey.Parse(Base64).ToShortString());

    [Fact]
    public void Format_IntoSpan_IsToString() =>
        Assert.Equal($"key {Base64}", string.Create(CultureInfo.InvariantCulture, $"key {PublicKey.Parse(Base64)}"));

    [Fact]
    public void Parse_WhatWasPrinted_IsTheKey() => MeshGen.Key.Sample(key =>
    {
        Assert.Equal(key, PublicKey.Parse(key.ToString()));
        Assert.Equal(key, new PublicKey(key.ToArray()));
        Assert.Equal(PublicKey.Base64Length, key.ToString().Length);
    });

    [Theory]
    [InlineData("")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo==")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTm==")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmoA")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066Sp jqqbTm=")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo=")]
    [InlineData(Hex)]
    public void Parse_NoKey_SaysWhatWasExpected(string text)
    {
        Assert.False(PublicKey.TryParse(text, out _));
        Assert.Contains("expected the base64 of 32 bytes", Assert.Throws<FormatException>(() =>
            PublicKey.Parse(text)).Message, StringComparison.Ordinal);
    }

    // The last character before '=' carries two bits that belong to no byte. wg(8) refuses them too, so that a key has one name only.
    [Theory]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmr=")]
    public void Parse_BitsBehindTheLastByte_IsRefused(string text) => Assert.False(PublicKey.TryParse(text, out _));

    [Fact]
    public void TryParse_Null_IsFalse() => Assert.False(PublicKey.TryParse(null, out _));

    [Fact]
    public void IsZero_OnlyOfTheZeroKey()
    {
        Assert.True(default(PublicKey).IsZero);
        Assert.True(PublicKey.Parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").IsZero);
        for (var i = 0; i < PublicKey.Size; i++)
        {
            var bytes = new byte[PublicKey.Size];
            bytes[i] = 1;
            Assert.False(new PublicKey(bytes).IsZero);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    public void Constructor_WrongLength_IsRefused(int length) =>
        Assert.Contains(
            $"not {length}", Assert.Throws<ArgumentException>(() => new PublicKey(new byte[length])).Message, StringComparison.Ordinal);

    [Fact]
    public void CopyTo_ShortDestination_IsRefused() =>
        Assert.Throws<ArgumentException>(() => default(PublicKey).CopyTo(new byte[PublicKey.Size - 1]));

    // Keys that differ in their beginning only are needed as well: 32 random bytes are decided by the first one nearly always.
    [Fact]
    public void CompareTo_AnyTwo_IsTheOrderOfTheirBytes() =>
        Gen.Select(Gen.Byte[0, 1].Array[PublicKey.Size], Gen.Byte.Array[PublicKey.Size], Gen.Int[0, PublicKey.Size])
            .Sample((zeros, bytes, common) =>
        {
            var left = new PublicKey(bytes);
            var right = new PublicKey([.. bytes.AsSpan(0, common), .. zeros.AsSpan(common)]);
            var expected = Math.Sign(left.ToArray().AsSpan().SequenceCompareTo(right.ToArray()));
            Assert.Equal(expected, Math.Sign(left.CompareTo(right)));
            Assert.Equal(expected == 0, left == right);
            Assert.Equal(
                (expected > 0, expected >= 0, expected < 0, expected <= 0), (left > right, left >= right, left < right, left <= right));
        });
}
