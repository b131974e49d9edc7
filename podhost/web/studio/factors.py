"""The second step of signing in, and the page where somebody sets their second factors up."""

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts import second_factors
from podhost.accounts.login_limits import note_login, require_code_attempt
from podhost.accounts.password_proof import prove_password
from podhost.accounts.second_factors import STEP_MINUTES, relying_party
from podhost.accounts.sessions import end_all_sessions
from podhost.errors import Forbidden, Invalid
from podhost.history.audit import aside, refuse
from podhost.models import Account
from podhost.web.studio.signing_in import enter, typed_password, way_on
from podhost.web.studio.visits import ANYONE, SIGNED_IN, StudioRoute, Visit

STEP_COOKIE = "podhost_step"
_PAGE = "studio/second_factors.html"
_WRONG_CODE = "This code is not right, or was used already. Wait for the next one, and try it."
_NO_STEP = "That took too long. Sign in with your password again."
_LONGEST_CREDENTIAL = 20_000
_LONGEST_CODE = 100


def owes_second_factor(visit: Visit, account: Account) -> bool:
    """Whether a password is not enough; then the browser keeps the secret of the next step."""
    with visit.read() as session:
        if not second_factors.list_factors(session, account.id):
            return False
    with aside(), visit.write() as session:
        secret, _ = second_factors.begin_step(session, account, now=visit.now())
    visit.keep(STEP_COOKIE, secret, STEP_MINUTES * 60)
    return True


# The second step


def step_page(visit: Visit) -> Response:
    """Asks for a code or a passkey."""
    return _step_page(visit, 200, "")


def _step_page(visit: Visit, status: int, error: str) -> Response:
    party = relying_party(visit.instance.base_url)
    with visit.read() as session:
        step = second_factors.find_step(session, visit.kept(STEP_COOKIE), now=visit.now())
        if step is None:
            return visit.redirect("/login", say=visit.words(_NO_STEP))
        request = second_factors.passkey_request(session, step, party)
    next_path = visit.form.text("next") or visit.query.get("next", "")
    return visit.page(
        "studio/second_step.html", status, error=error, passkey=request, next=next_path
    )


def take_step(visit: Visit) -> Response:
    """Sign in, if the code is right or the passkey signed."""
    party = relying_party(visit.instance.base_url)
    credential = visit.form.text("credential")[:_LONGEST_CREDENTIAL]
    with aside(), visit.write() as session:
        step = second_factors.find_step(session, visit.kept(STEP_COOKIE), now=visit.now())
        if step is None:
            return visit.redirect("/login", say=visit.words(_NO_STEP))
        account = session.get_one(Account, step.account_id)
        if credential and party is not None:
            is_right = second_factors.take_passkey(
                session, step, party, credential, now=visit.now()
            )
        else:
            require_code_attempt(session, account.email, visit.address, visit.now())
            is_right = second_factors.take_code(
                session,
                step,
                visit.form.text("code")[:_LONGEST_CODE],
                settings=visit.instance.settings,
                now=visit.now(),
            )
        if is_right:
            note_login(session, account.email, visit.address, visit.now())
    if not is_right:
        refuse("login_refused", subject=account.email)
        visit.leave_row()
        return _step_page(visit, 422, visit.words(_WRONG_CODE))
    visit.keep(STEP_COOKIE, "", 0)
    enter(visit, account)
    return visit.redirect(way_on(visit.form.text("next")))


# Setting them up


def factors_page(visit: Visit) -> Response:
    """What is set up, and ways to set up more."""
    return _factors_page(visit)


def _factors_page(visit: Visit, status: int = 200, **values: object) -> Response:
    account_id = visit.account.account_id
    told: dict[str, object] = {"app": None, "codes": [], "error": "", "field_errors": {}}
    with visit.read() as session:
        factors = second_factors.list_factors(session, account_id)
        left = second_factors.count_recovery_codes(session, account_id)
    can_passkey = relying_party(visit.instance.base_url) is not None
    told |= {"factors": factors, "codes_left": left, "can_passkey": can_passkey, **values}
    return visit.page(_PAGE, status, **told)


def begin_app(visit: Visit) -> Response:
    """Show the secret for an app, as a picture and in letters."""
    refused = _check_own_password(visit)
    if refused is not None:
        return refused
    with visit.write() as session:
        app = second_factors.begin_app(
            session, visit.account.account_id, settings=visit.instance.settings, now=visit.now()
        )
    return _factors_page(visit, app=app)


def confirm_app(visit: Visit) -> Response:
    """Set the app up, once it showed a right code."""
    account_id, settings = visit.account.account_id, visit.instance.settings
    factor_id = visit.form.text("factor")
    try:
        with visit.write() as session:
            codes = second_factors.confirm_app(
                session,
                account_id,
                factor_id,
                visit.form.text("code")[:_LONGEST_CODE],
                name=visit.form.text("name") or visit.words("App"),
                settings=settings,
                now=visit.now(),
            )
            _sign_out_elsewhere(visit, session)
    except Invalid as error:
        with visit.read() as session:
            app = second_factors.begun_app(session, account_id, factor_id, settings=settings)
        errors = {"code": visit.words.said(error.message)}
        return _factors_page(visit, 422, app=app, field_errors=errors)
    return _set_up(visit, codes)


def begin_passkey(visit: Visit) -> Response:
    """What the browser makes a passkey with; a script of the page goes on from there."""
    party = relying_party(visit.instance.base_url)
    if party is None:
        raise Forbidden("Passkeys need an address that begins with https.")
    refused = _check_own_password(visit)
    if refused is not None:
        return refused
    with visit.write() as session:
        options, secret = second_factors.begin_passkey(
            session, visit.account.account_id, party, now=visit.now()
        )
    visit.keep(STEP_COOKIE, secret, STEP_MINUTES * 60)
    return _factors_page(visit, passkey_options=options)


def confirm_passkey(visit: Visit) -> Response:
    """Keep the passkey that the browser made."""
    party = relying_party(visit.instance.base_url)
    if party is None:
        raise Forbidden("Passkeys need an address that begins with https.")
    try:
        with visit.write() as session:
            codes = second_factors.confirm_passkey(
                session,
                visit.account.account_id,
                party,
                visit.kept(STEP_COOKIE),
                visit.form.text("credential")[:_LONGEST_CREDENTIAL],
                name=visit.form.text("name") or visit.words("Passkey"),
                now=visit.now(),
            )
            _sign_out_elsewhere(visit, session)
    except Invalid as error:
        return _factors_page(visit, 422, error=visit.words.said(error.message))
    visit.keep(STEP_COOKIE, "", 0)
    return _set_up(visit, codes)


def _sign_out_elsewhere(visit: Visit, session: Session) -> None:
    """Whoever had only the password, somewhere else, is signed out there."""
    end_all_sessions(session, visit.account.account_id, keep=visit.account.session_id)


def _set_up(visit: Visit, codes: list[str]) -> Response:
    if not codes:
        return visit.redirect("/account/second-factors", say=visit.words("It is set up."))
    return _factors_page(visit, codes=codes)


def new_codes(visit: Visit) -> Response:
    """New recovery codes in the place of the old ones."""
    refused = _check_own_password(visit)
    if refused is not None:
        return refused
    account_id = visit.account.account_id
    with visit.write() as session:
        if not second_factors.list_factors(session, account_id):
            raise Invalid("Recovery codes stand in for a second factor; set one up first.")
        codes = second_factors.make_recovery_codes(session, account_id)
    return _factors_page(visit, codes=codes)


def remove_factor(visit: Visit) -> Response:
    """Take one away."""
    refused = _check_own_password(visit)
    if refused is not None:
        return refused
    with visit.write() as session:
        second_factors.remove_factor(session, visit.account.account_id, visit.parameters["factor"])
    return visit.redirect("/account/second-factors", say=visit.words("It is taken away."))


def _check_own_password(visit: Visit) -> Response | None:
    """The page again, where the password is not right: an open browser is not its owner.

    Raises TooManyRequests.
    """
    try:
        prove_password(
            visit.instance.database,
            visit.account.account_id,
            typed_password(visit, "password"),
            field="password",
            now=visit.now(),
        )
    except Invalid as error:
        errors = {name: visit.words.said(sentence) for name, sentence in error.fields.items()}
        return _factors_page(visit, 422, field_errors=errors)
    return None


ROUTES = (
    StudioRoute("GET", "/login/second", step_page, ANYONE),
    StudioRoute("POST", "/login/second", take_step, ANYONE),
    StudioRoute("GET", "/account/second-factors", factors_page, SIGNED_IN),
    StudioRoute("POST", "/account/second-factors/app", begin_app, SIGNED_IN),
    StudioRoute("POST", "/account/second-factors/app/confirm", confirm_app, SIGNED_IN),
    StudioRoute("POST", "/account/second-factors/passkey", begin_passkey, SIGNED_IN),
    StudioRoute("POST", "/account/second-factors/passkey/confirm", confirm_passkey, SIGNED_IN),
    StudioRoute("POST", "/account/second-factors/codes", new_codes, SIGNED_IN),
    StudioRoute("POST", "/account/second-factors/{factor}/remove", remove_factor, SIGNED_IN),
)
