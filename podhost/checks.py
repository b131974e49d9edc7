"""`podhost check`: is everything there that was promised? It looks and says; it mends nothing."""

import hashlib
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from lxml import etree
from sqlalchemy import or_, select

from podhost import sweep
from podhost.artwork import storage_key
from podhost.audio.revisions import enclosure_url
from podhost.edge import walk as edge_walk
from podhost.errors import NotFound, PodhostError
from podhost.feeds.further import further_problems, older_pages
from podhost.feeds.hubs import TELL_HUB, hub_problems, list_hubs
from podhost.feeds.rendering import find_snapshot, published_episodes, snapshot_body
from podhost.formats.feed_words import NAMESPACES
from podhost.instance import Instance
from podhost.jobs import list_failed
from podhost.models import (
    Artwork,
    Audio,
    Chapter,
    Clip,
    Credit,
    Episode,
    Export,
    GuestLink,
    JsonSnapshot,
    SearchState,
    SharePicture,
    Show,
    Transcript,
)
from podhost.moves import report_of
from podhost.newsletter.problems import newsletter_problems
from podhost.search.index import stale_show_ids
from podhost.shows import get_show, list_shows
from podhost.storage import Storage

Progress = Callable[[int, int], None]
_LOOK_AGAIN_SECONDS = 0.25


def check_instance(
    instance: Instance,
    *,
    show_slug: str | None = None,
    patience_seconds: float = 0,
    progress: Progress,
) -> tuple[list[str], str]:
    """The problems found, one sentence each, and a sentence on what was looked at.

    While it looks, others may publish: what is wrong with a feed is looked at again for as long
    as `patience_seconds`, until a worker has rendered it.

    Every stored byte of audio and every transcript is read and hashed, which takes its time:
    `progress` is called with the bytes done and the bytes in all.
    """
    with instance.database.read() as session:
        shows = [get_show(session, show_slug)] if show_slug else list(list_shows(session))
    problems: list[str] = []
    for show in shows:
        problems += _settled(partial(_feed_problems, instance, show), patience_seconds)
        problems += _artwork_problems(instance, show)
        problems += _hub_problems(instance, show)
        problems += _settled(partial(_move_problems, instance, show), patience_seconds)
        problems += _settled(partial(_further_problems, instance, show), patience_seconds)
        problems += _settled(partial(_search_problems, instance, show), patience_seconds)
        problems += _newsletter_problems(instance, show)
    files = list(_stored_files(instance, [show.id for show in shows]))
    total = sum(size_bytes for _, _, size_bytes, _ in files)
    done = 0
    for name, key, size_bytes, sha256 in files:
        problems += _file_problems(instance.storage, name, key, size_bytes, sha256)
        done += size_bytes
        progress(done, total)
    if show_slug is None:
        problems += _general_problems(instance)
        problems += _settled(partial(_edge_problems, instance), patience_seconds)
    shows_text = "1 show" if len(shows) == 1 else f"{len(shows)} shows"
    moved = "".join(
        f" {show.slug!r} leads to {show.redirect_to}." for show in shows if show.redirect_to
    )
    return problems, f"All is well: {shows_text}, {len(files)} files, {total} bytes checked.{moved}"


def _settled(look: Callable[[], Iterator[str]], patience_seconds: float) -> list[str]:
    deadline = time.monotonic() + patience_seconds
    while (problems := list(look())) and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_SECONDS)
    return problems


def _feed_problems(instance: Instance, show: Show) -> Iterator[str]:
    yield from _json_feed_problems(instance, show)
    where = f"Feed of {show.slug!r}:"
    with instance.database.read() as session:
        snapshot = find_snapshot(session, show)
        episodes = published_episodes(session, show)
        current = session.get_one(Show, show.id).version
        pages = older_pages(session, show)
    if snapshot is None or snapshot.show_version < current:
        yield f"{where} it has not been rendered since the last change; is a worker running?"
        return
    body = snapshot_body(snapshot)
    if hashlib.sha256(body).hexdigest() != snapshot.sha256:
        yield f"{where} the stored bytes are damaged; change the show to have it rendered anew."
        return
    items: dict[str | None, Any] = {}
    try:
        for document in (body, *pages):
            parser = etree.XMLParser(resolve_entities=False, huge_tree=True)
            channel = etree.fromstring(document, parser)[0]
            items |= {item.findtext("guid"): item for item in channel.iter("item")}
    except (etree.XMLSyntaxError, IndexError) as error:
        yield f"{where} it is not well-formed: {error}."
        return
    for episode in episodes:
        item = items.pop(episode.guid, None)
        if item is None:
            yield f"{where} the published episode {episode.title!r} is missing."
        else:
            yield from _item_problems(instance, where, episode, item)
    for guid in items:
        yield f"{where} it has an item {guid!r} that is no published episode."


def _json_feed_problems(instance: Instance, show: Show) -> Iterator[str]:
    """It is made of the same values as the RSS feed, whose items are compared with the rows."""
    where = f"JSON feed of {show.slug!r}:"
    with instance.database.read() as session:
        snapshot = session.get(JsonSnapshot, show.id)
        current = session.get_one(Show, show.id).version
    if snapshot is None or snapshot.show_version < current:
        yield f"{where} it has not been rendered since the last change; is a worker running?"
    elif hashlib.sha256(snapshot_body(snapshot)).hexdigest() != snapshot.sha256:
        yield f"{where} the stored bytes are damaged; change the show to have it rendered anew."


def _further_problems(instance: Instance, show: Show) -> Iterator[str]:
    """They too are made of the same values."""
    with instance.database.read() as session:
        current = session.get_one(Show, show.id)
        for problem in further_problems(session, current, now=instance.now()):
            yield f"Further feeds of {show.slug!r}: {problem}"


def _search_problems(instance: Instance, show: Show) -> Iterator[str]:
    """Of an index that is behind. One that is missing, as after a restore, is made by the sweep."""
    with instance.database.read() as session:
        if session.get(SearchState, show.id) and show.id in stale_show_ids(session):
            yield (
                f"Search in {show.slug!r}: it is not up to date since the last change; "
                "is a worker running?"
            )


def _newsletter_problems(instance: Instance, show: Show) -> Iterator[str]:
    with instance.database.read() as session:
        for problem in newsletter_problems(session, show, now=instance.now()):
            yield f"Newsletter of {show.slug!r}: {problem}"


def _item_problems(instance: Instance, where: str, episode: Episode, item: Any) -> Iterator[str]:
    audio = episode.audio
    if audio is None or audio.problem or episode.published_at is None:
        yield f"{where} {episode.title!r} is published but has no audio that apps can play."
        return
    enclosure = item.find("enclosure")
    said = dict(enclosure.attrib) if enclosure is not None else {}
    wanted = {
        "url": enclosure_url(instance.base_url, audio),
        "length": str(audio.size_bytes),
        "type": audio.mime_type,
    }
    if not instance.settings.has_own_base_url:
        # Nobody said under which address the world sees us, so any address is as good.
        wanted["url"] = said.get("url", "") if audio.url_name in said.get("url", "") else "its URL"
    for name, value in wanted.items():
        if said.get(name) != value:
            yield (
                f"{where} {episode.title!r} has {name} {said.get(name)!r} in its enclosure, "
                f"and {value!r} in the database."
            )
    duration = item.findtext("itunes:duration", namespaces=NAMESPACES)
    if duration != str(max(1, round(audio.duration_ms / 1000))):
        yield f"{where} {episode.title!r} is said to last {duration} seconds, which is wrong."
    date = item.findtext("pubDate")
    if date is None or parsedate_to_datetime(date) != episode.published_at:
        yield f"{where} {episode.title!r} is dated {date}, not {episode.published_at}."


def _artwork_problems(instance: Instance, show: Show) -> Iterator[str]:
    used = [select(table.artwork_id).where(table.show_id == show.id) for table in (Episode, Credit)]
    chapters = select(Chapter.artwork_id).join(Episode, Episode.id == Chapter.episode_id)
    used.append(chapters.where(Episode.show_id == show.id))
    with instance.database.read() as session:
        artworks = session.scalars(
            select(Artwork).where(
                or_(Artwork.id == show.artwork_id, *(Artwork.id.in_(ids) for ids in used))
            )
        ).all()
    for artwork in artworks:
        for size_px, size_bytes in artwork.sizes:
            key = storage_key(artwork.id, size_px)
            yield from _file_problems(instance.storage, "Artwork", key, size_bytes, None)


def _hub_problems(instance: Instance, show: Show) -> list[str]:
    hubs = list_hubs(instance.settings, instance.base_url)
    with instance.database.read() as session:
        return hub_problems(session, show, hubs)


def _move_problems(instance: Instance, show: Show) -> Iterator[str]:
    """Why a show is not where its host asked for."""
    with instance.database.read() as session:
        row = session.get_one(Show, show.id)
        address, is_on, found = row.moved_to, row.redirect_to == row.moved_to, report_of(row)
    if address is None:
        return
    where = f"The move of {show.slug!r} to {address}:"
    if found.checked_at is None and not is_on:
        yield f"{where} the new feed has not been read yet; is a worker running?"
    for sentence in (*found.loops, *(() if found.anyway else found.problems)):
        yield f"{where} {'' if is_on else 'apps are not sent there. '}{sentence}"


def _stored_files(instance: Instance, show_ids: list[str]) -> Iterator[tuple[str, str, int, str]]:
    with instance.database.read() as session:
        audio = session.execute(
            select(Episode.title, Audio.storage_key, Audio.size_bytes, Audio.sha256)
            .join(Episode, Episode.id == Audio.episode_id)
            .where(Episode.show_id.in_(show_ids), Audio.purged_at.is_(None))
            .order_by(Audio.storage_key)
        ).all()
        transcripts = session.execute(
            select(Episode.title, Transcript.storage_key, Transcript.size_bytes, Transcript.sha256)
            .join(Episode, Episode.id == Transcript.episode_id)
            .where(Episode.show_id.in_(show_ids))
            .order_by(Transcript.storage_key)
        ).all()
        shared = [
            row
            for files in (Clip, SharePicture)
            for row in session.execute(
                select(Episode.title, files.storage_key, files.size_bytes, files.sha256)
                .join(GuestLink, GuestLink.id == files.link_id)
                .join(Episode, Episode.id == GuestLink.episode_id)
                .where(Episode.show_id.in_(show_ids), files.storage_key.is_not(None))
                .order_by(files.storage_key)
            )
        ]
        archives = session.execute(
            select(Show.title, Export.storage_key, Export.size_bytes, Export.sha256)
            .join(Show, Show.id == Export.show_id)
            .where(Export.show_id.in_(show_ids), Export.storage_key.is_not(None))
        ).all()
    for title, key, size_bytes, sha256 in archives:
        if key is not None and size_bytes is not None and sha256 is not None:
            yield f"The archive of {title!r}", key, size_bytes, sha256
    for title, key, size_bytes, sha256 in shared:
        if key is not None and size_bytes is not None and sha256 is not None:
            yield f"What is shared of {title!r}", key, size_bytes, sha256
    for title, key, size_bytes, sha256 in audio:
        yield f"Audio of {title!r}", key, size_bytes, sha256
    for title, key, size_bytes, sha256 in transcripts:
        yield f"Transcript of {title!r}", key, size_bytes, sha256


def _file_problems(
    storage: Storage, name: str, key: str, size_bytes: int, sha256: str | None
) -> Iterator[str]:
    try:
        stored = storage.size(key)
        if stored != size_bytes:
            yield f"{name}: {key} has {stored} bytes in the storage; it should have {size_bytes}."
        elif sha256 is not None and storage.sha256(key) != sha256:
            yield f"{name}: {key} has other bytes in the storage than were uploaded."
    except NotFound:
        yield f"{name}: {key} is not in the storage."
    except PodhostError as error:
        yield f"{name}: {key} could not be read: {error.message}"


def _general_problems(instance: Instance) -> Iterator[str]:
    for key in sweep.find_orphans(instance.database, instance.storage, now=instance.now()):
        yield f"{key} is in the storage, and no row knows it; the sweep will remove it."
    with instance.database.read() as session:
        # Hubs that were given up are named with their shows.
        for job in (job for job in list_failed(session) if job.kind != TELL_HUB):
            yield f"The job {job.kind} for {job.key} gave up: {job.error}"
        due = session.scalars(
            select(Episode).where(
                Episode.status == "scheduled",
                Episode.published_at < instance.now() - sweep.CLEAN_UP_EVERY,
                Episode.deleted_at.is_(None),
            )
        )
        for episode in due:
            yield f"{episode.title!r} should have been published at {episode.published_at}."


def _edge_problems(instance: Instance) -> Iterator[str]:
    for difference in edge_walk.find_differences(instance, is_deep=True):
        remedy = (
            "delete it from the storage and restart the worker, which writes it again"
            if difference.is_hidden
            else "a worker mends it within an hour, or when it is restarted; see that one runs"
        )
        yield f"Static edge: {difference.key} {difference.what}; {remedy}."
