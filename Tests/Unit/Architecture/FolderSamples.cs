// Folders that know each other in a circle, for the test that finds such circles: A and B directly, C, D and E around, and C knows A alone.
#pragma warning disable CA1823, CS0169, IDE0051 // Nobody uses these; they are looked at.
namespace Samples.A
{
    internal sealed class One
    {
        private readonly B.Two? _two;
    }
}

namespace Samples.B
{
    internal sealed class Two
    {
        private static readonly Func<object, object?> Cast = value => value as A.One;
    }
}

namespace Samples.C
{
    internal sealed class Three
    {
        private readonly A.One? _one;
        private readonly List<D.Four> _four = [];
    }
}

namespace Samples.D
{
    internal sealed class Four : E.Five;
}

namespace Samples.E
{
    internal class Five
    {
        private static string Read(object three) => ((C.Three)three).ToString()!;
    }
}
