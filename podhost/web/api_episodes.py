"""The API's calls for episodes.

What is slow (probing, storing) happens before the one write transaction; when that fails, what
was stored is taken back.
"""

import re
from datetime import datetime

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.answers import EpisodeAnswer, EpisodeList, episode_answer, listed_answer
from podhost.audio import PreparedAudio, refuse_known_audio
from podhost.chapter_pictures import shown_chapters
from podhost.chapters import chapter_warnings, notes_warnings, set_chapters
from podhost.episode_pages import list_page
from podhost.episodes import (
    STATUSES,
    EpisodeInput,
    change_episode,
    count_episodes,
    create_episode,
    episode_problems,
    find_episode_by_guid,
    replace_audio,
    set_episode_artwork,
    touch_episode,
)
from podhost.errors import Conflict, Invalid, NotFound
from podhost.fields import moment
from podhost.formats.chapter_formats import parse_chapters
from podhost.formats.chapters import (
    JSON_MIME_TYPE,
    normalise_chapters,
    render_json_chapters,
)
from podhost.formats.text import clean_text
from podhost.formats.time_shifts import Cut, Cuts, read_cuts
from podhost.intake import Intake, delete_quietly
from podhost.models import Episode, Show
from podhost.publishing import delete_episode, publish_episode, withdraw_episode
from podhost.shifting import ShiftedTranscripts, Timed, shift_episode, shift_transcripts
from podhost.tagging import add_copy, prepare_copy, request_tags
from podhost.transcripts import PreparedTranscript, set_transcripts
from podhost.web.api_shows import artwork_row, next_page, page, prepared_artwork, required_file
from podhost.web.calls import Call, answer, json_answer, named

_OFFSET = re.compile(r"-?[0-9]{1,12}", re.ASCII)


class NewEpisode(EpisodeInput, kw_only=True):
    """What is given to make an episode. `publish` is true, false or a time.

    `audio_key` names a file under incoming/ in the storage, in the place of an uploaded one.
    """

    publish: bool | str | UnsetType | None = UNSET
    audio_key: str | UnsetType | None = UNSET
    transcript_language: str | UnsetType | None = UNSET


class Shift(Struct, kw_only=True):
    """How times moved in the audio: `offset_ms` later (or earlier, if negative), or by cuts."""

    offset_ms: int | UnsetType | None = UNSET
    cuts: list[Cut] | UnsetType | None = UNSET


class NewAudio(Shift, kw_only=True):
    """In the place of an uploaded file, one under incoming/ in the storage.

    With a shift, chapters, transcripts and soundbites move as the times did.
    """

    audio_key: str | UnsetType | None = UNSET


class NewTranscript(Struct, kw_only=True):
    """The language of the transcript, where its name does not say it."""

    language: str | UnsetType | None = UNSET


class Publication(Struct, kw_only=True):
    """When the episode is to be published; now, if nothing is said."""

    at: str | UnsetType | None = UNSET


def get_episodes(call: Call, session: Session) -> EpisodeList:
    """A page of the show's episodes, newest first."""
    limit, offset = page(call)
    status = call.query.get("status") or None
    if status is not None and status not in STATUSES:
        sentence = f"It must be one of {', '.join(STATUSES)}."
        raise Invalid(f"status: {sentence}", {"status": sentence})
    show, base_url = call.show(session), call.instance.base_url
    found = list_page(session, show, status=status, limit=limit, offset=offset)
    total = count_episodes(session, show, status=status)
    path = f"/api/v1/shows/{show.slug}/episodes"
    more = f"&status={status}" if status else ""
    return EpisodeList(
        episodes=[listed_answer(show, listed, base_url) for listed in found],
        total=total,
        next=next_page(call, path, limit, offset, total, more=more),
    )


def get_one_episode(call: Call, session: Session) -> EpisodeAnswer:
    """One episode."""
    episode = call.episode(session)
    return episode_answer(episode.show, episode, call.instance.base_url)


def post_episode(call: Call) -> Response:
    """A new episode from its audio, or a draft that waits for it."""
    given = call.given(NewEpisode, files=("audio", "artwork", "transcript"), told=EpisodeAnswer)
    with call.instance.database.read() as session:
        show = call.show(session)
        _refuse_taken_guid(session, show, given)
    publish, at = _publish(given, show)
    _require_audio(call, given, publish=publish)
    files = call.form.files if call.form is not None else {}
    with Intake(call.instance.database, call.instance.storage) as intake:
        prepared = _prepared_audio(call, intake, given.audio_key)
        transcripts = []
        if "transcript" in files:
            transcripts = _prepared_transcripts(call, intake, given.transcript_language)
        picture = prepared_artwork(call, intake, files["artwork"]) if "artwork" in files else None
        with call.instance.database.write() as session:
            now = call.now()
            show = call.show(session, lock=True)
            episode = create_episode(session, show, given, prepared, now=now)
            call.warnings += _chapter_warnings(episode, given)
            if picture is not None:
                artwork = artwork_row(call, session, picture)
                set_episode_artwork(session, episode, artwork, now=now)
            if transcripts:
                set_transcripts(session, episode, transcripts, now=now)
            if publish and not episode_problems(episode):
                publish_episode(session, episode, now=now, at=at)
            created = _answer(call, episode)
        # A picture in the tags that is stored already, or that the host's own took the place of.
        intake.take_back()
    _forget_incoming(call, given.audio_key)
    base_url = call.instance.base_url
    location = f"{base_url}/api/v1/shows/{call.parameters['show']}/episodes/{created.id}"
    return json_answer(created, 201, location=location)


def patch_episode(call: Call) -> Response:
    """Change what is given; everything else stays. The guid never changes."""
    given = call.given(EpisodeInput, told=EpisodeAnswer)
    with call.instance.database.write() as session:
        episode = call.episode(session, lock=True)
        change_episode(session, episode, given, now=call.now())
        if given.chapters is not UNSET or given.notes is not UNSET:
            call.warnings += _chapter_warnings(episode, given)
        changed = _answer(call, episode)
    return json_answer(changed)


def remove_episode(call: Call) -> Response:
    """Delete the episode; its guid stays used."""
    with call.instance.database.write() as session:
        delete_episode(session, call.episode(session, lock=True), now=call.now())
    return Response(status_code=204)


def post_publish(call: Call) -> Response:
    """Publish the episode, now or at the time that is given."""
    given = call.given(Publication)
    with call.instance.database.write() as session:
        episode = call.episode(session, lock=True)
        at = _time(given.at, episode.show, "at") if given.at else None
        publish_episode(session, episode, now=call.now(), at=at)
        changed = _answer(call, episode)
    return json_answer(changed)


def post_write_tags(call: Call) -> Response:
    """Have tags written into the audio, by the worker; the enclosure gets a new URL then."""
    with call.instance.database.write() as session:
        episode = call.episode(session, lock=True)
        request_tags(session, episode, now=call.now())
        requested = _answer(call, episode)
    return json_answer(requested, 202)


def post_withdraw(call: Call) -> Response:
    """Take the episode out of the feed; a scheduled one becomes a draft again."""
    with call.instance.database.write() as session:
        episode = call.episode(session, lock=True)
        withdraw_episode(session, episode, now=call.now())
        changed = _answer(call, episode)
    return json_answer(changed)


def put_audio(call: Call) -> Response:
    """Replace the audio: the guid stays, the enclosure gets a new URL."""
    given = call.given(NewAudio, files=("audio",))
    cuts = _cuts(call, given)
    if not given.audio_key:
        received = required_file(call, "audio")
        with call.instance.database.read() as session:
            refuse_known_audio(call.episode(session), received.sha256)
    with Intake(call.instance.database, call.instance.storage) as intake:
        prepared = _prepared_audio(call, intake, given.audio_key)
        assert prepared is not None, "there is a file or a key"
        shifted = _shifted(call, intake, cuts, prepared.probe.duration_ms) if cuts else None
        cut_off: list[str] = []

        def replace(session: Session) -> Episode:
            nonlocal cut_off
            now = call.now()
            episode = call.episode(session, lock=True)
            refuse_known_audio(episode, prepared.sha256)
            before = None if prepared.chapters else Timed.of(episode)
            cut_off = replace_audio(session, episode, prepared, now=now)
            if shifted is not None:
                cut_off = shift_episode(session, episode, before, shifted, cuts, now=now)
            return episode

        copy = prepare_copy(
            call.instance.database,
            call.instance.storage,
            intake,
            replace,
            show_id=call.show_id or "",
            base_url=call.instance.base_url,
        )
        with call.instance.database.write() as session:
            episode = replace(session)
            if copy is not None:
                add_copy(session, episode, copy, base_url=call.instance.base_url, now=call.now())
            call.warnings += cut_off
            changed = _answer(call, episode)
        intake.take_back()
    _forget_incoming(call, given.audio_key)
    return json_answer(changed)


def post_shift(call: Call) -> Response:
    """Move chapters, transcripts and soundbites, because the times in the audio moved."""
    cuts = _cuts(call, call.given(Shift))
    if not cuts:
        sentence = "Say how the times moved, in offset_ms or in cuts."
        raise Invalid(f"offset_ms: {sentence}", {"offset_ms": sentence})
    with call.instance.database.read() as session:
        audio = call.episode(session).audio
    if audio is None:
        raise Conflict("The episode has no audio yet, so nothing can move in it.")
    with Intake(call.instance.database, call.instance.storage) as intake:
        shifted = _shifted(call, intake, cuts, audio.duration_ms)
        with call.instance.database.write() as session:
            episode = call.episode(session, lock=True)
            if episode.audio is None or episode.audio.id != audio.id:
                raise Conflict("The audio was replaced at the same moment. Try it again.")
            before = Timed.of(episode)
            call.warnings += shift_episode(session, episode, before, shifted, cuts, now=call.now())
            changed = _answer(call, episode)
    return json_answer(changed)


def put_episode_artwork(call: Call) -> Response:
    """Give the episode artwork of its own."""
    received = required_file(call, "artwork")
    with Intake(call.instance.database, call.instance.storage) as intake:
        picture = prepared_artwork(call, intake, received)
        with call.instance.database.write() as session:
            episode = call.episode(session, lock=True)
            artwork = artwork_row(call, session, picture)
            set_episode_artwork(session, episode, artwork, now=call.now())
            changed = _answer(call, episode)
    return json_answer(changed)


def remove_episode_artwork(call: Call) -> Response:
    """Take the episode's own artwork away; the show's serves again."""
    with call.instance.database.write() as session:
        episode = call.episode(session, lock=True)
        set_episode_artwork(session, episode, None, now=call.now())
    return Response(status_code=204)


def get_chapters(call: Call, session: Session) -> Response:
    """The chapters as JSON chapters."""
    episode = call.episode(session)
    body = render_json_chapters(
        shown_chapters(episode.chapters, call.instance.base_url),
        title=episode.title,
        podcast_name=episode.show.title,
    )
    return answer(body, mime_type=JSON_MIME_TYPE)


def put_chapters(call: Call) -> Response:
    """Replace the chapters: JSON, Podlove Simple Chapters, WebVTT, SRT, or lines such as
    `00:01:30 The first question`; the content tells which."""
    if not call.body.strip():
        raise Invalid("The body is empty; it must be JSON chapters or lines of times and titles.")
    parsed = parse_chapters(call.body, "chapters.json" if "json" in call.mime_type else "")
    with call.instance.database.write() as session:
        now = call.now()
        episode = call.episode(session, lock=True)
        duration_ms = episode.audio.duration_ms if episode.audio is not None else None
        chapters, repaired = normalise_chapters(parsed, duration_ms)
        call.warnings += repaired
        if set_chapters(session, episode, chapters, now=now):
            touch_episode(session, episode, now=now)
        changed = _answer(call, episode)
    return json_answer(changed)


def put_transcript(call: Call) -> Response:
    """Replace the transcript: WebVTT, SRT, JSON, HTML or plain text."""
    given = call.given(NewTranscript, files=("transcript",))
    language = given.language or call.query.get("language")
    received = required_file(call, "transcript")
    with call.instance.database.read() as session:
        episode = call.episode(session)
        if _has_transcript(episode, received.sha256, language):
            return json_answer(_answer(call, episode))
    with Intake(call.instance.database, call.instance.storage) as intake:
        prepared = _prepared_transcripts(call, intake, language)
        with call.instance.database.write() as session:
            episode = call.episode(session, lock=True)
            set_transcripts(session, episode, prepared, now=call.now())
            changed = _answer(call, episode)
    return json_answer(changed)


def remove_transcript(call: Call) -> Response:
    """Take the transcript away."""
    with call.instance.database.write() as session:
        episode = call.episode(session, lock=True)
        if episode.transcripts:
            set_transcripts(session, episode, [], now=call.now())
    return Response(status_code=204)


def _answer(call: Call, episode: Episode) -> EpisodeAnswer:
    return episode_answer(episode.show, episode, call.instance.base_url, warnings=call.warnings)


def _chapter_warnings(episode: Episode, given: EpisodeInput) -> list[str]:
    if given.chapters is not UNSET:
        return chapter_warnings(episode, given.chapters)
    return notes_warnings(episode)


def _refuse_taken_guid(session: Session, show: Show, given: EpisodeInput) -> None:
    """Early, so that a file that was sent twice is not probed and stored for nothing."""
    guid = given.guid
    if guid is UNSET or guid != clean_text(guid):
        return
    if find_episode_by_guid(session, show, guid) is not None:
        sentence = "The show has an episode with this guid already."
        raise Conflict(f"{sentence} Nothing was stored.", {"guid": sentence})


def _publish(given: NewEpisode, show: Show) -> tuple[bool, datetime | None]:
    """Whether to publish, and when, if not now."""
    if isinstance(given.publish, str) and given.publish.strip():
        return True, _time(given.publish, show, "publish")
    return given.publish is True, None


def _time(value: str, show: Show, name: str) -> datetime:
    return named(name, lambda: moment(value, show.time_zone))


def _require_audio(call: Call, given: NewEpisode, *, publish: bool) -> None:
    """A form brings audio, and so does who wants to publish; JSON alone makes a draft."""
    has_audio = bool(given.audio_key) or (call.form is not None and "audio" in call.form.files)
    if has_audio or (call.form is None and not publish):
        return
    sentence = "Send the audio file in this field, or name a stored one in 'audio_key'."
    raise Invalid(f"audio: {sentence}", {"audio": sentence})


def _prepared_audio(
    call: Call, intake: Intake, key: str | UnsetType | None
) -> PreparedAudio | None:
    received = call.form.files.get("audio") if call.form is not None else None
    if received is not None and key:
        sentence = "Give either a file in 'audio' or the key of a stored one, not both."
        raise Invalid(f"audio_key: {sentence}", {"audio_key": sentence})
    if key:
        return named("audio_key", lambda: _stored_audio(intake, key))
    if received is None:
        return None
    name, sha256 = received.file_name, received.sha256
    return named("audio", lambda: intake.audio(received.path, file_name=name, sha256=sha256))


def _cuts(call: Call, given: Shift) -> Cuts:
    offset_ms: int | None = given.offset_ms or None
    if offset_ms is None and (asked := call.query.get("offset_ms")):
        # A bare file has no fields.
        if not _OFFSET.fullmatch(asked):
            sentence = "It must be a whole number of milliseconds."
            raise Invalid(f"offset_ms: {sentence}", {"offset_ms": sentence})
        offset_ms = int(asked)
    return read_cuts(offset_ms, given.cuts or None)


def _shifted(call: Call, intake: Intake, cuts: Cuts, duration_ms: int) -> ShiftedTranscripts:
    with call.instance.database.read() as session:
        rows = [*call.episode(session).transcripts]
    return shift_transcripts(call.instance.storage, intake, rows, cuts, duration_ms)


def _stored_audio(intake: Intake, key: str) -> PreparedAudio:
    try:
        return intake.stored_audio(key)
    except NotFound:
        raise ValueError("There is no such file under incoming/ in the storage.") from None


def _prepared_transcripts(
    call: Call, intake: Intake, language: str | UnsetType | None
) -> list[PreparedTranscript]:
    received = required_file(call, "transcript")
    name = call.query.get("filename") or received.file_name
    if "." not in name:
        # A bare body has no name; its type says as much.
        name = received.mime_type.partition(";")[0].strip()
    data = received.path.read_bytes()
    prepared, warnings = named(
        "transcript", lambda: intake.transcripts(data, name, language=language or None)
    )
    call.warnings += warnings
    return list(prepared)


def _has_transcript(episode: Episode, sha256: str, language: str | UnsetType | None) -> bool:
    """Whether this very file is the episode's transcript already, in this language."""
    return bool(episode.transcripts) and all(
        transcript.source_sha256 == sha256 and language in (UNSET, None, transcript.language)
        for transcript in episode.transcripts
    )


def _forget_incoming(call: Call, key: str | UnsetType | None) -> None:
    if key:
        delete_quietly(call.instance.storage, [key])
