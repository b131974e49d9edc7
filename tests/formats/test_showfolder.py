"""What show.toml and episode files may say, the reference that explains it, the shipped show."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from mutagen.id3 import ID3
from mutagen.mp3 import MP3
from PIL import Image

from podhost.errors import Invalid
from podhost.formats.folder_newsletter import NEWSLETTER_KEYS
from podhost.formats.folder_site import SITE_KEYS
from podhost.formats.showfolder import (
    EPISODE_KEYS,
    OWNER_KEYS,
    PERSON_KEYS,
    SHOW_KEYS,
    SPONSOR_KEYS,
    OwnerEntry,
    PersonEntry,
    ShowFile,
    decode_text,
    published_at,
    read_episode,
    read_show,
    write_guid,
    write_show_value,
)
from podhost.formats.written_files import ARTICLE_KEYS, PAGE_KEYS

ROOT = Path(__file__).parents[2]
SHOW = ROOT / "episodes" / "tide-tables"
EPISODES = sorted(SHOW.glob("0*.md"))


def episode(front_matter: str, notes: str = ""):
    return read_episode(f"---\n{front_matter}\n---\n{notes}")


def problems(read, text: str) -> dict[str, str]:
    with pytest.raises(Invalid) as error:
        read(text)
    for sentence in error.value.fields.values():
        assert sentence in error.value.message
    return error.value.fields


def test_a_show_needs_only_a_title():
    show = read_show('title = "Tide Tables"')
    assert show == ShowFile(title="Tide Tables")
    assert (show.slug, show.language, show.time_zone, show.artwork) == (
        None,
        "en",
        "UTC",
        "artwork.jpg",
    )
    assert show.locked and not show.explicit and show.show_type == "episodic"


def test_a_show_may_say_everything():
    show = read_show(
        """
        title = "Tide  Tables"
        slug = "tide"
        description = "Harbour talk.\\nEvery week."
        language = "pt_BR"
        author = "Pier Nine"
        link = "https://pier.example/"
        copyright = "Pier Nine"
        explicit = true
        type = "serial"
        categories = ["society and culture > documentary", "Arts"]
        time_zone = "Europe/Lisbon"
        artwork = "./art/show.png"
        podcast_guid = "917393E3-1b1e-5cef-ace4-edaa54e1f810"
        locked = false
        medium = "audiobook"
        complete = true
        block = true
        new_feed_url = "https://new.example/feed.xml"
        [owner]
        name = "Pia Port"
        email = "pia@pier.example"
        [[people]]
        name = "Pia Port"
        bio = "A host."
        image = "people/pia.jpg"
        [[people]]
        name = "Bo"
        role = "Producer"
        group = "Creative Direction"
        url = "https://bo.example/"
        image = "https://bo.example/bo.jpg"
        """
    )
    assert show == ShowFile(
        title="Tide Tables",
        slug="tide",
        description="Harbour talk.\nEvery week.",
        language="pt-br",
        author="Pier Nine",
        link="https://pier.example/",
        copyright="Pier Nine",
        explicit=True,
        show_type="serial",
        categories=("Society & Culture > Documentary", "Arts"),
        time_zone="Europe/Lisbon",
        artwork="art/show.png",
        podcast_guid="917393e3-1b1e-5cef-ace4-edaa54e1f810",
        locked=False,
        medium="audiobook",
        complete=True,
        block=True,
        new_feed_url="https://new.example/feed.xml",
        owner=OwnerEntry(name="Pia Port", email="pia@pier.example"),
        people=(
            PersonEntry(name="Pia Port", role="host", bio="A host.", image="people/pia.jpg"),
            PersonEntry(
                name="Bo",
                role="Producer",
                group="Creative Direction",
                url="https://bo.example/",
                image="https://bo.example/bo.jpg",
            ),
        ),
    )


def test_an_episode_may_be_notes_alone():
    found = read_episode("\ufeff\r\n# Low water\r\n\r\nNotes.\r\n")
    assert found.notes == "# Low water\n\nNotes."
    assert found.title is None and found.date is None and found.episode_type == "full"


def test_an_episode_may_say_everything():
    found = episode(
        """
title: 1984
date: 2026-03-01 09:00
status: draft
guid: " Kept as it is "
slug: low-water
season: 01
season_name: The first
number: 7
type: bonus
explicit: yes
author: Pia
link: https://pier.example/7
block: no
audio: audio/low.mp3
artwork: low.jpg
chapters: low.json
transcripts: [low.vtt, low.srt]
guests:
  - Ann Guest
  - name: Bob
    url: https://bob.example
    role: narrator
people:
  - name: Pia
""",
        "\n\n    code\n\nEnd  \n",
    )
    assert (found.title, found.guid, found.slug) == ("1984", " Kept as it is ", "low-water")
    assert (found.season, found.season_name, found.number) == (1, "The first", 7)
    assert (found.episode_type, found.explicit, found.block, found.status) == (
        "bonus",
        True,
        False,
        "draft",
    )
    assert (found.audio, found.artwork, found.chapters) == ("audio/low.mp3", "low.jpg", "low.json")
    assert (found.author, found.link) == ("Pia", "https://pier.example/7")
    assert found.transcripts == ("low.vtt", "low.srt")
    assert found.guests == (
        PersonEntry(name="Ann Guest", role="guest"),
        PersonEntry(name="Bob", role="narrator", url="https://bob.example"),
    )
    assert found.people == (PersonEntry(name="Pia", role="host"),)
    assert found.notes == "    code\n\nEnd"


def test_empty_values_count_as_absent_and_one_value_as_a_list_of_one():
    found = episode("title:\nseason: ''\nguests: Ann Guest\npeople: []\ntranscripts: a.vtt")
    assert found.title is None and found.season is None and found.people == ()
    assert found.guests == (PersonEntry(name="Ann Guest", role="guest"),)
    assert found.transcripts == ("a.vtt",)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-01", datetime(2026, 3, 1)),
        ("2026-03-01 09:00", datetime(2026, 3, 1, 9)),
        ("2026-03-01T09:00:30.75", datetime(2026, 3, 1, 9, 0, 30)),
        ("2026-03-01T09:00Z", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01 09:00 +0530", datetime(2026, 3, 1, 3, 30, tzinfo=UTC)),
    ],
)
def test_a_date_keeps_whether_it_names_a_zone(written, meant):
    found = episode(f"date: {written}").date
    assert found == meant
    assert (found.tzinfo is None) == (meant.tzinfo is None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-01", datetime(2026, 3, 1)),
        ("2026-03-01 09:00:00", datetime(2026, 3, 1, 9)),
        ("2026-03-01T09:00:00+01:00", datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=1)))),
        ('"2026-03-01 09:00"', datetime(2026, 3, 1, 9)),
    ],
)
def test_toml_dates_mean_the_same(written, meant):
    assert read_episode(f"+++\ndate = {written}\n+++\n").date == meant


def test_a_date_without_zone_is_meant_where_the_show_lives():
    summer = episode("date: 2026-07-01 09:00")
    assert published_at(summer, "Europe/Lisbon") == datetime(2026, 7, 1, 8, tzinfo=UTC)
    assert published_at(summer, "UTC") == datetime(2026, 7, 1, 9, tzinfo=UTC)
    aware = episode("date: 2026-07-01T09:00+05:45")
    assert published_at(aware, "Europe/Lisbon") == datetime(2026, 7, 1, 3, 15, tzinfo=UTC)


def test_without_a_date_or_with_status_draft_it_is_a_draft():
    assert published_at(episode("title: a"), "UTC") is None
    assert published_at(episode("date: 2026-07-01\nstatus: draft"), "UTC") is None


def test_an_hour_that_the_clocks_skip_or_repeat_has_a_time():
    skipped = published_at(episode("date: 2026-03-29 01:30"), "Europe/Lisbon")
    repeated = published_at(episode("date: 2026-10-25 01:30"), "Europe/Lisbon")
    assert skipped == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert repeated == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("sesason", "did you mean “season”"),
        ("Title", "did you mean “title”"),
        ("season-name", "did you mean “season_name”"),
        ("draft", "status: draft"),
        ("description", "the text below"),
        ("image", "“artwork”"),
        ("tags", "labels"),
        ("zzz", "the keys are title, date"),
    ],
)
def test_an_unknown_key_is_named_with_the_near_one(key, hint):
    sentence = problems(read_episode, f"---\ntitle: a\n{key}: b\n---\n")[key]
    assert sentence.startswith("Line 3: ")
    assert f"“{key}”" in sentence and hint in sentence


def test_every_mistake_of_a_file_is_told_at_once():
    found = problems(
        read_show,
        """
titel = "a"
explicit = "maybe"
time_zone = "Europe/Atlantis"
people = "Pia"
[owner]
name = "Pia"
mail = "x"
""",
    )
    assert list(found) == ["titel", "explicit", "time_zone", "owner.mail", "owner.email", "title"]
    assert found["titel"].startswith("Line 2: ")
    assert found["owner.mail"].startswith("Line 8: ")
    assert found["title"] == "“title” is missing."


def test_a_mistake_in_a_person_has_its_line_in_both_syntaxes():
    yaml_text = "---\nguests:\n  - Ann\n  - name: Bob\n    link: https://bob.example\n---\n"
    found = problems(read_episode, yaml_text)
    assert found["guests[1].link"].startswith("Line 5: ") and "“url”" in found["guests[1].link"]
    toml_text = '+++\n[[guests]]\nname = "Ann"\n[[guests]]\nurl = "bob"\n+++\n'
    found = problems(read_episode, toml_text)
    assert found["guests[1].url"].startswith("Line 5: ")
    assert found["guests[1].name"].startswith("Line 4: ")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("date: yesterday", "date"),
        ("date: 2026-02-30", "date"),
        ("date: 2026-02-03 25:00", "date"),
        ("date: 0001-01-01", "date"),
        ("date: 9999-12-31T23:59-12:00", "date"),
        ("date: ２０２６-01-01", "date"),
        ("status: published", "status"),
        ("season: 0", "season"),
        ("season: -1", "season"),
        ("season: ٣", "season"),
        ("number: 100.5", "number"),
        ("number: 99999999999999999999", "number"),
        ("number: [1]", "number"),
        ("type: episode", "type"),
        ("explicit: maybe", "explicit"),
        ("title: [a]", "title"),
        ('title: "\\u0007"', "title"),
        ('guid: "a\\nb"', "guid"),
        ('guid: "\\ud800"', "guid"),
        ("slug: ../a", "slug"),
        ("slug: 'a b'", "slug"),
        ("audio: ../secret.mp3", "audio"),
        ("audio: /etc/passwd", "audio"),
        ("audio: a//b.mp3", "audio"),
        ("audio: .", "audio"),
        ("audio: C:/a.mp3", "audio"),
        ("audio: a\\b.mp3", "audio"),
        ('audio: "a\\0b.mp3"', "audio"),
        ("artwork: https://a.example/b.jpg", "artwork"),
        ("transcripts: [a.vtt, ../b.vtt]", "transcripts[1]"),
        ("guests: [{url: 'https://a.example'}]", "guests[0].name"),
        ("guests: [[a]]", "guests[0]"),
        ("guests: [{name: a, url: 'javascript:alert(1)'}]", "guests[0].url"),
        ("guests: [{name: a, url: 'https://u:p@a.example'}]", "guests[0].url"),
        ("guests: [{name: a, image: 'file:///etc/passwd'}]", "guests[0].image"),
        ("guests: [{name: a, image: '../../a.jpg'}]", "guests[0].image"),
        ("people: [" + "a, " * 201 + "]", "people"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_key_and_line(line, key):
    found = problems(read_episode, f"---\nlink: https://a.example/\n{line}\n---\n")
    assert list(found) == [key]
    assert found[key].startswith("Line 3: ")
    assert f"“{key.rpartition('.')[2].partition('[')[0]}”" in found[key]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("title = 1984", "title"),
        ('language = "klingon"', "language"),
        ('link = "pier.example"', "link"),
        ('podcast_guid = "{917393e3-1b1e-5cef-ace4-edaa54e1f810}"', "podcast_guid"),
        ('categories = ["Documentaries"]', "categories[0]"),
        ('medium = "radio"', "medium"),
        ('time_zone = "../UTC"', "time_zone"),
        ('time_zone = "Europe"', "time_zone"),
        ("explicit = 1", "explicit"),
        ('owner = "Pia"', "owner"),
        ('owner = {name = "Pia", email = "pia"}', "owner.email"),
        ("number = true", "number"),
    ],
)
def test_what_a_show_cannot_say_is_refused_with_its_key(line, key):
    title = "" if line.startswith("title") else 'title = "a"\n'
    assert key in problems(read_show, title + line)


def test_many_mistakes_are_cut_short():
    text = "---\n" + "".join(f"wrong{number}: x\n" for number in range(2_000)) + "---\n"
    with pytest.raises(Invalid) as error:
        read_episode(text)
    assert len(error.value.fields) == 20
    assert error.value.message.endswith("And 1980 more mistakes of this kind.")


def test_sentences_never_carry_control_characters_of_the_file():
    with pytest.raises(Invalid) as error:
        read_episode('---\n"\\e[31mred\\a": x\n---\n')
    assert error.value.message.isprintable()


def test_characters_that_no_feed_can_carry_are_taken_out():
    found = read_episode('---\ntitle: "a\\u0007b\\ud800c"\n---\nNo\x00te\x0bs\n')
    assert found.title == "abc"
    assert found.notes == "Notes"


def test_writing_the_guid_changes_only_the_guid():
    text = "---\r\ntitle: a  # mine\r\n---\r\nNotes\r\n"
    guid = str(uuid.uuid4())
    written = write_guid(text, guid)
    assert read_episode(written).guid == guid
    assert written.replace(f"guid: {guid}\r\n", "") == text


def test_writing_to_a_show_changes_only_that_key():
    text = 'title = "a"\n[[people]]\nname = "Pia"\n'
    guid = str(uuid.uuid4())
    written = write_show_value(text, "podcast_guid", guid)
    assert read_show(written).podcast_guid == guid
    assert written.replace(f'podcast_guid = "{guid}"\n', "") == text


@pytest.mark.parametrize(
    ("heading", "keys"),
    [
        ("show.toml", SHOW_KEYS),
        ("An episode's text file", EPISODE_KEYS),
        ("People", PERSON_KEYS),
        ("The owner", OWNER_KEYS),
        ("Articles", ARTICLE_KEYS),
        ("Pages", PAGE_KEYS),
        ("Sponsors", SPONSOR_KEYS),
        ("The site", SITE_KEYS),
        ("The newsletter", NEWSLETTER_KEYS),
    ],
)
def test_the_reference_explains_exactly_the_keys_there_are(heading, keys):
    reference = (ROOT / "docs" / "show-folder.md").read_text(encoding="utf-8")
    section = reference.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    explained = re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)
    assert explained == list(keys)


def test_the_examples_in_the_reference_can_be_read():
    reference = (ROOT / "docs" / "show-folder.md").read_text(encoding="utf-8")
    shows = re.findall(r"^```toml\n(.*?)^```", reference, re.MULTILINE | re.DOTALL)
    episodes = re.findall(r"^```markdown\n(.*?)^```", reference, re.MULTILINE | re.DOTALL)
    assert shows and len(episodes) >= 2
    assert all(read_show(text).title for text in shows)
    assert all(read_episode(text).notes for text in episodes)


# The show that ships with podhost.


def test_the_shipped_show_is_complete_and_small():
    show = read_show(decode_text((SHOW / "show.toml").read_bytes()))
    assert (SHOW / show.artwork).is_file()
    # A first feed address makes it; a fixed one would be shared by every demo.
    assert show.podcast_guid is None
    sizes = [path.stat().st_size for path in (ROOT / "episodes").rglob("*") if path.is_file()]
    assert sum(sizes) < 4_500_000 and max(sizes) < 1_400_000
    read = [read_episode(decode_text(path.read_bytes())) for path in EPISODES]
    assert [found.number for found in read] == [None, 1, 2, 3]
    assert [found.episode_type for found in read] == ["trailer", "full", "full", "full"]
    assert len({found.guid for found in read}) == len(read)
    dates = [published_at(found, show.time_zone) for found in read]
    assert dates == sorted(set(dates)) and dates[-1] < datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("path", EPISODES, ids=lambda path: path.stem)
def test_a_shipped_episode_has_what_it_names(path):
    found = read_episode(decode_text(path.read_bytes()))
    assert uuid.UUID(found.guid).version == 4
    assert len(found.notes.encode()) < 4_000
    images = [guest.image for guest in found.guests if guest.image]
    for name in (*images, *found.transcripts, *([found.artwork] if found.artwork else [])):
        assert (SHOW / name).is_file()
    audio = MP3(path.with_suffix(".mp3"))
    assert audio.info.bitrate == 64_000 and audio.info.channels == 1
    assert str(audio.tags["TIT2"]) == found.title
    assert audio.tags.getall("APIC")
    if found.episode_type == "full":
        assert found.guests and path.with_suffix(".vtt").is_file()


@pytest.mark.parametrize("path", sorted(SHOW.glob("*.vtt")), ids=lambda path: path.stem)
def test_a_shipped_transcript_lies_inside_its_audio_and_names_the_voices(path):
    text = path.read_text(encoding="utf-8")
    found = read_episode(decode_text(path.with_suffix(".md").read_bytes()))
    spans = re.findall(r"^(\d\d):(\d\d):([\d.]+) --> (\d\d):(\d\d):([\d.]+)$", text, re.MULTILINE)
    times = [
        int(h) * 3600 + int(m) * 60 + float(s) for span in spans for h, m, s in (span[:3], span[3:])
    ]
    assert times == sorted(times) and len(times) >= 40
    assert times[-1] < MP3(path.with_suffix(".mp3")).info.length
    voices = set(re.findall(r"^<v ([^>]+)>", text, re.MULTILINE))
    assert voices == {"Pia Port", *(guest.name for guest in found.guests)}


@pytest.mark.parametrize("stem", [path.stem for path in EPISODES[1:]])
def test_a_shipped_interview_has_chapters_from_the_first_second(stem):
    audio = SHOW / f"{stem}.mp3"
    beside = SHOW / f"{stem}.chapters.json"
    if beside.is_file():
        chapters = json.loads(beside.read_text(encoding="utf-8"))["chapters"]
        starts = [chapter["startTime"] for chapter in chapters]
    else:
        frames = ID3(audio).getall("CHAP")
        starts = sorted(frame.start_time / 1000 for frame in frames)
    assert len(starts) >= 3 and starts[0] == 0
    assert starts == sorted(starts) and starts[-1] < MP3(audio).info.length


@pytest.mark.parametrize("path", sorted(SHOW.glob("*.jpg")), ids=lambda path: path.name)
def test_shipped_artwork_meets_the_rules_of_apple(path):
    with Image.open(path) as image:
        assert image.format == "JPEG" and image.mode == "RGB"
        assert image.width == image.height and 1400 <= image.width <= 3000
    assert path.stat().st_size < 400_000
