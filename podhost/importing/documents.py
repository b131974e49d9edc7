"""Feeds that were uploaded to be imported: kept as rows while an import may need them."""

import gzip
import hashlib
from datetime import datetime, timedelta

from sqlalchemy import String, delete, literal, select
from sqlalchemy.orm import Session

from podhost.errors import Invalid, NotFound
from podhost.formats.feed_words import MAX_FEED_BYTES
from podhost.formats.opml import is_opml
from podhost.formats.text import shown
from podhost.importing.plans import Source, address_source
from podhost.models import Import
from podhost.models.directories import FeedDocument

# So begins what recognises an import of an uploaded feed; its SHA-256 follows.
UPLOADED = "upload:"
# Whoever looked at what would come decides within this time.
_KEPT_UNUSED = timedelta(days=7)
_A_LIST = (
    "This is a list of feeds (OPML). Bring each show by the address of its feed; "
    "`podhost import FILE` takes the whole list."
)


def keep_document(session: Session, name: str, body: bytes, *, now: datetime) -> Source:
    """Keep an uploaded feed for the jobs that read it. Raises Invalid for one that is no feed's
    size."""
    if not body.strip():
        raise Invalid("The file is empty.", {"feed": "The file is empty."})
    if len(body) > MAX_FEED_BYTES:
        raise Invalid("The file is larger than 50 MB.", {"feed": "The file is larger than 50 MB."})
    if is_opml(body):
        raise Invalid(_A_LIST, {"feed": _A_LIST})
    sha256 = hashlib.sha256(body).hexdigest()
    shown_name = shown(name, 200) or "feed.xml"
    row = session.get(FeedDocument, sha256)
    if row is None:
        row = FeedDocument(sha256=sha256, name=shown_name, body_gzip=gzip.compress(body, mtime=0))
        session.add(row)
    row.name, row.created_at = shown_name, now
    session.flush()
    return Source(shown_name, document=body, path=UPLOADED + sha256)


def import_source(session: Session, key: str) -> Source:
    """The source of an import, by what it is recognised by. Raises NotFound for an uploaded feed
    that is gone."""
    if not key.startswith(UPLOADED):
        return address_source(key)
    row = session.get(FeedDocument, key.removeprefix(UPLOADED))
    if row is None:
        raise NotFound("The uploaded feed is not here any more; upload it again.")
    return Source(row.name, document=gzip.decompress(row.body_gzip), path=key)


def source_name(session: Session, key: str) -> str:
    """How the source of an import is called where people read it."""
    if not key.startswith(UPLOADED):
        return address_source(key).name
    found = select(FeedDocument.name).where(FeedDocument.sha256 == key.removeprefix(UPLOADED))
    return session.scalar(found) or "an uploaded feed"


def forget_documents(session: Session, *, now: datetime) -> None:
    """Forget the uploaded feeds that nobody imported."""
    used = literal(UPLOADED, String) + FeedDocument.sha256
    session.execute(
        delete(FeedDocument).where(
            FeedDocument.created_at < now - _KEPT_UNUSED,
            ~select(Import.id).where(Import.source == used).exists(),
        )
    )
