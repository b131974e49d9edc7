"""The history of an episode or a show: what was changed, and taking it back.

`recording` writes it. A change is taken back through the same functions by which people change
things, so that feeds follow; audio is prepared before, by `old_audio`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from podhost.audio.revisions import PreparedAudio
from podhost.chapters.rows import set_chapters
from podhost.episodes import (
    EpisodeInput,
    change_episode,
    replace_audio,
    set_episode_artwork,
    touch_episode,
)
from podhost.episodes.publishing import publish_episode, withdraw_episode
from podhost.errors import Conflict, NotFound
from podhost.formats.chapters import Chapter
from podhost.history import audit, recording
from podhost.history.trash import delete_again, restore
from podhost.models import Artwork, Audio, Episode, HistoryEntry, HistoryFile, Show, Transcript
from podhost.people import CreditInput
from podhost.shows import ShowInput, change_show, set_show_artwork

# As long as replaced audio is kept.
FILES_KEPT = timedelta(days=30)
# What says whether the world sees it. It is only taken back by itself, never with a text.
PUBLICATION = frozenset({"status", "published_at", "deleted_at"})
# The name under which a column is given, where it is another one.
_GIVEN = {"is_blocked": "blocked", "is_locked": "locked", "is_complete": "complete"}
_BESIDE = {"people", "chapters", "transcripts", "audio", "artwork_id", *PUBLICATION}


@dataclass(slots=True)
class Undone:
    """What was put back, and in sentences what could not be."""

    fields: list[str]
    warnings: list[str] = field(default_factory=list)


def list_history(
    session: Session,
    show: Show,
    episode: Episode | None,
    *,
    before: str | None = None,
    limit: int = 50,
) -> Sequence[HistoryEntry]:
    """The changes of an episode, or of the show itself where `episode` is None, newest first."""
    statement = select(HistoryEntry).where(
        HistoryEntry.show_id == show.id,
        HistoryEntry.episode_id == (episode.id if episode is not None else None),
    )
    if before is not None:
        statement = statement.where(HistoryEntry.id < before)
    return session.scalars(statement.order_by(HistoryEntry.id.desc()).limit(limit)).all()


def get_entry(session: Session, show: Show, episode: Episode | None, key: str) -> HistoryEntry:
    """The change with this id. Raises NotFound."""
    entry = session.get(HistoryEntry, key) if key.isalnum() and key.isascii() else None
    owner = episode.id if episode is not None else None
    if entry is None or (entry.show_id, entry.episode_id) != (show.id, owner):
        raise NotFound("There is no such change in this history.")
    return entry


def changed_since(session: Session, row: Episode | Show, entry: HistoryEntry) -> list[str]:
    """Which fields of the change do not say any more what it made them say."""
    current = {values["field"]: value_now(session, row, values["field"]) for values in entry.fields}
    return [
        values["field"]
        for values in entry.fields
        if not _is_same(values["field"], current[values["field"]], values["after"])
    ]


def value_now(session: Session, row: Episode | Show, name: str) -> Any:
    """What a field says now, as a history has it."""
    if name.startswith("tags."):
        return (row.tags or {}).get(name.removeprefix("tags."))
    if name in ("people", "chapters", "transcripts", "audio"):
        return recording.part(session, row, name)
    value = getattr(row, name, None)
    return value.isoformat() if isinstance(value, datetime) else value


def can_be_undone(entry: HistoryEntry) -> bool:
    """Whether there is something to take back: what is made has its deletion for that."""
    return entry.action != recording.CREATED and bool(entry.fields)


def undo(
    session: Session,
    row: Episode | Show,
    entry: HistoryEntry,
    *,
    now: datetime,
    only: Sequence[str] | None = None,
    anyway: bool = False,
    audio: PreparedAudio | None = None,
) -> Undone:
    """Put back what the fields of a change said before it, or some of them (`only`).

    Raises Conflict where they were changed again since, unless `anyway`: then this version of the
    fields is put back, but nothing that decides whether the world sees the episode. `audio` is
    what `old_audio.prepare` gave, where the change was about audio.
    """
    if not can_be_undone(entry):
        raise Conflict("This is how it began; there is nothing before it to go back to.")
    wanted = {
        values["field"]: values["before"]
        for values in entry.fields
        if only is None or values["field"] in only
    }
    outrun = [name for name in changed_since(session, row, entry) if name in wanted]
    if outrun and not anyway:
        raise Conflict(
            f"{_listed(outrun)} changed again since. Go back to this version of it if that is "
            "meant; what was changed since stays in the history.",
            dict.fromkeys(outrun, "It was changed again since."),
        )
    if outrun:
        wanted = {name: value for name, value in wanted.items() if name not in PUBLICATION}
    if not wanted:
        raise Conflict("None of these fields can be put back from this change.")
    recording.undoing(session, row, entry)
    undone = Undone([*wanted])
    if isinstance(row, Episode):
        _undo_episode(session, row, wanted, audio, undone, now=now)
    else:
        _undo_show(session, row, wanted, undone, now=now)
    session.flush()
    return undone


def prune(session: Session, *, now: datetime) -> None:
    """Forget changes of more than two years ago, and files of more than 30 days."""
    session.execute(delete(HistoryFile).where(HistoryFile.at < now - FILES_KEPT))
    session.execute(delete(HistoryEntry).where(HistoryEntry.at < now - audit.KEPT))


# Putting back


def _undo_episode(
    session: Session,
    episode: Episode,
    wanted: Mapping[str, Any],
    audio: PreparedAudio | None,
    undone: Undone,
    *,
    now: datetime,
) -> None:
    if "deleted_at" in wanted:
        _undo_deletion(session, episode, wanted["deleted_at"], undone, now=now)
    if "audio" in wanted:
        _undo_audio(session, episode, wanted["audio"], audio, undone, now=now)
    given = _given(EpisodeInput, wanted)
    if "people" in wanted:
        given.people, given.guests = _credits(session, wanted["people"], undone), []
    change_episode(session, episode, given, now=now)
    if "artwork_id" in wanted:
        artwork = _artwork(session, wanted["artwork_id"], undone)
        set_episode_artwork(session, episode, artwork, now=now)
    if "chapters" in wanted:
        _undo_chapters(session, episode, wanted["chapters"], now=now)
    if "transcripts" in wanted:
        _undo_transcripts(session, episode, wanted["transcripts"], now=now)
    if "status" in wanted or "published_at" in wanted:
        _undo_publication(session, episode, wanted, now=now)


def _undo_show(
    session: Session, show: Show, wanted: Mapping[str, Any], undone: Undone, *, now: datetime
) -> None:
    if "deleted_at" in wanted:
        _undo_deletion(session, show, wanted["deleted_at"], undone, now=now)
    given = _given(ShowInput, wanted)
    if "people" in wanted:
        given.people = _credits(session, wanted["people"], undone)
    change_show(session, show, given, now=now)
    if "artwork_id" in wanted:
        artwork = _artwork(session, wanted["artwork_id"], undone)
        if artwork is not None:
            set_show_artwork(session, show, artwork, now=now)


def _given(kind: type[Any], wanted: Mapping[str, Any]) -> Any:
    """Columns and tags, as somebody would give them."""
    values = {
        _GIVEN.get(name, name.removeprefix("tags.")): value
        for name, value in wanted.items()
        if name not in _BESIDE
    }
    # What stands in rows has the types of what is given, but for the names in JSON.
    types = {one.name: one.type for one in msgspec.structs.fields(kind)}
    return kind(**{name: msgspec.convert(value, types[name]) for name, value in values.items()})


def _credits(
    session: Session, before: Sequence[Mapping[str, Any]], undone: Undone
) -> list[CreditInput]:
    people = []
    for values in before:
        artwork = _artwork(session, values["artwork_id"], undone)
        kept = {**values, "artwork_id": artwork.id if artwork is not None else None}
        people.append(CreditInput(**kept))
    return people


def _artwork(session: Session, artwork_id: str | None, undone: Undone) -> Artwork | None:
    artwork = session.get(Artwork, artwork_id) if artwork_id else None
    if artwork_id and artwork is None:
        undone.warnings.append("A picture is not stored any more and did not come back.")
    return artwork


def _undo_chapters(
    session: Session, episode: Episode, before: Sequence[Mapping[str, Any]], *, now: datetime
) -> None:
    chapters = [
        Chapter(
            start_ms=values["start_ms"],
            end_ms=values["end_ms"],
            title=values["title"] or "",
            url=values["url"],
            image_url=values["image_url"],
            is_hidden=values["is_hidden"],
        )
        for values in before
    ]
    pictures = {
        values["start_ms"]: values["artwork_id"]
        for values in before
        if values["artwork_id"] and session.get(Artwork, values["artwork_id"]) is not None
    }
    if set_chapters(session, episode, chapters, pictures, now=now):
        touch_episode(session, episode, now=now)


def _undo_transcripts(
    session: Session, episode: Episode, before: Sequence[Mapping[str, Any]], *, now: datetime
) -> None:
    """The same rows again: a transcript's file never changes, and its address is for ever."""
    kept = set(
        session.scalars(
            select(HistoryFile.key).where(
                HistoryFile.key.in_([values["storage_key"] for values in before])
            )
        )
    )
    held = {row.storage_key for row in episode.transcripts}
    if any(values["storage_key"] not in kept | held for values in before):
        raise Conflict(
            "The transcript's file is not stored any more; files are kept for 30 days after they "
            "were replaced. Upload it again.",
            {"transcripts": "Its file is not stored any more."},
        )
    episode.transcripts.clear()
    session.flush()
    for position, values in enumerate(before):
        episode.transcripts.append(Transcript(**values, position=position, created_at=now))
    session.flush()
    touch_episode(session, episode, now=now)


def _undo_audio(
    session: Session,
    episode: Episode,
    before: Mapping[str, Any] | None,
    prepared: PreparedAudio | None,
    undone: Undone,
    *,
    now: datetime,
) -> None:
    if before is None:
        raise Conflict(
            "Before this, the episode had no audio; an episode cannot lose its audio again.",
            {"audio": "There was none before."},
        )
    if prepared is None:
        raise Conflict(
            "The earlier audio is not stored any more; replaced audio is kept for 30 days.",
            {"audio": "It is not stored any more."},
        )
    undone.warnings += replace_audio(session, episode, prepared, now=now)


def _undo_deletion(
    session: Session, row: Episode | Show, before: str | None, undone: Undone, *, now: datetime
) -> None:
    if before is None:
        undone.warnings += restore(session, row, now=now)
    else:
        delete_again(session, row, now=now)


def _undo_publication(
    session: Session, episode: Episode, wanted: Mapping[str, Any], *, now: datetime
) -> None:
    """What was out is withdrawn and not made a draft: apps have its guid, and its date stays."""
    status = wanted.get("status", episode.status)
    at = wanted.get("published_at")
    if status == "published":
        publish_episode(session, episode, now=now)
    elif status == "scheduled":
        planned = datetime.fromisoformat(at) if at else episode.published_at
        if planned is None or planned <= now:
            raise Conflict(
                "The time for which it was scheduled has passed; publish it, or choose another.",
                {"published_at": "It has passed."},
            )
        if episode.status == "published":
            # What is out keeps its date; only what was withdrawn may get another one.
            withdraw_episode(session, episode, now=now)
        publish_episode(session, episode, now=now, at=planned)
    elif episode.status in ("published", "scheduled"):
        withdraw_episode(session, episode, now=now)


# What is equal


def _is_same(name: str, one: Any, other: Any) -> bool:
    if name == "audio":
        return _audio_ids(one) & _audio_ids(other) != set() or one == other
    if name == "transcripts":
        return recording.given_transcripts(one or ()) == recording.given_transcripts(other or ())
    return bool(one == other)


def _audio_ids(value: Mapping[str, Any] | None) -> set[str]:
    """A copy with tags is the same audio as the file of which it was made."""
    if value is None:
        return set()
    return {key for key in (value["id"], value.get("original_id")) if key}


def _listed(names: Sequence[str]) -> str:
    spoken = [name.removeprefix("tags.").removesuffix("_id").replace("_", " ") for name in names]
    return ", ".join(spoken).capitalize() + (" was" if len(names) == 1 else " were")


def find_audio(session: Session, entry: HistoryEntry) -> Audio | None:
    """The row of the audio before the change, where its bytes are stored still."""
    for values in entry.fields:
        if values["field"] == "audio" and values["before"]:
            # The file as it was uploaded, where tags were written into a copy.
            for key in (values["before"].get("original_id"), values["before"]["id"]):
                row = session.get(Audio, key) if key else None
                if row is not None and row.purged_at is None:
                    return row
    return None
