using CsCheck;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Keys;
using Orleans.WireGuard.Tests.Support;

namespace Orleans.WireGuard.Tests.Unit.Keys;

/// <summary>A signature is that of one identity over one announcement.</summary>
public sealed class IdentityTests
{
    [Fact]
    public void Verify_WhatWasSigned_IsTrue() => MeshGen.Announcement.Sample(announcement =>
    {
        using var identity = new Identity();
        var signed = identity.Sign(announcement);
        Assert.Equal(announcement with { Identity = identity.PublicKey, Signature = signed.Signature }, signed);
        Assert.Equal(Identity.SignatureSize, signed.Signature.Count);
        Assert.True(AnnouncementSignature.Verify(signed));
    });

    [Fact]
    public void Verify_AnyMemberChanged_IsFalse() =>
        Gen.Select(MeshGen.Announcement, MeshGen.Announcement, Gen.Int[0, AnnouncementMembers.Count - 1])
            .Sample((announcement, other, member) =>
        {
            using var identity = new Identity();
            var signed = identity.Sign(announcement);
            var changed = AnnouncementMembers.Take(member, signed, other);
            Assert.Equal(signed == changed, AnnouncementSignature.Verify(changed));
        });

    [Fact]
    public void Verify_AnyBitOfTheSignatureChanged_IsFalse()
    {
        using var identity = new Identity();
        var signed = TestMesh.Announce(identity, 1);
        for (var bit = 0; bit < Identity.SignatureSize * 8; bit++)
        {
            var signature = signed.Signature.ToArray();
            signature[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(AnnouncementSignature.Verify(signed with { Signature = [.. signature] }), $"bit {bit}");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(65)]
    public void Verify_SignatureOfAnotherLength_IsFalse(int length)
    {
        using var identity = new Identity();
        var signed = TestMesh.Announce(identity, 1);
        Assert.False(AnnouncementSignature.Verify(signed with { Signature = [.. signed.Signature.Append((byte)0).Take(length)] }));
    }

    [Fact]
    public void Verify_SignedByAnother_IsFalse()
    {
        using var identity = new Identity();
        using var other = new Identity();
        var signed = TestMesh.Announce(other, 1);
        Assert.NotEqual(identity.PublicKey, other.PublicKey);
        Assert.False(AnnouncementSignature.Verify(signed with { Identity = identity.PublicKey }));
    }

    [Fact]
    public void Verify_IdentityThatIsNoKey_IsFalse()
    {
        using var identity = new Identity();
        var signed = TestMesh.Announce(identity, 1);
        Assert.False(AnnouncementSignature.Verify(signed with { Identity = default }));
        Assert.False(
            AnnouncementSignature.Verify(signed with { Identity = new IdentityKey([.. Enumerable.Repeat((byte)0xFF, IdentityKey.Size)]) }));
    }
}
