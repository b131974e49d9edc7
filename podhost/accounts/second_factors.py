"""Second factors: codes of an app, passkeys, and recovery codes for the day when both are lost.

A password alone no longer signs in where one of them is set up. It knows no page and no cookie.
"""

import base64
import hashlib
import hmac
import io
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from podhost.accounts.secret_key import derived_key
from podhost.config import Settings
from podhost.db import new_id
from podhost.errors import Forbidden, Invalid, NotFound, TooManyRequests
from podhost.fields import optional_line
from podhost.models import Account, LoginStep, RecoveryCode, SecondFactor

APP, PASSKEY = "app", "passkey"
STEP_MINUTES = 10
MOST_FACTORS = 20
RECOVERY_CODES = 10
# Six digits are a million; so few tries before the password is asked for again.
MOST_FAILURES = 5
# RFC 6238 4.1: 30 seconds. One step before and after, for clocks that differ (5.2).
_STEP_SECONDS = 30
_ISSUER = "podhost"
_LONGEST_NAME = 100
_WRONG_CODE = "This code is not right, or was used already. Wait for the next one, and try it."


class NewApp(NamedTuple):
    """What somebody puts into an app that shows codes; shown until it is confirmed."""

    id: str
    secret: str
    uri: str
    qr_svg: str


class RelyingParty(NamedTuple):
    """For whom passkeys are made: the host, and where pages are (WebAuthn 4)."""

    id: str
    origin: str


def list_factors(session: Session, account_id: str) -> Sequence[SecondFactor]:
    """What an account has set up and proved, oldest first."""
    return session.scalars(
        select(SecondFactor)
        .where(SecondFactor.account_id == account_id, SecondFactor.confirmed_at.is_not(None))
        .order_by(SecondFactor.created_at, SecondFactor.id)
    ).all()


def count_recovery_codes(session: Session, account_id: str) -> int:
    """How many are left."""
    return (
        session.scalar(
            select(func.count(RecoveryCode.id)).where(
                RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None)
            )
        )
        or 0
    )


def remove_factor(session: Session, account_id: str, factor_id: str) -> None:
    """Take one away; with the last one the recovery codes go too. Raises NotFound."""
    factor = _own(session, account_id, factor_id)
    session.delete(factor)
    session.flush()
    if not list_factors(session, account_id):
        session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))


def remove_all_factors(session: Session, account_id: str) -> None:
    """For somebody who lost everything, and whom an operator knows."""
    session.execute(delete(SecondFactor).where(SecondFactor.account_id == account_id))
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))


def make_recovery_codes(session: Session, account_id: str) -> list[str]:
    """New codes in the place of all before; shown this once."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    session.add_all(
        RecoveryCode(id=new_id(), account_id=account_id, code_sha256=_fingerprint(code))
        for code in codes
    )
    session.flush()
    return codes


def _new_code() -> str:
    # 50 bits, in letters that nobody takes for one another when they are written down.
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    text = "".join(secrets.choice(letters) for _ in range(10))
    return f"{text[:5]}-{text[5:]}"


# Apps


def begin_app(session: Session, account_id: str, *, settings: Settings, now: datetime) -> NewApp:
    """A new secret for an app; it counts once a code of it was given. Raises Invalid."""
    import pyotp

    account = _room_for_one_more(session, account_id)
    # Those that were begun and never confirmed are forgotten.
    session.execute(
        delete(SecondFactor).where(
            SecondFactor.account_id == account_id, SecondFactor.confirmed_at.is_(None)
        )
    )
    secret = pyotp.random_base32()
    factor = SecondFactor(
        id=new_id(),
        account_id=account_id,
        kind=APP,
        name="",
        key=_fernet(session, settings).encrypt(secret.encode()),
        created_at=now,
    )
    session.add(factor)
    session.flush()
    return _new_app(factor.id, secret, account.email)


def begun_app(session: Session, account_id: str, factor_id: str, *, settings: Settings) -> NewApp:
    """The same once more, while it is not confirmed. Raises NotFound."""
    factor = _own(session, account_id, factor_id)
    if factor.kind != APP or factor.confirmed_at is not None:
        raise NotFound("There is no such app to be confirmed.")
    account = session.get_one(Account, account_id)
    return _new_app(factor.id, _secret_of(session, factor, settings), account.email)


def _new_app(factor_id: str, secret: str, email: str) -> NewApp:
    import pyotp
    import segno

    uri = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER)
    drawn = io.BytesIO()
    segno.make(uri, error="m").save(
        drawn, kind="svg", xmldecl=False, svgns=True, border=2, scale=4, light="#fff", omitsize=True
    )
    return NewApp(factor_id, secret, uri, drawn.getvalue().decode())


def confirm_app(
    session: Session,
    account_id: str,
    factor_id: str,
    code: str,
    *,
    name: str,
    settings: Settings,
    now: datetime,
) -> list[str]:
    """Set the app up, if its code is right; the recovery codes, where these are the first.

    Raises Invalid for a wrong code, NotFound.
    """
    factor = _own(session, account_id, factor_id)
    if factor.kind != APP or factor.confirmed_at is not None:
        raise NotFound("There is no such app to be confirmed.")
    if not _takes_code(session, factor, code, settings, now):
        raise Invalid(_WRONG_CODE, {"code": _WRONG_CODE})
    return _confirm(session, factor, name or "App", now)


def _confirm(session: Session, factor: SecondFactor, name: str, now: datetime) -> list[str]:
    is_first = not list_factors(session, factor.account_id)
    factor.name = optional_line(name)[:_LONGEST_NAME]
    factor.confirmed_at = now
    session.flush()
    return make_recovery_codes(session, factor.account_id) if is_first else []


def _takes_code(
    session: Session, factor: SecondFactor, code: str, settings: Settings, now: datetime
) -> bool:
    """Whether the code is right now; it is taken once (RFC 6238 5.2)."""
    import pyotp

    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", digits):
        return False
    app = pyotp.TOTP(_secret_of(session, factor, settings))
    this_step = int(now.timestamp()) // _STEP_SECONDS
    for step in (this_step - 1, this_step, this_step + 1):
        if step > factor.counter and hmac.compare_digest(
            app.generate_otp(step).encode(), digits.encode()
        ):
            # Another sign-in may be doing the same at this moment.
            taken = session.connection().execute(
                update(SecondFactor)
                .where(SecondFactor.id == factor.id, SecondFactor.counter < step)
                .values(counter=step, last_used_at=now)
            )
            session.expire(factor)
            return bool(taken.rowcount)
    return False


def _secret_of(session: Session, factor: SecondFactor, settings: Settings) -> str:
    from cryptography.fernet import InvalidToken

    try:
        return str(_fernet(session, settings).decrypt(factor.key).decode())
    except InvalidToken:
        raise Forbidden(
            "Codes cannot be checked, because PODHOST_SECRET_KEY is not the one that they were "
            "set up with. Ask whoever runs this podhost, or use a recovery code."
        ) from None


def _fernet(session: Session, settings: Settings) -> Any:
    from cryptography.fernet import Fernet

    return Fernet(base64.urlsafe_b64encode(derived_key(session, settings, "second factors")))


# Passkeys


def relying_party(base_url: str) -> RelyingParty | None:
    """For whom browsers make passkeys; None: they make none for this address (WebAuthn 5.1.3).

    It takes https, or this machine by its name.
    """
    scheme, _, rest = base_url.partition("://")
    host = rest.partition("/")[0].partition(":")[0]
    if host == "localhost" or (scheme == "https" and re.search(r"[a-z]", host.lower())):
        return RelyingParty(host, f"{scheme}://{rest.partition('/')[0]}")
    return None


def begin_passkey(
    session: Session, account_id: str, party: RelyingParty, *, now: datetime
) -> tuple[str, str]:
    """What the browser is asked to make a passkey with, as JSON, and the secret of this step."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    account = _room_for_one_more(session, account_id)
    secret, step = begin_step(session, account, now=now)
    known = [factor.credential_id for factor in list_factors(session, account_id)]
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=_ISSUER,
        user_id=hashlib.sha256(account.id.encode()).digest(),
        user_name=account.email,
        user_display_name=account.name or account.email,
        challenge=step.challenge,
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=base64url_to_bytes(credential_id))
            for credential_id in known
            if credential_id
        ],
    )
    return options_to_json(options), secret


def confirm_passkey(
    session: Session,
    account_id: str,
    party: RelyingParty,
    secret: str,
    credential: str,
    *,
    name: str,
    now: datetime,
) -> list[str]:
    """Keep the passkey that the browser made; the recovery codes, where these are the first.

    Raises Invalid.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    step = find_step(session, secret, now=now)
    if step is None or step.account_id != account_id:
        raise Invalid("That took too long; begin again.")
    session.delete(step)
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=step.challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        raise Invalid("The browser's passkey cannot be used; try again.") from None
    factor = SecondFactor(
        id=new_id(),
        account_id=account_id,
        kind=PASSKEY,
        name="",
        key=made.credential_public_key,
        credential_id=bytes_to_base64url(made.credential_id),
        counter=made.sign_count,
        created_at=now,
    )
    session.add(factor)
    return _confirm(session, factor, name or "Passkey", now)


def passkey_request(session: Session, step: LoginStep, party: RelyingParty | None) -> str | None:
    """What the browser is asked to sign with a passkey, as JSON; None: there is none to ask for."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    known = [factor.credential_id for factor in list_factors(session, step.account_id)]
    allowed = [
        PublicKeyCredentialDescriptor(id=base64url_to_bytes(credential_id))
        for credential_id in known
        if credential_id
    ]
    if party is None or not allowed:
        return None
    options = generate_authentication_options(
        rp_id=party.id, challenge=step.challenge, allow_credentials=allowed
    )
    return options_to_json(options)


# Signing in


def begin_step(session: Session, account: Account, *, now: datetime) -> tuple[str, LoginStep]:
    """Somebody gave the right password; the secret for their cookie, and what they owe."""
    secret = secrets.token_urlsafe(32)
    step = LoginStep(
        secret_sha256=_fingerprint(secret),
        account_id=account.id,
        challenge=secrets.token_bytes(32),
        expires_at=now + timedelta(minutes=STEP_MINUTES),
    )
    session.add(step)
    session.flush()
    return secret, step


def find_step(session: Session, secret: str, *, now: datetime) -> LoginStep | None:
    """What somebody with this secret owes; None: nothing, or it is too late."""
    step = session.get(LoginStep, _fingerprint(secret)) if secret else None
    return step if step is not None and step.expires_at > now else None


def take_code(
    session: Session, step: LoginStep, code: str, *, settings: Settings, now: datetime
) -> bool:
    """Whether an app shows this code, or it is a recovery code; each is taken once.

    Raises TooManyRequests after too many wrong ones.
    """
    _require_patience(step)
    for factor in list_factors(session, step.account_id):
        if factor.kind == APP and _takes_code(session, factor, code, settings, now):
            session.delete(step)
            return True
    if _takes_recovery_code(session, step.account_id, code, now):
        session.delete(step)
        return True
    step.failures += 1
    return False


def take_passkey(
    session: Session, step: LoginStep, party: RelyingParty, credential: str, *, now: datetime
) -> bool:
    """Whether a passkey of this account signed what it was asked to."""
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authentication_credential_json
    from webauthn.helpers.exceptions import WebAuthnException

    _require_patience(step)
    try:
        given = parse_authentication_credential_json(credential)
        factor = session.scalars(
            select(SecondFactor).where(
                SecondFactor.account_id == step.account_id,
                SecondFactor.credential_id == given.id,
                SecondFactor.confirmed_at.is_not(None),
            )
        ).one_or_none()
        if factor is None:
            raise ValueError(given.id)
        proved = verify_authentication_response(
            credential=given,
            expected_challenge=step.challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=factor.key,
            credential_current_sign_count=factor.counter,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        step.failures += 1
        return False
    factor.counter, factor.last_used_at = proved.new_sign_count, now
    session.delete(step)
    return True


def sweep_steps(session: Session, *, now: datetime) -> None:
    """Forget the sign-ins that nobody finished."""
    session.execute(delete(LoginStep).where(LoginStep.expires_at <= now))


def _require_patience(step: LoginStep) -> None:
    if step.failures >= MOST_FAILURES:
        raise TooManyRequests(
            "Too many wrong codes; sign in with your password again.", STEP_MINUTES * 60
        )


def _takes_recovery_code(session: Session, account_id: str, code: str, now: datetime) -> bool:
    written = re.sub(r"[^a-z0-9]", "", code.lower()[:100])
    found = f"{written[:5]}-{written[5:]}"
    taken = session.connection().execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.account_id == account_id,
            RecoveryCode.code_sha256 == _fingerprint(found),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
    )
    return bool(taken.rowcount)


def _own(session: Session, account_id: str, factor_id: str) -> SecondFactor:
    factor = session.get(SecondFactor, factor_id)
    if factor is None or factor.account_id != account_id:
        raise NotFound("There is no such second factor.")
    return factor


def _room_for_one_more(session: Session, account_id: str) -> Account:
    if len(list_factors(session, account_id)) >= MOST_FACTORS:
        raise Invalid(f"{MOST_FACTORS} second factors are the most; take one away first.")
    return session.get_one(Account, account_id)


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
