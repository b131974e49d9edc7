"""What is written as show.toml, as an episode's text, as addresses.json is read back the same."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podhost.errors import Invalid
from podhost.formats.feed_tags import read_episode_tag, read_show_tag
from podhost.formats.folder_addresses import (
    Addresses,
    KeptEpisode,
    KeptPicture,
    KeptRevision,
    read_addresses,
    render_addresses,
)
from podhost.formats.showfolder import (
    EpisodeFile,
    OwnerEntry,
    PersonEntry,
    ShowFile,
    dated_at,
    read_episode,
    read_show,
)
from podhost.formats.showfolder_writing import local_date, render_episode_file, render_show_file
from podhost.formats.text import LONGEST_GUID, clean_text, is_guid, plain_line, plain_text

odd = st.lists(
    st.sampled_from(
        [
            *('"', '"""', "'''", "\\", "\\n", "\\u0041", "#", ": ", "- ", "---", "+++", "---\n"),
            *("\n---\n", "\n\n", "{", "[", "&a", "*a", "!x", "%", "@", "`", "|", ">", "~", "null"),
            *("yes", "1984", "0x1", "\t", "\x7f", "\x80", "\x85", "\u2028", "\ufeff", "\u200b"),
            *("é", "שלום", "\U0001f468\u200d\U0001f469", "e\u0301", "a", " ", "x" * 200),
        ]
    ),
    max_size=12,
).map("".join)
words = odd | st.text(max_size=60)
line = words.map(plain_line).filter(bool)
text = words.map(plain_text).filter(bool)
notes = words.map(clean_text)
maybe_line = st.none() | line
url = st.none() | st.sampled_from(
    ["https://ann.example/", "http://x.example:8080/a?b=%C3%A9&c#d", "https://xn--9ca.example/"]
)
slug = st.from_regex(r"[a-z0-9]{1,9}([-_][a-z0-9]{1,9}){0,3}", fullmatch=True)
guid = words.map(lambda value: value[:LONGEST_GUID]).filter(is_guid)
moment = st.datetimes(
    datetime(1970, 1, 1), datetime(2199, 12, 31, 23, 59, 59), timezones=st.just(UTC)
).map(lambda value: value.replace(microsecond=0))
zone = st.sampled_from(
    ["UTC", "Europe/London", "America/St_Johns", "Africa/Monrovia", "Pacific/Apia"]
)
number = st.none() | st.integers(1, 1_000_000)


def people(role: str) -> st.SearchStrategy[tuple[PersonEntry, ...]]:
    entry = st.builds(
        PersonEntry,
        name=line,
        role=st.just(role) | st.sampled_from(["producer", "author"]),
        group=st.none() | st.just("writing"),
        url=url,
        bio=st.none() | text,
        image=st.none() | st.just("guests/ann.jpg") | st.just("https://ann.example/a.jpg"),
    )
    return st.lists(entry, max_size=3).map(tuple)


shows = st.builds(
    ShowFile,
    title=line,
    slug=st.none() | slug,
    description=st.just("") | text,
    language=st.sampled_from(["en", "pt-br"]),
    author=maybe_line,
    link=url,
    copyright=maybe_line,
    explicit=st.booleans(),
    show_type=st.sampled_from(["episodic", "serial"]),
    categories=st.sampled_from([(), ("Arts > Books", "Society & Culture > Documentary")]),
    time_zone=zone,
    podcast_guid=st.none() | st.uuids().map(str),
    locked=st.booleans(),
    owner=st.none()
    | st.builds(OwnerEntry, name=maybe_line, email=st.just("o'ann+x@mail.ann.example")),
    medium=st.sampled_from(["podcast", "audiobook"]),
    complete=st.booleans(),
    block=st.booleans(),
    new_feed_url=url,
    people=people("host"),
)
episodes = st.builds(
    EpisodeFile,
    title=st.none() | line,
    date=st.none() | moment,
    status=st.none() | st.sampled_from(["draft", "withdrawn"]),
    guid=st.none() | guid,
    slug=st.none() | slug,
    season=number,
    season_name=maybe_line,
    number=number,
    episode_type=st.sampled_from(["full", "trailer", "bonus"]),
    explicit=st.none() | st.booleans(),
    author=maybe_line,
    link=url,
    block=st.booleans(),
    audio=st.none() | st.just("a b.mp3"),
    artwork=st.none() | st.just("a.jpg"),
    chapters=st.none() | st.just("c.json"),
    transcripts=st.sampled_from([(), ("a.vtt",), ("a.en.vtt", "a-2.en.vtt")]),
    guests=people("guest"),
    people=people("host"),
    notes=notes,
)


# Each example is a whole show or episode.
FEWER = settings(max_examples=settings.default.max_examples // 3)


@FEWER
@given(shows)
def test_any_show_is_read_back_as_it_was(show: ShowFile) -> None:
    assert read_show(render_show_file(show)) == show


@FEWER
@given(episodes)
def test_any_episode_is_read_back_as_it_was(episode: EpisodeFile) -> None:
    assert read_episode(render_episode_file(episode)) == episode


@given(moment, zone)
def test_a_date_is_the_same_moment_in_the_shows_time_zone(at: datetime, name: str) -> None:
    local = local_date(at, name)
    assert local == at
    if local.tzinfo is not UTC:
        assert local.utcoffset() == at.astimezone(ZoneInfo(name)).utcoffset()
    written = read_episode(render_episode_file(EpisodeFile(date=local)))
    assert dated_at(written, name) == at


def test_a_file_reads_well() -> None:
    guest = PersonEntry(name="Ann Guest", role="guest", url="https://ann.example/")
    date = datetime(2026, 9, 1, 5, 10, tzinfo=UTC)
    episode = EpisodeFile(
        title="Low water",
        date=local_date(date, "Europe/London"),
        season=1,
        guests=(guest,),
        notes="Ann walks out.\n\n- to the wreck",
    )
    assert render_episode_file(episode) == (
        '---\ntitle: "Low water"\ndate: 2026-09-01 06:10:00+01:00\nseason: 1\nguests:\n'
        '  - name: "Ann Guest"\n    url: "https://ann.example/"\n---\n\n'
        "Ann walks out.\n\n- to the wreck\n"
    )
    show = ShowFile(
        title="Tide Tables", description="One.\n\nTwo.", people=(PersonEntry(name="P"),)
    )
    assert render_show_file(show) == (
        'title = "Tide Tables"\ndescription = """\nOne.\n\nTwo."""\n\n[[people]]\nname = "P"\n'
    )


def test_what_no_text_file_may_hold_is_refused_in_a_sentence() -> None:
    with pytest.raises(Invalid, match="64 KB"):
        render_show_file(ShowFile(title="a", description="é" * 40_000))


ids = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
revisions = st.builds(
    KeptRevision,
    revision=st.integers(1, 1_000_000),
    name=slug,
    extension=st.sampled_from(["mp3", "m4a"]),
    replaced_at=st.none() | moment,
)
kept = st.builds(
    KeptEpisode,
    id=ids,
    slug=slug,
    audio=st.none() | revisions,
    earlier=st.lists(revisions, max_size=2).map(tuple),
    old_slugs=st.lists(slug, max_size=2).map(tuple),
    transcripts=st.dictionaries(words, st.dictionaries(st.just("vtt"), ids), max_size=2),
    has_artwork=st.booleans(),
)


@FEWER
@given(
    st.builds(
        Addresses,
        version=st.just(1),
        changed_at=st.none() | moment,
        old_slugs=st.lists(slug, max_size=2).map(tuple),
        episodes=st.dictionaries(guid, kept, max_size=2),
        pictures=st.dictionaries(
            st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
            st.builds(KeptPicture, id=ids, is_placeholder=st.booleans()),
            max_size=2,
        ),
    )
)
def test_any_addresses_are_read_back_as_they_were(addresses: Addresses) -> None:
    assert read_addresses(render_addresses(addresses)) == addresses


@pytest.mark.parametrize(
    "data",
    [
        "",
        "[]",
        "{}",
        '{"version": 2}',
        '{"version": 1, "changed_at": "2026-01-01T00:00:00"}',
        '{"version": 1, "old_slugs": ["../x"]}',
        '{"version": 1, "pictures": {"x": {"id": "0123456789abcdef"}}}',
        '{"version": 1, "episodes": {"g": {"id": "x", "slug": "a"}}}',
        '{"version": 1, "episodes": {"g": {"id": "0123456789abcdef\\n", "slug": "a"}}}',
        '{"version": 1, "episodes": {"g": {"id": "0123456789abcdef", "slug": "A B"}}}',
        '{"version": 1, "episodes": {"g": {"id": "0123456789abcdef", "slug": "a", "audio": '
        '{"revision": 0, "name": "a", "extension": "mp3"}}}}',
        '{"version": 1, "episodes": {"g": {"id": "0123456789abcdef", "slug": "a", "audio": '
        '{"revision": 1, "name": "a", "extension": "m/p"}}}}',
        "[" * 100_000,
    ],
)
def test_addresses_that_podhost_never_writes_are_refused_in_a_sentence(data: str) -> None:
    with pytest.raises(Invalid, match="not as podhost writes it"):
        read_addresses(data.encode())


EVERY_TAG = Path(__file__).parent.parent / "golden" / "every-tag" / "input.toml"


def test_every_feed_tag_is_read_back() -> None:
    golden = msgspec.toml.decode(EVERY_TAG.read_bytes())
    tags = {name: read_show_tag(name, value) for name, value in golden["show"]["tags"].items()}
    assert read_show(render_show_file(ShowFile(title="A", tags=tags))).tags == tags
    given = golden["episodes"][0]["tags"]
    tags = {name: read_episode_tag(name, value) for name, value in given.items()}
    assert read_episode(render_episode_file(EpisodeFile(tags=tags))).tags == tags


@given(
    line, st.none() | st.integers(0, 10**6), st.floats(0, 1e6).map(lambda value: round(value, 3))
)
def test_words_and_numbers_of_feed_tags_are_read_back(
    word: str, whole: int | None, seconds: float
) -> None:
    word = word[:100].strip()
    if not word:
        return
    tags = {"txt": read_show_tag("txt", [{"text": word, "purpose": word}])}
    assert read_show(render_show_file(ShowFile(title="A", tags=tags))).tags == tags
    soundbites = [{"start": seconds, "duration": 1e-3 + seconds, "title": word}]
    interact = [{"protocol": "nostr", "uri": "https://a.example/", "priority": whole}]
    tags = {
        "soundbites": read_episode_tag("soundbites", soundbites),
        "social_interact": read_episode_tag("social_interact", interact),
    }
    assert read_episode(render_episode_file(EpisodeFile(tags=tags))).tags == tags
