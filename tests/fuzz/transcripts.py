"""Transcripts of all five formats: the first line is the file's name or type, the rest its content.

HTML is made safe in this process and not in a child, because nothing could be learnt of a child.
"""

import re

from podhost.errors import Invalid
from podhost.formats import transcripts
from podhost.formats.transcript_formats import convert, other_forms
from podhost.formats.transcripts import as_vtt, parse_cues, read_transcript, render_vtt

_HTML_LEFT = re.compile(r'</?(?:cite|p)>|<time(?: datetime="[^"]*")?>|</time>')


def one_input(data: bytes) -> None:
    first, _, content = data.partition(b"\n")
    name = first.decode("utf-8", "replace")
    try:
        text, _ = transcripts._decoded(content)
        if transcripts._format_of(text, transcripts._hint(name)) == "html":
            _check_html(text)
            return
        found = read_transcript(content, name)
    except Invalid:
        return
    text = found.body.decode("utf-8")
    assert "\0" not in text and "\r" not in text
    again = read_transcript(found.body, "transcript." + found.extension)
    assert (again.format, again.body) == (found.format, found.body), "reading twice differs"
    made = convert(found, other_forms(found.extension))
    assert set(made) == set(other_forms(found.extension)) and all(made.values())
    if "json" in made:
        assert b"<" not in made["json"]
        assert parse_cues(made["json"], "json") == sorted_cues(found)
    if "html" in made:
        assert "<" not in _HTML_LEFT.sub("", made["html"].decode("utf-8")), "HTML of its own"
    served = as_vtt(found)
    if served is None:
        return
    cues = parse_cues(served, "vtt")
    assert read_transcript(served, "transcript.vtt").format == "vtt"
    rendered = render_vtt(cues)
    assert render_vtt(parse_cues(rendered, "vtt")) == rendered
    words = "".join(cue.text for cue in parse_cues(found.body, found.format))
    assert sorted(words) == sorted("".join(cue.text for cue in cues)), "words were lost"


def sorted_cues(found: transcripts.Transcript) -> list[transcripts.Cue]:
    return sorted(parse_cues(found.body, found.format), key=lambda cue: cue.start_ms)


def _check_html(text: str) -> None:
    clean = transcripts.sanitise_payload({"html": text})
    assert "<" not in _HTML_LEFT.sub("", clean), clean
