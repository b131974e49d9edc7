"""The one error type of podhost, a code and a sentence, and which errors are the machine's own; it
knows nothing of HTTP or terminals."""

import errno
from collections.abc import Mapping
from typing import TypeGuard

# What a machine may run out of, wherever that is noticed.
_SHORT_OF = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
)


def is_shortage(error: BaseException) -> TypeGuard[OSError]:
    """Whether the machine is short of something, which is no mistake of ours."""
    return isinstance(error, OSError) and error.errno in _SHORT_OF


class PodhostError(Exception):
    """What a caller may show to a person: a stable code and a sentence that says what to do.

    `fields` names the inputs that are wrong, each with its own sentence. Everything else that
    goes wrong inside is an ordinary exception, shown as "internal" and logged whole.
    """

    code = "internal"

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})


class Invalid(PodhostError):
    """The input cannot be used as it is."""

    code = "invalid"


class Unauthorized(PodhostError):
    """Nobody is logged in, or the token is unknown, expired or revoked."""

    code = "unauthorized"


class Forbidden(PodhostError):
    """Somebody is logged in, but may not do this."""

    code = "forbidden"


class NotFound(PodhostError):
    """There is no such thing, or the asker may not know of it."""

    code = "not_found"


class Gone(NotFound):
    """There was such a thing, and it will not come back."""

    code = "gone"


class Conflict(PodhostError):
    """The input is fine, but what is stored already forbids it."""

    code = "conflict"


class Outdated(PodhostError):
    """What the caller saw is no longer what is stored."""

    code = "outdated"


class TooLate(PodhostError):
    """The input did not arrive whole within the time that is given to it."""

    code = "too_late"


class TooLarge(PodhostError):
    """The input is larger than this instance accepts."""

    code = "too_large"


class Unsupported(PodhostError):
    """The input comes in a form that is not read here."""

    code = "unsupported"


class TooManyRequests(PodhostError):
    """The same address or token asks too often; `wait_seconds` later there is room again."""

    code = "too_many_requests"

    def __init__(self, message: str, wait_seconds: float) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class Unavailable(PodhostError):
    """A part that podhost needs (database, storage) does not answer; trying again may help."""

    code = "unavailable"


class Uncertain(Unavailable):
    """The answer to a commit was lost: the change may be stored, or may still come to be."""
