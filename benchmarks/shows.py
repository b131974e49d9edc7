"""Databases for benchmarks: shows with thousands of episodes, written as rows, not one by one.

What a feed says comes from the same functions as in real life; only the way in is short.
"""

import gzip
import random
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from podhost.accounts import accounts
from podhost.artwork import storage_key
from podhost.config import read_settings
from podhost.db import migrate, new_id
from podhost.formats.markdown import render_notes
from podhost.instance import Instance, open_instance
from podhost.models import (
    Artwork,
    Audio,
    Chapter,
    Credit,
    Episode,
    Person,
    Show,
    Snapshot,
    Transcript,
)
from podhost.shows import get_show, touch_show
from podhost.worker import run_due_jobs
from tests.making import make_show

BASE_URL = "https://pod.example"
_FIRST_DAY = datetime(2016, 1, 4, 6, tzinfo=UTC)
_EVERY_TAG = Path(__file__).parent.parent / "tests" / "golden" / "every-tag" / "input.toml"
# As hosts write them: two hundred words each, a list, links.
_NOTES = """{0} **{1}** {2}. With [{3}](https://light.example/{number}).

- {4}
- {5} & {6}
- {7} < {number}

{8}

{9}
"""
_SYLLABLES = ("ba", "ko", "ri", "tu", "mel", "san", "dor", "vi", "pe", "lan", "qua", "ster", "no")
_DIFFERENT_NOTES = 100
_GUESTS = ("Ann Harbour", "Bela Quay", "Chidi Mole", "Dora Buoy", "Emil Lock")
_CHAPTERS = 8


def open_new(environment: Mapping[str, str]) -> Instance:
    """An empty, migrated podhost of these settings."""
    instance = open_instance(read_settings({"PODHOST_BASE_URL": BASE_URL, **environment}))
    migrate(instance.database)
    instance.storage.check()
    return instance


def add_token(instance: Instance) -> str:
    """A token that may do everything."""
    now = instance.now()
    with instance.database.write() as session:
        account, _ = accounts.create_account(
            session, "alice@pod.example", name="Alice", is_operator=True, now=now
        )
        return accounts.create_token(session, account, name="benchmarks", now=now)[1]


def add_show(
    instance: Instance,
    slug: str,
    *,
    episodes: int,
    drafts: int = 0,
    audio_key: str | None = None,
    audio_bytes: int = 28_800_000,
    has_every_tag: bool = False,
    is_rendered: bool = True,
) -> list[str]:
    """A show with notes, people and chapters in each episode, rendered; the episodes' ids.

    The newest come last, and `drafts` of them are not published. `audio_key` is the stored file
    of the first episode; the others have rows without a file. `has_every_tag`: the show and each
    episode have pictures, transcripts and every optional tag that there is.
    """
    show = make_show(instance, f"Tide Tables {slug}", slug=slug)
    assert show.artwork is not None, "it has one in name"
    # What keeps copies of pictures would miss the file.
    key = storage_key(show.artwork.id, show.artwork.sizes[0][0])
    instance.storage.put_bytes(key, b"x", content_type="image/jpeg")
    rows = _rows(show, episodes, drafts, audio_key, audio_bytes)
    with instance.database.write() as session:
        row = get_show(session, slug, lock=True)
        assert row.artwork is not None
        # As if the picture had been looked at when it was stored.
        row.artwork.colour = "#2a7a8c"
        if has_every_tag:
            row.tags = _every_tag(rows)
        for model, values in rows.items():
            for at in range(0, len(values), 5000):
                session.execute(insert(model), values[at : at + 5000])
        touch_show(session, row, now=instance.now())
    if is_rendered:
        run_due_jobs(instance)
    return [row["id"] for row in rows[Episode]]


def _rows(
    show: Show, episodes: int, drafts: int, audio_key: str | None, audio_bytes: int
) -> dict[Any, list[dict[str, Any]]]:
    rows: dict[Any, list[dict[str, Any]]] = {
        model: [] for model in (Person, Episode, Audio, Credit, Chapter)
    }
    for name in _GUESTS:
        slug = name.lower().replace(" ", "-")
        values = {"slug": slug, "name": name, "name_key": name.lower()}
        rows[Person].append({"id": new_id(), "show_id": show.id, **values})
    notes = _notes()
    for number in range(episodes):
        is_draft = number >= episodes - drafts
        moment = _FIRST_DAY + timedelta(hours=17 * number)
        markdown, html = notes[number % len(notes)]
        episode = {
            "id": new_id(),
            "show_id": show.id,
            "guid": f"{show.slug}-{number}",
            "slug": f"low-water-{number}",
            "title": f"Low water {number}: what the sea left on the {number % 31 + 1}th",
            "notes": markdown,
            "notes_html": html,
            "status": "draft" if is_draft else "published",
            "published_at": None if is_draft else moment,
            "season": number // 50 + 1,
            "number": number + 1,
            "created_at": moment,
            "changed_at": moment,
            "chapters_changed_at": moment,
        }
        rows[Episode].append(episode)
        key = audio_key if audio_key and number == 0 else None
        rows[Audio].append(_audio(episode, key, audio_bytes, moment))
        rows[Credit] += _credits(show, episode, rows[Person], number)
        rows[Chapter] += _chapters(episode)
    return rows


def _every_tag(rows: dict[Any, list[dict[str, Any]]]) -> dict[str, Any]:
    """Give the episodes in `rows` all that they may have; the show's tags.

    The tags are those of the golden pair that has to have each of them.
    """
    with _EVERY_TAG.open("rb") as file:
        golden = tomllib.load(file)
    pictures: list[dict[str, Any]] = []
    transcripts: list[dict[str, Any]] = []
    for episode in rows[Episode]:
        pictures.append(_picture(episode["created_at"]))
        transcripts += (_transcript(episode, position) for position in range(2))
        episode["artwork_id"] = pictures[-1]["id"]
        episode["author"] = f"Captain {episode['number'] % 7}"
        episode["season_name"] = f"Season of {episode['season']} tides"
        episode["tags"] = golden["episodes"][0]["tags"]
    faces = [_picture(_FIRST_DAY) for _ in _GUESTS]
    by_name = dict(zip(_GUESTS, faces, strict=True))
    for credit in rows[Credit]:
        credit["artwork_id"] = by_name[credit["name"]]["id"]
    for number, chapter in enumerate(rows[Chapter]):
        chapter["url"] = f"https://chapters.example/{number}"
        chapter["image_url"] = f"https://chapters.example/{number}.jpg"
    given = {Artwork: pictures + faces, **rows, Transcript: transcripts}
    rows.clear()
    rows.update(given)
    # Measured is the show's own feed, whole and with whole notes.
    others = ("feeds", "feed_page_size", "slim_after")
    return {name: tag for name, tag in golden["show"]["tags"].items() if name not in others}


def _picture(moment: datetime) -> dict[str, Any]:
    identity = new_id()
    return {
        "id": identity,
        "source_sha256": (identity * 4)[:64],
        "mime_type": "image/jpeg",
        "width": 3000,
        "height": 3000,
        "sizes": [[3000, 900_000], [1400, 300_000], [600, 60_000], [300, 20_000]],
        "created_at": moment,
    }


def _transcript(episode: dict[str, Any], position: int) -> dict[str, Any]:
    identity = new_id()
    mime_type, extension = (("text/vtt", "vtt"), ("application/x-subrip", "srt"))[position]
    return {
        "id": identity,
        "episode_id": episode["id"],
        "position": position,
        "storage_key": f"transcripts/{identity}.{extension}",
        "source_sha256": (identity * 4)[:64],
        "sha256": (identity * 4)[:64],
        "size_bytes": 60_000,
        "mime_type": mime_type,
        "extension": extension,
        "language": "en",
        "created_at": episode["created_at"],
    }


def _notes() -> list[tuple[str, str]]:
    """Markdown and HTML: a hundred different ones, far enough apart to be new to gzip.

    Parsing five thousand would take longer than all that is measured.
    """
    chance = random.Random(11)
    words = ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(3000)]

    def some(count: int) -> str:
        return " ".join(chance.choices(words, k=count)).capitalize()

    lengths = (25, 3, 30, 4, 12, 15, 8, 12, 50, 50)
    texts = [
        _NOTES.format(*(some(length) for length in lengths), number=number)
        for number in range(_DIFFERENT_NOTES)
    ]
    return [(text, render_notes(text)) for text in texts]


def _audio(
    episode: dict[str, Any], key: str | None, size_bytes: int, moment: datetime
) -> dict[str, Any]:
    identity = new_id()
    return {
        "id": identity,
        "episode_id": episode["id"],
        "revision": 1,
        "storage_key": key or f"audio/{identity}.mp3",
        "url_name": episode["slug"],
        "extension": "mp3",
        "mime_type": "audio/mpeg",
        "kind": "mp3",
        "codec": "mp3",
        "size_bytes": size_bytes,
        "sha256": (identity * 4)[:64],
        "duration_ms": 1_800_000,
        "bitrate_bps": 128_000,
        "bitrate_mode": "cbr",
        "sample_rate_hz": 44100,
        "channels": 1,
        "header_bytes": 1000,
        "warnings": [],
        "tags": {},
        "created_at": moment,
    }


def _credits(
    show: Show, episode: dict[str, Any], people: list[dict[str, Any]], number: int
) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id(),
            "show_id": show.id,
            "episode_id": episode["id"],
            "person_id": person["id"],
            "position": position,
            "name": person["name"],
            "role": "guest" if position else "host",
            "group": "cast",
            "url": f"https://people.example/{person['slug']}",
            "bio": "Knows every stone of the harbour, and says so.",
        }
        for position, person in enumerate(people[(number + step) % 5] for step in range(3))
    ]


def _chapters(episode: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "episode_id": episode["id"],
            "position": position,
            "start_ms": position * 200_000,
            "end_ms": (position + 1) * 200_000,
            "title": f"Part {position + 1}: further out",
        }
        for position in range(_CHAPTERS)
    ]


def add_small_shows(instance: Instance, count: int, *, feed_bytes: int) -> list[str]:
    """Many shows without episodes whose feeds, compressed, have about this size; their slugs.

    The feeds are noise, because here only their size counts; nobody renders them.
    """
    noise = random.Random(5)
    now = instance.now().replace(microsecond=0)
    shows, snapshots = [], []
    for number in range(count):
        show_id = new_id()
        slug = f"show-{number}"
        shows.append(
            {
                "id": show_id,
                "slug": slug,
                "title": f"Show {number}",
                "categories": [],
                "podcast_guid": f"00000000-0000-0000-0000-{number:012d}",
                "created_at": now,
                "changed_at": now,
            }
        )
        snapshots.append(
            {
                "show_id": show_id,
                "show_version": 1,
                "made_with": "benchmarks",
                "version": 1,
                "sha256": (show_id * 4)[:64],
                "size_bytes": feed_bytes,
                "body_gzip": gzip.compress(noise.randbytes(feed_bytes), 1, mtime=0),
                "last_modified": now,
                "rendered_at": now,
            }
        )
    with instance.database.write() as session:
        for at in range(0, count, 2000):
            session.execute(insert(Show), shows[at : at + 2000])
            session.execute(insert(Snapshot), snapshots[at : at + 2000])
    return [show["slug"] for show in shows]
