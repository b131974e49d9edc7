"""What somebody sees and changes of their own account: profile, tokens, sign-ins; no password."""

from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.accounts.accounts import SCOPES, create_token, revoke_token
from podhost.accounts.roles import Actor, permissions_on
from podhost.accounts.sessions import list_sessions
from podhost.errors import Forbidden, NotFound
from podhost.history.audit import is_about
from podhost.models import Account, LoginSession, Membership, Show, Token
from podhost.shows import find_show
from podhost.translations import LANGUAGES

TOKEN_DAYS = (30, 90, 365)
_LONGEST_NAME = 255


class OwnAccount(msgspec.Struct, kw_only=True):
    """An account as its owner sees it. Without `language`, the browser's is spoken."""

    id: str
    email: str
    name: str
    language: str | None
    time_zone: str | None
    is_operator: bool
    # By show's slug.
    roles: dict[str, str]
    warnings: list[str] = []


class ProfileInput(msgspec.Struct, kw_only=True):
    """What may be changed of it without a proof."""

    name: str | UnsetType = UNSET
    language: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET


class TokenInput(msgspec.Struct, kw_only=True):
    """A token that is wanted: for one show or all, for some days or until it is revoked."""

    name: str
    scope: str = "write"
    show: str | None = None
    days: int | None = None


class TokenAnswer(msgspec.Struct, kw_only=True):
    """A token; `token` is its secret, which is told when it is made and never again."""

    id: str
    name: str
    scope: str
    show: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    token: str | None = None


class SignIn(msgspec.Struct, kw_only=True):
    """A browser that is signed in."""

    id: str
    created_at: datetime
    seen_at: datetime
    address: str
    device: str
    is_this: bool


def require_whole_account(actor: Actor) -> None:
    """Raises Forbidden for a token that is good for one show: it could give itself more."""
    if actor.show_id is not None:
        raise Forbidden("This token is good for one show, and not for the account.")


def own_account(session: Session, account: Account) -> OwnAccount:
    """What its owner sees."""
    rows = session.execute(
        select(Show.slug, Membership.role)
        .join(Membership, Membership.show_id == Show.id)
        .where(Membership.account_id == account.id, Show.deleted_at.is_(None))
        .order_by(Show.slug)
    )
    return OwnAccount(
        id=account.id,
        email=account.email,
        name=account.name,
        language=account.language,
        time_zone=account.time_zone,
        is_operator=account.is_operator,
        roles={slug: role for slug, role in rows},
    )


def change_profile(account: Account, given: ProfileInput) -> None:
    """Put what was given onto the account. Raises Invalid with fields."""
    _, errors = fields.apply_given(account, given, _READERS)
    errors.raise_any()


def _name(value: str) -> str:
    name = fields.optional_line(value)
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"It has {len(name)} characters; {_LONGEST_NAME} are the most.")
    return name


def _language(value: str | None) -> str | None:
    return fields.one_of(*LANGUAGES)(value) if value else None


def _time_zone(value: str | None) -> str | None:
    return fields.time_zone(value) if value else None


_READERS: dict[str, tuple[str, fields.Reader]] = {
    "name": ("name", _name),
    "language": ("language", _language),
    "time_zone": ("time_zone", _time_zone),
}


def list_own_tokens(session: Session, account_id: str, *, now: datetime) -> list[TokenAnswer]:
    """The account's tokens that are good, the newest first."""
    rows = session.execute(
        select(Token, Show.slug)
        .outerjoin(Show, Show.id == Token.show_id)
        .where(
            Token.account_id == account_id,
            Token.revoked_at.is_(None),
            (Token.expires_at.is_(None)) | (Token.expires_at > now),
        )
        .order_by(Token.created_at.desc(), Token.id)
    )
    return [_token_answer(token, slug) for token, slug in rows]


def make_own_token(
    session: Session, actor: Actor, given: TokenInput, *, now: datetime
) -> TokenAnswer:
    """A new token with its secret. One that a token makes is good no longer than that one, or who
    found an old token would have one for ever. Raises Invalid with fields."""
    errors = fields.FieldErrors()
    show = None
    with errors.noting("name"):
        fields.required_line(given.name)
    with errors.noting("scope"):
        fields.one_of(*SCOPES)(given.scope)
    with errors.noting("days"):
        if given.days is not None and given.days not in TOKEN_DAYS:
            raise ValueError(f"It must be one of {', '.join(map(str, TOKEN_DAYS))}, or nothing.")
    with errors.noting("show"):
        show = _own_show(session, actor, given.show) if given.show else None
    errors.raise_any()
    token, secret = create_token(
        session,
        session.get_one(Account, actor.account_id),
        name=given.name,
        scope=given.scope,
        show_id=show.id if show is not None else None,
        expires_at=_end(session, actor, given, now),
        now=now,
    )
    is_about(token.name)
    answer = _token_answer(token, show.slug if show is not None else None)
    return msgspec.structs.replace(answer, token=secret)


def _end(session: Session, actor: Actor, given: TokenInput, now: datetime) -> datetime | None:
    wanted = now + timedelta(days=given.days) if given.days is not None else None
    maker = session.get(Token, actor.token_id) if actor.token_id is not None else None
    if maker is None or maker.expires_at is None:
        return wanted
    return min(wanted, maker.expires_at) if wanted is not None else maker.expires_at


def _own_show(session: Session, actor: Actor, slug: str) -> Show:
    show = find_show(session, slug) if fields.may_be_slug(slug) else None
    is_gone = show is None or show.deleted_at is not None
    if show is None or is_gone or not permissions_on(session, actor, show.id):
        raise ValueError("There is no such show here.")
    return show


def revoke_own_token(session: Session, account_id: str, token_id: str, *, now: datetime) -> None:
    """The token is good for nothing from now on. Raises NotFound for another account's."""
    token = session.get(Token, token_id)
    if token is None or token.account_id != account_id:
        raise NotFound("There is no such token.")
    revoke_token(session, token_id, now=now)
    is_about(token.name)


def _token_answer(token: Token, slug: str | None) -> TokenAnswer:
    return TokenAnswer(
        id=token.id,
        name=token.name,
        scope=token.scope,
        # Of one whose show is gone, at least that it is not good for everything.
        show=slug or token.show_id,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
    )


def list_sign_ins(session: Session, actor: Actor, *, now: datetime) -> list[SignIn]:
    """The browsers that are signed in, the last seen first."""
    return [
        _sign_in(row, actor.session_id) for row in list_sessions(session, actor.account_id, now=now)
    ]


def _sign_in(row: LoginSession, this_id: str | None) -> SignIn:
    return SignIn(
        id=row.id,
        created_at=row.created_at,
        seen_at=row.seen_at,
        address=row.address,
        device=row.device,
        is_this=row.id == this_id,
    )
