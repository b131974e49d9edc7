"""Nothing that podhost accepts makes Apple, or another big directory, reject the feed.

So publishing asks no more than what input is asked, and these tests are why that is enough.
"""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from podhost.audio.revisions import PreparedAudio, prepare_audio_file
from podhost.db import new_id
from podhost.episodes import EpisodeInput, change_episode, create_episode
from podhost.episodes.publishing import publish_episode
from podhost.errors import Conflict, Invalid
from podhost.feeds.rendering import Site, render_show
from podhost.formats.doctor import examine
from podhost.formats.feed_xml import read_feed
from podhost.instance import Instance
from podhost.models import Show
from podhost.people import CreditInput
from podhost.shows import ShowInput, change_show, get_show
from podhost.storage import LocalStorage
from tests.making import make_show

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)

ODD = ["", " ", "\t", "\u00a0", "\u200b", "\u2028", "\ufeff", "\x0b", "<b></b>", "&nbsp;", "]]>"]
WORDS = st.text(max_size=40) | st.lists(st.sampled_from([*ODD, "a", "<p>", "é"])).map("".join)
URLS = st.sampled_from(["https://a.example/x y", "http://ä.example/?<>&", "a.example", "", "//x"])
TRUTH = st.booleans()
SHOW = {
    "title": WORDS,
    "description": WORDS | st.just("x&" * 3000),
    "link": URLS,
    "language": st.sampled_from(["en", "pt_BR", "zh-Hant-TW", "xx", "english", "", "haw"]) | WORDS,
    "author": WORDS,
    "copyright": WORDS,
    "owner_name": WORDS,
    "owner_email": st.sampled_from(["ann@sea.example", "ann", "a@b", ""]),
    "explicit": TRUTH,
    "show_type": st.sampled_from(["episodic", "serial", "Serial", "other"]),
    "categories": st.lists(st.sampled_from(["Arts > Books", "sport", "TV & Film", "Fish", ""])),
    "medium": st.sampled_from(["podcast", "music", "video", "publisher", "PODCAST", "x"]),
    "locked": TRUTH,
    "complete": TRUTH,
    "new_feed_url": URLS,
    "locked_owner": st.sampled_from(["ann@sea.example", "ann", None]),
    "images": TRUTH,
    "txt": WORDS.map(lambda text: [{"text": text}]),
    "funding": URLS.map(lambda url: [{"url": url}]),
    "people": WORDS.map(lambda name: [CreditInput(name=name)]),
}
EPISODE = {
    "title": WORDS,
    "notes": WORDS | st.just("x " * 5000),
    "season": st.integers(-1, 3),
    "season_name": WORDS,
    "number": st.integers(-1, 3),
    "episode_type": st.sampled_from(["full", "trailer", "bonus", "Full", "x"]),
    "explicit": TRUTH | st.none(),
    "author": WORDS,
    "link": URLS,
    "guests": WORDS.map(lambda name: [CreditInput(name=name)]),
}
# What apps could take for one another.
GUIDS = st.sampled_from(["a", " a", "a ", "\ta", "a\r", "A", "http://a/", "\u00a0a"]) | WORDS


@pytest.fixture
def show(instance: Instance) -> Show:
    return make_show(instance)


@pytest.fixture(scope="module")
def probed(mp3: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedAudio:
    return prepare_audio_file(LocalStorage(tmp_path_factory.mktemp("probed")), mp3)


def said(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Some fields, each with something that somebody might say of it."""
    pairs = [st.tuples(st.just(name), values) for name, values in fields.items()]
    return st.lists(st.one_of(pairs), max_size=8)


class TakenBackError(Exception):
    """Ends a transaction that nothing shall be left of."""


@given(said(SHOW), said(EPISODE), st.lists(GUIDS, min_size=2, max_size=4))
@example([], [], ["a", "a "])
@settings(
    # Each renders a feed.
    max_examples=settings.default.max_examples * 2 // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_accepted_the_feed_is_not_rejected(
    instance: Instance,
    probed: PreparedAudio,
    show: Show,
    of_show: list[tuple[str, Any]],
    of_episode: list[tuple[str, Any]],
    guids: list[str],
) -> None:
    with suppress(TakenBackError), instance.database.write() as session:
        row, now = get_show(session, show.slug), instance.now()
        for name, value in of_show:
            with suppress(Invalid, Conflict), session.begin_nested():
                change_show(session, row, ShowInput(**{name: value}), now=now)
        for guid in [*guids, "the last"]:
            audio = replace(probed, id=new_id(), storage_key=f"audio/{new_id()}.mp3")
            with suppress(Invalid, Conflict), session.begin_nested():
                new = EpisodeInput(title="Low water", guid=guid)
                episode = create_episode(session, row, new, audio, now=now)
                publish_episode(session, episode, now=now)
        for name, value in of_episode:
            with suppress(Invalid, Conflict), session.begin_nested():
                change_episode(session, episode, EpisodeInput(**{name: value}), now=now)
        body = render_show(session, row, Site(instance.base_url))
        found = examine(read_feed(body, "application/rss+xml"), body=body, now=now)
        errors = [finding for finding in found if finding.severity == "error"]
        assert errors == [], body.decode()
        raise TakenBackError
