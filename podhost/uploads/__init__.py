"""Uploads: files that hosts send in parts, over days if need be; it probes none, makes no episode.

The protocol is that of Uppy's Companion (`/s3/multipart`): create, sign a part, list parts,
complete, abort. The storage holds the parts and the row says what they are for. What is complete is
taken over by a job (taking.py).
"""

import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from msgspec import UNSET
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost import jobs
from podhost.accounts.roles import Actor, act
from podhost.db import Database, new_id
from podhost.episodes import get_episode
from podhost.errors import (
    Conflict,
    Gone,
    Invalid,
    NotFound,
    PodhostError,
    Uncertain,
)
from podhost.fields import FieldErrors
from podhost.formats.text import given_file_name, plain_line, truncate_text
from podhost.formats.time_shifts import read_cuts
from podhost.models import Episode, Show, Upload
from podhost.shows import lock_show
from podhost.storage import Storage
from podhost.storage.multiparts import MOST_PARTS, SMALLEST_PART_BYTES, UPLOADS, Part
from podhost.uploads.answers import (
    FoundTags,
    GivenPart,
    NewUpload,
    PartTarget,
    UploadAnswer,
    UploadedEpisode,
)
from podhost.uploads.limits import (
    IN_HAND,
    MB,
    RECEIVED,
    UPLOADING,
    Limits,
    require_room,
    require_size,
)

READY, REFUSED, ABORTED = "ready", "refused", "aborted"
TAKE_UPLOAD = "take_upload"

# On a line that breaks often, a part is what has to be sent again.
PART_BYTES = 8 * MB
# The largest part that is taken from clients that choose their own.
LARGEST_PART_BYTES = 64 * MB
MOST_OPEN = 100
MOST_LISTED = 200
# Laptops are closed for the night, and clocks differ; a new address is a call away.
SIGNED_FOR = timedelta(hours=6)
ABANDONED_AFTER = timedelta(days=7)
_LONGEST_FINGERPRINT = 200
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that somebody wants to send, with what is known of it."""

    file_name: str
    mime_type: str
    size_bytes: int | None
    fingerprint: str | None
    offset_ms: int | None


# Beginning


def read_wanted(given: NewUpload) -> Wanted:
    """What a client said of its file. Raises Invalid with every wrong field."""
    errors = FieldErrors()
    size_bytes = offset_ms = fingerprint = None
    file_name = given_file_name(given.filename)
    with errors.noting("filename"):
        if not file_name:
            raise ValueError("The file needs a name.")
    with errors.noting("size"):
        size_bytes = _number(given.size) if given.size is not UNSET else None
        if size_bytes is None and given.metadata.size is not UNSET:
            size_bytes = _number(given.metadata.size)
    with errors.noting("metadata.offset_ms"):
        given_offset = given.metadata.offset_ms
        offset_ms = _number(given_offset) if given_offset is not UNSET else None
        read_cuts(offset_ms, None)
    with errors.noting("metadata.fingerprint"):
        fingerprint = _fingerprint(given.metadata.fingerprint or "")
    errors.raise_any()
    mime_type = truncate_text(plain_line(given.type or ""), 255)
    return Wanted(file_name, mime_type, size_bytes, fingerprint, offset_ms)


def _number(value: int | str | None) -> int | None:
    if value is None or value == "":
        return None
    if not _WHOLE_NUMBER.fullmatch(str(value).strip()):
        raise ValueError("It must be a whole number.")
    return int(value)


def _fingerprint(value: str) -> str | None:
    line = plain_line(value)
    if len(line) > _LONGEST_FINGERPRINT:
        raise ValueError(f"It has more than {_LONGEST_FINGERPRINT} characters.")
    return line or None


def begin_upload(
    database: Database,
    storage: Storage,
    wanted: Wanted,
    *,
    find_show: Callable[[Session], Show],
    episode: str | None,
    limits: Limits,
    actor: Actor | None,
    now: datetime,
) -> str:
    """Begin to take a file; the id of its upload. Call it outside transactions.

    `actor` sends it; `find_show` gives the show; `episode` is the id or slug of the one that the
    file is for. Raises TooLarge, Forbidden or Conflict where there is no room for it.
    """
    if wanted.size_bytes is not None:
        require_size(wanted.size_bytes, limits)
    with database.read() as session:
        _admit(session, find_show(session), wanted, episode, limits)
    upload_id = new_id()
    key = UPLOADS + upload_id
    multiparts = storage.multiparts()
    multipart_id = multiparts.create(key, content_type="application/octet-stream")
    try:
        with database.write() as session:
            act(session, actor)
            lock_show(session, find_show(session).id)
            show = find_show(session)
            target = _admit(session, show, wanted, episode, limits)
            session.add(
                Upload(
                    id=upload_id,
                    show_id=show.id,
                    account_id=actor.account_id if actor is not None else None,
                    upload_key=key,
                    multipart_id=multipart_id,
                    part_secret=secrets.token_urlsafe(32),
                    file_name=wanted.file_name,
                    mime_type=wanted.mime_type,
                    size_bytes=wanted.size_bytes,
                    part_bytes=part_size(wanted.size_bytes or limits.file_bytes),
                    fingerprint=wanted.fingerprint,
                    target_id=target.id if target is not None else None,
                    offset_ms=wanted.offset_ms,
                    state=UPLOADING,
                    warnings=[],
                    created_at=now,
                    changed_at=now,
                )
            )
    except PodhostError as error:
        # What cannot be aborted now, or was not to be, is found by the sweep.
        if not isinstance(error, Uncertain):
            multiparts.abort(key, multipart_id)
        raise
    return upload_id


def _admit(
    session: Session, show: Show, wanted: Wanted, episode: str | None, limits: Limits
) -> Episode | None:
    """The episode that the file is for; None: it will be a new one."""
    target = get_episode(session, show, episode) if episode else None
    if wanted.offset_ms and target is None:
        sentence = "Times can be moved only in an episode that is there; name it in 'episode'."
        raise Invalid(sentence, {"metadata.offset_ms": sentence})
    count = session.scalar(
        select(func.count()).where(Upload.show_id == show.id, Upload.state == UPLOADING)
    )
    if (count or 0) >= MOST_OPEN:
        raise Conflict(
            f"{MOST_OPEN} uploads of this show are under way or broken off; finish or remove some "
            "of them first."
        )
    require_room(session, show, wanted.size_bytes or 0, limits)
    return target


def part_size(size_bytes: int) -> int:
    """In how many bytes a file of this size is best cut: parts that are quickly sent again, and
    not more of them than S3 takes."""
    at_least = -(-size_bytes // MOST_PARTS)
    return max(PART_BYTES, -(-at_least // MB) * MB)


# Finding


def get_upload(session: Session, upload_id: str, *, lock: bool = False) -> Upload:
    """The upload with this id; with `lock`, no other transaction changes it. Raises NotFound."""
    # Ids are nothing else, and PostgreSQL refuses to look for some other texts.
    upload = None
    if upload_id.isascii() and upload_id.isprintable() and len(upload_id) <= 16:
        upload = session.get(Upload, upload_id, with_for_update=lock, populate_existing=lock)
    if upload is None:
        raise NotFound("There is no such upload.")
    return upload


def check_key(upload: Upload, key: str | None) -> None:
    """Raises NotFound when a client names another key than this upload's."""
    if key and key != upload.upload_key:
        raise NotFound("There is no such upload: the key is another one's.")


def list_uploads(session: Session, show: Show, *, is_open: bool) -> Sequence[Upload]:
    """The uploads of a show, newest first: those that can go on, or all of the last days."""
    statement = select(Upload).where(Upload.show_id == show.id)
    if is_open:
        statement = statement.where(Upload.state == UPLOADING)
    newest = statement.order_by(Upload.created_at.desc(), Upload.id).limit(MOST_LISTED)
    return session.scalars(newest).all()


def upload_answer(session: Session, upload: Upload, *, is_direct: bool) -> UploadAnswer:
    """The upload as programs are told of it."""
    return upload_answers(session, [upload], is_direct=is_direct)[0]


def upload_answers(
    session: Session, uploads: Sequence[Upload], *, is_direct: bool
) -> list[UploadAnswer]:
    """The same for several, in two queries however many they are."""
    slugs = {
        row.id: row.slug
        for row in session.execute(
            select(Show.id, Show.slug).where(Show.id.in_({each.show_id for each in uploads}))
        )
    }
    made = session.execute(
        select(Episode.id, Episode.slug, Episode.title).where(
            Episode.id.in_({each.episode_id for each in uploads if each.episode_id}),
            Episode.deleted_at.is_(None),
        )
    )
    episodes = {row.id: UploadedEpisode(id=row.id, slug=row.slug, title=row.title) for row in made}
    return [
        _answer(each, slugs[each.show_id], episodes.get(each.episode_id or ""), is_direct)
        for each in uploads
    ]


def _answer(
    upload: Upload, show: str, episode: UploadedEpisode | None, is_direct: bool
) -> UploadAnswer:
    return UploadAnswer(
        id=upload.id,
        key=upload.upload_key,
        show=show,
        filename=upload.file_name,
        type=upload.mime_type,
        size=upload.size_bytes,
        part_bytes=upload.part_bytes,
        direct=is_direct,
        fingerprint=upload.fingerprint,
        state=upload.state,
        error=upload.error,
        warnings=list(upload.warnings),
        target=upload.target_id,
        episode=episode,
        found=FoundTags(**upload.found) if upload.found is not None else None,
        sha256=upload.sha256,
        created_at=upload.created_at,
        changed_at=upload.changed_at,
        expires_at=upload.created_at + ABANDONED_AFTER if upload.state == UPLOADING else None,
    )


# Parts


def require_uploading(upload: Upload) -> None:
    """Raises Gone when it was aborted, Conflict when all of it is here already."""
    if upload.state == ABORTED:
        raise Gone(upload.error or "This upload was removed; begin it again.")
    if upload.state != UPLOADING:
        raise Conflict("All of this file has arrived already; it takes no more parts.")


def read_number(value: str) -> int:
    """The number of a part. Raises Invalid."""
    number = int(value) if re.fullmatch(r"[0-9]{1,5}", value, re.ASCII) else 0
    if not 1 <= number <= MOST_PARTS:
        sentence = f"The number of a part must be from 1 to {MOST_PARTS}."
        raise Invalid(sentence, {"partNumber": sentence})
    return number


def read_sha256(value: str | None) -> str | None:
    """A SHA-256 in hexadecimal, as it was given. Raises Invalid."""
    if not value:
        return None
    if not _SHA256.fullmatch(value.lower()):
        sentence = "It must be 64 hexadecimal digits."
        raise Invalid(f"sha256: {sentence}", {"sha256": sentence})
    return value.lower()


def part_target(
    storage: Storage, upload: Upload, number: int, *, sha256: str | None, base_url: str
) -> PartTarget:
    """Where a client sends one part to. The row may be of a session that is over."""
    expires_seconds = int(SIGNED_FOR.total_seconds())
    url = storage.multiparts().part_url(
        upload.upload_key, upload.multipart_id, number, expires_seconds=expires_seconds
    )
    if url is not None:
        return PartTarget(url=url, method="PUT", headers={}, expires=expires_seconds)
    secret = quote(upload.part_secret, safe="")
    return PartTarget(
        url=f"{base_url}/uploads/parts/{upload.id}/{number}?secret={secret}",
        method="PUT",
        headers={"x-podhost-sha256": sha256} if sha256 else {},
        expires=expires_seconds,
    )


def find_for_part(session: Session, upload_id: str, secret: str) -> Upload:
    """The upload that takes parts from whoever knows its secret. Raises NotFound otherwise."""
    upload = get_upload(session, upload_id)
    if not hmac.compare_digest(upload.part_secret.encode(), secret.encode()):
        raise NotFound("There is no such upload.")
    require_uploading(upload)
    return upload


def list_parts(storage: Storage, upload: Upload) -> Sequence[Part]:
    """What has arrived, by number, of a part that was sent again all that the storage has.

    Call it outside transactions. Raises Gone when the storage has lost it.
    """
    try:
        return storage.multiparts().list_parts(upload.upload_key, upload.multipart_id)
    except NotFound:
        raise Gone(
            "The storage does not have what was sent of this file any more; begin it again."
        ) from None


def newest_parts(parts: Sequence[Part]) -> list[Part]:
    """One for each number."""
    return [*{part.number: part for part in parts}.values()]


def room_for_part(upload: Upload, stored: Sequence[Part], number: int, limits: Limits) -> int:
    """How many bytes the part may have at most, beside those that are there."""
    others = sum(part.size_bytes for part in newest_parts(stored) if part.number != number)
    whole = upload.size_bytes if upload.size_bytes is not None else limits.file_bytes
    return max(0, min(whole - others, max(LARGEST_PART_BYTES, upload.part_bytes)))


# The end


def complete_upload(
    database: Database,
    storage: Storage,
    upload_id: str,
    given: Sequence[GivenPart],
    *,
    limits: Limits,
    actor: Actor | None,
    now: datetime,
) -> None:
    """All parts are sent: have the file taken over. Call it outside transactions.

    Doing it again changes nothing. Raises Invalid when what was named is not what is there.
    """
    with database.read() as session:
        upload = get_upload(session, upload_id)
    if upload.state in (*IN_HAND, READY, REFUSED):
        return
    require_uploading(upload)
    parts = _named_parts(given, list_parts(storage, upload))
    size_bytes = sum(part.size_bytes for part, _ in parts)
    _require_whole([part for part, _ in parts], upload.size_bytes)
    require_size(size_bytes, limits)
    with database.write() as session:
        act(session, actor)
        upload = get_upload(session, upload_id, lock=True)
        if upload.state in (*IN_HAND, READY, REFUSED):
            return
        require_uploading(upload)
        if upload.size_bytes is None:
            require_room(session, session.get_one(Show, upload.show_id), size_bytes, limits)
        upload.parts = [[part.number, part.size_bytes, part.etag, sha] for part, sha in parts]
        upload.size_bytes, upload.state, upload.changed_at = size_bytes, RECEIVED, now
        jobs.enqueue(session, TAKE_UPLOAD, upload.id, now=now, run_at=now)


def _named_parts(
    given: Sequence[GivenPart], stored: Sequence[Part]
) -> list[tuple[Part, str | None]]:
    """The parts that a client named, in order, each with the SHA-256 that it gave."""
    by_etag = {(part.number, part.etag.strip('"')): part for part in stored}
    newest = {part.number: part for part in stored}
    found: dict[int, tuple[Part, str | None]] = {}
    for each in given:
        if each.number in found:
            raise _wrong_parts(f"Part {each.number} is named twice.")
        etag = (each.etag or "").removeprefix("W/").strip('"')
        part = by_etag.get((each.number, etag)) if etag else newest.get(each.number)
        if part is None and each.number in newest:
            raise _wrong_parts(f"Part {each.number} arrived with another ETag; send it again.")
        if part is None:
            raise _wrong_parts(f"Part {each.number} has not arrived; send it again.")
        found[each.number] = (part, read_sha256(each.sha256 or None))
    if not found:
        raise _wrong_parts("No part is named.")
    if [*found] != sorted(found):
        raise _wrong_parts("The parts must be named in the order of their numbers.")
    return [*found.values()]


def _require_whole(parts: Sequence[Part], size_bytes: int | None) -> None:
    numbers = [part.number for part in parts]
    if numbers != [*range(1, len(numbers) + 1)]:
        missing = min(set(range(1, numbers[-1] + 1)) - set(numbers))
        raise _wrong_parts(f"Part {missing} is missing; send it.")
    for part in parts[:-1]:
        if part.size_bytes < SMALLEST_PART_BYTES:
            raise _wrong_parts(
                f"Part {part.number} has {part.size_bytes} bytes; all parts but the last must have "
                f"{SMALLEST_PART_BYTES} or more."
            )
    arrived = sum(part.size_bytes for part in parts)
    if size_bytes is not None and arrived != size_bytes:
        raise _wrong_parts(
            f"The parts have {arrived} bytes together, and the file has {size_bytes}; list the "
            "parts, and send what is missing."
        )


def _wrong_parts(sentence: str) -> Invalid:
    return Invalid(sentence, {"parts": sentence})


def abort_upload(
    database: Database,
    storage: Storage,
    upload_id: str,
    *,
    actor: Actor | None,
    now: datetime,
    why: str | None = None,
) -> None:
    """Give an unfinished upload up, with all that was sent of it. Doing it again changes nothing.

    Call it outside transactions. Raises Conflict when all of it is here already.
    """
    with database.write() as session:
        act(session, actor)
        upload = get_upload(session, upload_id, lock=True)
        if upload.state not in (UPLOADING, ABORTED):
            raise Conflict("All of this file has arrived already; remove the episode instead.")
        if upload.state == UPLOADING:
            upload.state, upload.error, upload.changed_at = ABORTED, why, now
        key, multipart_id = upload.upload_key, upload.multipart_id
    # What is not removed now is found by the sweep.
    storage.multiparts().abort(key, multipart_id)
