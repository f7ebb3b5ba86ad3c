namespace Orleans.WireGuard.Api;

/// <summary>Why a request to the Kubernetes API failed, as far as callers decide by it.</summary>
internal enum ApiFailure
{
    /// <summary>No answer, or an answer that says to come back: network, timeout, 5xx, an open circuit.</summary>
    Unavailable,

    /// <summary>How the server is reached could not be read, or must not be used: nothing was sent. It is read again each time.</summary>
    Misconfigured,

    /// <summary>429: the server sheds load.</summary>
    Throttled,

    /// <summary>401: the token is missing, wrong or expired, also after it was read again.</summary>
    Unauthorized,

    /// <summary>403: an RBAC verb is missing.</summary>
    Forbidden,

    /// <summary>The server does not know the kind: its CustomResourceDefinition is not installed.</summary>
    MissingDefinition,

    /// <summary>404: the object, or its namespace, does not exist.</summary>
    NotFound,

    /// <summary>409: someone else changed the object first.</summary>
    Conflict,

    /// <summary>409: the object exists already.</summary>
    AlreadyExists,

    /// <summary>410: the resource version is too old to go on from.</summary>
    Gone,

    /// <summary>The object exceeds what the server or etcd stores.</summary>
    TooLarge,

    /// <summary>Any other refusal: the request itself is wrong.</summary>
    Invalid,
}

/// <summary>The Kubernetes API refused or did not answer. The message says what was asked, what came and what to do.</summary>
/// <param name="failure">What callers decide by.</param>
/// <param name="statusCode">HTTP status; 0 if there was no answer.</param>
/// <param name="message">For people.</param>
/// <param name="innerException">The cause, if there was no answer.</param>
internal sealed class KubernetesApiException(ApiFailure failure, int statusCode, string message, Exception? innerException = null)
    : Exception(message, innerException)
{
    /// <summary>What callers decide by.</summary>
    public ApiFailure Failure { get; } = failure;

    /// <summary>HTTP status; 0 if there was no answer.</summary>
    public int StatusCode { get; } = statusCode;

    /// <summary>How long the server asked us to wait; null if it did not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>How often the request was sent; more than one means that an earlier try may have succeeded unseen.</summary>
    public int Attempts { get; set; } = 1;

    /// <summary>Whether the same request may succeed a little later.</summary>
    public bool IsTransient => Failure is ApiFailure.Unavailable or ApiFailure.Throttled or ApiFailure.Misconfigured;
}
