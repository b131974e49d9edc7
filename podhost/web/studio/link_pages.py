"""What mailed links open: a forgotten password, another address, an invitation; it makes no link.

Programs that look at links open them too, so opening one uses nothing up.
"""

from starlette.responses import Response

from podhost.accounts import invitations
from podhost.accounts.email_change import confirm_email
from podhost.accounts.links import EMAIL, PASSWORD, get_link
from podhost.accounts.login_limits import require_mail_request
from podhost.accounts.password_reset import request_reset, reset_password
from podhost.errors import Conflict, Invalid, TooManyRequests
from podhost.models import Account, Show
from podhost.web.studio.complaints import said_beside
from podhost.web.studio.signing_in import enter, typed_password
from podhost.web.studio.visits import ANYONE, SIGNED_IN, StudioRoute, Visit

# A forgotten password


def forgotten_page(visit: Visit) -> Response:
    """The form that asks for a link."""
    return _forgotten(visit, email="")


def forgotten(visit: Visit) -> Response:
    """Have a link mailed; what is said is the same whether there is such an account."""
    email = visit.form.text("email")[:254]
    try:
        with visit.write() as session:
            require_mail_request(session, email, visit.address, visit.now())
            request_reset(session, email, language=visit.language, now=visit.now())
    except TooManyRequests as error:
        answer = _forgotten(visit, 429, email=email, error=visit.words.said(error.message))
        answer.headers["Retry-After"] = str(round(error.wait_seconds + 0.5))
        return answer
    except Invalid as error:
        return _forgotten(visit, 422, email=email, **said_beside(visit, error))
    return _forgotten(visit, email=email, is_sent=True)


def _forgotten(
    visit: Visit, status: int = 200, *, is_sent: bool = False, **values: object
) -> Response:
    has_mail = bool(visit.instance.settings.smtp_url)
    return visit.page("studio/forgotten.html", status, is_sent=is_sent, has_mail=has_mail, **values)


def reset_page(visit: Visit) -> Response:
    """The form for another password."""
    with visit.read() as session:
        get_link(session, visit.parameters["secret"], PASSWORD, now=visit.now(), lock=False)
    # Who sets a new password has often lost more than that.
    return visit.page("studio/reset.html", revoke_tokens=True)


def reset(visit: Visit) -> Response:
    """Set the password that was typed."""
    _ = visit.words
    revoke_tokens = visit.form.has("revoke_tokens")
    try:
        with visit.write() as session:
            reset_password(
                session,
                visit.parameters["secret"],
                typed_password(visit, "password"),
                revoke_tokens=revoke_tokens,
                base_url=visit.instance.base_url,
                now=visit.now(),
            )
    except Invalid as error:
        said = said_beside(visit, error)
        return visit.page("studio/reset.html", 422, revoke_tokens=revoke_tokens, **said)
    return visit.redirect("/login", say=_("Your password is set. Sign in with it."))


# Another address


def confirm_page(visit: Visit) -> Response:
    """Asks once more, because opening a link must change nothing."""
    with visit.read() as session:
        link = get_link(session, visit.parameters["secret"], EMAIL, now=visit.now(), lock=False)
    return visit.page("studio/confirm.html", email=link.email)


def confirm(visit: Visit) -> Response:
    """The address that the link proves is the account's from now on."""
    _ = visit.words
    with visit.write() as session:
        account = confirm_email(session, visit.parameters["secret"], now=visit.now())
    say = _("Your e-mail address is %(email)s now.", email=account.email)
    return visit.redirect("/account" if visit.actor is not None else "/login", say=say)


# An invitation


def invitation_page(visit: Visit) -> Response:
    """What one is invited to, and how to take it."""
    return _invitation(visit, name="")


def accept_invitation(visit: Visit) -> Response:
    """Take it with a new account, and come in."""
    name, secret = visit.form.text("name"), visit.parameters["secret"]
    try:
        with visit.write() as session:
            found = invitations.get_invitation(session, secret, now=visit.now())
            show = invitations.invited_to(session, found)
            account = invitations.accept_as_new(
                session,
                secret,
                name=name,
                password=typed_password(visit, "password"),
                language=visit.language,
                now=visit.now(),
            )
    except (Invalid, Conflict) as error:
        return _invitation(visit, 422, name=name, **said_beside(visit, error))
    enter(visit, account)
    return _welcome(visit, show)


def accept_invitation_as_self(visit: Visit) -> Response:
    """Take it with the account that is signed in."""
    secret = visit.parameters["secret"]
    with visit.write() as session:
        found = invitations.get_invitation(session, secret, now=visit.now())
        show = invitations.invited_to(session, found)
        account = session.get_one(Account, visit.account.account_id)
        invitations.accept_as(session, secret, account, now=visit.now())
    return _welcome(visit, show)


def _invitation(visit: Visit, status: int = 200, **values: object) -> Response:
    with visit.read() as session:
        secret = visit.parameters["secret"]
        found = invitations.show_invitation(session, secret, now=visit.now())
    return visit.page(
        "studio/invitation.html",
        status,
        invitation=found,
        show_title=found.show_title,
        inviter=found.invited_by,
        is_known=found.has_account,
        **values,
    )


def _welcome(visit: Visit, show: Show | None) -> Response:
    _ = visit.words
    if show is None:
        return visit.redirect("/", say=_("Welcome. You look after this podhost now."))
    say = _("Welcome to the team of “%(show)s”.", show=show.title)
    return visit.redirect(f"/shows/{show.slug}/", say=say)


ROUTES = (
    StudioRoute("GET", "/forgotten", forgotten_page, ANYONE),
    StudioRoute("POST", "/forgotten", forgotten, ANYONE),
    StudioRoute("GET", "/reset/{secret}", reset_page, ANYONE),
    StudioRoute("POST", "/reset/{secret}", reset, ANYONE),
    StudioRoute("GET", "/confirm/{secret}", confirm_page, ANYONE),
    StudioRoute("POST", "/confirm/{secret}", confirm, ANYONE),
    StudioRoute("GET", "/invitations/{secret}", invitation_page, ANYONE),
    StudioRoute("POST", "/invitations/{secret}", accept_invitation, ANYONE),
    StudioRoute("POST", "/invitations/{secret}/accept", accept_invitation_as_self, SIGNED_IN),
)
