"""What uploads leave behind: those that nobody goes on with, and what a kill left of others."""

import logging
from contextlib import suppress
from datetime import datetime
from functools import partial

from sqlalchemy import delete, select

from podhost.db import Database
from podhost.errors import Conflict, NotFound
from podhost.models import Upload
from podhost.storage import Storage
from podhost.storage.multiparts import UPLOADS
from podhost.uploads import ABANDONED_AFTER, abort_upload
from podhost.uploads.limits import IN_HAND, UPLOADING

log = logging.getLogger(__name__)

_ABANDONED = "Nothing of this file arrived for 7 days, so what was here was removed."


def abort_abandoned(database: Database, storage: Storage, *, now: datetime) -> int:
    """Give up uploads of which nothing has arrived for so long; how many those were.

    Rows of those that ended as long ago are forgotten.
    """
    oldest = now - ABANDONED_AFTER
    with database.read() as session:
        old = session.scalars(
            select(Upload).where(Upload.state == UPLOADING, Upload.created_at < oldest)
        ).all()
    count = 0
    for upload in old:
        if _last_arrival(storage, upload) < oldest:
            # It may be complete by now.
            with suppress(Conflict, NotFound):
                abort_upload(database, storage, upload.id, actor=None, now=now, why=_ABANDONED)
                count += 1
    with database.write() as session:
        ended = Upload.state.not_in((UPLOADING, *IN_HAND))
        session.execute(delete(Upload).where(ended, Upload.changed_at < oldest))
    return count


def _last_arrival(storage: Storage, upload: Upload) -> datetime:
    try:
        found = storage.multiparts().changed_at(upload.upload_key, upload.multipart_id)
    except NotFound:
        return upload.created_at
    return max(found or upload.created_at, upload.created_at)


def remove_orphans(database: Database, storage: Storage, *, older_than: datetime) -> int:
    """Remove what the storage has of uploads that no row waits for; how much that was.

    Only for a storage that is this database's own.
    """
    multiparts = storage.multiparts()
    old = [
        (each.key, partial(multiparts.abort, each.key, each.multipart_id))
        for each in multiparts.list_open()
        if each.began_at < older_than
    ]
    old += [
        (stat.key, partial(storage.delete, stat.key))
        for stat in storage.list(UPLOADS)
        if stat.modified_at < older_than
    ]
    # The rows come after the objects: of what was found, none got its row unseen meanwhile.
    with database.read() as session:
        is_wanted = Upload.state.in_((UPLOADING, *IN_HAND))
        wanted = set(session.scalars(select(Upload.upload_key).where(is_wanted)))
    orphans = [(key, remove) for key, remove in old if key not in wanted]
    for key, remove in orphans:
        log.info("removing what is left of an upload", extra={"storage_key": key})
        remove()
    return len(orphans)
