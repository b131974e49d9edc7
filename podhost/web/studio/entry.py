"""The studio's door: the first account, signing in and out, and what is inside."""

from urllib.parse import quote

from starlette.responses import Response

from podhost.accounts.accounts import check_password, create_account
from podhost.accounts.entry_links import find_entry, is_first_run, use_up_entry
from podhost.accounts.login_limits import note_failed_login, note_login, require_login_attempt
from podhost.accounts.passwords import refresh_hash
from podhost.accounts.roles import list_shows_of, shows_to_edit
from podhost.accounts.sessions import end_session, start_session
from podhost.errors import Forbidden, Invalid
from podhost.formats.tag_rules import mail_address
from podhost.history.audit import acts_as, aside, leave_out, refuse
from podhost.models import Account
from podhost.web.studio.complaints import said_beside
from podhost.web.studio.factors import owes_second_factor
from podhost.web.studio.overview import ShowSummary, show_summaries
from podhost.web.studio.signing_in import enter, typed_password, way_on
from podhost.web.studio.visits import ANYONE, SIGNED_IN, STUDIO, StudioRoute, Visit

_WRONG = "This e-mail address and this password do not belong together."
_LINK_USED = (
    "This link was used already, or a newer one was made. Start podhost again for a new one, "
    "or sign in if you have an account."
)


def home(visit: Visit) -> Response:
    """The shows of whoever is signed in; the door for everybody else."""
    if visit.actor is None:
        with visit.read() as session:
            if is_first_run(session):
                return visit.page("studio/closed.html")
        return visit.redirect("/login")
    with visit.read() as session:
        shows = list_shows_of(session, visit.account)
        summaries: list[ShowSummary] = show_summaries(
            session, shows, editable=shows_to_edit(session, visit.account, shows), now=visit.now()
        )
    if not shows and visit.account.is_operator:
        return visit.redirect("/shows/new")
    return visit.page("studio/home.html", summaries=summaries)


# Signing in and out


def login_page(visit: Visit) -> Response:
    """The form to sign in."""
    if visit.actor is not None:
        return visit.redirect(way_on(visit.query.get("next", "")))
    return visit.page("studio/login.html", email="", next=visit.query.get("next", ""))


def login(visit: Visit) -> Response:
    """Sign in, if e-mail and password belong together."""
    email, password = visit.form.text("email")[:254], typed_password(visit, "password")
    with aside(), visit.write() as session:
        require_login_attempt(session, email, visit.address, visit.now())
    with visit.read() as session:
        account = check_password(session, email, password)
    if account is None:
        note_failed_login(visit.address)
        # What is no address may well be a password that was typed one line too early.
        refuse("login_refused", subject=email if _is_address(email) else "")
        visit.leave_row()
        values = {"email": email, "next": visit.form.text("next")}
        return visit.page("studio/login.html", 422, error=visit.words(_WRONG), **values)
    with aside(), visit.write() as session:
        refresh_hash(session.get_one(Account, account.id), password)
    way = way_on(visit.form.text("next"))
    if owes_second_factor(visit, account):
        # The attempt goes on counting, or whoever has the password could try codes without end.
        leave_out()
        return visit.redirect(f"/login/second?next={quote(STUDIO + way, safe='')}")
    with aside(), visit.write() as session:
        note_login(session, email, visit.address, visit.now())
    enter(visit, account)
    return visit.redirect(way)


def logout(visit: Visit) -> Response:
    """Sign this browser out."""
    account = visit.account
    if account.session_id is not None:
        with visit.write() as session:
            end_session(session, account.account_id, account.session_id)
    visit.sign_out()
    return visit.redirect("/login", say=visit.words("You are signed out."))


def _is_address(written: str) -> bool:
    try:
        return bool(mail_address(written))
    except ValueError:
        return False


# The first run


def welcome_page(visit: Visit) -> Response:
    """What the one-time link opens: a form for the first account, or a button to come in.

    It is used up only by the form, because programs that look at links open them too.
    """
    with visit.read() as session:
        entry = find_entry(session, visit.parameters["secret"])
    if entry is False:
        raise Forbidden(_LINK_USED)
    known = entry if isinstance(entry, Account) else None
    return visit.page("studio/welcome.html", known=known, name="", email="")


def welcome(visit: Visit) -> Response:
    """Make the first account, or come in as the one that the link is for."""
    _ = visit.words
    name, email = visit.form.text("name"), visit.form.text("email")
    try:
        with visit.write() as session:
            entry = find_entry(session, visit.parameters["secret"])
            if entry is False:
                raise Forbidden(_LINK_USED)
            if isinstance(entry, Account):
                account = entry
            else:
                account, _made_up = create_account(
                    session,
                    email,
                    name=name,
                    password=typed_password(visit, "password"),
                    is_operator=True,
                    now=visit.now(),
                )
            use_up_entry(session)
            acts_as(account.id, account.name or account.email)
            secret = start_session(
                session, account, address=visit.address, device=visit.device, now=visit.now()
            )
    except Invalid as error:
        values = {"known": None, "name": name, "email": email}
        return visit.page("studio/welcome.html", 422, **said_beside(visit, error), **values)
    visit.sign_in(secret)
    return visit.redirect("/")


ROUTES = (
    StudioRoute("GET", "/", home, ANYONE),
    StudioRoute("GET", "/login", login_page, ANYONE),
    StudioRoute("POST", "/login", login, ANYONE),
    StudioRoute("POST", "/logout", logout, SIGNED_IN),
    StudioRoute("GET", "/welcome/{secret}", welcome_page, ANYONE),
    StudioRoute("POST", "/welcome/{secret}", welcome, ANYONE),
)
