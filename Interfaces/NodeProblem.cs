namespace Orleans.WireGuard;

/// <summary>
/// What can be wrong with a node. Numbers are on the wire: new codes go to the end. What each has in
/// <see cref="NodeProblem.Arguments"/> is named in brackets, in order.
/// </summary>
public enum NodeProblemCode
{
    /// <summary>A silo of another version says something that this one does not know.</summary>
    Unknown,

    /// <summary>The silo has not looked at its devices yet.</summary>
    NotReconciled,

    /// <summary>It waits for the first answer of the source that knows the nodes.</summary>
    WaitsForNodes,

    /// <summary>It waits for the first answer of another silo.</summary>
    WaitsForSilo,

    /// <summary>It has no key yet.</summary>
    HasNoKey,

    /// <summary>The devices could not be brought up to date [what failed, as the system said it].</summary>
    DevicesFailed,

    /// <summary>Something else routes packets of this node's pods [what was found].</summary>
    RoutedByOthers,

    /// <summary>Strict mode does not come into force because of <see cref="NodeProblem.Finding"/>.</summary>
    StrictWithheld,

    /// <summary>Strict mode is in force, and <see cref="NodeProblem.Finding"/> says that it does not hold what it promises.</summary>
    StrictBroken,

    /// <summary>
    /// No tunnel works to some nodes whose silos answer [how many; then of each that is named its name, since when in ISO 8601, the
    /// endpoints that were tried, separated by a comma and a blank].
    /// </summary>
    TunnelsSilent,

    /// <summary>The node's clock cannot be right, and nobody could be asked for the time [what it says, in ISO 8601].</summary>
    ClockWrong,

    /// <summary>No clock of the mesh can be right [what the node's own says, in ISO 8601].</summary>
    ClocksWrong,

    /// <summary>It has not announced its key yet [why its latest turn failed; nothing if none did].</summary>
    NotAnnounced,

    /// <summary>It has failed to rotate or announce several times in a row [why].</summary>
    TurnsFail,

    /// <summary>No active silo hosts it; its tunnels keep the last key.</summary>
    NoSilo,

    /// <summary>It gave no answer in time [for how many seconds it was waited].</summary>
    NoAnswer,

    /// <summary>Asking it failed [what the call ended with].</summary>
    CallFailed,

    /// <summary>The source of the nodes has no object of it [the kind of the object].</summary>
    NoObject,

    /// <summary>Its object lacks something, or has what cannot be read [the kind of the object; what is wrong with it].</summary>
    ObjectWrong,

    /// <summary>
    /// Its object shows another key than the announced one [the annotation; the key that it shows, nothing if none; the announced one].
    /// </summary>
    AnnotationWrong,

    /// <summary>
    /// Another node has the addresses that it claims [what is claimed; by which object; what the other one has; which object that is].
    /// </summary>
    OverlapLost,

    /// <summary>
    /// Another node claims addresses that it has; costs it nothing [its object; what it has; the object of the other; what that claims].
    /// </summary>
    OverlapKept,

    /// <summary>There are more overlaps than are named [how many more].</summary>
    MoreOverlaps,

    /// <summary>
    /// It has more pod CIDRs than are announced, and the pods of the others are reached by nobody [its object; how many it has; how many
    /// are announced at most; how many are left out; then some of those].
    /// </summary>
    PodCIDRsLeftOut,

    /// <summary>
    /// It has more addresses than are announced, or some with a zone; costs it nothing [as of <see cref="PodCIDRsLeftOut"/>].
    /// </summary>
    AddressesLeftOut,

    /// <summary>
    /// Too many active silos have not accepted its announcement [how many have not; of how many; its version; then of some of them the
    /// node, the version and the outcome, nothing if it has not answered].
    /// </summary>
    NotAccepted,

    /// <summary>Its silo refuses the announcements of too many active silos [as of <see cref="NotAccepted"/>].</summary>
    RefusesOthers,

    /// <summary>
    /// It has more prefixes for its pods than are announced, and the pods of the others are reached by nobody [how many it has; how many
    /// are announced at most; how many are left out].
    /// </summary>
    PrefixesLeftOut,

    /// <summary>
    /// No source tells what its pods have, so none of them is reached through a tunnel [why, of each source that was asked].
    /// </summary>
    NoPrefixes,

    /// <summary>
    /// What its pods have may be outdated, because the source cannot be read any more [the source, as <c>Nodes:Prefixes</c> names it; why].
    /// </summary>
    PrefixesOutdated,

    /// <summary>
    /// So many of its pod prefixes lie outside of every range of pods that some have no rule, and their packets no tunnel [how many have
    /// none; how many rules there are at most; then some of those].
    /// </summary>
    PodsNotSteered,
}

/// <summary>Something that is wrong with a node, or should be put right.</summary>
/// <param name="Code">What it is.</param>
/// <param name="Arguments">What it is about; which arguments there are depends on <paramref name="Code"/>.</param>
[GenerateSerializer, Immutable, Alias("owg.NodeProblem")]
public sealed record NodeProblem([property: Id(0)] NodeProblemCode Code, [property: Id(1)] EquatableArray<string> Arguments)
{
    /// <summary>The finding that it is about; <see langword="null"/> if it is about none.</summary>
    [Id(2)]
    public Finding? Finding { get; init; }

    /// <summary>Makes one.</summary>
    public static NodeProblem Of(NodeProblemCode code, params ReadOnlySpan<string> arguments) =>
        new(code, EquatableArray.Create(arguments));
}
