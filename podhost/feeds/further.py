"""A show's further feeds and the older pages of its feeds: rendered, stored, and found due again.

Which episodes they have is decided in formats/feed_rules.py; how a feed is rendered, in
rendering.py.
"""

import hashlib
import secrets
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Text, and_, cast, or_, select
from sqlalchemy.orm import Session

from podhost.changes import record_change
from podhost.errors import Invalid, NotFound
from podhost.feeds.formats import RSS, further
from podhost.feeds.rendering import (
    FeedValues,
    Site,
    compress_feed,
    fill_snapshot,
    says_already,
    snapshot_body,
)
from podhost.fields import may_be_slug
from podhost.formats.feed_rules import (
    PAGES,
    FeedDocument,
    further_documents,
    further_guid,
    further_path,
    next_change,
)
from podhost.formats.feed_tags import read_show_tag, stored_show_tags
from podhost.formats.tag_values import FurtherFeed
from podhost.jobs import enqueue
from podhost.models import Episode, FeedSnapshot, FurtherFeeds, Show
from podhost.shows import ShowInput, change_show

# Of its own kind, because it waits for a day to come: work that is due at once must not be taken
# for the same, nor what failed for what is tried again then.
RENDER_SHOW_AT = "render_show_at"


@dataclass(frozen=True, slots=True)
class Held:
    """What is stored for a show: documents by their paths, and up to which state."""

    snapshots: Mapping[str, FeedSnapshot]
    state: FurtherFeeds | None


@dataclass(frozen=True, slots=True)
class NewDocument:
    """Bytes that are other than those stored."""

    path: str
    body: bytes
    body_gzip: bytes
    is_private: bool


@dataclass(frozen=True, slots=True)
class FurtherRendering:
    """What is to be stored: changed documents, those that are no more, and guids of episodes that
    stand in an early feed. `due_at` is when something changes by itself."""

    changed: Sequence[NewDocument]
    gone: frozenset[str]
    early_guids: frozenset[str]
    due_at: datetime | None


def read_held(session: Session, show: Show) -> Held:
    """What is stored for the show now."""
    rows = session.scalars(select(FeedSnapshot).where(FeedSnapshot.show_id == show.id))
    return Held({row.path: row for row in rows}, session.get(FurtherFeeds, show.id))


def render_further(values: FeedValues, held: Held, *, now: datetime) -> FurtherRendering | None:
    """What differs from what is stored; None where the show has and had nothing of this kind.

    It takes as long as rendering does, so it is called outside of a transaction.
    """
    rules, page_size = values.show.tags.feeds, values.show.tags.feed_page_size
    if not (rules or page_size) and held.state is None:
        return None
    # For most shows there is nothing here to make values for.
    episodes = [source.values() for source in values.episodes] if rules or page_size else []
    documents = list(further_documents(values.show, episodes, values.scheduled, now))
    paths = {document.path for document in documents}
    scheduled = {episode.guid for episode in values.scheduled}
    return FurtherRendering(
        changed=[*_changed(documents, held.snapshots)],
        gone=frozenset(
            path
            for path, row in held.snapshots.items()
            if path not in paths and row.gone_at is None
        ),
        early_guids=frozenset(
            episode.guid
            for document in documents
            for episode in document.episodes
            if episode.guid in scheduled
        ),
        due_at=next_change(rules, episodes, values.scheduled, now),
    )


def _changed(
    documents: Sequence[FeedDocument], held: Mapping[str, FeedSnapshot]
) -> Iterator[NewDocument]:
    # Loaded here, because it loads feedgen and lxml, and servers hardly ever render.
    from podhost.formats.rss import render_feed

    for document in documents:
        body = render_feed(document.show, document.episodes)
        row = held.get(document.path)
        is_same = (
            row is not None
            and row.gone_at is None
            and row.is_private == document.is_private
            and says_already(row, body, RSS)
        )
        if not is_same:
            yield NewDocument(document.path, body, compress_feed(body), document.is_private)


def store_further(
    session: Session,
    show: Show,
    rendered: FurtherRendering,
    *,
    show_version: int,
    site: Site,
    now: datetime,
) -> list[str]:
    """Keep what was rendered of this version of the show, unless a newer one is stored already.

    Returns the paths of the feeds that have new bytes and are for everybody. The audio of an
    episode may be had from the moment on at which an early feed names it. The show's row must be
    locked by the caller.
    """
    state = session.get(FurtherFeeds, show.id)
    if state is not None and state.show_version > show_version:
        return []
    is_other_set = bool(rendered.gone)
    for document in rendered.changed:
        row = session.get(FeedSnapshot, further(document.path).key(show.id))
        if row is None:
            row = FeedSnapshot(show_id=show.id, path=document.path, version=0)
            session.add(row)
        is_other_set = is_other_set or not row.version or row.gone_at is not None
        row.is_private, row.gone_at = document.is_private, None
        body, body_gzip = document.body, document.body_gzip
        fill_snapshot(row, body, body_gzip, show_version=show_version, site=site, now=now)
    for path in rendered.gone:
        if (row := session.get(FeedSnapshot, further(path).key(show.id))) is not None:
            row.gone_at, row.body_gzip, row.size_bytes = now, b"", 0
    _keep_state(session, show, state, rendered, show_version, site)
    if rendered.due_at is not None:
        enqueue(session, RENDER_SHOW_AT, show.id, now=now, run_at=rendered.due_at)
    for episode_id in [*_mark_early(session, show, rendered.early_guids, now)]:
        record_change(session, "episode", episode_id, now=now)
    if rendered.changed or rendered.gone:
        record_change(session, "feed", show.id, now=now)
    if is_other_set:
        # Who serves knows by heart which documents a show has.
        record_change(session, "show", show.id, now=now)
    return [
        document.path
        for document in rendered.changed
        if further(document.path).has_hubs and not document.is_private
    ]


def _keep_state(
    session: Session,
    show: Show,
    state: FurtherFeeds | None,
    rendered: FurtherRendering,
    show_version: int,
    site: Site,
) -> None:
    if state is None:
        state = FurtherFeeds(show_id=show.id)
        session.add(state)
    state.show_version, state.made_with = show_version, site.made_with
    state.due_at = rendered.due_at


def _mark_early(
    session: Session, show: Show, guids: frozenset[str], now: datetime
) -> Iterator[str]:
    """Note which episodes are in an early feed now; the ids of those for which that is new."""
    rows = session.scalars(
        select(Episode).where(
            Episode.show_id == show.id,
            or_(Episode.early_since.is_not(None), Episode.guid.in_(guids)),
        )
    ).all()
    for row in rows:
        is_early = row.guid in guids and row.status == "scheduled"
        if is_early != (row.early_since is not None):
            row.early_since = now if is_early else None
            yield row.id


def stale_show_ids(
    session: Session, site: Site, *, compare_site: bool, now: datetime
) -> Sequence[str]:
    """Shows of which something here is not as their rows, or the clock, want it.

    With `compare_site`, also those that were rendered for another address or by another version.
    """
    is_stale = [FurtherFeeds.show_version < Show.version, FurtherFeeds.due_at <= now]
    if compare_site:
        is_stale.append(FurtherFeeds.made_with != site.made_with)
    # A worker of the version before has rendered the show, and knew nothing of these.
    stored = cast(Show.tags, Text)
    is_wanted = or_(stored.contains('"feeds"'), stored.contains('"feed_page_size"'))
    is_stale.append(and_(FurtherFeeds.show_id.is_(None), is_wanted))
    return session.scalars(
        select(Show.id)
        .outerjoin(FurtherFeeds, FurtherFeeds.show_id == Show.id)
        .where(Show.deleted_at.is_(None), or_(*is_stale))
    ).all()


def further_body(session: Session, show: Show, name: str) -> bytes:
    """The bytes of the further feed of this name. Raises NotFound."""
    key = further(further_path(name)).key(show.id)
    row = session.get(FeedSnapshot, key) if may_be_slug(name) else None
    if row is None or row.gone_at is not None:
        raise NotFound(f"The show {show.slug!r} has no further feed {name!r}.")
    return snapshot_body(row)


def older_pages(session: Session, show: Show) -> list[bytes]:
    """The older pages of the show's own feed, as far as their bytes are whole."""
    snapshots = read_held(session, show).snapshots.items()
    pages = [row for path, row in snapshots if path.startswith(PAGES) and row.gone_at is None]
    return [snapshot_body(row) for row in pages if _is_whole(row)]


def further_problems(session: Session, show: Show, *, now: datetime) -> Iterator[str]:
    """A sentence for each document that is not as it was stored, or not of the show's state."""
    held = read_held(session, show)
    state = held.state
    is_late = state is not None and (
        state.show_version < show.version or (state.due_at is not None and state.due_at <= now)
    )
    tags: Mapping[str, Any] = show.tags or {}
    if is_late or (state is None and tags.get("feeds")):
        yield "they have not been rendered since the last change; is a worker running?"
    for path, row in held.snapshots.items():
        if row.gone_at is None and not _is_whole(row):
            yield f"{path}: the stored bytes are damaged; change the show to have it rendered anew."


def _is_whole(row: FeedSnapshot) -> bool:
    try:
        return hashlib.sha256(snapshot_body(row)).hexdigest() == row.sha256
    except (OSError, EOFError, zlib.error):
        return False


# What hosts give and are told


class GivenFeed(FurtherFeed, frozen=True):
    """A further feed as a program gives it; a private one may leave its name to podhost."""

    name: str = ""

    def named(self, name: str) -> "GivenFeed":
        """The same under this name."""
        return msgspec.structs.replace(self, name=name)


class FeedAnswer(msgspec.Struct, kw_only=True):
    """A further feed: its rule, where it is, and since when it says what it says (null: it is not
    rendered yet). `pages` are the older ones behind it."""

    name: str
    url: str
    title: str | None
    description: str | None
    podcast_guid: str
    private: bool
    seasons: tuple[int, ...]
    labels: tuple[str, ...]
    types: tuple[str, ...]
    media: str | None
    newest: int | None
    delay_hours: int | None
    early_hours: int | None
    last_modified: datetime | None
    pages: int
    warnings: list[str]


class FeedList(msgspec.Struct, kw_only=True):
    """The further feeds of a show, in the order in which they were made."""

    feeds: list[FeedAnswer]


def feed_answers(session: Session, show: Show, base_url: str) -> list[FeedAnswer]:
    """The show's further feeds as the API tells them."""
    found = session.execute(
        select(FeedSnapshot.path, FeedSnapshot.last_modified).where(
            FeedSnapshot.show_id == show.id, FeedSnapshot.gone_at.is_(None)
        )
    )
    dates = {path: last_modified for path, last_modified in found}
    return [_answer(show, rule, dates, base_url) for rule in _rules(show)]


def feed_answer(
    session: Session, show: Show, name: str, base_url: str, *, warnings: Sequence[str] = ()
) -> FeedAnswer:
    """One of them. Raises NotFound."""
    for answer in feed_answers(session, show, base_url):
        if answer.name == name:
            answer.warnings = [*warnings]
            return answer
    raise NotFound(f"The show {show.slug!r} has no further feed {name!r}.")


def put_feed(session: Session, show: Show, given: FurtherFeed, *, now: datetime) -> str:
    """Make the feed of this name, or change it as a whole; its name.

    Raises Invalid with every wrong field. The show's row must be locked by the caller.
    """
    if given.is_private and not given.name:
        given = msgspec.structs.replace(given, name=secrets.token_hex(16))
    try:
        kept = read_show_tag("feeds", [given])[0]
    except Invalid as error:
        named = {path.removeprefix("[0]").lstrip("."): text for path, text in error.fields.items()}
        raise Invalid(
            " ".join(f"{name}: {text}" if name else text for name, text in named.items()), named
        ) from None
    rules = list(_rules(show))
    place = next((n for n, rule in enumerate(rules) if rule.name == kept["name"]), len(rules))
    rules[place:] = [msgspec.convert(kept, FurtherFeed), *rules[place + 1 :]]
    change_show(session, show, ShowInput(feeds=tuple(rules)), now=now)
    return str(kept["name"])


def remove_feed(session: Session, show: Show, name: str, *, now: datetime) -> None:
    """Take the feed away; its address answers 410 as soon as a worker has seen it.

    Raises NotFound. The show's row must be locked by the caller.
    """
    rules = _rules(show)
    rest = tuple(rule for rule in rules if rule.name != name)
    if len(rest) == len(rules):
        raise NotFound(f"The show {show.slug!r} has no further feed {name!r}.")
    change_show(session, show, ShowInput(feeds=rest), now=now)


def _rules(show: Show) -> tuple[FurtherFeed, ...]:
    return stored_show_tags(show.tags).feeds


def _answer(
    show: Show, rule: FurtherFeed, dates: Mapping[str, datetime], base_url: str
) -> FeedAnswer:
    path = further_path(rule.name)
    pages = path.removesuffix(".xml") + "/"
    said = msgspec.structs.asdict(rule)
    said["podcast_guid"] = rule.podcast_guid or further_guid(show.podcast_guid, rule.name)
    said["private"] = rule.is_private
    return FeedAnswer(
        **said,
        url=base_url + further(path).path(show.slug),
        last_modified=dates.get(path),
        pages=sum(held.startswith(pages) for held in dates),
        warnings=[],
    )
