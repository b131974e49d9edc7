"""Who is asking: the token of an API request; it keeps no session and sets no cookie."""

from sqlalchemy.orm import Session
from starlette.requests import Request

from podhost.accounts import KnownToken, check_token
from podhost.errors import Forbidden, Unauthorized
from podhost.instance import Instance
from podhost.rate_limits import RateLimits

READ = "read"
WRITE = "write"
_SECRET_LIMIT = 500


def require_token(request: Request, scope: str) -> KnownToken:
    """The token that came with the request. It blocks on the database.

    Raises Unauthorized when there is none or it is not good (any more), and Forbidden when it
    may only read and `scope` is WRITE, and TooManyRequests when too many wrong ones came from its
    address.
    """
    instance: Instance = request.app.state.instance
    with instance.database.read() as session:
        return require_token_in(session, request, scope, instance=instance)


def require_token_in(
    session: Session, request: Request, scope: str, *, instance: Instance
) -> KnownToken:
    """Like `require_token`, in a session that is open already."""
    limits: RateLimits = request.app.state.limits
    host = request.client.host if request.client else ""
    secret = _secret(request)
    limits.require_attempt(host, secret)
    try:
        token = check_token(session, secret, now=instance.now())
    except Unauthorized:
        limits.note_failure(host)
        raise
    limits.note_success(secret)
    if scope == WRITE and token.scope != WRITE:
        raise Forbidden("This token may only read; make one that may write with `token create`.")
    return token


def challenge(request: Request) -> str:
    """The WWW-Authenticate header of an answer 401 (RFC 6750 3)."""
    if "authorization" in request.headers:
        return 'Bearer realm="podhost", error="invalid_token"'
    return 'Bearer realm="podhost"'


def _secret(request: Request) -> str:
    header = request.headers.get("authorization", "")
    scheme, _, secret = header.partition(" ")
    secret = secret.strip()
    if not header:
        raise Unauthorized(
            "This needs a token: send the header `Authorization: Bearer TOKEN`. "
            "`podhost token create` makes one."
        )
    if scheme.lower() != "bearer" or not secret or len(secret) > _SECRET_LIMIT:
        raise Unauthorized("The header must read `Authorization: Bearer TOKEN`.")
    return secret
