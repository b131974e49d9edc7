"""Limits on passwords: in rows, so that all processes count together."""

import threading

import pytest
from sqlalchemy import func, select

from podhost.accounts.login_limits import (
    BY_ACCOUNT,
    BY_ADDRESS,
    MAILS_BY_ACCOUNT,
    note_login,
    require_login_attempt,
    require_mail_request,
)
from podhost.errors import TooManyRequests
from podhost.instance import Instance
from podhost.models import LoginLimit
from tests.conftest import FrozenClock

HOME = "192.0.2.1"


def attempt(instance: Instance, email: str = "alice@example.org", address: str = HOME) -> None:
    with instance.database.write() as session:
        require_login_attempt(session, email, address, instance.now())


def login(instance: Instance, email: str = "alice@example.org", address: str = HOME) -> None:
    with instance.database.write() as session:
        note_login(session, email, address, instance.now())


def test_an_account_is_tried_ten_times_whatever_the_address(
    instance: Instance, clock: FrozenClock
) -> None:
    for number in range(BY_ACCOUNT.times):
        attempt(instance, " ALICE@example.org"[number % 2 :], f"198.51.100.{number}")
    with pytest.raises(TooManyRequests) as refused:
        attempt(instance, address="198.51.100.99")
    assert refused.value.wait_seconds == 90
    attempt(instance, "bob@example.org", "198.51.100.99")
    clock.advance(seconds=90)
    attempt(instance, address="198.51.100.99")
    with pytest.raises(TooManyRequests):
        attempt(instance, address="198.51.100.99")


def test_an_address_is_let_try_thirty_times_whatever_the_account(instance: Instance) -> None:
    for number in range(BY_ADDRESS.times):
        # All of one household: a /64.
        attempt(instance, f"nobody{number}@example.org", f"2001:db8::{number + 1:x}")
    with pytest.raises(TooManyRequests):
        attempt(instance, "alice@example.org", "2001:db8::ffff")
    attempt(instance, "alice@example.org", "2001:db8:0:1::1")


def test_who_knows_the_password_begins_anew(instance: Instance) -> None:
    for _ in range(4 * BY_ADDRESS.times):
        attempt(instance)
        login(instance)


def test_strangers_do_not_lock_out_who_logged_in_from_home(
    instance: Instance, clock: FrozenClock
) -> None:
    attempt(instance)
    login(instance)
    for number in range(BY_ACCOUNT.times):
        attempt(instance, address=f"198.51.100.{number}")
    with pytest.raises(TooManyRequests):
        attempt(instance, address="198.51.100.99")
    for _ in range(BY_ACCOUNT.times):
        attempt(instance)
    with pytest.raises(TooManyRequests):
        attempt(instance)
    clock.advance(days=61)
    for _ in range(BY_ACCOUNT.times):
        attempt(instance, address="198.51.100.99")
    with pytest.raises(TooManyRequests):
        attempt(instance)


def test_attempts_at_the_same_moment_all_count(instance: Instance) -> None:
    passed = []
    start = threading.Barrier(20)

    def try_once(number: int) -> None:
        start.wait()
        try:
            attempt(instance, address=f"198.51.100.{number}")
            passed.append(number)
        except TooManyRequests:
            pass

    threads = [threading.Thread(target=try_once, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == BY_ACCOUNT.times


def test_what_counts_no_more_is_forgotten(instance: Instance, clock: FrozenClock) -> None:
    for number in range(20):
        attempt(instance, f"nobody{number}@example.org")
    clock.advance(minutes=30)
    attempt(instance)
    with instance.database.read() as session:
        assert session.scalar(select(func.count()).select_from(LoginLimit)) == 2


def test_a_clock_that_was_set_back_locks_nobody_out(instance: Instance, clock: FrozenClock) -> None:
    clock.advance(days=365)
    attempt(instance)
    clock.advance(days=-365)
    attempt(instance)


def test_an_address_is_sent_few_links_in_an_hour(instance: Instance) -> None:
    for _ in range(MAILS_BY_ACCOUNT.times):
        with instance.database.write() as session:
            require_mail_request(session, "alice@example.org", HOME, instance.now())
    with pytest.raises(TooManyRequests), instance.database.write() as session:
        require_mail_request(session, "alice@example.org", "198.51.100.1", instance.now())
