"""Audio that was replaced, prepared to be an episode's audio again; as a new revision, because the
bytes behind an address never change."""

from podhost.audio.revisions import PreparedAudio, received_file
from podhost.db import Database
from podhost.errors import NotFound
from podhost.history.undo import find_audio
from podhost.models import HistoryEntry
from podhost.storage import Storage
from podhost.uploads.intake import Intake


def prepare(
    database: Database, storage: Storage, intake: Intake, entry: HistoryEntry
) -> PreparedAudio | None:
    """Store the audio from before the change once more, outside transactions; None: it is gone."""
    with database.read() as session:
        row = find_audio(session, entry)
    if row is None:
        return None
    with received_file(storage) as path:
        try:
            _, sha256 = storage.download_to(row.storage_key, path)
        except (ValueError, NotFound):
            return None
        name = f"{row.url_name}.{row.extension}"
        return intake.audio(path, file_name=name, sha256=sha256)
