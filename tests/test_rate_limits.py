"""Limits on calls and on wrong tokens: the buckets themselves, and as programs meet them."""

import json
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from podhost.config import read_settings
from podhost.errors import TooManyRequests
from podhost.rate_limits import Buckets, RateLimits, address_key
from tests.running import Running, run_command

SHOWS = "/api/v1/shows"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits(clock: Clock, **settings: int) -> RateLimits:
    return RateLimits(read_settings({}, **settings), clock=clock)


# Buckets


def test_a_full_bucket_may_be_emptied_at_once_and_fills_evenly(clock: Clock) -> None:
    buckets = Buckets(60, clock=clock)
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)
    clock.seconds += 0.75
    assert buckets.take("a") == pytest.approx(0.25)
    clock.seconds += 0.25
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0


def test_a_bucket_holds_no_more_than_a_minute(clock: Clock) -> None:
    buckets = Buckets(10, clock=clock)
    buckets.take("a")
    clock.seconds += 86_400
    assert [buckets.take("a") for _ in range(11)].count(0.0) == 10


def test_each_key_has_a_bucket_of_its_own(clock: Clock) -> None:
    buckets = Buckets(1, clock=clock)
    assert buckets.take("a") == buckets.take("b") == 0.0
    assert buckets.take("a") > 0


def test_zero_is_no_limit(clock: Clock) -> None:
    buckets = Buckets(0, clock=clock)
    assert {buckets.take("a") for _ in range(1000)} == {0.0}
    assert len(buckets) == 0


def test_whoever_asks_whether_there_is_room_takes_none(clock: Clock) -> None:
    buckets = Buckets(1, clock=clock)
    assert [buckets.wait_seconds("a") for _ in range(5)] == [0.0] * 5
    buckets.take("a")
    assert buckets.wait_seconds("a") == pytest.approx(60.0)


def test_memory_is_bounded_and_the_least_recently_used_goes_first(clock: Clock) -> None:
    buckets = Buckets(2, most=100, clock=clock)
    buckets.take("kept")
    buckets.take("forgotten")
    for number in range(98):
        buckets.take(str(number))
    buckets.take("kept")
    buckets.take("one more")
    assert len(buckets) == 100
    assert buckets.take("kept") > 0
    assert buckets.take("forgotten") == buckets.take("forgotten") == 0.0


def test_whatever_the_pattern_no_more_goes_through_than_was_promised(
    clock: Clock, seed: int
) -> None:
    dice = random.Random(seed)
    buckets = Buckets(30, clock=clock)
    began_at, taken = clock.seconds, 0
    for _ in range(5000):
        clock.seconds += dice.expovariate(2)
        wait = buckets.take("a")
        taken += wait == 0.0
        assert 0 <= wait <= 2
        assert taken <= 30 + (clock.seconds - began_at) / 2 + 1


@pytest.fixture
def impatient() -> Iterator[None]:
    """Threads take turns all the time, or nothing would ever come between two lines."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_that_ask_at_once_share_one_bucket(clock: Clock, impatient: None) -> None:
    buckets = Buckets(500, clock=clock)
    through: list[float] = []

    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        for _ in range(2000):
            if not buckets.take("a"):
                through.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(through) == 500


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_an_address_stands_for_everybody_behind_it(host: str, key: str) -> None:
    assert address_key(host) == key


# What is limited


def test_an_address_is_limited_whatever_tokens_it_brings(clock: Clock) -> None:
    limited = limits(clock, api_requests_per_minute=5)
    for number in range(5):
        limited.take_call("192.0.2.7", f"Bearer {number}")
    with pytest.raises(TooManyRequests) as refused:
        limited.take_call("192.0.2.7", "Bearer new")
    assert refused.value.wait_seconds == pytest.approx(12.0)
    limited.take_call("192.0.2.8", "Bearer new")


def test_a_token_is_limited_whatever_addresses_it_comes_from(clock: Clock) -> None:
    limited = limits(clock, api_requests_per_minute=5)
    for number in range(5):
        limited.take_call(f"192.0.2.{number}", "Bearer one")
    with pytest.raises(TooManyRequests):
        limited.take_call("192.0.2.77", "Bearer one")


def test_a_good_secret_passes_while_its_neighbour_guesses(clock: Clock) -> None:
    limited = limits(clock, failed_logins_per_minute=3)
    limited.note_success("good")
    for _ in range(3):
        limited.require_attempt("192.0.2.7", "wrong")
        limited.note_failure("192.0.2.7")
    with pytest.raises(TooManyRequests):
        limited.require_attempt("192.0.2.7", "wrong")
    limited.require_attempt("192.0.2.7", "good")
    limited.require_attempt("192.0.2.8", "wrong")
    clock.seconds += 20
    limited.require_attempt("192.0.2.7", "wrong")


# As programs meet it


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """A podhost that trusts a proxy on this machine, with few calls a minute, and a token."""
    environment = {
        "PODHOST_DATA": str(tmp_path_factory.mktemp("limited")),
        "PODHOST_API_REQUESTS_PER_MINUTE": "30",
        "PODHOST_FAILED_LOGINS_PER_MINUTE": "4",
        "PODHOST_TRUSTED_PROXIES": "127.0.0.1",
        "PODHOST_METRICS_TOKEN": "metrics-token-of-this-test",
    }
    with Running(["serve", "--port", "0", "--no-worker"], environment) as podhost:
        podhost.wait_until_ready()
        run_command("account", "create", "alice@pier.example", environment=environment)
        done = run_command("token", "create", "--json", environment=environment)
        yield podhost, json.loads(done.stdout)["token"]


def ask(client: httpx.Client, host: str, token: str = "", path: str = SHOWS) -> httpx.Response:
    headers = {"X-Forwarded-For": host}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return client.get(path, headers=headers)


def metric(client: httpx.Client, name: str) -> float:
    metrics = ask(client, "192.0.2.250", "metrics-token-of-this-test", "/metrics").text
    return next(float(line.split()[1]) for line in metrics.splitlines() if line.startswith(name))


def test_too_many_calls_are_told_when_to_come_back(running: tuple[Running, str]) -> None:
    podhost, token = running
    with podhost.client() as client:
        before = metric(client, "podhost_api_refused_by_limit_total")
        answers = [ask(client, "192.0.2.1") for _ in range(40)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[:30] == [401] * 30
        assert 429 in statuses[30:]
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["error"]["code"] == "too_many_requests"
        assert 1 <= int(refused.headers["Retry-After"]) <= 3
        # Its description is a call as well; another address, and another house's /64, are free.
        # A call comes free every two seconds, just now perhaps.
        described = [ask(client, "192.0.2.1", path="/api/v1/openapi.json") for _ in range(3)]
        assert 429 in [answer.status_code for answer in described]
        assert ask(client, "192.0.2.2", token).status_code == 200
        assert metric(client, "podhost_api_refused_by_limit_total") > before


def test_all_of_a_house_is_one_address(running: tuple[Running, str]) -> None:
    podhost, token = running
    with podhost.client() as client:
        statuses = [ask(client, f"2001:db8:7:7::{n:x}").status_code for n in range(1, 40)]
        assert 429 in statuses[30:]
        assert ask(client, "2001:db8:7:8::1", token).status_code == 200


def test_wrong_tokens_are_soon_not_looked_at_and_good_ones_are(
    running: tuple[Running, str],
) -> None:
    podhost, token = running
    with podhost.client() as client:
        assert ask(client, "192.0.2.3", token).status_code == 200
        statuses = [ask(client, "192.0.2.3", f"guess-{n}").status_code for n in range(6)]
        assert statuses == [401, 401, 401, 401, 429, 429]
        assert ask(client, "192.0.2.3", token).status_code == 200
        assert ask(client, "192.0.2.4", "guess").status_code == 401
        assert metric(client, "podhost_failed_logins_total") >= 5
        assert metric(client, "podhost_refused_logins_total") >= 2


def test_the_token_of_the_metrics_cannot_be_guessed_at_leisure(
    running: tuple[Running, str],
) -> None:
    podhost, _ = running
    with podhost.client() as client:
        guesses = [ask(client, "192.0.2.5", f"guess-{n}", "/metrics") for n in range(6)]
        assert [answer.status_code for answer in guesses] == [401] * 4 + [429] * 2


def test_listeners_never_meet_a_limit(running: tuple[Running, str], tmp_path: Path) -> None:
    podhost, _ = running
    with podhost.client() as client:
        answers = [ask(client, "192.0.2.6", path="/none/feed.xml") for _ in range(100)]
        assert {answer.status_code for answer in answers} == {404}
        pages = [ask(client, "192.0.2.6", path="/") for _ in range(40)]
        assert {answer.status_code for answer in pages} == {200}
