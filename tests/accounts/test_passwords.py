"""What may be a password, and how it is kept."""

import pytest
from argon2 import PasswordHasher

from podhost.accounts.passwords import hash_password, is_password_of, new_password, refresh_hash
from podhost.models import Account


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "alice@example.org",
        "ALICE@EXAMPLE.ORG",
        "aaaaaaaaaaaaaaa",
        "abababababab",
        "1234567890",
        "0987654321",
        "qwertyuiop",
        "Password123!",
        "passwordpassword",
        "P@ssw0rd2026",
        "contraseña2026",
        "!!!iloveyou!!!",
        "podcast-2026",
        "x" * 1001,
    ],
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match=r"^(It|This) "):
        new_password(password, "alice@example.org")


@pytest.mark.parametrize(
    "password",
    ["long enough", "tide tables", "correct horse battery", "ñandú y colibrí", "ö" * 4 + "abc def"],
)
def test_a_few_words_are_good(password: str) -> None:
    assert new_password(password, "alice@example.org") == password


def test_a_password_is_kept_as_passwords_are_kept_today() -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("long enough")
    account = Account(email="alice@example.org", password_hash=old)
    assert is_password_of(account, "long enough")
    assert not is_password_of(account, "long enougj")
    refresh_hash(account, "long enough")
    renewed = account.password_hash
    assert renewed != old and is_password_of(account, "long enough")
    refresh_hash(account, "long enough")
    assert account.password_hash == renewed
    assert hash_password("long enough") != renewed


def test_a_damaged_hash_is_nobodys_password() -> None:
    assert not is_password_of(Account(password_hash="x"), "x")
