"""The API's calls for what stands beside an episode's audio: its waveform and its transcript."""

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.audio.waveforms import (
    WaveformAnswer,
    find_waveform,
    get_audio,
    is_waiting,
    request_waveform,
    waveform_key,
)
from podhost.errors import Invalid
from podhost.formats.transcripts import EXTENSIONS, MIME_TYPES
from podhost.transcripts.editing import find_form, read_form
from podhost.web.calls import Call, answer, json_answer
from podhost.web.openapi import PREFIX, Operation, Query

_EPISODE = PREFIX + "/shows/{show}/episodes/{episode}"


def get_waveform(call: Call, session: Session) -> Response:
    """The waveform, or how far the making of it is."""
    audio = get_audio(call.episode(session))
    is_coming = is_waiting(session, audio)
    # Nobody is to wait for the storage with a connection in hand.
    session.close()
    return json_answer(_waveform(call, waveform_key(audio), audio.duration_ms, is_coming))


def post_waveform(call: Call) -> Response:
    """Have the waveform made, where there is none."""
    with call.instance.database.read() as session:
        audio = get_audio(call.episode(session))
    found = _waveform(call, waveform_key(audio), audio.duration_ms, is_coming=False)
    if found.state == "missing":
        with call.write() as session:
            request_waveform(session, call.episode(session), now=call.now())
        found.state = "waiting"
    return json_answer(found, 202)


def _waveform(call: Call, key: str, duration_ms: int, is_coming: bool) -> WaveformAnswer:
    found = find_waveform(call.instance.storage, key)
    if found is not None:
        return WaveformAnswer(state="ready", duration_ms=duration_ms, peaks=found.peaks)
    return WaveformAnswer(state="waiting" if is_coming else "missing", duration_ms=duration_ms)


def get_transcript(call: Call, session: Session) -> Response:
    """The transcript in one of its forms; as it was given, if nothing is said."""
    ending = call.query.get("format") or None
    if ending is not None and ending not in EXTENSIONS.values():
        sentence = f"It must be one of {', '.join(EXTENSIONS.values())}."
        raise Invalid(f"format: {sentence}", {"format": sentence})
    form = find_form(call.episode(session), ending, call.query.get("language") or None)
    session.close()
    body = read_form(call.instance.storage, form)
    headers = {"ETag": f'"{form.source_sha256}"', "X-Content-Type-Options": "nosniff"}
    if form.language:
        headers["Content-Language"] = form.language
    if form.extension == "html":
        # Cleaned already; it is read by programs, and shown by none.
        headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer(body, mime_type=f"{form.mime_type}; charset=utf-8", headers=headers)


OPERATIONS = (
    Operation(
        method="GET",
        path=_EPISODE + "/waveform",
        handler=get_waveform,
        summary="Read how loud the episode is from moment to moment, for drawing.",
        answer=WaveformAnswer,
    ),
    Operation(
        method="POST",
        path=_EPISODE + "/waveform",
        handler=post_waveform,
        summary="Have the waveform made, where there is none yet.",
        answer=WaveformAnswer,
        status=202,
    ),
    Operation(
        method="GET",
        path=_EPISODE + "/transcript",
        handler=get_transcript,
        summary="Read the transcript, of a draft as well.",
        query=(
            Query(
                "format",
                "The ending of the form; the one that was given, if unsaid.",
                {"type": "string", "enum": [*EXTENSIONS.values()]},
            ),
            Query("language", "In which language; the first, if unsaid.", {"type": "string"}),
        ),
        answer_type="text/vtt",
        other_types=tuple(kind for kind in MIME_TYPES.values() if kind != "text/vtt"),
    ),
)
