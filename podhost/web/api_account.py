"""The API's calls for one's own account: profile, password, address, tokens and sign-ins."""

import msgspec
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts import own_account
from podhost.accounts.email_change import request_email_change
from podhost.accounts.invitations import accept_as
from podhost.accounts.login_limits import require_mail_request
from podhost.accounts.own_account import OwnAccount, ProfileInput, SignIn, TokenAnswer, TokenInput
from podhost.accounts.password_proof import prove_password
from podhost.accounts.password_reset import change_password
from podhost.accounts.roles import Permission
from podhost.accounts.sessions import end_all_sessions, end_session
from podhost.accounts.team import delete_account, get_account
from podhost.models import Account
from podhost.web.calls import Call, json_answer
from podhost.web.openapi import PREFIX, Operation

_ACCOUNT = PREFIX + "/account"


class NewPassword(msgspec.Struct, kw_only=True):
    """Another password, and the proof."""

    old_password: str
    password: str
    # Those of programs, with the one that calls.
    revoke_tokens: bool = False


class NewEmail(msgspec.Struct, kw_only=True):
    """Another address, and the proof."""

    email: str
    password: str


class Proof(msgspec.Struct, kw_only=True):
    """The account's password, once more."""

    password: str


class TokenList(msgspec.Struct, kw_only=True):
    """The account's tokens that are good."""

    tokens: list[TokenAnswer]


class SignInList(msgspec.Struct, kw_only=True):
    """The browsers in which the account is signed in."""

    sessions: list[SignIn]


def get_own_account(call: Call, session: Session) -> OwnAccount:
    """The account that calls."""
    return own_account.own_account(session, _account(call, session))


def patch_own_account(call: Call) -> Response:
    """Change the profile."""
    given = call.given(ProfileInput, told=OwnAccount)
    with call.write() as session:
        account = _account(call, session)
        own_account.change_profile(account, given)
        session.flush()
        answer = own_account.own_account(session, account)
    return json_answer(msgspec.structs.replace(answer, warnings=call.warnings))


def remove_own_account(call: Call) -> Response:
    """The account ends."""
    _prove(call, call.given(Proof).password)
    with call.write() as session:
        delete_account(session, _account(call, session, lock=True), now=call.now())
    return Response(status_code=204)


def put_own_password(call: Call) -> Response:
    """Change the password; other browsers are signed out."""
    given = call.given(NewPassword)
    _prove(call, given.old_password, field="old_password")
    with call.write() as session:
        change_password(
            session,
            _account(call, session, lock=True),
            given.password,
            keep_session=call.actor.session_id,
            revoke_tokens=given.revoke_tokens,
            base_url=call.instance.base_url,
            now=call.now(),
        )
    return Response(status_code=204)


def post_own_email(call: Call) -> Response:
    """Have a link mailed to another address."""
    given = call.given(NewEmail)
    _prove(call, given.password)
    with call.write() as session:
        account = _account(call, session)
        base_url = call.instance.base_url
        # Nobody's mailbox is to be filled by way of ours.
        require_mail_request(session, given.email, f"account {account.id}", call.now())
        request_email_change(session, account, given.email, base_url=base_url, now=call.now())
    return Response(status_code=204)


def get_own_tokens(call: Call, session: Session) -> TokenList:
    """All of them that are good."""
    account = _account(call, session)
    return TokenList(tokens=own_account.list_own_tokens(session, account.id, now=call.now()))


def post_own_token(call: Call) -> Response:
    """A new token, whose secret is told this once."""
    given = call.given(TokenInput, told=TokenAnswer)
    own_account.require_whole_account(call.actor)
    with call.write() as session:
        made = own_account.make_own_token(session, call.actor, given, now=call.now())
    location = f"{call.instance.base_url}{_ACCOUNT}/tokens/{made.id}"
    return json_answer(made, 201, location=location)


def remove_own_token(call: Call) -> Response:
    """A token is good no longer."""
    with call.write() as session:
        account = _account(call, session)
        token_id = call.parameters["token"]
        own_account.revoke_own_token(session, account.id, token_id, now=call.now())
    return Response(status_code=204)


def get_own_sessions(call: Call, session: Session) -> SignInList:
    """Where the account is signed in."""
    _account(call, session)
    return SignInList(sessions=own_account.list_sign_ins(session, call.actor, now=call.now()))


def remove_own_sessions(call: Call) -> Response:
    """Sign out everywhere else."""
    with call.write() as session:
        account = _account(call, session)
        end_all_sessions(session, account.id, keep=call.actor.session_id)
    return Response(status_code=204)


def remove_own_session(call: Call) -> Response:
    """Sign one browser out."""
    with call.write() as session:
        account = _account(call, session)
        end_session(session, account.id, call.parameters["session"])
    return Response(status_code=204)


def post_own_acceptance(call: Call) -> Response:
    """Take an invitation with the account that calls."""
    with call.write() as session:
        account = _account(call, session)
        accept_as(session, call.parameters["secret"], account, now=call.now())
        answer = own_account.own_account(session, account)
    return json_answer(answer)


def _account(call: Call, session: Session, *, lock: bool = False) -> Account:
    """The account that calls. Raises Forbidden for a token that is good for one show."""
    own_account.require_whole_account(call.actor)
    return get_account(session, call.actor.account_id, lock=lock)


def _prove(call: Call, password: str, *, field: str = "password") -> None:
    own_account.require_whole_account(call.actor)
    now = call.now()
    database = call.instance.database
    prove_password(database, call.actor.account_id, password, field=field, now=now)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_ACCOUNT,
        handler=get_own_account,
        summary="Read your own account.",
        answer=OwnAccount,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="PATCH",
        path=_ACCOUNT,
        handler=patch_own_account,
        summary="Change your name, language or time zone.",
        json=ProfileInput,
        answer=OwnAccount,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="DELETE",
        path=_ACCOUNT,
        handler=remove_own_account,
        summary="End your account.",
        json=Proof,
        status=204,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="PUT",
        path=_ACCOUNT + "/password",
        handler=put_own_password,
        summary="Change your password; other browsers are signed out.",
        json=NewPassword,
        status=204,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="POST",
        path=_ACCOUNT + "/email",
        handler=post_own_email,
        summary="Change your e-mail address, by a link that is mailed to the new one.",
        json=NewEmail,
        status=204,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="GET",
        path=_ACCOUNT + "/tokens",
        handler=get_own_tokens,
        summary="List your tokens that are good.",
        answer=TokenList,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="POST",
        path=_ACCOUNT + "/tokens",
        handler=post_own_token,
        summary="Make a token; its secret is told this once.",
        json=TokenInput,
        answer=TokenAnswer,
        status=201,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="DELETE",
        path=_ACCOUNT + "/tokens/{token}",
        handler=remove_own_token,
        summary="Revoke a token of yours.",
        status=204,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="GET",
        path=_ACCOUNT + "/sessions",
        handler=get_own_sessions,
        summary="List the browsers in which you are signed in.",
        answer=SignInList,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="DELETE",
        path=_ACCOUNT + "/sessions",
        handler=remove_own_sessions,
        summary="Sign out everywhere but here.",
        status=204,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="DELETE",
        path=_ACCOUNT + "/sessions/{session}",
        handler=remove_own_session,
        summary="Sign one browser out.",
        status=204,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="POST",
        path=_ACCOUNT + "/invitations/{secret}",
        handler=post_own_acceptance,
        summary="Take an invitation; {secret} is the last part of its link.",
        answer=OwnAccount,
        needs=Permission.SIGNED_IN,
    ),
)
