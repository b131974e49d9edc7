"""One's own account: profile, address, password, browsers, tokens, and its end."""

import re
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from starlette.responses import Response

from podhost.accounts import own_account
from podhost.accounts.email_change import request_email_change
from podhost.accounts.login_limits import require_mail_request
from podhost.accounts.own_account import TOKEN_DAYS, ProfileInput, TokenAnswer, TokenInput
from podhost.accounts.password_proof import prove_password
from podhost.accounts.password_reset import change_password
from podhost.accounts.roles import list_shows_of
from podhost.accounts.sessions import end_all_sessions, end_session
from podhost.accounts.team import delete_account, get_account
from podhost.errors import PodhostError
from podhost.models import Account
from podhost.translations import choose_language, words
from podhost.web.studio.complaints import said_beside
from podhost.web.studio.signing_in import typed_password
from podhost.web.studio.visits import SIGNED_IN, StudioRoute, Visit

_PAGE = "studio/account.html"
# Of names that many programs claim, the one that is true comes first.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_LONGEST_DEVICE = 40


def account_page(visit: Visit) -> Response:
    """Everything about one's own account."""
    return _page(visit)


def _page(
    visit: Visit, status: int = 200, *, new_token: TokenAnswer | None = None, **values: Any
) -> Response:
    """What was typed stays where the form was refused; the rest is as stored."""
    form, now = visit.form, visit.now()
    with visit.read() as session:
        account = session.get_one(Account, visit.account.account_id)
        shows = [(show.slug, show.title) for show in list_shows_of(session, visit.account)]
        sign_ins = own_account.list_sign_ins(session, visit.account, now=now)
        tokens = own_account.list_own_tokens(session, account.id, now=now)
    refused = form if status != 200 else type(form)()
    return visit.page(
        _PAGE,
        status,
        own=account,
        name=refused.text("name", account.name),
        spoken=refused.text("language", account.language or ""),
        time_zone=refused.text("time_zone", account.time_zone or ""),
        time_zones=_time_zones(),
        zone=account.time_zone or "UTC",
        new_email=refused.text("email"),
        revoke_tokens=refused.has("revoke_tokens"),
        sign_ins=[(row, device_name(row.device)) for row in sign_ins],
        tokens=tokens,
        new_token=new_token,
        token_name=refused.text("token_name"),
        scope=refused.text("scope", "write"),
        token_days=TOKEN_DAYS,
        days=refused.text("days"),
        token_show=refused.text("token_show"),
        shows=shows,
        **values,
    )


@lru_cache(maxsize=1)
def _time_zones() -> list[tuple[str, str]]:
    """Those that are called by a place, with their names for people."""
    zones = {zone for zone in available_timezones() if re.match(r"[A-Z][a-z]+/", zone)}
    named = sorted(zone for zone in zones if not zone.startswith("Etc/"))
    return [(zone, zone.replace("_", " ")) for zone in ("UTC", *named)]


def device_name(device: str) -> str:
    """A browser and its system in short, as its owner would call them."""
    browser = next((name for sign, name in _BROWSERS if sign in device), "")
    system = next((name for sign, name in _SYSTEMS if sign in device), "")
    return " · ".join(filter(None, (browser, system))) or device[:_LONGEST_DEVICE]


def save_profile(visit: Visit) -> Response:
    """Change name, language and time zone."""
    form = visit.form
    given = ProfileInput(
        name=form.text("name"),
        language=form.text("language") or None,
        time_zone=form.text("time_zone") or None,
    )
    try:
        with visit.write() as session:
            account = session.get_one(Account, visit.account.account_id)
            own_account.change_profile(account, given)
            chosen = account.language
    except PodhostError as error:
        return _page(visit, 422, **said_beside(visit, error))
    # In the language that was chosen just now.
    _ = words(choose_language(chosen, visit.request.headers.get("accept-language", "")))
    return visit.redirect("/account", say=_("Saved."))


def save_password(visit: Visit) -> Response:
    """Change the password."""
    _ = visit.words
    try:
        _prove(visit, "old_password")
        with visit.write() as session:
            change_password(
                session,
                get_account(session, visit.account.account_id, lock=True),
                typed_password(visit, "password"),
                keep_session=visit.account.session_id,
                revoke_tokens=visit.form.has("revoke_tokens"),
                base_url=visit.instance.base_url,
                now=visit.now(),
            )
    except PodhostError as error:
        return _page(visit, 422, **said_beside(visit, error))
    say = _("Your password is changed, and all other browsers are signed out.")
    return visit.redirect("/account", say=say)


def save_email(visit: Visit) -> Response:
    """Have a link mailed to another address."""
    _ = visit.words
    email = visit.form.text("email")
    try:
        _prove(visit, "email_password")
        with visit.write() as session:
            asking = f"account {visit.account.account_id}"
            require_mail_request(session, email, asking, visit.now())
            request_email_change(
                session,
                session.get_one(Account, visit.account.account_id),
                email,
                base_url=visit.instance.base_url,
                now=visit.now(),
            )
    except PodhostError as error:
        return _page(visit, 422, **said_beside(visit, error))
    say = _("A link was sent to %(email)s. Open it, and the address is yours.", email=email)
    return visit.redirect("/account", say=say)


def sign_browser_out(visit: Visit) -> Response:
    """Sign one browser out, which may be this one."""
    _ = visit.words
    session_id = visit.parameters["session"]
    with visit.write() as session:
        end_session(session, visit.account.account_id, session_id)
    if session_id == visit.account.session_id:
        visit.sign_out()
        return visit.redirect("/login", say=_("You are signed out."))
    return visit.redirect("/account", say=_("That browser is signed out."))


def sign_others_out(visit: Visit) -> Response:
    """Sign out everywhere but here."""
    _ = visit.words
    with visit.write() as session:
        end_all_sessions(session, visit.account.account_id, keep=visit.account.session_id)
    return visit.redirect("/account", say=_("All other browsers are signed out."))


def make_token(visit: Visit) -> Response:
    """Make a token; its secret stands on the page that answers, and nowhere else."""
    form = visit.form
    days = form.text("days")
    given = TokenInput(
        name=form.text("token_name"),
        scope=form.text("scope"),
        show=form.text("token_show") or None,
        days=int(days) if days.isascii() and days.isdigit() and len(days) < 5 else None,
    )
    try:
        with visit.write() as session:
            made = own_account.make_own_token(session, visit.account, given, now=visit.now())
    except PodhostError as error:
        names = {"name": "token_name", "show": "token_show"}
        return _page(visit, 422, **said_beside(visit, error, names))
    return _page(visit, new_token=made)


def revoke_token(visit: Visit) -> Response:
    """A token is good no longer."""
    _ = visit.words
    with visit.write() as session:
        account_id, token_id = visit.account.account_id, visit.parameters["token"]
        own_account.revoke_own_token(session, account_id, token_id, now=visit.now())
    return visit.redirect("/account", say=_("The token is revoked."))


def end_account(visit: Visit) -> Response:
    """The account ends, for who proves once more that it is theirs."""
    _ = visit.words
    try:
        _prove(visit, "end_password")
        with visit.write() as session:
            account = get_account(session, visit.account.account_id, lock=True)
            delete_account(session, account, now=visit.now())
    except PodhostError as error:
        return _page(visit, 422, **said_beside(visit, error))
    visit.sign_out()
    return visit.redirect("/login", say=_("Your account is deleted."))


def _prove(visit: Visit, field: str) -> None:
    prove_password(
        visit.instance.database,
        visit.account.account_id,
        typed_password(visit, field),
        field=field,
        now=visit.now(),
    )


ROUTES = (
    StudioRoute("GET", "/account", account_page, SIGNED_IN),
    StudioRoute("POST", "/account/profile", save_profile, SIGNED_IN),
    StudioRoute("POST", "/account/password", save_password, SIGNED_IN),
    StudioRoute("POST", "/account/email", save_email, SIGNED_IN),
    StudioRoute("POST", "/account/sessions", sign_others_out, SIGNED_IN),
    StudioRoute("POST", "/account/sessions/{session}", sign_browser_out, SIGNED_IN),
    StudioRoute("POST", "/account/tokens", make_token, SIGNED_IN),
    StudioRoute("POST", "/account/tokens/{token}", revoke_token, SIGNED_IN),
    StudioRoute("POST", "/account/end", end_account, SIGNED_IN),
)
