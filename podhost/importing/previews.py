"""What an import would bring, in the short shape that people and programs decide by."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from podhost.formats.imported import (
    COMES,
    DRAFT,
    SECOND_COPY,
    ImportedEpisode,
    ImportedShow,
    Oddity,
)
from podhost.formats.text import shown
from podhost.importing.plans import (
    EarlierRead,
    ImportPlan,
    Source,
    known_read,
    outcomes,
    plan_import,
)
from podhost.instance import Instance

if TYPE_CHECKING:
    from podhost.fetching import Fetcher

# So many places of one kind of remark are named, so many kinds, and so many episodes.
_NAMED_PLACES = 3
_MOST_REMARKS = 40
_NAMED_EPISODES = 5
_LONGEST_WAIT_SECONDS = 3.0


class Remark(msgspec.Struct, kw_only=True):
    """What is odd about a feed and what will be done; `is_question`: its host should look at it."""

    message: str
    repair: str
    places: list[str]
    count: int
    is_question: bool


class PreviewedEpisode(msgspec.Struct, kw_only=True):
    """One of the newest episodes of the feed."""

    title: str
    published_at: datetime | None


class ImportPreview(msgspec.Struct, kw_only=True):
    """What would come: the show, how many episodes of which kind, and how large the audio is as
    far as the feed tells. `refusals` are sentences on why it may not start. Nothing was written."""

    source: str
    feed_url: str | None
    old_host: str | None
    title: str
    author: str
    language: str
    artwork_url: str | None
    is_locked: bool
    episodes: int
    drafts: int
    second_copies: int
    people: int
    transcripts: int
    chapter_lists: int
    first_at: datetime | None
    last_at: datetime | None
    audio_bytes: int | None
    newest: list[PreviewedEpisode]
    insertion_signs: list[str]
    remarks: list[Remark]
    refusals: list[str]


def preview_import(
    instance: Instance, source: Source, fetcher: "Fetcher", *, is_mine: bool
) -> ImportPreview:
    """Read the feed at the old host, or the one that was uploaded, and say what would come.

    It may take a minute. Raises Invalid when there is no feed that can be read, Forbidden for
    places that podhost may not ask, Unavailable when the old host does not answer.
    """
    with instance.database.read() as session:
        known = known_read(session, source)
    plan = plan_import(
        source,
        fetcher,
        database=instance.database,
        now=instance.now(),
        is_mine=is_mine,
        base_url=instance.base_url,
        # Without its validators: whoever looks wants to see the feed.
        earlier=EarlierRead(show_id=known.show_id),
        # Somebody waits for the answer.
        wait=lambda seconds: time.sleep(min(seconds, _LONGEST_WAIT_SECONDS)),
    )
    return preview_of(plan)


def preview_of(plan: ImportPlan) -> ImportPreview:
    """The plan in this shape; words of others are shown so that no page can take harm."""
    show, counts = plan.show, outcomes(plan.show)
    places: tuple[ImportedShow | ImportedEpisode, ...] = (show, *show.episodes)
    dates = [e.published_at for e in show.episodes if e.published_at is not None]
    return ImportPreview(
        source=plan.source,
        feed_url=plan.feed_url,
        old_host=plan.old_host,
        title=shown(show.title, 200),
        author=shown(show.author or "", 200),
        language=show.language or "",
        artwork_url=show.artwork_url,
        is_locked=show.is_locked is True,
        episodes=counts[COMES],
        drafts=counts[DRAFT],
        second_copies=counts[SECOND_COPY],
        people=len({p.name for place in places for p in place.people}),
        transcripts=sum(len(e.transcripts) for e in show.episodes),
        chapter_lists=sum(bool(e.chapters_url or e.chapters) for e in show.episodes),
        first_at=min(dates, default=None),
        last_at=max(dates, default=None),
        audio_bytes=plan.audio.estimated_bytes,
        newest=_newest(show.episodes),
        insertion_signs=list(plan.audio.insertion_signs),
        remarks=[*_remarks(plan.oddities), *_audio_remarks(plan.audio.problems)],
        refusals=list(plan.refusals),
    )


def _newest(episodes: Sequence[ImportedEpisode]) -> list[PreviewedEpisode]:
    return [
        PreviewedEpisode(title=shown(episode.title, 120), published_at=episode.published_at)
        for episode in episodes[:_NAMED_EPISODES]
    ]


def _remarks(oddities: Iterable[Oddity]) -> list[Remark]:
    """Those of one kind together: questions first, then what is there most often."""
    kinds: dict[tuple[str, str, bool], list[Oddity]] = {}
    for oddity in oddities:
        key = (oddity.message, oddity.repair, oddity.is_question)
        kinds.setdefault(key, []).append(oddity)
    ordered = sorted(kinds.items(), key=lambda entry: (not entry[0][2], -len(entry[1])))
    return [
        Remark(
            message=message,
            repair=repair,
            places=[_place(oddity) for oddity in found[:_NAMED_PLACES]],
            count=len(found),
            is_question=is_question,
        )
        for (message, repair, is_question), found in ordered[:_MOST_REMARKS]
    ]


def _audio_remarks(problems: Sequence[str]) -> list[Remark]:
    return [
        Remark(message=shown(text, 300), repair="", places=[], count=count, is_question=False)
        for text, count in Counter(problems).items()
    ]


def _place(oddity: Oddity) -> str:
    return shown(f"{oddity.place}: {oddity.detail}" if oddity.detail else oddity.place, 200)
