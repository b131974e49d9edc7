"""An episode gets a prepared file as its audio: rows, what is shifted with it, and its tags.

The file was probed and stored before (`revisions`); calls of the API and uploads end here.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from podhost.accounts.roles import Actor, act
from podhost.audio.revisions import PreparedAudio, refuse_known_audio
from podhost.audio.shifting import ShiftedTranscripts, Timed, shift_episode, shift_transcripts
from podhost.audio.tagging import add_copy, prepare_copy
from podhost.audio.waveforms import request_waveform
from podhost.db import Database
from podhost.episodes import replace_audio
from podhost.formats.time_shifts import Cuts
from podhost.models import Episode
from podhost.storage import Storage
from podhost.uploads.intake import Intake

T = TypeVar("T")


def give_audio(
    database: Database,
    storage: Storage,
    intake: Intake,
    prepared: PreparedAudio,
    cuts: Cuts,
    *,
    find: Callable[..., Episode],
    then: Callable[[Session, Episode, list[str]], T],
    actor: Actor | None,
    base_url: str,
    now: Callable[[], datetime],
) -> T:
    """Make the file the episode's audio: same guid, new address. Call it outside transactions.

    `find(session, lock=...)` gives the episode, whose show it locks if asked to. `then` ends the
    one transaction in which `actor` writes all of it, with sentences on what was cut off; what it
    returns is returned. Where audio that is out gets tags, the copy with them is made before.
    Raises Conflict when the episode has these very bytes, and Invalid.
    """
    with database.read() as session:
        episode = find(session)
        show_id, rows = episode.show_id, [*episode.transcripts] if cuts else []
    shifted: ShiftedTranscripts | None = None
    if cuts:
        duration_ms = prepared.probe.duration_ms
        shifted = shift_transcripts(storage, intake, rows, cuts, duration_ms)
    cut_off: list[str] = []

    def replace(session: Session) -> Episode:
        nonlocal cut_off
        episode = find(session, lock=True)
        refuse_known_audio(episode, prepared.sha256)
        before = None if prepared.chapters else Timed.of(episode)
        cut_off = replace_audio(session, episode, prepared, now=now())
        if shifted is not None:
            cut_off = shift_episode(session, episode, before, shifted, cuts, now=now())
        return episode

    copy = prepare_copy(database, storage, intake, replace, show_id=show_id, base_url=base_url)
    with database.write() as session:
        act(session, actor)
        episode = replace(session)
        if copy is not None:
            add_copy(session, episode, copy, base_url=base_url, now=now())
        request_waveform(session, episode, now=now())
        return then(session, episode, cut_off)
