"""Whatever comes in, each reader gives a value or the one error that it promises, in bounded time;
and what is written can be read again. Properties of one format alone stand with its other tests.
"""

import io
import re
from typing import Any

import feedparser
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.catalogue.entries import http_date
from podhost.episodes import EpisodeInput, changed_fields
from podhost.errors import Invalid
from podhost.formats import transcripts
from podhost.formats.categories import is_category, parse_category
from podhost.formats.chapter_formats import parse_chapters
from podhost.formats.feed_values import FeedPerson, FeedTranscript
from podhost.formats.languages import is_language_code
from podhost.formats.magic import not_audio, sniff_format
from podhost.formats.markdown import clean_html, notes_text, render_notes, truncate_html
from podhost.formats.mp4_boxes import read_movie
from podhost.formats.mpeg_frames import AdtsFrames, Mp3Frames, NotThisFormat, id3_size, walk_frames
from podhost.formats.podcast_namespace import PERSON_GROUPS, PERSON_ROLES, normalise_role
from podhost.formats.rss import render_feed
from podhost.formats.showfolder import (
    EPISODE_KEYS,
    SHOW_KEYS,
    published_at,
    read_episode,
    read_show,
)
from podhost.formats.tags import clean_tag
from podhost.formats.text import clean_text, plain_line, remove_forbidden, shown, truncate_text
from podhost.formats.transcripts import read_transcript
from podhost.formats.wav_chunks import read_wav_notes
from podhost.models import Episode, Show
from podhost.shows import ShowInput
from podhost.shows import changed_fields as changed_show_fields
from podhost.web.api_episodes import NewEpisode
from podhost.web.inputs import read_count, read_json, read_struct, read_texts, text_names
from podhost.web.responses import (
    accepts_gzip,
    decide,
    error_json,
    etag_matches,
    joined_headers,
    parse_http_date,
)
from tests.audio_files import box, lame, syncsafe
from tests.formats.test_rss import NAMESPACES, channel_of, make_episode, make_show, texts

any_text = st.text(st.characters(exclude_categories=()), max_size=200)
hostile_text = st.lists(
    st.sampled_from(
        [
            *("]]>", "<![CDATA[", "&", "&amp;", "&#0;", "&lol;", "<b>", "</title>", "<!--", "-->"),
            *("<!DOCTYPE x [<!ENTITY a 'b'>]>", "<?xml version='1.0'?>", "<?", "?>", "%s", "{0}"),
            *("\x00", "\x0b", "\x1b[31m", "\x7f", "\x85", "\r", "\n", "\t", "\u2028", "\ufeff"),
            *("\ud800", "\udfff", "\ufffe", "\uffff", "\U0001f468\u200d\U0001f469", "e\u0301"),
            *("\u202e", "\u2066", "שלום", "مرحبا", "é", "x" * 300, "漢" * 90),
        ]
    ),
    max_size=12,
).map("".join)
words = any_text | hostile_text


# The feed


@given(st.lists(words, min_size=8, max_size=8), st.lists(words, min_size=4, max_size=4))
def test_any_text_in_any_field_comes_back_from_the_feed(said: list[str], also: list[str]) -> None:
    title, description, author, notes, guid, name, season, role = said
    people = (FeedPerson(name, role, also[0]), FeedPerson(also[1], "guest", "cast"))
    show = make_show(
        title=title, description=description, author=author, people=people, copyright=also[2]
    )
    values: dict[str, Any] = {
        "title": title,
        "notes_html": render_notes(notes),
        "people": people,
        "season": 2,
        "season_name": season,
        "author": also[3],
        "transcripts": (FeedTranscript("https://pod.example/t", "text/vtt", role, season),),
    }
    episodes = [make_episode(1, guid=f"a{guid}", **values), make_episode(2, guid=f"b{guid}")]
    feed = render_feed(show, episodes)
    assert render_feed(show, episodes[::-1]) == feed
    # It parses strictly, without entities and recovery.
    channel = channel_of(show, *episodes)
    items = channel.findall("item")
    assert texts(channel, "item/guid") == [remove_forbidden(f"{x}{guid}") for x in "ba"]
    assert texts(channel, "title") == [truncate_text(plain_line(title), 255) or "Untitled"]
    assert texts(channel, "item/title")[1] == texts(channel, "title")[0]
    content = items[1].find("content:encoded", NAMESPACES)
    assert (content.text if content is not None else "") == clean_text(render_notes(notes))
    assert len(items[1].find("description").text.encode()) <= 4000
    named = [truncate_text(plain_line(person.name), 128) for person in people]
    assert texts(items[1], "podcast:person") == [found for found in named if found]
    _check_feedparser(feed, channel)


def _check_feedparser(feed: bytes, channel: Any) -> None:
    """A real reader understands the same, but for spaces and its own ideas of HTML in titles."""
    found = feedparser.parse(io.BytesIO(feed), sanitize_html=False, resolve_relative_uris=False)
    assert not found.bozo
    guids = [guid.strip() for guid in texts(channel, "item/guid")]
    # What looks like UTF-8 or Windows-1252 read as Latin-1, it repairs.
    if "".join(guids).isascii():
        assert [entry.id for entry in found.entries] == guids
    for entry, item in zip(found.entries, channel.findall("item"), strict=True):
        (enclosure,) = entry.enclosures
        assert enclosure["href"] == item.find("enclosure").get("url")
        assert enclosure["length"] == item.find("enclosure").get("length")
        assert entry.published == item.findtext("pubDate")


def test_a_feed_of_huge_texts_is_well_formed_and_within_limits() -> None:
    huge = "\ud800]]>&\x00<b>é👩‍👩‍👧‍👦 " * 40_000
    show = make_show(title=huge, description=huge, author=huge)
    episode = make_episode(title=huge, notes_html=clean_html(huge), season=1, season_name=huge)
    channel = channel_of(show, episode)
    assert len(texts(channel, "title")[0]) <= 255
    assert len(texts(channel, "description")[0].encode()) <= 4000


# Audio


@given(st.binary(max_size=600), any_text)
def test_any_bytes_are_a_family_of_audio_or_refused(data: bytes, name: str) -> None:
    try:
        family = sniff_format(io.BytesIO(data), len(data), name)
    except Invalid as error:
        assert error.message.isprintable()
        return
    assert family in {"mp3", "adts", "mp4", "ogg", "flac", "wav", "aiff", "unknown"}


@given(any_text)
def test_no_name_of_a_file_spoils_a_sentence(name: str) -> None:
    assert not_audio("a PDF", name).message.isprintable()
    assert shown(name).isprintable() and len(shown(name)) <= 80


@given(st.binary(max_size=20))
def test_the_size_of_an_id3_tag_is_never_negative(header: bytes) -> None:
    assert 0 <= id3_size(header) <= 2**28 + 20


def id3_tag(body: bytes) -> bytes:
    return b"ID3\x04\x00\x00" + syncsafe(len(body)) + body


def ape_tag(body: bytes) -> bytes:
    return (
        body
        + b"APETAGEX"
        + (2000).to_bytes(4, "little")
        + (len(body) + 32).to_bytes(4, "little")
        + bytes(16)
    )


sound = lame(1, kbits=32)[:8000]
pieces = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=300).map(id3_tag),
    st.binary(max_size=300).map(ape_tag),
    st.integers(0, 4000).map(lambda size: sound[:size]),
    st.integers(0, 4000).map(lambda size: sound[size:]),
    st.just(b"TAG" + bytes(125)),
    st.sampled_from([b"\xff\xfb", b"\xff\xf1", b"ID3", b"APETAGEX", b"Xing", b"\xff" * 40]),
)


@given(st.lists(pieces, max_size=8).map(b"".join))
def test_frames_are_walked_within_the_file(data: bytes) -> None:
    for frames in (Mp3Frames(), AdtsFrames()):
        try:
            walk = walk_frames(io.BytesIO(data), len(data), frames)
        except NotThisFormat:
            continue
        assert walk.frames > 0 and 0 <= walk.header_bytes < len(data)
        assert walk.sound_bytes + walk.leading_junk_bytes + walk.junk_bytes <= len(data)
        assert walk.duration_ms >= 0 and walk.channels >= 1
        assert sum(walk.kinds.values()) == walk.frames


@given(st.integers(1, 40), st.integers(0, 3))
def test_each_whole_frame_is_counted_once(count: int, junk: int) -> None:
    one = walk_frames(io.BytesIO(sound), len(sound), Mp3Frames())
    several = sound * count + b"\x00" * junk
    walk = walk_frames(io.BytesIO(several), len(several), Mp3Frames())
    assert walk.frames >= one.frames * count
    assert walk.duration_ms >= one.duration_ms * count - count


kinds = st.sampled_from(
    b"ftyp moov mdat trak mdia minf stbl stsd stts stsc stsz stco co64 tkhd mdhd hdlr tref chap "
    b"udta chpl meta ilst moof mvex free".split()
)
leaves = st.tuples(kinds, st.binary(max_size=60)).map(lambda pair: box(*pair))
boxes = st.recursive(
    leaves,
    lambda inner: st.tuples(kinds, st.lists(inner, max_size=4).map(b"".join)).map(
        lambda pair: box(*pair)
    ),
    max_leaves=20,
)


@given(st.lists(boxes, max_size=5).map(b"".join), st.binary(max_size=30), st.integers(0, 9))
def test_any_boxes_are_a_movie_or_refused(data: bytes, after: bytes, cut: int) -> None:
    whole = box(b"ftyp", b"M4A ") + data + after
    whole = whole[: len(whole) - cut]
    try:
        movie = read_movie(io.BytesIO(whole), len(whole))
    except Invalid:
        return
    assert 0 <= movie.header_bytes <= len(whole)
    for chapter in (*movie.nero_chapters, *movie.quicktime_chapters):
        assert chapter.start_ms >= 0 and chapter.title.encode("utf-8") is not None


@given(
    st.dictionaries(
        st.sampled_from(["tkhd", "mdhd", "stsz", "stts", "stsc", "stco"]), st.binary(max_size=80)
    ),
    st.binary(max_size=200),
)
def test_any_tables_of_chapters_are_read_in_bounds(tables: dict[str, bytes], text: bytes) -> None:
    stbl = b"".join(box(kind.encode(), tables.get(kind, b"")) for kind in ("stsz", "stts", "stsc"))
    stbl += box(b"stco", tables.get("stco", b""))
    hdlr = box(b"hdlr", bytes(8) + b"text")
    mdhd = box(b"mdhd", tables.get("mdhd", bytes(12) + b"\x00\x00\x03\xe8" + bytes(8)))
    track = box(b"tkhd", bytes(12) + b"\x00\x00\x00\x02") + box(
        b"mdia", mdhd + hdlr + box(b"minf", box(b"stbl", stbl))
    )
    audio = box(b"tkhd", bytes(12) + b"\x00\x00\x00\x01") + box(
        b"tref", box(b"chap", b"\x00\x00\x00\x02")
    )
    audio += box(b"mdia", box(b"hdlr", bytes(8) + b"soun"))
    data = box(b"moov", box(b"trak", audio) + box(b"trak", track)) + box(b"mdat", text)
    movie = read_movie(io.BytesIO(data), len(data))
    assert len(movie.tracks) == 2 and len(movie.quicktime_chapters) <= 5000


chunks = st.tuples(
    st.sampled_from([b"cue ", b"LIST", b"data", b"fmt "]),
    st.integers(0, 2**32 - 1) | st.none(),
    st.binary(max_size=80) | st.binary(max_size=80).map(lambda tail: b"adtllabl" + tail),
).map(
    lambda chunk: (
        chunk[0]
        + (len(chunk[2]) if chunk[1] is None else chunk[1]).to_bytes(4, "little")
        + chunk[2]
    )
)


@given(st.lists(chunks, max_size=8).map(b"".join))
def test_any_chunks_of_a_wav_file_are_read(data: bytes) -> None:
    whole = b"RIFF\x00\x00\x00\x00WAVE" + data
    notes = read_wav_notes(io.BytesIO(whole), len(whole))
    assert notes.markers == sorted(notes.markers)
    assert all(marker.sample >= 0 for marker in notes.markers)


@given(words, st.integers(1, 400), st.booleans())
def test_text_of_tags_is_clean_and_stays_so(text: str, limit: int, one_line: bool) -> None:
    clean = clean_tag(text, limit, one_line=one_line)
    assert len(clean) <= limit and clean_tag(clean, limit, one_line=one_line) == clean
    assert clean.encode("utf-8") is not None and not re.search("[\x00-\x08\x7f-\x9f]", clean)


# Texts of a folder


values = st.recursive(
    words | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@given(
    words
    | st.dictionaries(st.sampled_from([*SHOW_KEYS, "x"]), values, max_size=6).map(
        lambda given_values: as_toml(given_values)
    )
)
def test_any_show_file_is_read_or_refused_with_sentences(text: str) -> None:
    try:
        show = read_show(text)
    except Invalid as error:
        assert error.message and all(part.isprintable() for part in error.message.split("\n"))
        return
    assert show.title == plain_line(show.title) != ""
    assert is_language_code(show.language)
    _check_path(show.artwork)


@given(
    words
    | st.dictionaries(st.sampled_from([*EPISODE_KEYS, "x"]), values, max_size=6).map(
        lambda given_values: as_yaml(given_values)
    )
)
def test_any_episode_file_is_read_or_refused_with_sentences(text: str) -> None:
    try:
        episode = read_episode(text)
    except Invalid as error:
        assert error.message and all(part.isprintable() for part in error.message.split("\n"))
        return
    for path in (episode.audio, episode.artwork, episode.chapters, *episode.transcripts):
        if path is not None:
            _check_path(path)
    moment = published_at(episode, "Europe/Lisbon")
    assert moment is None or moment.utcoffset() is not None


def _check_path(path: str) -> None:
    """What a text names lies below its folder by its letters alone."""
    assert not path.startswith("/") and ".." not in path.split("/")
    assert "\0" not in path and "\n" not in path and "\\" not in path


def as_json(value: Any) -> str:
    return msgspec.json.encode(_plain(value)).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    return value


def as_yaml(values: dict[str, Any]) -> str:
    # JSON is YAML, but for a few characters.
    lines = [f"{key}: {as_json(value)}" for key, value in values.items()]
    return "\n".join(["---", *lines, "---", "Notes"])


def as_toml(values: dict[str, Any]) -> str:
    return "\n".join(f"{key} = {_toml(value)}" for key, value in values.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{as_json(key)} = {_toml(entry)}" for key, entry in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(entry) for entry in value)}]"
    return '""' if value is None else as_json(value)


# Names that directories know


@given(words | st.lists(words | st.none(), max_size=3))
def test_any_category_is_known_or_refused(value: Any) -> None:
    try:
        found = parse_category(value)
    except Invalid as error:
        assert error.message.isprintable()
        return
    assert is_category(*found) and parse_category(found) == found


@given(words)
def test_any_text_is_a_language_or_none(text: str) -> None:
    assert is_language_code(text) in (True, False)
    if is_language_code(text):
        assert text.isascii()


@given(words | st.sampled_from([*PERSON_ROLES]), words | st.sampled_from([*PERSON_GROUPS, ""]))
def test_any_role_is_known_or_refused(role: str, group: str) -> None:
    try:
        found = normalise_role(role, group)
    except Invalid as error:
        assert error.message.isprintable()
        return
    assert found[0] in PERSON_ROLES and found[1] in PERSON_GROUPS
    assert normalise_role(*found) == found


# Notes and transcripts in HTML


html = st.lists(
    st.sampled_from(
        [
            *("<p>", "</p>", "<a href='javascript:x'>", '<a href="/x">', "</a>", "<b>", "</b>"),
            *("<script>", "</script>", "<svg onload=x>", "<img src=//x alt=y>", "<table><td>"),
            *("<style>", "<!--", "-->", "<![CDATA[", "]]>", "<cite>", "<time datetime=1 id=2>"),
            *("<br/>", "&lt;script&gt;", "&#x202e;", "\x00", "text", "https://a.example/?a&b"),
            *("<math><mi//xlink:href='data:x'>", "<noscript><p title='</noscript>", "<pre>"),
        ]
    )
    | words,
    max_size=20,
).map("".join)
HTML_LEFT = re.compile(
    r"</?(?:p|ol|ul|li|b|i|strong|em|h2|h3|blockquote|code|pre)>|<br>|</a>"
    r'|<a href="(?:https?|mailto):[^"<>]*">'
)


@given(html, st.integers(0, 300))
def test_foreign_html_is_clean_and_stays_so(source: str, limit: int) -> None:
    clean = clean_html(source, base_url="https://pod.example/x/")
    assert "<" not in HTML_LEFT.sub("", clean), clean
    # A byte order mark at the start is none of the text.
    assert clean_html(clean) == clean or clean.startswith("\ufeff")
    assert "<" not in HTML_LEFT.sub("", truncate_html(clean, limit))
    assert notes_text(clean, with_links=True) == clean_text(notes_text(clean, with_links=True))


@given(html)
def test_html_transcripts_keep_three_elements(source: str) -> None:
    clean = transcripts.sanitise_payload({"html": clean_text(source)})
    left = re.sub(r'</?(?:p|cite)>|<time(?: datetime="[^"]*")?>|</time>', "", clean)
    assert "<" not in left, clean


def test_no_entity_is_ever_unfolded() -> None:
    entities = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]><p>&l12;</p>'
    with pytest.raises(Invalid, match="XML"):
        parse_chapters(bomb.encode(), "chapters.xml")
    assert len(read_transcript(bomb.encode(), "a.xml").body) < 2 * len(bomb)
    assert len(transcripts.sanitise_payload({"html": bomb})) < 2 * len(bomb)
    assert len(render_notes(bomb)) < 2 * len(bomb)
    assert len(plain_line(bomb)) < 2 * len(bomb)


# What HTTP brings


etags = st.sampled_from([b'"abc"', b'W/"abc"', b'"abc-gzip"', b"*", b'"x"', b'"a,b"', b"", b'"'])
dates = st.integers(0, 4 * 10**9).map(http_date) | st.binary(max_size=30)
conditions = st.dictionaries(
    st.sampled_from(
        [
            *(b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"),
            *(b"if-range", b"range"),
        ]
    ),
    st.binary(max_size=40)
    | dates
    | st.lists(etags, max_size=3).map(b", ".join)
    | st.binary(max_size=12).map(lambda tail: b"bytes=" + tail),
)


@given(
    st.sampled_from(["GET", "HEAD"]),
    conditions,
    st.integers(0, 4 * 10**9) | st.none(),
    st.integers(0, 10**12),
)
def test_any_condition_has_one_answer(
    method: str, headers: dict[bytes, bytes], changed: int | None, size: int
) -> None:
    found = decide(method, headers, b'"abc"', changed, size)
    assert found == decide(method, dict(headers), b'"abc"', changed, size)
    if found.status == 304:
        assert {b"if-none-match", b"if-modified-since"} & headers.keys()
    elif found.status == 412:
        assert {b"if-match", b"if-unmodified-since"} & headers.keys()
    elif found.status in (206, 416):
        assert method == "GET" and b"range" in headers
    else:
        assert (found.status, found.start, found.end) == (200, 0, size)
    if found.status == 206:
        assert 0 <= found.start < found.end <= size


@given(st.binary(max_size=3000))
def test_any_header_is_read(header: bytes) -> None:
    assert accepts_gzip(header) in (True, False)
    assert etag_matches(header, b'"abc"') in (True, False)
    seconds = parse_http_date(header)
    assert seconds is None or parse_http_date(http_date(max(0, seconds))) == max(0, seconds)


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.binary(max_size=9)), max_size=6))
def test_no_header_is_lost(pairs: list[tuple[bytes, bytes]]) -> None:
    joined = joined_headers(pairs)
    for name in {name for name, _ in pairs}:
        assert joined[name] == b", ".join(value for key, value in pairs if key == name)


@given(st.text(max_size=30) | st.none(), st.integers(0, 9))
def test_any_number_of_a_query_is_in_bounds_or_refused(value: str | None, default: int) -> None:
    try:
        assert 0 <= read_count(value, default=default, least=0, most=200) <= 200
    except ValueError as error:
        assert str(error)


@given(st.binary(max_size=200) | values.map(as_json).map(str.encode))
def test_any_body_is_json_or_refused(data: bytes) -> None:
    for kind in (ShowInput, NewEpisode):
        try:
            given_values, warnings = read_struct(read_json(data), kind)
        except Invalid as error:
            assert error_json(error.code, error.message, error.fields)
            continue
        assert isinstance(given_values, kind) and len(warnings) <= 22


@given(
    st.dictionaries(st.sampled_from(sorted(text_names(ShowInput))), values, max_size=5),
    st.dictionaries(st.sampled_from(sorted(text_names(EpisodeInput))), values, max_size=5),
)
def test_any_json_changes_a_row_or_is_refused(show: Any, episode: Any) -> None:
    for values_of, kind, judge in (
        (show, ShowInput, lambda given_values: changed_show_fields(Show(), given_values)),
        (episode, EpisodeInput, lambda given_values: changed_fields(Episode(), given_values)),
    ):
        try:
            given_values, _ = read_struct(_plain(values_of), kind)
            changed = judge(given_values)
        except Invalid as error:
            assert set(error.fields) or error.message
            continue
        assert set(changed) <= {*msgspec.structs.asdict(given_values)}


@given(
    st.dictionaries(st.sampled_from(sorted(text_names(NewEpisode))), words.map(_plain), max_size=5)
)
def test_any_form_is_read_or_refused(fields: dict[str, str]) -> None:
    try:
        read_struct(read_texts(fields, NewEpisode), NewEpisode)
    except Invalid as error:
        assert error.fields


def test_the_oldest_date_is_written_as_it_is_read() -> None:
    assert parse_http_date(http_date(0)) == 0
