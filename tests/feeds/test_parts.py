"""Parts of feeds: whatever is kept of a feed, it never says anything but what its rows say."""

import gzip
import hashlib
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Boolean, Column, Integer, select, update
from sqlalchemy.orm import Session

from podhost import models
from podhost.chapters.rows import ChapterInput
from podhost.db import new_id
from podhost.feeds.formats import FORMATS, RSS, FeedFormat
from podhost.feeds.formats import JSON as JSON_FEED
from podhost.feeds.memory import KnownParts, PartsMemory
from podhost.feeds.parts import EpisodeSource, RenderedFeed
from podhost.feeds.rendering import FeedValues, Site, feed_values, render_compressed, render_values
from podhost.formats.chapters import Chapter
from podhost.formats.feed_rules import main_document, slimmed
from podhost.formats.feed_shell import (
    FULL_NOTES_EPISODES,
    newest_first,
)
from podhost.formats.feed_values import FeedEpisode, FeedShow, FeedTranscript
from podhost.formats.json_feed import render_json_feed
from podhost.formats.rss import render_feed
from podhost.formats.tag_values import NO_EPISODE_TAGS, MediaRestriction
from podhost.instance import Instance
from podhost.models import (
    Artwork,
    Audio,
    Credit,
    Episode,
    Show,
    Transcript,
    UtcDateTime,
)
from podhost.people import CreditInput
from tests.formats.test_rss import make_episode as make_values
from tests.formats.test_rss import make_show as make_show_values
from tests.making import make_episode, make_show

SITE = Site("https://pod.example")
JSON_URL = "https://pod.example/tide/feed.json"


def values_of(show: FeedShow, episodes: Sequence[FeedEpisode]) -> FeedValues:
    return FeedValues(show, newest_first(source_of(episode) for episode in episodes), JSON_URL)


def source_of(
    episode: FeedEpisode, make: Callable[[FeedEpisode], FeedEpisode] = lambda made: made
) -> EpisodeSource:
    return EpisodeSource(
        key=hashlib.sha256(repr(episode).encode()).digest(),
        id=hashlib.sha256(episode.guid.encode()).hexdigest()[:16],
        guid=episode.guid,
        published_at=episode.published_at,
        enclosure_url=episode.enclosure_url,
        is_trailer=episode.episode_type == "trailer",
        has_tags=bool(episode.inline_chapters or episode.tags != NO_EPISODE_TAGS),
        make=lambda: make(episode),
    )


def rendered(values: FeedValues, format_: FeedFormat, memory: PartsMemory) -> RenderedFeed:
    return render_compressed(values, format_, memory, name=format_.file_name)


def assert_nothing_is_out_of_date(values: FeedValues, memory: PartsMemory) -> dict[str, bytes]:
    """The bytes of each format out of the memory are those without it, to the last one."""
    bodies = {}
    for name, format_ in FORMATS.items():
        found = rendered(values, format_, memory)
        fresh = rendered(values, format_, PartsMemory(10**9))
        assert found == fresh
        assert found.body == render_values(values, format_)
        bodies[name] = found.body
    return bodies


# Values


OF_FEEDS = ("publish", "withdraw", "show", "author", "slim", "pages", "show-foreign")
OF_EPISODES = ("title", "notes", "number", "chapters", "transcripts")
OF_TAGS = ("foreign", "restriction", "decimal")
edits = st.lists(
    st.tuples(
        st.sampled_from([*OF_FEEDS, *OF_EPISODES, *OF_TAGS]),
        st.integers(0, 10**6),
    ),
    max_size=8,
)
ALLOWED = MediaRestriction(relationship="allow", countries=("PT",))
# The first three can be declared once in a feed's head, but not where they meet the others.
FOREIGN = (
    '<a:b xmlns:a="urn:a">tide</a:b>',
    '<c:d xmlns:c="urn:c" c:e="1"></c:d>',
    '<media:thing xmlns:media="http://search.yahoo.com/mrss/">1</media:thing>',
    '<a:b xmlns:a="urn:other">ebb</a:b>',
    '<z:b xmlns:z="urn:a">flow</z:b>',
)


@settings(max_examples=25)
@given(st.integers(0, 60), edits)
def test_whatever_is_edited_the_memory_changes_no_byte(
    count: int, edits: list[tuple[str, int]]
) -> None:
    show = make_show_values()
    episodes = [make_values(index) for index in range(1, count + 1)]
    memory = PartsMemory(10**6)
    for kind, number in [("none", 0), *edits]:
        at = number % len(episodes) if episodes else 0
        foreign = FOREIGN[number % 5 : number % 7]
        if kind == "publish":
            episodes.insert(at, make_values(10**4 + number))
        elif kind == "show":
            show = replace(show, copyright=f"Pier {number}")
        elif kind == "author":
            show = replace(show, author=f"Pier {number}")
        elif kind in ("slim", "pages"):
            size = number % 30
            pages = {"slim": {"slim_after": size}, "pages": {"feed_page_size": size}}[kind]
            show = replace(show, tags=msgspec.structs.replace(show.tags, **pages))
        elif kind == "show-foreign":
            show = replace(show, tags=msgspec.structs.replace(show.tags, foreign_tags=foreign))
        elif episodes and kind in OF_TAGS:
            said: dict[str, Any] = {
                "foreign": {"foreign_tags": foreign},
                "restriction": {"media_restriction": ALLOWED},
                "decimal": {"decimal_number": "1.5", "labels": ("sea",), "apple_title": "Tide"},
            }[kind]
            tags = msgspec.structs.replace(episodes[at].tags, **said)
            episodes[at] = replace(episodes[at], tags=tags)
        elif episodes and kind == "chapters":
            chapters = (Chapter(start_ms=number, title=f"Pier {number}"),)
            episodes[at] = replace(episodes[at], inline_chapters=chapters)
        elif episodes and kind == "transcripts":
            transcripts = (FeedTranscript(f"https://pod.example/{number}.vtt", "text/vtt"),)
            episodes[at] = replace(episodes[at], transcripts=transcripts)
        elif episodes and kind == "withdraw":
            del episodes[at]
        elif episodes and kind == "title":
            episodes[at] = replace(episodes[at], title=f"High water & {number}")
        elif episodes and kind == "notes":
            episodes[at] = replace(episodes[at], notes_html=f"<p>{number}</p>" * (number % 99))
        elif episodes and kind == "number":
            episodes[at] = replace(episodes[at], number=number + 1, episode_type="trailer")
        unique = {episode.guid: episode for episode in episodes}
        episodes = list(unique.values())
        bodies = assert_nothing_is_out_of_date(values_of(show, episodes), memory)
        document = main_document(show, episodes)
        assert bodies[RSS.file_name] == render_feed(document.show, document.episodes)
        slim = slimmed(newest_first(episodes), show.tags.slim_after)
        json_feed = render_json_feed(show, slim, feed_url=JSON_URL)
        assert bodies[JSON_FEED.file_name] == json_feed


def test_a_feed_that_becomes_large_and_small_again_is_never_out_of_date() -> None:
    show, memory = make_show_values(), PartsMemory(10**8)
    # Twice: in the description, which is cut, and whole.
    notes = "<p>" + "tide " * 2000 + "</p>"
    episodes = [make_values(index, notes_html=notes) for index in range(200)]
    whole = {}
    for count in (120, 200, 190, 120, FULL_NOTES_EPISODES, 200, 130):
        bodies = assert_nothing_is_out_of_date(values_of(show, episodes[:count]), memory)
        assert bodies[RSS.file_name] == render_feed(show, episodes[:count])
        whole[count] = bodies[RSS.file_name].count(b"<content:encoded>")
    assert whole == {100: 100, 120: 120, 130: 130, 190: 100, 200: 100}


def test_whichever_episodes_are_the_oldest_it_is_never_out_of_date() -> None:
    show, memory = make_show_values(), PartsMemory(10**7)
    episodes = [make_values(index) for index in range(60)]
    for oldest in (*range(0, 60, 3), *range(57, -1, -9)):
        assert_nothing_is_out_of_date(values_of(show, episodes[oldest:]), memory)


def test_what_an_item_says_because_of_its_show_is_never_out_of_date() -> None:
    show, memory = make_show_values(), PartsMemory(10**7)
    episodes = [make_values(1, author="Pia Port"), make_values(2)]
    # An author is said where it is not the show's.
    for author in ("Pier Nine", "Pia Port", "Pier Nine"):
        values = values_of(replace(show, author=author), episodes)
        bodies = assert_nothing_is_out_of_date(values, memory)
        assert (b">Pia Port<" in bodies[RSS.file_name].split(b"<item>", 1)[1]) == (
            author != "Pia Port"
        )


def test_one_edit_makes_few_values() -> None:
    episodes = [make_values(index) for index in range(400)]
    memory = PartsMemory(10**7)
    made: list[str] = []

    def note(episode: FeedEpisode) -> FeedEpisode:
        made.append(episode.guid)
        return episode

    def count_of(episodes: Sequence[FeedEpisode], show: FeedShow) -> int:
        made.clear()
        sources = newest_first(source_of(episode, note) for episode in episodes)
        rendered(FeedValues(show, sources, JSON_URL), RSS, memory)
        return len(made)

    show = make_show_values()
    assert count_of(episodes, show) == 400
    assert count_of(episodes, show) == 0
    assert count_of(episodes, replace(show, title="Ebb Tables")) == 0
    changed = [replace(episodes[0], title="Lower water"), *episodes[1:]]
    assert 0 < count_of(changed, show) < 200
    assert 0 < count_of([*changed, make_values(401)], show) < 200
    assert 0 <= count_of(changed[:200] + changed[201:], show) < 200


def test_the_compressed_feed_is_one_whole_gzip_member() -> None:
    values = values_of(make_show_values(), [make_values(index) for index in range(200)])
    feed = rendered(values, RSS, PartsMemory(10**6))
    assert gzip.decompress(feed.body_gzip) == feed.body
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(feed.body_gzip) == feed.body
    assert reader.eof and not reader.unused_data
    # Parts refer to what stands before them, or there would be half as much again.
    assert len(feed.body_gzip) < 1.05 * len(gzip.compress(feed.body, 6))


def test_the_memory_is_bounded_and_forgets_what_was_not_rendered_lately() -> None:
    known = KnownParts(deflated={b"key": b"x" * 10_000})
    memory = PartsMemory(35_000)
    for name in ("first", "second", "third", "first", "fourth"):
        memory.keep(name, known)
    assert memory.used_bytes <= 35_000
    assert memory.find("first") == memory.find("third") == known
    assert memory.find("second") == KnownParts()
    memory.keep("fifth", KnownParts(deflated={b"key": b"x" * 40_000}))
    assert memory.find("fifth") == KnownParts() and memory.used_bytes <= 35_000


def test_what_a_feed_does_not_say_any_more_is_not_kept() -> None:
    memory = PartsMemory(10**7)
    episodes = [make_values(index) for index in range(200)]
    rendered(values_of(make_show_values(), episodes), RSS, memory)
    before = memory.used_bytes
    for number in range(5):
        episodes[100] = replace(episodes[100], title=f"Low water {number}")
        rendered(values_of(make_show_values(), episodes), RSS, memory)
    assert memory.used_bytes < 1.1 * before


def test_many_threads_at_once_give_the_same_bytes() -> None:
    values = values_of(make_show_values(), [make_values(index) for index in range(100)])
    memory = PartsMemory(10**6)
    found: list[RenderedFeed] = []
    threads = [
        threading.Thread(target=lambda: found.append(rendered(values, RSS, memory)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [rendered(values, RSS, PartsMemory(10**6))] * 4


# Rows

# Only `redirect_to` is said.
_MOVING = {"moved_to", "moved_audio", "move_report"}
# What stands in no feed: what is ours alone, and what the audio was found to be.
UNSEEN = {
    "shows": {"time_zone", "version", "created_at", "write_tags", *_MOVING},
    "episodes": {
        *("notes", "created_at", "changed_at", "moved_audio_url", "early_since", "edit_version"),
    },
    "credits": {"links"},
    "audio": {
        *("storage_key", "kind", "codec", "sha256", "bitrate_bps", "bitrate_mode", "warnings"),
        *("sample_rate_hz", "channels", "header_bytes", "problem", "tags", "created_at"),
        *("purged_at", "original_id", "original_sha256", "tags_fingerprint", "tagging_problem"),
    },
    "artwork": {
        *("source_sha256", "mime_type", "width", "height", "is_placeholder", "created_at"),
        "colour",
    },
    "chapters": {"end_ms", "artwork_id"},
    "transcripts": {"storage_key", "source_sha256", "sha256", "size_bytes", "created_at"},
}
# Which row belongs to which, in which order, and what takes one out of the feed.
LINKS = {
    *("id", "show_id", "episode_id", "person_id", "position", "revision"),
    *("status", "deleted_at", "replaced_at"),
}
OTHER_VALUES: dict[str, Any] = {
    "language": "de",
    "mime_type": "audio/x-other",
    "medium": "music",
    "show_type": "serial",
    "episode_type": "trailer",
    "categories": [["Comedy", None]],
    "sizes": [[1500, 1], [700, 1]],
    "role": "narrator",
    "chapters_changed_at": None,
    "shows.tags": {"images": True},
    "episodes.tags": {"txt": [{"text": "High & dry"}], "foreign_tags": [FOREIGN[0]]},
}


def test_whatever_row_changes_the_memory_is_never_out_of_date(
    instance: Instance, mp3: Path
) -> None:
    show_id = full_show(instance, mp3)
    memory = PartsMemory(10**7)
    before = bodies_of(instance, show_id, memory)
    unseen: dict[str, set[str]] = {}
    for model in (Show, Episode, Audio, Artwork, Credit, models.Chapter, Transcript):
        table: Any = model.__table__
        for column in table.columns:
            if column.name in LINKS:
                continue
            old = change_column(instance, column)
            if bodies_of(instance, show_id, memory) == before:
                unseen.setdefault(table.name, set()).add(column.name)
            change_column(instance, column, to=old)
            assert bodies_of(instance, show_id, memory) == before, f"{column} and back"
    assert unseen == UNSEEN


def test_forms_of_a_transcript_that_are_told_apart_otherwise_are_never_out_of_date(
    instance: Instance, mp3: Path
) -> None:
    show_id, memory = full_show(instance, mp3), PartsMemory(10**7)
    with instance.database.write() as session:
        given = session.scalars(select(Transcript)).one()
        session.add(a_transcript(instance, given.episode_id, 1, "srt", "application/x-subrip"))
        session.add(a_transcript(instance, given.episode_id, 2, "html", "text/html"))
    # The last form is the one that was given, and an HTML page is named only then.
    assert b"text/html" in bodies_of(instance, show_id, memory)[RSS.file_name]
    with instance.database.write() as session:
        forms = {form.extension: form for form in session.scalars(select(Transcript))}
        forms["html"].position, forms["vtt"].position = 0, 2
    assert b"text/html" not in bodies_of(instance, show_id, memory)[RSS.file_name]
    with instance.database.write() as session:
        page = session.scalars(select(Transcript).where(Transcript.extension == "html")).one()
        page.source_sha256 = "1" * 64
    assert b"text/html" in bodies_of(instance, show_id, memory)[RSS.file_name]


def full_show(instance: Instance, mp3: Path) -> str:
    """A show with one of everything that an item shows; its id."""
    show = make_show(
        instance, people=[CreditInput(name="Pia Port")], owner_email="pia@pier.example"
    )
    chapters = [
        ChapterInput(start_seconds=0, title="Hello"),
        ChapterInput(start_seconds=0.25, title="The wreck"),
    ]
    guests = [CreditInput(name="Ann Guest", bio="Knows the harbour.")]
    shown: dict[str, Any] = {"people": guests, "chapters": chapters, "season": 1, "number": 1}
    episode_id = make_episode(instance, show, mp3, **shown).id
    with instance.database.write() as session:
        session.get_one(Show, show.id).tags = {"images": True, "inline_chapters": True}
        episode = session.get_one(Episode, episode_id)
        episode.tags = {"txt": [{"text": "Low & wet"}]}
        episode.artwork = an_artwork(instance)
        session.add(an_artwork(instance))
        session.add(a_transcript(instance, episode_id, 0, "vtt", "text/vtt"))
    return show.id


def a_transcript(
    instance: Instance, episode_id: str, position: int, extension: str, mime_type: str
) -> Transcript:
    return Transcript(
        id=new_id(),
        episode_id=episode_id,
        position=position,
        storage_key=f"transcripts/{position}.{extension}",
        source_sha256="0" * 64,
        sha256="0" * 64,
        size_bytes=1,
        mime_type=mime_type,
        extension=extension,
        language="en",
        created_at=instance.now(),
    )


def an_artwork(instance: Instance) -> Artwork:
    return Artwork(
        id=new_id(),
        source_sha256="0" * 64,
        mime_type="image/jpeg",
        width=3000,
        height=3000,
        sizes=[[3000, 1], [300, 1]],
        created_at=instance.now(),
    )


KEEP = object()


def change_column(instance: Instance, column: Column[Any], *, to: Any = KEEP) -> Any:
    """Write something else, or `to`, into one row, past all that the program would do beside it;
    what stood there."""
    table = column.table
    with instance.database.write() as session:
        if table.name == "artwork":
            at = table.c.id == session.scalars(select(Episode.artwork_id)).one()
        elif table.name == "credits":
            at = table.c.episode_id.is_not(None)
        elif table.name == "chapters":
            at = table.c.position == 1
        else:
            at = table.c.id.is_not(None)
        old = session.execute(select(column).where(at)).scalar_one()
        new = another(session, column, old) if to is KEEP else to
        assert new != old or to is not KEEP
        session.execute(update(table).where(at).values({column: new}))
        return old


def another(session: Session, column: Column[Any], old: Any) -> Any:
    name = column.name
    for known in (f"{column.table.name}.{name}", name):
        if known in OTHER_VALUES:
            return OTHER_VALUES[known]
    if name == "artwork_id":
        return session.scalars(select(Artwork.id).where(Artwork.id != (old or ""))).first()
    if name in ("link", "redirect_to") or name.endswith("url"):
        return "https://other.example/"
    if isinstance(column.type, Boolean):
        return not old
    if isinstance(column.type, JSON):
        return ["other"]
    if isinstance(column.type, UtcDateTime):
        return (old or datetime(2026, 1, 1, tzinfo=UTC)) + timedelta(days=1)
    if isinstance(column.type, Integer):
        return old + 1000
    return f"other{len(old or '')}"


def bodies_of(instance: Instance, show_id: str, memory: PartsMemory) -> dict[str, bytes]:
    with instance.database.read() as session:
        values = feed_values(session, session.get_one(Show, show_id), SITE)
    return assert_nothing_is_out_of_date(values, memory)
