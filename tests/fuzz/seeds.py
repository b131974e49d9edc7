"""Makes the seeds of the corpus: `python -m tests.fuzz.seeds`; each is small and says its kind.

Audio comes from the real encoders that the other tests use, cut short. Findings of fuzzing lie in
the same folders under names that begin with `finding-`; they are not made here.
"""

import zlib
from collections.abc import Mapping
from pathlib import Path

from mutagen import id3

from tests import audio_files as audio
from tests.fuzz.targets import CORPUS, MOST_SEED_BYTES

GUID = "917393e3-1b1e-4cef-ace4-edaa54e1f810"


CHAPTERS: Mapping[str, bytes] = {
    "json": b"""chapters.json
{"version": "1.2.0", "chapters": [
{"startTime": 0, "title": "Begr\xc3\xbc\xc3\x9fung", "img": "https://a.example/1.jpg"},
{"startTime": 30.5, "endTime": 60, "url": "https://a.example/", "toc": false},
{"startTime": 1e3, "title": "<b>Late</b> &amp; cut", "location": {"name": "x"}}]}""",
    "text": b"chapters.txt\n00:00 Start\n[1:30] Two\n- 00:02:00.500 - Three <https://a.example/3>\n",
    "labels": b"labels.txt\n0.000000\t1.5\tStart\n61,25\t61,25\tSecond\n",
    "notes": b"notes.md\nIn this episode:\n\n* (1:02:03) \xe2\x80\x93 The wreck\n90:00 | Late\n",
    "utf16": b"chapters.txt\n" + "00:01 Über\n".encode("utf-16"),
    "xml": b'chapters.xml\n<?xml version="1.0"?><psc:chapters/>',
    "psc": b"""chapters.psc
<psc:chapters version="1.2" xmlns:psc="http://podlove.org/simple-chapters">
<psc:chapter start="0" title="A &amp; B" href="https://a.example/"/>
<psc:chapter start="1:02:03.5" title="Late" image="https://a.example/1.jpg"/></psc:chapters>""",
    "vtt": b"chapters.vtt\nWEBVTT\n\n00:00.000 --> 00:30.000\nStart\n\n00:30.000 --> 01:00.000\nB",
    "srt": b"chapters.srt\n1\n00:00:00,000 --> 00:00:30,000\nStart",
    "numbered": b"chapters.txt\nCHAPTER01=00:00:00.000\nCHAPTER01NAME=A\nCHAPTER01URL=https://a.example/",
    "markdown": b"notes.md\n* **00:00** [Start](https://a.example/)\n* 1:02 *Two*<br>02:00 Three\n",
}
TRANSCRIPTS: Mapping[str, bytes] = {
    "vtt": b"""a.vtt
WEBVTT
Language: en

STYLE
::cue { color: red }

NOTE nothing

1
00:00.000 --> 00:02.000 align:start
<v.loud Ann Guest>The tide &amp; <i>the</i> boat
<v Bo>second <00:01.000>line

1:00:05.5 --> 1:00:07,25
Late
""",
    "srt": b"""a.srt
1
00:00:01,000 --> 00:00:04,000
Ann: The tide is low.

2
00:00:04,000 --> 00:00:04,000 X1:1
{\\an8}<b>Bo</b>

lost line
3
0:5:6,7 --> 0:5:8,1
last
""",
    "json": b"""application/json
{"version": "1.0.0", "segments": [
{"speaker": "Ann", "startTime": 0.5, "endTime": 3, "body": "The tide\\nis low."},
{"startTime": 3, "body": "<b>&amp;"}]}""",
    "html": b"""text/html
<!doctype html><html lang="de"><title>x</title><body><script>x</script>
<cite>Ann:</cite> <time datetime="PT1S" onclick="x">0:01</time><p>One<br>two<p>three</body>""",
    "text": b"a.de.txt\nAnn\n\nThe tide is low.\r\nBo: \xe9",
    "utf16": b"text/vtt\n" + "WEBVTT\n\n00:00.000 --> 00:01.000\nü\n".encode("utf-16"),
}
_FEED = b"""<rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel>
<title>Tide &amp; Tables</title><item><title><![CDATA[<b>Low</b> & high]]></title>
<guid isPermaLink="false">1</guid><enclosure url="https://a.example/1.mp3" length="0"/>
<podcast:person role="guest">Ann</podcast:person></item></channel></rss>
"""
FEEDS: Mapping[str, bytes] = {
    "right": b'\n<?xml version="1.0" encoding="UTF-8"?>\n' + _FEED,
    "broken": b"text/xml; charset=latin-1\n\n<?xml version='1.0'?>\n"
    + _FEED.replace(b"&amp;", b"& &nbsp;&b; < <3 \x0b \x93q\x94 ]]> &#1; <br>")
    + b"<script>",
    "doctype": b'\n<!DOCTYPE rss [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
    + _FEED.replace(b"&amp;", b"&b; <itunes:author odd:a='1'>"),
    "damaged": b"\n<?xml version='1.0'?>" + _FEED.replace(b"</title><item>", b"<i></title><item>"),
    "twice": b"\n" + _FEED.replace(b"<rss ", b"<rss xmlns:a='b' xmlns:a='c' "),
    "utf16": b"\n" + ("<?xml version='1.0' encoding='utf-16'?>" + _FEED.decode()).encode("utf-16"),
    "latin1": b"\n<?xml version='1.0' encoding='ISO-8859-1'?>" + _FEED.replace(b"Low", b"L\xf6w"),
    "atom": b"\n<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id></entry></feed>",
    "page": b"text/html\n<!DOCTYPE html><html><title><rss></title><p>x</html>",
}
RANGES: Mapping[str, bytes] = {
    "simple": b"GET 1000 1700000000\nrange: bytes=0-99\nbytes=5-",
    "suffix": b"GET 50 1700000000\nrange: bytes=-10\nbytes=-0\nbytes=--1\nBytes = 1-2",
    "several": b"GET 60 1\nbytes=0-9,10-19, 5-30\nbytes=0-1,40-50\nbytes=,,0-,\nbytes=99-,0-1",
    "conditions": b"""GET 1000 1700000000
if-none-match: "x", W/"abc-gzip"
if-match: "abc"
if-range: "abc"
range: bytes=0-1
if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT
if-unmodified-since: Sunday, 06-Nov-94 08:49:37 GMT
accept-encoding: br;q=1, gzip ; q=0.0, *""",
    "dates": b"HEAD 1 1\nSun Nov  6 08:49:37 1994\nSun, 31 Feb 2024 24:61:60 GMT\n*;q=0",
    "large": b"GET 999999999999 1\nbytes=99999999999999999999-\nbytes=0-0000000000000000000000001",
}
_SHOW = b"""=== show.toml
title = "Tide Tables"
description = "Harbour talk."
categories = ["Arts > Books"]
time_zone = "Europe/Lisbon"
people = [{name = "Pia", role = "host", image = "guests/pia.jpg"}]
[owner]
name = "Pia"
email = "pia@pia.example"
"""
_KNOWN = b"""=== 001-low-water.md
---
title: "Low water: one"
date: 2026-09-01 06:10
guid: 917393e3-1b1e-4cef-ace4-edaa54e1f810
season: 1
guests:
  - Ann
  - name: Bo
    url: https://bo.example/
    image: guests/pia.jpg
---

Ann *walks* out.
=== 001-low-water.chapters.txt
00:00 Start
00:01 Second
=== 001-low-water.de.vtt
WEBVTT

00:00.000 --> 00:02.000
Low.
=== guests/pia.jpg
not a picture
"""
FOLDERS: Mapping[str, bytes] = {
    "known": _SHOW + _KNOWN,
    "toml": b"""=== show.toml
title = "Tide Tables"
=== 2 high_water.md
+++
date = 2026-09-01T06:10:00+01:00
transcripts = ["t/a.srt"]
chapters = "c.json"
[[guests]]
name = "Ann"
+++
Notes
=== 2 high_water.MP3
=== t/a.srt
1
00:00:01,000 --> 00:00:04,000
Hello
=== c.json
{"chapters": [{"startTime": 0, "title": "x"}]}
""",
    "links": b"""=== show.toml
title = "Tide Tables"
artwork = "art"
=== art -> ../outside.md
=== a.md -> ../outside.md
=== b.md -> b.md
=== c.md -> inner/c
=== inner/c
---
title: inside
audio: ../low-water.mp3
---
=== d.mp3 -> /dev/zero
=== x.md/y
""",
    "network": b"=== one/show.toml\ntitle='One'\n=== two/show.toml\ntitle=''\n=== out -> ..\n",
    "wrong": b"=== show.toml\ntitel = 1\n[[people]]\nrole = []\n=== a.md\n---\na: &x [*x]\n---\n",
}


def probe_seeds() -> dict[str, bytes]:
    """The kinds of files that podhost takes, a second or two of each, with tags and chapters."""
    tagged = (
        id3.TIT2(encoding=3, text=["Low water"]),
        id3.TRCK(encoding=0, text=["7/52"]),
        id3.COMM(encoding=1, lang="eng", desc="", text=["Ünter"]),
        id3.APIC(encoding=3, mime="image/png", type=3, data=audio.PNG),
        id3.CTOC(element_id="toc", flags=3, child_element_ids=["a", "b"]),
        *(
            id3.CHAP(
                element_id=name,
                start_time=start,
                end_time=start + 700,
                sub_frames=[id3.TIT2(encoding=3, text=[name]), id3.WXXX(url="https://a.example/")],
            )
            for name, start in (("a", 0), ("b", 700))
        ),
    )
    sound = audio.lame(2, kbits=32)
    quick = {"seconds": 2, "kbits": 24, "rate": 16000}
    movie = audio.m4a(seconds=2, kbits=24, rate=16000)
    return {
        "mp3": sound,
        "mp3-id3v24": audio.with_id3(sound, *tagged, v1=2),
        "mp3-id3v23": audio.with_id3(sound, *tagged, version=3),
        "mp3-id3v22": audio.id3v22(sound),
        "mp3-unsync": audio.id3_unsynchronised(sound),
        "mp3-packed-frame": _packed_frame() + sound,
        "mp3-ape": sound + audio.ape_tag(Title="Low", Artist="Ann") + b"TAG" + bytes(125),
        "mp3-joined": sound[:4000] + b"TAG" + bytes(125) + audio.id3_tag(3, 0, b"") + sound[:4000],
        "mp3-xing": audio.mp3_vbr()[:12_000],
        "mp3-vbri": audio.mp3_vbri()[:12_000],
        "m4a": movie,
        "m4a-index-last": audio.m4a(movflags="", **quick),
        "m4a-chapters": audio.m4a(chapters=True, **quick),
        "m4a-cut": movie[:3000],
        "mp4-nested": audio.mp4_nested(40),
        "adts": audio.encode("aac", "adts", **quick),
        "opus": audio.encode("libopus", "opus", seconds=2, rate=48000, kbits=12, chapters=True),
        "ogg-flac": audio.encode("flac", "ogg", seconds=1, rate=8000),
        "vorbis": audio.vorbis()[:14_000],
        "flac": audio.encode("flac", "flac", seconds=2, rate=8000),
        "wav-cues": _small_wav(),
        "aiff": audio.encode("pcm_s16be", "aiff", seconds=1, rate=8000),
        "pdf": b"%PDF-1.7\n",
        "text": b"Nothing but text.\n",
    }


def _packed_frame() -> bytes:
    """A title of 5,000 letters in a compressed frame with its length before it (ID3v2.4 4.1.2)."""
    packed = zlib.compress(b"\x03" + b"Low water " * 500)
    data = audio.syncsafe(5001) + packed
    return audio.id3_tag(4, 0, b"TIT2" + audio.syncsafe(len(data)) + b"\x00\x09" + data)


def _small_wav() -> bytes:
    labelled = audio.wav_with_cues({0: "Start", 8000: "End"}, seconds=1)
    chunks = labelled[labelled.index(b"cue ") :]
    made = audio.encode("pcm_u8", "wav", seconds=1, rate=8000) + chunks
    return made[:4] + (len(made) - 8).to_bytes(4, "little") + made[8:]


def write(folder: Path) -> None:
    """Write every seed into its target's folder."""
    seeds = {
        "chapters": CHAPTERS,
        "feeds": FEEDS,
        "folders": FOLDERS,
        "probe": probe_seeds(),
        "ranges": RANGES,
        "transcripts": TRANSCRIPTS,
    }
    for target, files in seeds.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / target / name).write_bytes(data[:MOST_SEED_BYTES])


if __name__ == "__main__":
    write(CORPUS)
