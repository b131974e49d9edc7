"""Small files of the old host, fetched for an import: pictures, chapters, transcripts.

None of them is worth failing for: what cannot be had or read is said in a sentence.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from podhost.artwork import PreparedArtwork, add_artwork, find_picture
from podhost.errors import Invalid, PodhostError, Unavailable
from podhost.fetching.files import is_web_page
from podhost.formats.chapter_formats import parse_chapters
from podhost.formats.chapters import FILE_LIMIT_BYTES, Chapter
from podhost.formats.imported import ImportedEpisode
from podhost.formats.text import shown
from podhost.instance import Instance
from podhost.models import Artwork, ImportPicture
from podhost.people import CreditInput
from podhost.transcripts import PreparedTranscript
from podhost.uploads.intake import Intake

if TYPE_CHECKING:
    from podhost.fetching import Fetcher

# Each file that is being prepared keeps a child process and its memory busy, and a core: eight that
# are fetched at once wait for each other here.
PREPARING = threading.BoundedSemaphore(2)
_PICTURE_BYTES = 20_000_000
_TRANSCRIPT_BYTES = 10_000_000
_SECONDS = 60.0
_TRIES = 2
# Pictures of one episode, its people and its chapters; more are a trap.
_MOST_PICTURES = 150
_EXTENSIONS = {
    "text/vtt": "vtt",
    "application/srt": "srt",
    "application/x-subrip": "srt",
    "text/srt": "srt",
    "application/json": "json",
    "text/html": "html",
    "text/plain": "txt",
}


@dataclass(slots=True)
class OldHost:
    """Whom the files of one show or episode are asked of, and what went wrong with them."""

    instance: Instance
    fetcher: "Fetcher"
    intake: Intake
    import_id: str
    notes: list[str] = field(default_factory=list)
    # By what they are kept under: an artwork's id, a picture that has no row yet, or None for one
    # that cannot be had.
    pictures: dict[str, PreparedArtwork | str | None] = field(default_factory=dict)


def small_file(old_host: OldHost, url: str, max_bytes: int) -> bytes:
    """The bytes at an address. Raises Invalid, Forbidden or Unavailable with a sentence."""
    for tries_left in reversed(range(_TRIES)):
        try:
            answer = old_host.fetcher.get(url, max_bytes=max_bytes, seconds=_SECONDS)
        except Unavailable:
            if not tries_left:
                raise
            continue
        if answer.status == 200:
            return answer.body
        if answer.status < 500:
            break
    host = urlsplit(answer.url).hostname or "The old host"
    raise Invalid(f"{host} answered {answer.status} instead of giving the file.")


# Pictures -----------------------------------------------------------------------------------------


def fetch_picture(old_host: OldHost, url: str, label: str, *, is_square: bool) -> str | None:
    """Fetch a picture, unless this import did before; under what it is kept, None without it."""
    key = hashlib.sha256(f"{is_square} {url}".encode()).hexdigest()
    if key in old_host.pictures:
        return key if old_host.pictures[key] is not None else None
    if len(old_host.pictures) >= _MOST_PICTURES:
        return None
    with old_host.instance.database.read() as session:
        known = session.get(ImportPicture, (old_host.import_id, key))
        if known is not None and (
            not known.artwork_id or session.get(Artwork, known.artwork_id) is not None
        ):
            old_host.pictures[key] = known.artwork_id or None
            return key if known.artwork_id else None
    old_host.pictures[key] = None
    if (data := _had(old_host, url, _PICTURE_BYTES, label)) is None:
        return None
    if (same := _same_picture(old_host, data, is_square=is_square)) is not None:
        old_host.pictures[key] = same
        return key
    try:
        old_host.pictures[key] = _prepared(old_host, data, is_square=is_square)
    except Invalid as error:
        old_host.notes.append(f"{label} does not come: {error.message}")
        return None
    return key


def _same_picture(
    old_host: OldHost, data: bytes, *, is_square: bool
) -> PreparedArtwork | str | None:
    """The same file under another address, or for another purpose: often a host's picture is the
    show's artwork."""
    sha256 = hashlib.sha256(data).hexdigest()
    for found in old_host.pictures.values():
        if isinstance(found, PreparedArtwork) and found.source_sha256 == sha256 and not is_square:
            return found
    with old_host.instance.database.read() as session:
        row = find_picture(session, sha256, is_square)
    return row.id if row is not None else None


def _had(old_host: OldHost, url: str, max_bytes: int, label: str) -> bytes | None:
    """The file, or None and a note."""
    try:
        return small_file(old_host, url, max_bytes)
    except PodhostError as error:
        old_host.notes.append(f"{label} does not come: {error.message}")
        return None


def _prepared(old_host: OldHost, data: bytes, *, is_square: bool) -> PreparedArtwork:
    with TemporaryDirectory(prefix="podhost-upload-") as folder:
        path = Path(folder) / "picture"
        path.write_bytes(data)
        with PREPARING:
            return old_host.intake.artwork(path, is_square=is_square)


def add_pictures(session: Session, old_host: OldHost, *, now: datetime) -> Mapping[str, str]:
    """Write the rows of what was fetched; the ids of artwork by what it is kept under."""
    ids: dict[str, str] = {}
    for key, found in old_host.pictures.items():
        if isinstance(found, PreparedArtwork):
            row = session.get(Artwork, found.id) or add_artwork(session, found, now=now)
            ids[key] = row.id
        elif found is not None:
            if session.get(Artwork, found) is None:
                # It was cleared away a moment ago; who needs it next fetches it anew.
                continue
            ids[key] = found
        session.merge(
            ImportPicture(import_id=old_host.import_id, url_sha256=key, artwork_id=ids.get(key, ""))
        )
    session.flush()
    return ids


def fetch_faces(old_host: OldHost, people: Sequence[CreditInput]) -> Mapping[str, str]:
    """Fetch the pictures of people; under what each is kept, by its address."""
    keys: dict[str, str] = {}
    for url in dict.fromkeys(person.image_url for person in people if person.image_url):
        if key := fetch_picture(old_host, url, "A person's picture", is_square=False):
            keys[url] = key
    return keys


def place_faces(
    people: Sequence[CreditInput], keys: Mapping[str, str], ids: Mapping[str, str]
) -> None:
    """Give people the pictures that are here now, in the place of links to the old host."""
    for person in people:
        if artwork_id := ids.get(keys.get(person.image_url or "", "")):
            person.artwork_id, person.image_url = artwork_id, None


# Chapters and transcripts -------------------------------------------------------------------------


def fetch_chapters(old_host: OldHost, episode: ImportedEpisode) -> list[Chapter]:
    """The chapters that the feed leads to, else those that stand in it; times as they are told."""
    if episode.chapters_url:
        data = _had(old_host, episode.chapters_url, FILE_LIMIT_BYTES, "The chapter file")
        try:
            if data is not None:
                return parse_chapters(data, urlsplit(episode.chapters_url).path)
        except Invalid as error:
            old_host.notes.append(f"The chapter file does not come: {error.message}")
    return list(episode.chapters)


def fetch_transcripts(old_host: OldHost, episode: ImportedEpisode) -> Sequence[PreparedTranscript]:
    """The transcripts, stored, in the order of the feed."""
    prepared: list[PreparedTranscript] = []
    kinds = [_extension(one.url, one.mime_type) for one in episode.transcripts]
    for one, extension in zip(episode.transcripts, kinds, strict=True):
        if (data := _had(old_host, one.url, _TRANSCRIPT_BYTES, "A transcript")) is None:
            continue
        if extension != "html" and is_web_page(data):
            # Of a login, or that says that the file is gone: nobody is to read it as a transcript.
            host = urlsplit(one.url).hostname
            old_host.notes.append(
                f"A transcript does not come: {host} gives a web page where the file should be."
            )
            continue
        try:
            found, warnings = old_host.intake.transcripts(
                data,
                f"transcript.{extension}",
                language=one.language,
                without=[kind for kind in kinds if kind != extension],
            )
        except (Invalid, ValueError) as error:
            old_host.notes.append(f"A transcript does not come: {error}")
            continue
        prepared += found
        old_host.notes += [f"Transcript: {shown(warning, 300)}" for warning in warnings]
    return prepared


def _extension(url: str, mime_type: str) -> str:
    known = _EXTENSIONS.get(mime_type.partition(";")[0].strip())
    suffix = Path(urlsplit(url).path).suffix.lower().lstrip(".")
    return known or (suffix if suffix in _EXTENSIONS.values() else "txt")
