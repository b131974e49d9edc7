"""Who is asking: the token of an API request, or the sign-in of the studio's own pages."""

from sqlalchemy.orm import Session
from starlette.requests import Request

from podhost.accounts.accounts import check_token
from podhost.accounts.last_uses import LastUses
from podhost.accounts.roles import Actor
from podhost.accounts.sessions import SignedIn, find_session, is_csrf_token
from podhost.errors import Forbidden, Unauthorized
from podhost.instance import Instance
from podhost.rate_limits import RateLimits

CSRF_HEADER = "X-CSRF-Token"
# What needs no proof that a page of ours asked for it (RFC 9110 9.2.1).
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SECRET_LIMIT = 500
_COOKIE = "podhost_session"


def cookie_name(base_url: str) -> str:
    """The name of the cookie with the sign-in; behind TLS no other host can have set it.

    RFC 6265bis 4.1.3.2: browsers take `__Host-` only with Secure, Path=/ and without Domain.
    """
    return f"__Host-{_COOKIE}" if is_behind_tls(base_url) else _COOKIE


def is_behind_tls(base_url: str) -> bool:
    """Whether browsers reach us by https, so that cookies can be kept from anything else."""
    return base_url.startswith("https:")


def require_actor(session: Session, request: Request, *, instance: Instance) -> Actor:
    """Who calls the API. It blocks on the database.

    Raises Unauthorized when there is no token or sign-in, or it is not good (any more),
    Forbidden when a changing call comes by a token that may only read, or by a sign-in without
    the proof that a page of ours sends, and TooManyRequests when too many wrong tokens came from
    its address.
    """
    is_changing = request.method not in SAFE_METHODS
    if "authorization" not in request.headers:
        signed_in = find_signed_in(session, request, instance=instance)
        if signed_in is not None:
            if is_changing:
                secret = cookie_secret(request, instance=instance)
                require_csrf(request, secret, request.headers.get(CSRF_HEADER, ""))
            return signed_in
    actor = _require_token(session, request, instance=instance)
    if is_changing and not actor.can_write:
        raise Forbidden("This token may only read; make one that may write with `token create`.")
    return actor


def find_signed_in(session: Session, request: Request, *, instance: Instance) -> SignedIn | None:
    """Who is signed in in the browser that asks; None: nobody."""
    secret = cookie_secret(request, instance=instance)
    if not secret:
        return None
    found = find_session(session, secret, now=instance.now())
    if found is not None:
        _note_use(request, found, instance)
    return found


def cookie_secret(request: Request, *, instance: Instance) -> str:
    """The secret of the sign-in; "": there is none."""
    return request.cookies.get(cookie_name(instance.base_url), "")


def require_csrf(request: Request, secret: str, given: str) -> None:
    """Raises Forbidden unless a page of ours, of the visitor with this secret, asked for it."""
    # Browsers say so themselves; older ones leave it to the token.
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none") or not is_csrf_token(secret, given):
        raise Forbidden(
            "This did not come from a page of this studio that is still open. "
            "Open the page again, and try once more."
        )


def _require_token(session: Session, request: Request, *, instance: Instance) -> Actor:
    limits: RateLimits = request.app.state.limits
    host = client_address(request)
    secret = _secret(request)
    limits.require_attempt(host, secret)
    try:
        actor = check_token(session, secret, now=instance.now())
    except Unauthorized:
        limits.note_failure(host)
        raise
    limits.note_success(secret)
    _note_use(request, actor, instance)
    return actor


def _note_use(request: Request, actor: Actor, instance: Instance) -> None:
    last_uses: LastUses = request.app.state.last_uses
    last_uses.note(actor, instance.now())


def client_address(request: Request) -> str:
    """The address of whoever asks, as the server knows it."""
    return request.client.host if request.client else ""


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
