"""What may be a password, and how it is kept: argon2; it knows no page and sends no mail."""

import re
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from podhost.errors import Invalid
from podhost.models import Account

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST_PASSWORD = 10
# Each try of a longer one would keep a processor busy for nothing.
LONGEST_PASSWORD = 1_000
_FEWEST_LETTERS = 5
# What people take who are asked for something long, alone or with digits around it.
_WORDS = (
    "abcd admin administrator baseball basketball changeme changeit computer contrasena contraseña "
    "default dragon episode football fuckyou geheim guest hallo hello hola iloveyou internet "
    "letmein login master michael microphone monkey passw0rd password passwort podcast podcasts "
    "podhost princess qwert qwerty qwertz root sample secret secreto server shadow startrek "
    "starwars studio sunshine superman teamo temporal test testing trustno tequiero usuario "
    "welcome welcometo whatever"
)
_COMMON = frozenset(_WORDS.split())
_ROWS = (
    "12345678901234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "abcdefghijklmnopqrstuvwxyz",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn",
)
_LOOKS_LIKE = str.maketrans("0134578@$!", "oieastbasi")


def new_password(value: str, email: str) -> str:
    """A password as it may be chosen. Raises ValueError with the sentence for its field.

    Length counts, and that it is not what is guessed first (NIST SP 800-63B 3.1.1.2); which kinds
    of characters it has does not.
    """
    if len(value) < SHORTEST_PASSWORD:
        raise ValueError(f"It must have at least {SHORTEST_PASSWORD} characters.")
    if len(value) > LONGEST_PASSWORD:
        raise ValueError(f"It has {len(value)} characters; {LONGEST_PASSWORD} are the most.")
    if not value.isprintable():
        raise ValueError("It holds a character that no keyboard writes.")
    text = value.strip().lower()
    if text in (email.lower(), *_halves(email.lower())):
        raise ValueError("It must not be your e-mail address.")
    if len(set(text)) < _FEWEST_LETTERS or _is_common(text):
        raise ValueError("This is among the first that are guessed; take a few words instead.")
    return value


def _halves(email: str) -> tuple[str, str]:
    local, _, host = email.partition("@")
    return local, host


def _is_common(text: str) -> bool:
    if any(text in row or text in row[::-1] for row in _ROWS):
        return True
    # A word with digits or signs around it, also twice, also with 3 for e.
    word = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)
    for form in (word, word.translate(_LOOKS_LIKE)):
        letters = re.sub(r"[\W_]+", "", form)
        for common in _COMMON:
            if letters.replace(common, "") == "" or letters in (f"my{common}", f"the{common}"):
                return True
    return False


def hash_password(password: str) -> str:
    """What is kept of a password."""
    return hasher().hash(password)


def is_password_of(account: Account, password: str) -> bool:
    """Whether it is the account's."""
    return is_hash_of(account.password_hash, password)


def is_hash_of(known: str, password: str) -> bool:
    """Whether this is kept of that password."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return hasher().verify(known, password)
    except (VerificationError, InvalidHashError, UnicodeError):
        return False


def refresh_hash(account: Account, password: str) -> None:
    """Keep a password that was just proven as passwords are kept today."""
    if hasher().check_needs_rehash(account.password_hash):
        account.password_hash = hash_password(password)


def set_password(session: Session, account: Account, password: str) -> None:
    """Give the account another password. Raises Invalid, with the field `password`."""
    try:
        account.password_hash = hash_password(new_password(password, account.email))
    except ValueError as error:
        raise Invalid(f"password: {error}", {"password": str(error)}) from None
    session.flush()


def hasher() -> "PasswordHasher":
    """What hashes passwords, with argon2's own choice of how much work that is (RFC 9106 4)."""
    # Loaded here, because a server checks tokens and no passwords.
    from argon2 import PasswordHasher

    return PasswordHasher()
