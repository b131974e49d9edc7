"""The API's calls for episodes.

What is slow (probing, storing) happens before the one write transaction; when that fails, what
was stored is taken back.
"""

import re
from datetime import datetime

import msgspec
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.answers import EpisodeAnswer, EpisodeList, episode_answer, listed_answer
from podhost.audio.replacing import give_audio
from podhost.audio.revisions import PreparedAudio, refuse_known_audio
from podhost.audio.shifting import ShiftedTranscripts, Timed, shift_episode, shift_transcripts
from podhost.audio.tagging import request_tags
from podhost.audio.waveforms import request_waveform
from podhost.chapters.pictures import shown_chapters
from podhost.chapters.rows import chapter_warnings, notes_warnings, set_chapters
from podhost.editing.local_times import local_moment
from podhost.editing.versions import entity_tag, require_version
from podhost.episodes import (
    STATUSES,
    EpisodeInput,
    change_episode,
    count_episodes,
    create_episode,
    episode_problems,
    find_episode_by_guid,
    set_episode_artwork,
    touch_episode,
)
from podhost.episodes.listing import list_page
from podhost.episodes.publishing import delete_episode, publish_episode, withdraw_episode
from podhost.errors import Conflict, Invalid, NotFound
from podhost.formats.chapter_formats import parse_chapters
from podhost.formats.chapters import (
    JSON_MIME_TYPE,
    normalise_chapters,
    render_json_chapters,
)
from podhost.formats.text import clean_text
from podhost.formats.time_shifts import Cut, Cuts, read_cuts
from podhost.models import Episode, Show
from podhost.transcripts import PreparedTranscript, set_transcripts
from podhost.transcripts.editing import replace_transcript
from podhost.uploads.intake import Intake, delete_quietly
from podhost.uploads.limits import Limits, require_room
from podhost.web.api_shows import (
    artwork_row,
    given_crop,
    next_page,
    page,
    prepared_artwork,
    required_file,
)
from podhost.web.calls import Call, answer, json_answer, named
from podhost.web.openapi import Query

REPLACES = Query(
    "replaces",
    "The ETag of the transcript as it was read: only that one is replaced, and 409 is answered "
    "when somebody else has changed it since.",
    {"type": "string"},
)
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
    """The language of the transcript, where its name does not say it. `replaces` is the ETag of
    the one that is to give way, where an episode has several, or several people edit it."""

    language: str | UnsetType | None = UNSET
    replaces: str | UnsetType | None = UNSET


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
        _require_room(call, session, show)
    publish, at = _publish(call, given, show)
    _require_audio(call, given, publish=publish)
    files = call.form.files if call.form is not None else {}
    with Intake(call.instance.database, call.instance.storage) as intake:
        prepared = _prepared_audio(call, intake, given.audio_key)
        transcripts = []
        if "transcript" in files:
            transcripts = _prepared_transcripts(call, intake, given.transcript_language)
        picture = prepared_artwork(call, intake, files["artwork"]) if "artwork" in files else None
        with call.write() as session:
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
            request_waveform(session, episode, now=now)
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
    with call.write() as session:
        episode = call.episode(session, lock=True)
        require_version(episode, call.if_match)
        change_episode(session, episode, given, now=call.now())
        if given.chapters is not UNSET or given.notes is not UNSET:
            call.warnings += _chapter_warnings(episode, given)
        changed = _answer(call, episode)
    return answer(msgspec.json.encode(changed), headers={"ETag": entity_tag(changed.version)})


def remove_episode(call: Call) -> Response:
    """Delete the episode; its guid stays used."""
    with call.write() as session:
        delete_episode(session, call.episode(session, lock=True), now=call.now())
    return Response(status_code=204)


def post_publish(call: Call) -> Response:
    """Publish the episode, now or at the time that is given."""
    given = call.given(Publication)
    with call.write() as session:
        episode = call.episode(session, lock=True)
        at = _local_time(call, given.at, episode.show, "at") if given.at else None
        publish_episode(session, episode, now=call.now(), at=at)
        changed = _answer(call, episode)
    return json_answer(changed)


def post_write_tags(call: Call) -> Response:
    """Have tags written into the audio, by the worker; the enclosure gets a new URL then."""
    with call.write() as session:
        episode = call.episode(session, lock=True)
        request_tags(session, episode, now=call.now())
        requested = _answer(call, episode)
    return json_answer(requested, 202)


def post_withdraw(call: Call) -> Response:
    """Take the episode out of the feed; a scheduled one becomes a draft again."""
    with call.write() as session:
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
            episode = call.episode(session)
            refuse_known_audio(episode, received.sha256)
            _require_room(call, session, episode.show)
    with Intake(call.instance.database, call.instance.storage) as intake:
        prepared = _prepared_audio(call, intake, given.audio_key)
        assert prepared is not None, "there is a file or a key"

        def told(_: Session, episode: Episode, cut_off: list[str]) -> EpisodeAnswer:
            call.warnings += cut_off
            return _answer(call, episode)

        changed = give_audio(
            call.instance.database,
            call.instance.storage,
            intake,
            prepared,
            cuts,
            find=call.episode,
            then=told,
            actor=call.actor,
            base_url=call.instance.base_url,
            now=call.now,
        )
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
        with call.write() as session:
            episode = call.episode(session, lock=True)
            if episode.audio is None or episode.audio.id != audio.id:
                raise Conflict("The audio was replaced at the same moment. Try it again.")
            before = Timed.of(episode)
            call.warnings += shift_episode(session, episode, before, shifted, cuts, now=call.now())
            changed = _answer(call, episode)
    return json_answer(changed)


def put_episode_artwork(call: Call) -> Response:
    """Give the episode artwork of its own."""
    crop = given_crop(call)
    received = required_file(call, "artwork")
    with Intake(call.instance.database, call.instance.storage) as intake:
        picture = prepared_artwork(call, intake, received, crop)
        with call.write() as session:
            episode = call.episode(session, lock=True)
            artwork = artwork_row(call, session, picture)
            set_episode_artwork(session, episode, artwork, now=call.now())
            changed = _answer(call, episode)
    return json_answer(changed)


def remove_episode_artwork(call: Call) -> Response:
    """Take the episode's own artwork away; the show's serves again."""
    with call.write() as session:
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
    with call.write() as session:
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
    replaces = _replaced(call, given.replaces)
    received = required_file(call, "transcript")
    with call.instance.database.read() as session:
        episode = call.episode(session)
        if _has_transcript(episode, received.sha256, language):
            return json_answer(_answer(call, episode))
    with Intake(call.instance.database, call.instance.storage) as intake:
        prepared = _prepared_transcripts(call, intake, language)
        with call.write() as session:
            episode = call.episode(session, lock=True)
            if replaces is not None:
                replace_transcript(session, episode, prepared, replaces=replaces, now=call.now())
            else:
                set_transcripts(session, episode, prepared, now=call.now())
            changed = _answer(call, episode)
    return json_answer(changed)


def remove_transcript(call: Call) -> Response:
    """Take the transcript away."""
    with call.write() as session:
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


def _require_room(call: Call, session: Session, show: Show) -> None:
    """Raises Forbidden when the audio that came with the call is more than the show may store."""
    received = call.form.files.get("audio") if call.form is not None else None
    if received is not None:
        require_room(session, show, received.size_bytes, Limits.of(call.instance.settings))


def _publish(call: Call, given: NewEpisode, show: Show) -> tuple[bool, datetime | None]:
    """Whether to publish, and when, if not now."""
    if isinstance(given.publish, str) and given.publish.strip():
        return True, _local_time(call, given.publish, show, "publish")
    return given.publish is True, None


def _local_time(call: Call, value: str, show: Show, name: str) -> datetime:
    at, sentence = named(name, lambda: local_moment(value, show.time_zone))
    call.warnings += [sentence] if sentence else []
    return at


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


def _replaced(call: Call, given: str | UnsetType | None) -> str | None:
    """The transcript that is meant to be replaced, by the ETag with which it was read."""
    # A bare file has no fields.
    tag = given or call.query.get("replaces")
    return tag.removeprefix("W/").strip('"') if tag else None


def _forget_incoming(call: Call, key: str | UnsetType | None) -> None:
    if key:
        delete_quietly(call.instance.storage, [key])
