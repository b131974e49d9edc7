"""What S3 servers and boto3 say when something fails, in words; it asks no server anything."""

NO_OBJECT = {"NoSuchKey", "NotFound", "404"}
NO_RANGE = {"InvalidRange", "416"}
# What a store says when the key is taken, or when an upload is complete already: after a retry
# whose first answer was lost on the way, both may speak of our own write.
NOT_WRITTEN = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload", "412", "409"}
NOT_IMPLEMENTED = {"NotImplemented", "501"}

_REASONS = {
    "it does not exist": ("404", "NoSuchBucket"),
    "these credentials may not use it": ("403", "AccessDenied", "Forbidden"),
    "the access key is unknown there": ("InvalidAccessKeyId",),
    # Swift says so of an unknown access key too.
    "the access key or the secret key is wrong": ("SignatureDoesNotMatch",),
    "the credentials have expired": ("ExpiredToken",),
    "no credentials were found in the environment": ("NoCredentialsError",),
    "the credentials in the environment are incomplete": ("PartialCredentialsError",),
    "the credentials could not be fetched": ("CredentialRetrievalError",),
    "the clock of this machine is wrong": ("RequestTimeTooSkewed",),
    "it lies in another region": ("301", "PermanentRedirect", "AuthorizationHeaderMalformed"),
    "it has too much to do": ("503", "SlowDown", "ServiceUnavailable"),
    "something went wrong inside it": ("500", "InternalError"),
    "its space is used up": ("507", "InsufficientStorage", "QuotaExceeded"),
    "the server does not answer": ("EndpointConnectionError", "ConnectTimeoutError"),
    "the server stopped answering": ("ReadTimeoutError",),
    "the certificate of the server was not accepted": ("SSLError",),
    "the connection was closed": (
        "ConnectionClosedError",
        "ResponseStreamingError",
        "IncompleteReadError",
    ),
}
_REASON_OF_CODE = {code: reason for reason, codes in _REASONS.items() for code in codes}


def code_of(error: BaseException) -> str:
    """The error code in a server's answer, such as NoSuchKey; empty if there was no answer."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def reason_of(error: BaseException) -> str:
    """Half a sentence about a bucket, for a person; it never quotes the server's own message."""
    name = code_of(error) or type(error).__name__
    return _REASON_OF_CODE.get(name, f"the answer was {name}")


def is_timeout(error: BaseException) -> bool:
    """Whether the store was silent for too long, rather than saying no or hanging up."""
    name = type(error).__name__
    if name == "ConnectionClosedError":
        # Also what botocore makes of a store that stopped to take bytes.
        reasons = (error.__context__, getattr(error.__context__, "__context__", None))
        return any(isinstance(reason, TimeoutError) for reason in reasons)
    return name in ("ReadTimeoutError", "ConnectTimeoutError")
