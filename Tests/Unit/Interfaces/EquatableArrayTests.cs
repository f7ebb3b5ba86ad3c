using System.Collections.Immutable;
using CsCheck;

namespace Orleans.WireGuard.Tests.Unit.Interfaces;

/// <summary>A list that compares by its elements.</summary>
public sealed class EquatableArrayTests
{
    [Fact]
    public void Equals_AnyTwo_ComparesTheElements() =>
        Gen.Select(Gen.Int[0, 1].Array[0, 3], Gen.Int[0, 1].Array[0, 3]).Sample((left, right) =>
    {
        EquatableArray<int> a = [.. left];
        EquatableArray<int> b = [.. right];
        var isEqual = left.SequenceEqual(right);
        Assert.Equal((isEqual, !isEqual, isEqual), (a == b, a != b, a.Equals((object)b)));
        Assert.True(!isEqual || a.GetHashCode() == b.GetHashCode());
    });

    [Fact]
    public void Equals_ListsOfLists_ComparesTheInnerElements()
    {
        EquatableArray<EquatableArray<string>> left = [["a"], ["b", "c"]];
        EquatableArray<EquatableArray<string>> right = [["a"], ["b", "c"]];
        Assert.Equal(left, right);
        Assert.NotEqual(left, [["a"], ["b", "d"]]);
    }

    [Fact]
    public void Default_IsEmpty()
    {
        var none = default(EquatableArray<string>);
        Assert.Empty(none);
        Assert.Equal([], none);
        Assert.Equal(0, none.AsSpan().Length);
        Assert.Equal(none.GetHashCode(), new EquatableArray<string>([]).GetHashCode());
        Assert.Equal(new EquatableArray<string>(default(ImmutableArray<string>)), none);
    }

    [Fact]
    public void Create_FromArray_IsACopy()
    {
        int[] source = [1, 2];
        EquatableArray<int> copy = [.. source];
        source[0] = 9;
        Assert.Equal([1, 2], copy);
        Assert.Equal(2, copy[1]);
    }

    [Fact]
    public void Equals_AnotherType_IsFalse() => Assert.False(new EquatableArray<int>([1]).Equals("1"));
}
