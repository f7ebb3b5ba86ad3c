using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.WireGuard.Api;
using Orleans.WireGuard.Grains.Delivery;
using Orleans.WireGuard.Grains.Rotation;
using Orleans.WireGuard.Silo.Agent;
using Orleans.WireGuard.Silo.Clustering;
using Orleans.WireGuard.Silo.Findings;
using Orleans.WireGuard.Silo.Nodes;
using Orleans.WireGuard.Silo.Web;

namespace Orleans.WireGuard.Tests.Unit.Hosting;

/// <summary>Every option is checked against its documented range, and all faults are told at once.</summary>
public sealed class OptionsValidatorTests
{
    private static readonly TimeSpan ResponseTimeout = TimeSpan.FromSeconds(10);
    private static readonly IOptions<SiloMessagingOptions> Messaging = Options.Create(
        new SiloMessagingOptions { ResponseTimeout = ResponseTimeout });

    [Fact]
    public void Validate_Defaults_Succeed()
    {
        Assert.True(new DeliveryOptionsValidator(Messaging).Validate(null, new DeliveryOptions()).Succeeded);
        Assert.True(new RotationOptionsValidator(Messaging).Validate(null, new RotationOptions()).Succeeded);
        Assert.True(new ClusteringOptionsValidator().Validate(null, new ClusteringOptions()).Succeeded);
        Assert.True(new DeviceOptionsValidator().Validate(null, new DeviceOptions()).Succeeded);
        Assert.True(Web(_ => { }).Succeeded);
        Assert.True(Routing(_ => { }).Succeeded);
        Assert.True(new EncryptionOptionsValidator().Validate(null, new EncryptionOptions()).Succeeded);
    }

    [Fact]
    public void Validate_Encryption_HoldsItsRules()
    {
        AssertFails("Strict, Permissive", Encryption(options => options.Mode = (EncryptionMode)7));
        AssertFails("'10.244.0.1/16'", Encryption(options => options.ClusterCIDRs.Add("10.244.0.1/16")));
        AssertFails("::/0", Encryption(options => options.ClusterCIDRs.Add("::/0")));
        Assert.True(Encryption(options => options.ClusterCIDRs.Add("fd00:244::/48")).Succeeded);
        foreach (var text in (string[])["", "On", "8472,", "0", "65536", "8472 6081", "udp 8472", "1,2,3,4,5", "Auto, 8472", "-1"])
        {
            AssertFails($"'{text}'", Encryption(options => options.Encapsulation = text));
        }

        foreach (var text in (string[])["auto", "OFF", "8472", "8472,6081", "8472, ipip", "1,1,2,3,4"])
        {
            Assert.True(Encryption(options => options.Encapsulation = text).Succeeded, text);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(true, "cilium_wg1", "cilium_wg2")]
    [InlineData(true, "cilium_a2345678", "cilium_b")]
    [InlineData(false, "cilium_wg1")]
    [InlineData(false, "cilium_wg1", "cilium_wg1")]
    [InlineData(false, "cilium_wg1", "wg1")]
    [InlineData(false, "cilium_wg1", "cilium_")]
    [InlineData(false, "cilium_wg1", "cilium_0123456789")]
    [InlineData(false, "cilium_wg1", "cilium_/../x")]
    [InlineData(false, "cilium_wg1", "cilium_wg2", "cilium_wg3")]
    public void Validate_DeviceNames_AreNoneOrTwo(bool isValid, params string[] names)
    {
        var options = new DeviceOptions();
        Array.ForEach(names, options.Names.Add);
        var result = new DeviceOptionsValidator().Validate(null, options);
        Assert.True(isValid == result.Succeeded, result.FailureMessage);
        Assert.True(isValid || result.FailureMessage!.Contains("Device:Names", StringComparison.Ordinal));
    }

    [Fact]
    public void Validate_Routing_HoldsItsRanges()
    {
        CheckRange("Routing:Table", 1, 1_000_000_000, 1, value => Routing(options => options.Table = value));
        CheckRange("Routing:RulePriority", 3, 32764, 1, value => Routing(options => options.RulePriority = value));
        Assert.All(Enumerable.Range(252, 4), table => AssertFails("252 to 255", Routing(options => options.Table = table)));
        Assert.True(Routing(options => options.Table = 256).Succeeded);
    }

    [Fact]
    public void Validate_Nodes_SaysWhatIsWrongWithThePrefixes()
    {
        Assert.True(Nodes(_ => { }).Succeeded);
        Assert.True(Nodes(options =>
        {
            options.Prefixes = PrefixSource.Kernel;
            options.PodRanges.Add("10.0.0.0/8");
            options.PodRanges.Add("fd00::/16");
            options.Exempt = ["type in (virtual-kubelet,edge)", "!kubernetes.io/os"];
        }).Succeeded);
        AssertFails("Nodes:PodRanges is empty", Nodes(options => options.Prefixes = PrefixSource.Kernel));
        AssertFails("Auto, NodeNetworkConfig, CiliumNode, Node, Kernel, Static", Nodes(options => options.Prefixes = (PrefixSource)7));
        AssertFails("'10.244.0.1/16'", Nodes(options => options.PodRanges.Add("10.244.0.1/16")));
        AssertFails("10.0.0.0/7 is wider", Nodes(options => options.PodRanges.Add("10.0.0.0/7")));
        AssertFails("fc00::/15 is wider", Nodes(options => options.PodRanges.Add("fc00::/15")));
        AssertFails("'os>windows' is not a label selector", Nodes(options => options.Exempt = ["os>windows"]));
        AssertFails("Nodes:Prefixes is Static", Nodes(options => options.Prefixes = PrefixSource.Static));

        // Without an API server.
        Assert.True(Nodes(options => options.Prefixes = PrefixSource.Static, api: null).Succeeded);
        AssertFails("no API server is known", Nodes(options => options.Prefixes = PrefixSource.CiliumNode, api: null));
    }

    [Fact]
    public void Validate_Delivery_HoldsItsRanges()
    {
        CheckRange("Delivery:AttemptTimeout", Milliseconds(10), ResponseTimeout - OneTick, OneTick, value => Delivery(
            options => options.AttemptTimeout = value));
        CheckRange("Delivery:MaxAttempts", 1, 20, 1, value => Delivery(options => options.MaxAttempts = value));
        CheckRange("Delivery:LaggardInterval", Milliseconds(100), Minutes(1), OneTick, value => Delivery(
            options => options.LaggardInterval = value));
        CheckRange("Delivery:AntiEntropyInterval", Milliseconds(100), Minutes(1), OneTick, value => Delivery(
            options => options.AntiEntropyInterval = value));
        CheckRange("Delivery:AntiEntropyFanOut", 1, 16, 1, value => Delivery(options => options.AntiEntropyFanOut = value));
    }

    [Fact]
    public void Validate_Rotation_HoldsItsRanges()
    {
        CheckRange(
            "Rotation:Period",
            TimeSpan.FromSeconds(1),
            TimeSpan.FromDays(1),
            OneTick,
            value => Rotation(options => options.Period = value));
        CheckRange("Rotation:Slots", 1, 2, 1, value => Rotation(options => options.Slots = value));
        CheckRange("Rotation:GracePeriod", TimeSpan.Zero, TimeSpan.FromHours(1), OneTick, value => Rotation(
            options => options.GracePeriod = value));
        CheckRange(
            "Rotation:MaxKeyAge", Minutes(6), TimeSpan.FromDays(7), OneTick, value => Rotation(options => options.MaxKeyAge = value));
        CheckRange("Rotation:MaxKeyAge", Minutes(4), TimeSpan.FromDays(7), OneTick, value => Rotation(
            options => (options.Slots, options.MaxKeyAge) = (1, value)));
        CheckBounds("Rotation:MaxLaggingFraction", 0, 1, -0.01, 1.01, value => Rotation(options => options.MaxLaggingFraction = value));
        AssertFails("NaN", Rotation(options => options.MaxLaggingFraction = double.NaN));
        CheckRange("Rotation:ApplyTimeout", Milliseconds(100), ResponseTimeout - OneTick, OneTick, value => Rotation(
            options => options.ApplyTimeout = value));
    }

    [Fact]
    public void Validate_PeriodTooLongForTheGivenMaxKeyAge_SaysWhatToGive() => AssertFails(
        "MaxKeyAge must be from 03:00:00 to 7.00:00:00, not 00:15:00",
        Rotation(options => (options.Period, options.MaxKeyAge) = (TimeSpan.FromHours(1), Minutes(15))));

    [Theory]
    [InlineData(2, 2, 15)]
    [InlineData(5, 2, 20)]
    [InlineData(5, 1, 15)]
    [InlineData(24 * 60, 2, 4 * 24 * 60)]
    public void EffectiveMaxKeyAge_NoneGiven_FollowsThePeriod(int periodMinutes, int slots, int expectedMinutes)
    {
        var options = new RotationOptions { Period = Minutes(periodMinutes), Slots = slots };
        Assert.Equal(Minutes(expectedMinutes), options.EffectiveMaxKeyAge);
        Assert.Equal(Minutes(7), new RotationOptions { MaxKeyAge = Minutes(7) }.EffectiveMaxKeyAge);
    }

    // Orleans would give up the call first, with an exception that says nothing of the setting.
    [Fact]
    public void Validate_LongerThanOrleansWaits_SaysHowLongThatIs() =>
        AssertFails("less than 00:00:10, when Orleans itself gives up a call", Delivery(
            options => options.AttemptTimeout = TimeSpan.FromSeconds(15)));

    [Fact]
    public void Validate_Device_HoldsItsRanges()
    {
        // Slot 1 listens on the port above.
        CheckRange("Device:ListenPort", 1, 65534, 1, value => Device(options => options.ListenPort = value));
        CheckRange("Device:ResyncInterval", TimeSpan.FromSeconds(1), Minutes(10), OneTick, value => Device(
            options => options.ResyncInterval = value));
        CheckRange("Device:Mtu", 576, 65455, 1, value => Device(options => options.Mtu = value));
        Assert.True(Device(options => options.Mtu = 0).Succeeded);
        AssertFails("Device:UserspaceCommand", Device(options => options.UserspaceCommand = ""));
    }

    [Fact]
    public void Validate_Clustering_HoldsItsRules()
    {
        CheckRange("Clustering:SiloPort", 1, 65535, 1, value => Clustering(options => options.SiloPort = value));
        CheckRange("Clustering:GatewayPort", 0, 65535, 1, value => Clustering(options => options.GatewayPort = value));
        AssertFails("both 11111", Clustering(options => options.GatewayPort = 11111));
        AssertFails("Clustering:ClusterId", Clustering(options => options.ClusterId = ""));
        AssertFails("'localhost'", Clustering(options => options.GatewayAddress = "localhost"));
        AssertFails("Development, Redis", Clustering(options => options.Provider = (ClusteringProvider)7));
        AssertFails("Clustering:Redis", Clustering(options => options.Provider = ClusteringProvider.Redis));
        Assert.True(
            Clustering(options => (options.Provider, options.Redis) = (ClusteringProvider.Redis, "192.168.100.254:6379")).Succeeded);
    }

    // A retry without a pause is an attack on a server that is in trouble already.
    [Fact]
    public void Validate_KubernetesApi_WantsAPauseBeforeARetry() =>
        CheckRange("RetryDelay", Milliseconds(10), new KubernetesApiOptions().MaxRetryDelay, OneTick, value => Api(
            options => options.RetryDelay = value));

    [Fact]
    public void Validate_Web_HoldsItsRules()
    {
        CheckRange("Web:Port", 1, 65535, 1, value => Web(options => options.Port = value));
        AssertFails("'*'", Web(options => options.Address = "*"));
        AssertFails("Web:Port and Clustering:SiloPort are both 11111", Web(options => options.Port = 11111));
        AssertFails("Web:Port and Clustering:GatewayPort are both 30000", Web(options => options.Port = 30000));
    }

    [Fact]
    public void Validate_Node_WantsAName()
    {
        var validator = new NodeOptionsValidator();
        Assert.True(validator.Validate(null, new NodeOptions { Name = "node-1" }).Succeeded);
        AssertFails("NODE_NAME", validator.Validate(null, new NodeOptions()));
        AssertFails("'Node_1'", validator.Validate(null, new NodeOptions { Name = "Node_1" }));
    }

    [Fact]
    public void Validate_SeveralFaults_TellsAll()
    {
        var result = Delivery(options => (options.MaxAttempts, options.AntiEntropyFanOut, options.AttemptTimeout) = (0, 17, TimeSpan.Zero));
        Assert.Equal(3, result.Failures?.Count());
        Assert.Equal(
            4, Clustering(options => (options.ClusterId, options.GatewayAddress, options.SiloPort, options.GatewayPort) = ("", "", 0, 0))
            .Failures?.Count());
    }

    private static TimeSpan OneTick => TimeSpan.FromTicks(1);

    private static TimeSpan Milliseconds(int value) => TimeSpan.FromMilliseconds(value);

    private static TimeSpan Minutes(int value) => TimeSpan.FromMinutes(value);

    private static ValidateOptionsResult Nodes(Action<NodesOptions> change, string? api = "https://10.0.0.1") => new NodesOptionsValidator(
        Options.Create(new NodeOptions { Name = "a", Address = "10.0.0.4" }),
        Options.Create(new KubernetesApiOptions { Pod = null, Address = api is null ? null : new Uri(api) }))
        .Validate(null, Changed<NodesOptions>(options =>
        {
            if (api is null)
            {
                options.Static.Add(new StaticNodeOptions { Name = "a", Addresses = { "10.0.0.4" } });
            }

            change(options);
        }));

    private static ValidateOptionsResult Delivery(Action<DeliveryOptions> change) =>
        new DeliveryOptionsValidator(Messaging).Validate(null, Changed(change));

    private static ValidateOptionsResult Rotation(Action<RotationOptions> change) =>
        new RotationOptionsValidator(Messaging).Validate(null, Changed(change));

    private static ValidateOptionsResult Encryption(Action<EncryptionOptions> change) =>
        new EncryptionOptionsValidator().Validate(null, Changed(change));

    private static ValidateOptionsResult Routing(Action<RoutingOptions> change) =>
        new RoutingOptionsValidator().Validate(null, Changed(change));

    private static ValidateOptionsResult Device(Action<DeviceOptions> change) =>
        new DeviceOptionsValidator().Validate(null, Changed(change));

    private static ValidateOptionsResult Api(Action<KubernetesApiOptions> change) =>
        new KubernetesApiOptionsValidator().Validate(null, Changed(change));

    private static ValidateOptionsResult Clustering(Action<ClusteringOptions> change) =>
        new ClusteringOptionsValidator().Validate(null, Changed(change));

    private static ValidateOptionsResult Web(Action<WebOptions> change) =>
        new WebOptionsValidator(Options.Create(new ClusteringOptions())).Validate(null, Changed(change));

    private static T Changed<T>(Action<T> change)
        where T : new()
    {
        var options = new T();
        change(options);
        return options;
    }

    private static void CheckRange(string setting, int min, int max, int step, Func<int, ValidateOptionsResult> validate) =>
        CheckBounds(setting, min, max, min - step, max + step, validate);

    private static void CheckRange(
        string setting, TimeSpan min, TimeSpan max, TimeSpan step, Func<TimeSpan, ValidateOptionsResult> validate) =>
        CheckBounds(setting, min, max, min - step, max + step, validate);

    private static void CheckBounds<T>(string setting, T min, T max, T below, T above, Func<T, ValidateOptionsResult> validate)
    {
        Assert.True(validate(min).Succeeded, $"{setting} refuses {min}");
        Assert.True(validate(max).Succeeded, $"{setting} refuses {max}");
        AssertFails(setting, validate(below));
        AssertFails($"{above}", validate(above));
    }

    private static void AssertFails(string expected, ValidateOptionsResult result)
    {
        Assert.True(result.Failed);
        Assert.Contains(expected, Assert.Single(result.Failures), StringComparison.Ordinal);
    }
}
