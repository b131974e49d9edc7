"""What the feed doctor says of our own shows, kept in memory for as long as the feed is the same.

Looking at 2,000 episodes takes a tenth of a second and more, and every page of the settings tells
what was found. Nothing is read from the network but by `look_at_show_live`.
"""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.answers import Diagnosis
from podhost.doctor import diagnose_body, feed_body
from podhost.feeds.hubs import site_of
from podhost.feeds.rendering import Site
from podhost.fetching import instance_fetcher
from podhost.instance import Instance
from podhost.models import Show, Snapshot

# A feed of this size is looked at in a few hundredths of a second.
SMALL_BYTES = 500_000
# Dates in the future become dates in the past.
_KEPT = timedelta(hours=1)
_MOST_KEPT = 200
# Of the newest episodes; a person waits for the answer.
_LIVE_NEWEST = 3
LIVE_SECONDS = 40.0

_lock = threading.Lock()
_kept: "OrderedDict[str, _Kept]" = OrderedDict()


class _Kept(NamedTuple):
    sha256: str
    looked_at: datetime
    diagnosis: Diagnosis


def known_diagnosis(session: Session, show: Show, site: Site, *, now: datetime) -> Diagnosis | None:
    """What is wrong with the show's feed, if that is known or quickly found; None: look first."""
    known = _look_up(session, show)
    if known is None:
        # Nothing was rendered yet, so there is nothing to look at.
        return diagnose_body(show.title, None, now=now)
    sha256, size_bytes = known
    if (found := _find(show.id, sha256, now)) is not None:
        return found
    return diagnose(session, show, site, now=now) if size_bytes < SMALL_BYTES else None


def diagnose(session: Session, show: Show, site: Site, *, now: datetime) -> Diagnosis:
    """What is wrong with the feed that apps get now; kept until it is another one."""
    known = _look_up(session, show)
    sha256 = known[0] if known is not None else ""
    if sha256 and (found := _find(show.id, sha256, now)) is not None:
        return found
    diagnosis = diagnose_body(show.title, feed_body(session, show, site), now=now)
    if sha256:
        with _lock:
            _kept[show.id] = _Kept(sha256, now, diagnosis)
            _kept.move_to_end(show.id)
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
    return diagnosis


def look_at_show_live(instance: Instance, show: Show) -> Diagnosis:
    """The same, and how the feed, its newest audio and its artwork are served to the world.

    It takes a few seconds, and not much more than LIVE_SECONDS where servers do not answer.
    """
    with instance.database.read() as session:
        body = feed_body(session, session.get_one(Show, show.id), site_of(instance))
    with instance_fetcher(
        instance.settings,
        base_url=instance.base_url,
        purpose="feed doctor",
        all_seconds=LIVE_SECONDS,
    ) as fetcher:
        return diagnose_body(
            show.title, body, now=instance.now(), fetcher=fetcher, newest=_LIVE_NEWEST
        )


def _look_up(session: Session, show: Show) -> tuple[str, int] | None:
    """The hash and the size in bytes of the feed that apps get now, without its bytes."""
    query = select(Snapshot.sha256, Snapshot.size_bytes).where(Snapshot.show_id == show.id)
    found = session.execute(query).one_or_none()
    return None if found is None else (found.sha256, found.size_bytes)


def _find(show_id: str, sha256: str, now: datetime) -> Diagnosis | None:
    with _lock:
        kept = _kept.get(show_id)
    if kept is None or kept.sha256 != sha256 or now - kept.looked_at >= _KEPT:
        return None
    return kept.diagnosis
