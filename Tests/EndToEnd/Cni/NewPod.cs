namespace Orleans.WireGuard.Tests.EndToEnd.Cni;

/// <summary>How a pod that was just added was reached from another node, tried from the moment on at which its plugin had ended.</summary>
/// <param name="After">The time until a connection was there; <see langword="null"/> if none ever was.</param>
/// <param name="IsAtOnce">Whether the very first packet passed.</param>
internal sealed record NewPod(TimeSpan? After, bool IsAtOnce);
