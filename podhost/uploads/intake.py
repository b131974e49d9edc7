"""Files on their way in: prepared outside transactions, taken back when no row came to know them.

It writes no row and decides nothing about shows and episodes.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from podhost.artwork import PreparedArtwork, discard_artwork, prepare_artwork
from podhost.audio.revisions import PreparedAudio, prepare_audio, prepare_stored_audio
from podhost.db import Database
from podhost.errors import PodhostError, Uncertain
from podhost.formats.artwork import Crop
from podhost.formats.transcripts import Transcript as TranscriptFile
from podhost.models import Artwork, Audio, Transcript
from podhost.storage import Storage
from podhost.transcripts import PreparedTranscript, prepare_forms, prepare_transcripts

log = logging.getLogger(__name__)


class Intake:
    """What was stored for rows that are not written yet.

    Use it around the preparing and the write transaction. When the block raises, every stored
    file that no row knows is deleted. It looks, because the rows may have been written before
    the block failed. Where it cannot look, or where a commit may still come to be although its
    answer was lost, it leaves the files to the sweep.
    """

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage
        # For each file or group of files: the row that would know it, and what deletes it.
        self._stored: list[tuple[InstrumentedAttribute[str], str, Callable[[], None]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and not isinstance(error, Uncertain):
            self.take_back()

    def take_back(self) -> None:
        """Delete every stored file that no row knows."""
        for column, row_id, discard in self._stored:
            try:
                with self._database.read() as session:
                    is_known = session.scalar(select(column).where(column == row_id)) is not None
                if not is_known:
                    discard()
            except Exception as failure:
                # What the block raised is what the caller must see.
                log.warning(
                    "a file could not be taken back; the sweep will remove it: %s",
                    failure,
                    exc_info=None if isinstance(failure, PodhostError) else failure,
                )

    def audio(self, path: Path, *, file_name: str, sha256: str) -> PreparedAudio:
        """Probe and store a received file, which is given up. Raises Invalid with a sentence."""
        return self.keep_audio(
            prepare_audio(self._storage, path, file_name=file_name, sha256=sha256, give_up=True)
        )

    def stored_audio(self, key: str) -> PreparedAudio:
        """Take over a file under incoming/ in the storage. Raises NotFound or Invalid."""
        return self.keep_audio(prepare_stored_audio(self._storage, key))

    def artwork(
        self,
        path: Path,
        *,
        is_square: bool = True,
        crop: Crop | None = None,
        artwork_id: str | None = None,
        is_placeholder: bool = False,
    ) -> PreparedArtwork:
        """Check and store the artwork of a show or an episode, or any picture where `is_square`
        is False, or a part of it; under the id that it had elsewhere, if that is free. Raises
        Invalid."""
        prepared = prepare_artwork(
            self._storage,
            path,
            is_square=is_square,
            crop=crop,
            artwork_id=artwork_id,
            is_placeholder=is_placeholder,
        )
        self._keep_artwork(prepared)
        return prepared

    def transcripts(
        self,
        data: bytes,
        file_name: str,
        *,
        language: str | None,
        without: Collection[str] = (),
        ids: Mapping[str, str] | None = None,
    ) -> tuple[Sequence[PreparedTranscript], list[str]]:
        """Read and store a transcript; what is stored, and warnings. Raises Invalid."""
        prepared, warnings = prepare_transcripts(
            self._storage, data, file_name, language=language, without=without, ids=ids
        )
        self._keep_transcripts(prepared)
        return prepared, warnings

    def transcript_forms(
        self,
        transcript: TranscriptFile,
        endings: Collection[str],
        *,
        source_sha256: str,
        language: str | None,
    ) -> Sequence[PreparedTranscript]:
        """Store other forms of a transcript that is stored already."""
        prepared = prepare_forms(
            self._storage, transcript, endings, source_sha256=source_sha256, language=language
        )
        self._keep_transcripts(prepared)
        return prepared

    def keep_audio(self, prepared: PreparedAudio) -> PreparedAudio:
        """Take charge of a file that was prepared already."""
        storage = self._storage
        self._stored.append((Audio.id, prepared.id, lambda: storage.delete(prepared.storage_key)))
        for picture in prepared.pictures:
            self._keep_artwork(picture)
        return prepared

    def _keep_artwork(self, prepared: PreparedArtwork) -> None:
        storage = self._storage
        self._stored.append((Artwork.id, prepared.id, lambda: discard_artwork(storage, prepared)))

    def _keep_transcripts(self, prepared: Iterable[PreparedTranscript]) -> None:
        for transcript in prepared:
            self._stored.append((Transcript.id, transcript.id, self._deleting(transcript)))

    def _deleting(self, transcript: PreparedTranscript) -> Callable[[], None]:
        storage = self._storage
        return lambda: storage.delete(transcript.storage_key)


def delete_quietly(storage: Storage, keys: Iterable[str]) -> None:
    """Delete objects that are of no more use; a failure is logged and harms nobody."""
    for key in keys:
        try:
            storage.delete(key)
        except Exception:
            log.exception("an object of no more use could not be deleted", extra={"key": key})
