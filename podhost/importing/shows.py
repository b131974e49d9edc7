"""The steps of an import that concern the whole show: read its feed, make it, publish it, compare.

Each step may be done again at any time. Episodes are brought one by one elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET
from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer, joinedload

from podhost.episodes import EpisodeInput, change_episode
from podhost.episodes import changed_fields as changed_episode_fields
from podhost.episodes.publishing import publish_together
from podhost.errors import Forbidden, Invalid, PodhostError
from podhost.feeds.hubs import site_of
from podhost.feeds.rendering import render_show
from podhost.formats.feed_xml import read_feed
from podhost.formats.imported import ImportedEpisode, ImportedShow
from podhost.formats.rss_import import read_show
from podhost.formats.text import shown
from podhost.importing import rows
from podhost.importing.comparison import (
    NOT_BROUGHT,
    Difference,
    added_episode,
    compare_episode,
    compare_show,
    missing_episode,
)
from podhost.importing.documents import import_source
from podhost.importing.files import OldHost, add_pictures, fetch_faces, fetch_picture, place_faces
from podhost.importing.mapping import episode_input, is_blocked, show_input
from podhost.importing.pages import UnchangedFeed
from podhost.importing.plans import (
    MOVED_HERE,
    EarlierRead,
    ImportPlan,
    MovedHere,
    Source,
    known_read,
    plan_import,
)
from podhost.instance import Instance
from podhost.jobs import TryLater, enqueue
from podhost.models import Artwork, Episode, Import, ImportEpisode, Show
from podhost.shows import (
    ShowInput,
    change_show,
    changed_fields,
    create_show,
    feed_path,
    is_public,
    set_show_artwork,
)
from podhost.uploads.intake import Intake

if TYPE_CHECKING:
    from podhost.fetching import Fetcher

# So many episodes one transaction writes down: others want to write as well.
_AT_ONCE = 200
# More would be a feed of its own.
_MOST_DIFFERENCES = 2000
_FIRST_DAY = datetime(1, 1, 1, tzinfo=UTC)
_GONE = "The old feed does not have it any more"
_KEEPS = "Apps know it by the first one, which it keeps here."
# What a later feed may change of a show; the rest is settled when it moves in.
_SYNCED = ("title", "description", "author", "copyright", "explicit", "categories", "language")


def import_show(instance: Instance, import_id: str, fetcher: "Fetcher") -> None:
    """The next step of an import, if it is its turn: the work of a job."""
    with instance.database.read() as session:
        row = session.get(Import, import_id)
    if row is None:
        return
    if row.state == rows.READING:
        try:
            with instance.database.read() as session:
                source = import_source(session, row.source)
            read_source(instance, row.id, source, fetcher)
        except PodhostError as error:
            _note_unread(instance, row.id, error.message)
    elif row.state == rows.RUNNING:
        publish_import(instance, row.id)
    elif row.state == rows.COMPARING:
        compare_import(instance, row.id)


def _note_unread(instance: Instance, import_id: str, sentence: str) -> None:
    with instance.database.write() as session:
        row = rows.get_import(session, import_id, lock=True)
        row.state, row.error = rows.FAILED, sentence


# Reading ------------------------------------------------------------------------------------------


def read_source(instance: Instance, import_id: str, source: Source, fetcher: "Fetcher") -> bool:
    """Read the feed, and write down what is to come; False when it is the one that was read last.

    Raises Invalid, Forbidden or Unavailable when it cannot be read or may not be imported.
    """
    with instance.database.read() as session:
        row = rows.get_import(session, import_id)
        # Only a feed of which everything was written down need not be read again.
        earlier = known_read(session, source)
    try:
        plan = plan_import(
            source,
            fetcher,
            database=instance.database,
            now=instance.now(),
            is_mine=row.is_mine,
            base_url=instance.base_url,
            earlier=earlier if row.read_at else EarlierRead(earlier.show_id),
            looks_at_audio=False,
        )
    except UnchangedFeed:
        _go_on(instance, import_id)
        return False
    except MovedHere as error:
        if earlier.show_id is None:
            raise
        _go_on(instance, import_id, remark=error.message)
        return False
    if plan.refusals:
        raise Forbidden(" ".join(plan.refusals))
    _take_show(instance, import_id, plan, fetcher)
    _take_episodes(instance, import_id, plan)
    return True


def _go_on(
    instance: Instance, import_id: str, plan: ImportPlan | None = None, remark: str = ""
) -> None:
    """Everything is written down: from here on, jobs do the rest."""
    with instance.database.write() as session:
        row = rows.get_import(session, import_id, lock=True)
        now = instance.now()
        row.state, row.error, row.read_at = rows.RUNNING, None, now
        if plan is not None:
            row.etag, row.last_modified = plan.etag, plan.last_modified
        # What was said of the redirect before may be so no more.
        others = [note for note in row.notes if not note.startswith(MOVED_HERE)]
        row.notes = [*others, remark] if remark else others
        rows.go_on_if_complete(session, import_id, now=now)


# Writing down -------------------------------------------------------------------------------------


def _take_show(instance: Instance, import_id: str, plan: ImportPlan, fetcher: "Fetcher") -> None:
    """Make the show, or bring it up to what its feed says now."""
    given, notes = show_input(plan.show)
    with instance.database.read() as session:
        is_new = rows.get_import(session, import_id).show_id is None
    with Intake(instance.database, instance.storage) as intake:
        old_host = OldHost(instance, fetcher, intake, import_id, notes)
        if is_new:
            artwork_key = None
            if plan.show.artwork_url:
                url = plan.show.artwork_url
                artwork_key = fetch_picture(old_host, url, "The show's artwork", is_square=True)
            faces = fetch_faces(old_host, given.people or [])
        with instance.database.write() as session:
            row = rows.get_import(session, import_id, lock=True)
            if row.show_id is None:
                ids = add_pictures(session, old_host, now=instance.now())
                place_faces(given.people or [], faces, ids)
                show = _make_show(session, instance, given)
                if artwork := session.get(Artwork, ids.get(artwork_key or "", "")):
                    set_show_artwork(session, show, artwork, now=instance.now())
                row.show_id = show.id
            else:
                _sync_show(session, row, given, now=instance.now())
            row.imported = msgspec.to_builtins(replace(plan.show, episodes=(), oddities=()))
            row.notes = old_host.notes
            row.feed_url, row.feed_sha256 = plan.feed_url, plan.sha256
            row.second_copies = sum(not rows.comes(episode) for episode in plan.show.episodes)


def _make_show(session: Session, instance: Instance, given: ShowInput) -> Show:
    show = create_show(session, given, base_url=instance.base_url, now=instance.now())
    if is_public(instance.base_url):
        # For the time after the switch: apps that follow the old feed's address learn the new one.
        show.new_feed_url = instance.base_url + feed_path(show)
    return show


def _sync_show(session: Session, row: Import, given: ShowInput, *, now: datetime) -> None:
    """Take what changed in the feed and was not edited here since."""
    show = session.get_one(Show, row.show_id)
    before, _ = show_input(rows.show_of(row))
    edited = set(changed_fields(show, _only(before, _SYNCED)))
    changes = [name for name in _SYNCED if getattr(before, name) != getattr(given, name)]
    wanted = _only(given, [name for name in changes if name not in edited])
    change_show(session, show, wanted, now=now)


def _only(given: ShowInput, names: Sequence[str]) -> ShowInput:
    return ShowInput(**{name: getattr(given, name) for name in names})


def _take_episodes(instance: Instance, import_id: str, plan: ImportPlan) -> None:
    """Write down what is to come, oldest first, so that numbers and names are given in order."""
    coming = [episode for episode in plan.show.episodes if rows.comes(episode)]
    coming.sort(key=lambda episode: (rows.date_of(episode) or _FIRST_DAY, -episode.position))
    listed = {rows.guid_of(episode) for episode in coming}
    with instance.database.read() as session:
        vanished = rows.vanished_audio(session, import_id, listed) if plan.is_whole else {}
    other_guids: dict[str, str] = {}
    for start in range(0, len(coming), _AT_ONCE):
        some = coming[start : start + _AT_ONCE]
        with instance.database.write() as session:
            row = rows.get_import(session, import_id, lock=True)
            known = rows.known_episodes(session, row, some)
            for episode in some:
                if (found := known.get(rows.guid_of(episode))) is not None:
                    _sync_episode(session, found, episode, plan.show, now=instance.now())
                elif same := vanished.get(rows.media_of(episode)):
                    other_guids[same] = episode.guid
                else:
                    rows.add_episode(session, row, episode, now=instance.now())
    if plan.is_whole:
        _note_gone(instance, import_id, listed, other_guids)
    _go_on(instance, import_id, plan)


def _note_gone(
    instance: Instance, import_id: str, listed: Set[str], other_guids: Mapping[str, str]
) -> None:
    """Say of which episodes the old feed knows no more, or knows by another guid: whoever took one
    back there has to do something about it here. What never came is forgotten."""
    with instance.database.write() as session:
        rows.get_import(session, import_id, lock=True)
        known = session.execute(
            select(
                ImportEpisode.id, ImportEpisode.guid, ImportEpisode.state, ImportEpisode.notes
            ).where(ImportEpisode.import_id == import_id)
        )
        for key, guid, state, notes in known.all():
            others = [note for note in notes if not note.startswith(_GONE)]
            if guid in listed:
                said = others
            elif state == rows.FAILED:
                session.delete(session.get_one(ImportEpisode, key))
                continue
            elif (other := other_guids.get(guid)) is not None:
                said = [*others, f"{_GONE} under its guid, but under {shown(other, 80)}. {_KEEPS}"]
            else:
                said = [*others, f"{_GONE}; here it stays until you withdraw it."]
            if said != notes:
                session.get_one(ImportEpisode, key).notes = said


def _sync_episode(
    session: Session,
    row: ImportEpisode,
    episode: ImportedEpisode,
    show: ImportedShow,
    *,
    now: datetime,
) -> None:
    """Take what changed in the feed, unless it was edited here since."""
    before = rows.episode_of(row)
    row.position = episode.position
    if replace(before, position=episode.position) == episode:
        return
    row.imported, row.changed_at = msgspec.to_builtins(episode), now
    if row.state != rows.DONE:
        rows.set_media(row, episode)
        if row.state == rows.FAILED:
            rows.try_again(session, row, now=now)
        return
    here = session.get(Episode, row.episode_id) if row.episode_id else None
    if here is None or here.deleted_at is not None:
        return
    row.notes = [*row.notes, *_sync_values(session, here, before, episode, show, now=now)]


def _sync_values(
    session: Session,
    here: Episode,
    before: ImportedEpisode,
    after: ImportedEpisode,
    show: ImportedShow,
    *,
    now: datetime,
) -> list[str]:
    """Change the episode's own values; sentences on what stays as it is here."""
    old, _ = episode_input(before, show)
    new, _ = episode_input(after, show)
    for given in (old, new):
        given.people = UNSET
    edited = set(changed_episode_fields(here, old))
    changes = {
        field.name: getattr(new, field.name)
        for field in msgspec.structs.fields(EpisodeInput)
        if getattr(old, field.name) != getattr(new, field.name)
    }
    notes = [
        f"The {name.replace('_', ' ')} was changed at the old host, and here as well: it stays as "
        "it is here."
        for name in changes
        if name in edited
    ]
    # What is gone from the feed is given as nothing; what is not given would stay.
    wanted: dict[str, Any] = {
        name: None if value is UNSET else value
        for name, value in changes.items()
        if name not in edited
    }
    try:
        change_episode(session, here, EpisodeInput(**wanted), now=now)
    except Invalid as error:
        notes.append(f"A change at the old host cannot be taken: {error.message}")
    if before.enclosure != after.enclosure:
        notes.append("The old host has other audio now; here it stays. Replace it if it is newer.")
    if rows.date_of(before) != rows.date_of(after):
        notes.append("The old host has another date now; here it stays.")
    if before.people != after.people or before.transcripts != after.transcripts:
        notes.append("People or transcripts changed at the old host; here they stay.")
    return notes


# Publishing and comparing -------------------------------------------------------------------------


def publish_import(instance: Instance, import_id: str) -> None:
    """When no episode is waited for any more, publish all that came, each at its own date."""
    with instance.database.write() as session:
        row = rows.get_import(session, import_id, lock=True)
        now = instance.now()
        if row.state != rows.RUNNING or rows.is_waiting(session, import_id):
            return
        show = session.get_one(Show, row.show_id)
        if show.deleted_at is None:
            _publish_all(session, row, show, now=now)
        row.state = rows.COMPARING
        enqueue(session, rows.IMPORT_SHOW, row.id, now=now, run_at=now)


def _publish_all(session: Session, row: Import, show: Show, *, now: datetime) -> None:
    was_empty = not _count_published(session, show)
    found = session.execute(
        select(ImportEpisode, Episode)
        .join(Episode, Episode.id == ImportEpisode.episode_id)
        .where(ImportEpisode.import_id == row.id, ImportEpisode.is_unpublished.is_(True))
        .options(joinedload(Episode.audio), defer(Episode.notes), defer(Episode.notes_html))
    ).all()
    dated = []
    for entry, episode in found:
        entry.is_unpublished = False
        at = rows.date_of(rows.episode_of(entry))
        # A host may have published or deleted it meanwhile.
        if at is not None and episode.status == "draft" and episode.deleted_at is None:
            dated.append((episode, at))
    refused = publish_together(session, show, dated, now=now) if dated else {}
    for entry, episode in found:
        if episode.id in refused:
            entry.notes = [*entry.notes, f"It stays a draft: {refused[episode.id]}"]
    session.flush()
    if was_empty and _count_published(session, show):
        blocked = is_blocked(rows.show_of(row))
        change_show(session, show, ShowInput(blocked=blocked), now=now)


def _count_published(session: Session, show: Show) -> int:
    published = select(func.count()).where(
        Episode.show_id == show.id, Episode.status == "published", Episode.deleted_at.is_(None)
    )
    return session.scalar(published) or 0


def compare_import(instance: Instance, import_id: str) -> None:
    """Read our own feed as a stranger would, and keep what it says otherwise than the old one."""
    with instance.database.read() as session:
        row = rows.get_import(session, import_id)
        show = session.get(Show, row.show_id) if row.show_id else None
        if row.state != rows.COMPARING or show is None:
            return
        if show.artwork is None:
            raise TryLater("The show waits for its artwork.")
        address = instance.base_url + feed_path(show)
        body = render_show(session, show, site_of(instance))
        ours = read_show(read_feed(body, ""), feed_url=address)
        found = list(_compared(session, row, ours))
    with instance.database.write() as session:
        row = rows.get_import(session, import_id, lock=True)
        if row.state == rows.COMPARING:
            row.differences = msgspec.to_builtins(found[:_MOST_DIFFERENCES])
            row.state, row.finished_at = rows.DONE, instance.now()


def _compared(session: Session, row: Import, ours: ImportedShow) -> Iterator[Difference]:
    old_show = rows.show_of(row)
    yield from compare_show(old_show, ours)
    here = {episode.guid: episode for episode in ours.episodes}
    entries = session.scalars(
        select(ImportEpisode)
        .where(ImportEpisode.import_id == row.id)
        .order_by(ImportEpisode.position)
        .execution_options(yield_per=_AT_ONCE)
    )
    for entry in entries:
        old = rows.episode_of(entry)
        new = here.pop(old.guid, None)
        if new is not None:
            yield from compare_episode(old, new, old_show, ours)
        elif entry.state == rows.FAILED:
            yield missing_episode(old, f"{NOT_BROUGHT}: {entry.error}")
        else:
            yield missing_episode(old, "a draft, or waiting for its date")
    for new in here.values():
        yield added_episode(new)
