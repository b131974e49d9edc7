"""One large file of a stranger's server: whole, or gone on with, or refused with a sentence."""

import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from podhost.errors import Forbidden, Unavailable
from podhost.fetching import Fetcher
from podhost.fetching.files import (
    BusyServer,
    InterruptedFetch,
    Pace,
    RefusedFile,
    fetch_file,
    fetched_bytes,
    forget_file,
)
from tests.old_host import Answer, OldHost, old_host

BODY = bytes(range(256)) * 1000


@pytest.fixture
def host() -> Iterator[OldHost]:
    with old_host() as running:
        running.answers["/a.mp3"] = Answer(BODY, etag="one", pause=0.005)
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "imports" / "1.audio"


@pytest.fixture
def fetch(host: OldHost, path: Path) -> Iterator[Callable[..., None]]:
    with Fetcher(allowed=(host.address,), user_agent="podhost tests") as fetcher:

        def run(name: str = "/a.mp3", **given: Any) -> None:
            url = name if "://" in name else host.url + name
            fetch_file(fetcher, url, path, **({"max_bytes": 1_000_000} | given))

        yield run


def interrupted(fetch: Callable[..., None], path: Path, name: str = "/a.mp3") -> int:
    """A fetch that is stopped in the middle; how much came."""
    with pytest.raises(InterruptedFetch):
        fetch(name, should_stop=lambda: fetched_bytes(path) > 50_000)
    assert not path.exists()
    assert 50_000 < fetched_bytes(path) < len(BODY)
    return fetched_bytes(path)


def test_a_file_comes_whole_and_is_asked_for_once(
    fetch: Callable[..., None], host: OldHost, path: Path
) -> None:
    fetch()
    fetch()
    assert path.read_bytes() == BODY
    assert len(host.asked) == 1
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_it_goes_on_where_it_stopped(fetch: Callable[..., None], host: OldHost, path: Path) -> None:
    received = interrupted(fetch, path)
    fetch()
    assert host.asked[-1][2] == f"bytes={received}-"
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    "etag", [None, "two"], ids=["it names no version", "it has changed meanwhile"]
)
def test_it_starts_anew_where_the_beginning_may_be_of_another_file(
    fetch: Callable[..., None], host: OldHost, path: Path, etag: str | None
) -> None:
    if etag is None:
        host.answers["/a.mp3"].etag = None
    interrupted(fetch, path)
    host.answers["/a.mp3"] = Answer(BODY[::-1], etag=etag)
    fetch()
    assert path.read_bytes() == BODY[::-1]


def test_the_beginning_of_another_address_is_not_used(
    fetch: Callable[..., None], host: OldHost, path: Path
) -> None:
    interrupted(fetch, path)
    host.answers["/b.mp3"] = Answer(BODY[::-1], etag="one")
    fetch("/b.mp3")
    assert path.read_bytes() == BODY[::-1]


def test_what_was_whole_before_the_rename_is_not_asked_for(
    fetch: Callable[..., None], host: OldHost, path: Path
) -> None:
    interrupted(fetch, path)
    # As a process leaves it that was killed between the last byte and the new name.
    path.with_suffix(".part").write_bytes(BODY)
    asked = len(host.asked)
    fetch()
    assert path.read_bytes() == BODY
    assert len(host.asked) == asked


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(b"", status=404), "does not have the file any more: it answered 404"),
        (Answer(b"", status=403), "does not give the file out"),
        (Answer(b"  <!doctype HTML><p>", "text/html"), "gives a web page"),
        (Answer(b""), "gives an empty file"),
        (Answer(bytes(2_000_000)), "more than the 1 MB that podhost takes"),
        (Answer(b"x", status=300), "answered 300"),
    ],
)
def test_what_can_never_come_is_refused(
    fetch: Callable[..., None], host: OldHost, answer: Answer, sentence: str
) -> None:
    host.answers["/a.mp3"] = answer
    with pytest.raises(RefusedFile, match=sentence):
        fetch()


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_says_when_to_come_again(
    fetch: Callable[..., None], host: OldHost, status: int
) -> None:
    host.answers["/a.mp3"] = Answer(b"", status=status, headers={"Retry-After": "90"})
    with pytest.raises(BusyServer, match=str(status)) as caught:
        fetch()
    assert caught.value.wait_seconds == 90


def test_a_server_that_is_too_slow_is_given_up(
    fetch: Callable[..., None], host: OldHost, path: Path
) -> None:
    host.answers["/a.mp3"].pause = 0.1
    with pytest.raises(Unavailable, match="is too slow"):
        fetch(pace=Pace(least_bytes=10_000_000, seconds=0.05))
    assert fetched_bytes(path)


def test_a_body_that_ends_too_early_is_not_taken_for_whole(
    fetch: Callable[..., None], host: OldHost, path: Path
) -> None:
    host.answers["/a.mp3"] = Answer(BODY[:1000], told_length=2000)
    with pytest.raises(Unavailable, match="broke off"):
        fetch()
    assert not path.exists()


def test_a_redirect_into_a_private_network_is_refused(
    fetch: Callable[..., None], host: OldHost
) -> None:
    headers = {"Location": "http://169.254.169.254/latest/meta-data"}
    host.answers["/a.mp3"] = Answer(b"", status=302, headers=headers)
    with pytest.raises(Forbidden, match="not public"):
        fetch()


def test_two_never_write_the_same_file(fetch: Callable[..., None], path: Path) -> None:
    path.parent.mkdir()
    with path.with_suffix(".part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Unavailable, match="Another podhost"):
            fetch()


def test_nothing_stays_of_a_file_that_is_forgotten(fetch: Callable[..., None], path: Path) -> None:
    interrupted(fetch, path)
    forget_file(path)
    assert list(path.parent.iterdir()) == []
