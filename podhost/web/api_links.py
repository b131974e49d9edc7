"""The API's calls for what mailed links open; nobody has to be known, and a cookie says nothing.

The secret in the path is the proof: without it, a program can only have a link mailed.
"""

import msgspec
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost import fields
from podhost.accounts import invitations, own_account
from podhost.accounts.email_change import confirm_email
from podhost.accounts.invitations import InvitationShown
from podhost.accounts.login_limits import require_mail_request
from podhost.accounts.own_account import OwnAccount, TokenAnswer, TokenInput
from podhost.accounts.password_reset import request_reset, reset_password
from podhost.accounts.roles import Actor
from podhost.errors import Invalid
from podhost.history import audit
from podhost.models import Account
from podhost.translations import LANGUAGES, choose_language
from podhost.web.calls import Call, json_answer, named
from podhost.web.openapi import PREFIX, Operation

_LINKS = PREFIX + "/links"
_PASSWORD = _LINKS + "/password"
_INVITATION = _LINKS + "/invitation/{secret}"


class ForgottenPassword(msgspec.Struct, kw_only=True):
    """Whose password is forgotten; without `language`, the message speaks as the caller does."""

    email: str
    language: str | None = None


class ResetPassword(msgspec.Struct, kw_only=True):
    """The new password, and whether programs are to be given new tokens too."""

    password: str
    revoke_tokens: bool = False


class Acceptance(msgspec.Struct, kw_only=True):
    """The account to be made; `token` is the name of a token that is made with it."""

    name: str
    password: str
    language: str | None = None
    token: str | None = None


class NewOwnAccount(OwnAccount, kw_only=True):
    """The account that was made, and its token where one was asked for."""

    token: TokenAnswer | None = None


def post_forgotten(call: Call) -> Response:
    """Have a link mailed; the answer is the same whether there is such an account or not."""
    given = call.given(ForgottenPassword)
    language = _language(call, given.language)
    with call.write() as session:
        require_mail_request(session, given.email, call.address, call.now())
        request_reset(session, given.email, language=language, now=call.now())
    return Response(status_code=204)


def post_reset(call: Call) -> Response:
    """Set the password."""
    given = call.given(ResetPassword)
    with call.write() as session:
        reset_password(
            session,
            call.parameters["secret"],
            given.password,
            revoke_tokens=given.revoke_tokens,
            base_url=call.instance.base_url,
            now=call.now(),
        )
    return Response(status_code=204)


def post_confirmed_email(call: Call) -> Response:
    """The address that the link proves is the account's from now on."""
    with call.write() as session:
        confirm_email(session, call.parameters["secret"], now=call.now())
    return Response(status_code=204)


def get_shown_invitation(call: Call, session: Session) -> InvitationShown:
    """What one is invited to."""
    return invitations.show_invitation(session, call.parameters["secret"], now=call.now())


def post_acceptance(call: Call) -> Response:
    """Take the invitation with a new account."""
    given = call.given(Acceptance, told=NewOwnAccount)
    if given.language is not None:
        _language(call, given.language)
    with call.write() as session:
        account = invitations.accept_as_new(
            session,
            call.parameters["secret"],
            name=given.name,
            password=given.password,
            language=given.language,
            now=call.now(),
        )
        made = _make_token(call, session, account, given.token) if given.token is not None else None
        own = own_account.own_account(session, account)
    told = msgspec.structs.asdict(own) | {"token": made, "warnings": call.warnings}
    location = f"{call.instance.base_url}{PREFIX}/account"
    return json_answer(NewOwnAccount(**told), 201, location=location)


def _language(call: Call, wanted: str | None) -> str:
    """The language that was asked for, or the caller's. Raises Invalid."""
    if wanted is not None:
        return named("language", lambda: fields.one_of(*LANGUAGES)(wanted))
    assert call.request is not None, "every call of the API has one"
    return choose_language(None, call.request.headers.get("accept-language", ""))


def _make_token(call: Call, session: Session, account: Account, name: str) -> TokenAnswer:
    """A token like one that the account makes later, with a row of its own in the trail."""
    actor = Actor(account.id, account.email, account.name, account.is_operator)
    with audit.aside():
        try:
            made = own_account.make_own_token(session, actor, TokenInput(name=name), now=call.now())
        except Invalid as error:
            sentence = error.fields.get("name", error.message)
            raise Invalid(f"token: {sentence}", {"token": sentence}) from None
    audit.note(session, "post_own_token", now=call.now(), subject=made.name)
    return made


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path=_PASSWORD,
        handler=post_forgotten,
        summary="Have a link for a new password mailed, if there is such an account.",
        json=ForgottenPassword,
        status=204,
        is_public=True,
    ),
    Operation(
        method="POST",
        path=_PASSWORD + "/{secret}",
        handler=post_reset,
        summary="Set a new password, by the link that was mailed.",
        json=ResetPassword,
        status=204,
        is_public=True,
    ),
    Operation(
        method="POST",
        path=_LINKS + "/email/{secret}",
        handler=post_confirmed_email,
        summary="Confirm an e-mail address, by the link that was mailed there.",
        status=204,
        is_public=True,
    ),
    Operation(
        method="GET",
        path=_INVITATION,
        handler=get_shown_invitation,
        summary="Read what an invitation is to.",
        answer=InvitationShown,
        is_public=True,
    ),
    Operation(
        method="POST",
        path=_INVITATION,
        handler=post_acceptance,
        summary="Take an invitation with a new account.",
        json=Acceptance,
        answer=NewOwnAccount,
        status=201,
        is_public=True,
    ),
)
