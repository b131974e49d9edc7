"""A folder of plain files against the rows: plan, apply, apply again."""

import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import mutagen.id3
import pytest
from PIL import Image
from sqlalchemy import delete, event, select

from podhost.chapters.rows import list_chapters
from podhost.checks import check_instance
from podhost.db import new_id
from podhost.episodes import find_episode_by_guid, list_episodes
from podhost.episodes.publishing import delete_episode, withdraw_episode
from podhost.errors import Invalid
from podhost.feeds.rendering import enclosure_url
from podhost.folders import (
    EpisodePlan,
    Plan,
    Result,
    apply_plan,
    describe,
    find_shows,
    plan_show,
    watch_folder,
)
from podhost.formats.showfolder import published_at, read_episode, read_show
from podhost.instance import Instance
from podhost.models import Artwork, Credit, Episode, Show
from podhost.shows import find_show, get_show
from podhost.transcripts import in_feed
from tests.audio_files import lame, wav, with_id3
from tests.conftest import FrozenClock
from tests.making import feed_body
from tests.waiting import wait_for

REAL = Path(__file__).parents[2] / "episodes" / "tide-tables"
ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
PODCAST = "{https://podcastindex.org/namespace/1.0}"
PODCAST_GUID = "917393e3-1b1e-5cef-ace4-edaa54e1f810"
VTT = "WEBVTT\n\n00:00:00.000 --> 00:00:04.000\nLow water.\n"
SRT = "1\n00:00:00,000 --> 00:00:04,000\nLow water.\n"


@dataclass
class Shop:
    """A show's folder and the podhost that it is published to."""

    instance: Instance
    folder: Path
    sound: bytes

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def episode(
        self, stem: str, front: str = "", notes: str = "Notes.", *, audio: bool = True
    ) -> Path:
        """An episode's text, and ten seconds of sound that no other episode has."""
        if audio:
            title = mutagen.id3.TIT2(encoding=3, text=f"Tag of {stem}")
            self.write(f"{stem}.mp3", with_id3(self.sound, title))
        return self.write(f"{stem}.md", f"---\n{front}---\n\n{notes}\n")

    def picture(self, name: str, size: int = 40, colour: str = "navy") -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (size, size), colour).save(path)
        return path

    def plan(self) -> Plan:
        return plan_show(
            self.instance.database,
            self.folder,
            base_url=self.instance.base_url,
            now=self.instance.now(),
        )

    def apply(self, plan: Plan) -> Result:
        return apply_plan(
            self.instance.database,
            self.instance.storage,
            plan,
            base_url=self.instance.base_url,
            now=self.instance.now,
        )

    def publish(self) -> tuple[Plan, Result]:
        """Plan, apply, and plan again: the second time nothing may be left to do."""
        plan = self.plan()
        result = self.apply(plan)
        again = self.plan()
        assert not again.has_work or plan.problems or result.problems, describe(again)
        return plan, result

    def show(self) -> Show:
        with self.instance.database.read() as session:
            return get_show(session, self.folder.name)

    def rows(self) -> dict[str, Episode]:
        """Episodes by title, loaded with what tests look at."""
        with self.instance.database.read() as session:
            show = find_show(session, self.folder.name)
            rows = list_episodes(session, show) if show is not None else []
            for row in rows:
                for name in ("audio", "artwork", "credits", "chapters", "transcripts"):
                    getattr(row, name)
            return {row.title: row for row in rows}

    def items(self) -> dict[str, ElementTree.Element]:
        """The feed's items by guid, once all jobs are done."""
        with self.instance.database.write() as session:
            show = get_show(session, self.folder.name)
            if show.artwork_id is None:
                # A picture in name only: drawing a real placeholder takes most of a second.
                show.artwork = Artwork(
                    id=new_id(),
                    source_sha256="0" * 64,
                    mime_type="image/jpeg",
                    width=3000,
                    height=3000,
                    sizes=[[3000, 1]],
                    is_placeholder=True,
                    created_at=self.instance.now(),
                )
        channel = ElementTree.fromstring(feed_body(self.instance, show)).find("channel")
        assert channel is not None
        return {item.findtext("guid", ""): item for item in channel.iter("item")}

    def stored(self) -> list[str]:
        return sorted(
            entry.key
            for prefix in ("audio/", "artwork/", "transcripts/")
            for entry in self.instance.storage.list(prefix)
        )

    def bytes(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def shop(instance: Instance, tmp_path: Path) -> Shop:
    folder = tmp_path / "harbour"
    folder.mkdir()
    (folder / "show.toml").write_text(
        f'title = "Harbour"\npodcast_guid = "{PODCAST_GUID}"\n', encoding="utf-8"
    )
    return Shop(instance, folder, lame(10))


def only(plan: Plan, name: str) -> EpisodePlan:
    return next(episode for episode in plan.episodes if episode.files.name == name)


# The show that ships with podhost


def test_the_real_show_is_published_as_its_files_say_and_then_rests(
    instance: Instance, tmp_path: Path, clock: FrozenClock
) -> None:
    folder = tmp_path / "tide-tables"
    shutil.copytree(REAL, folder)
    clock.advance(days=300)
    shop = Shop(instance, folder, b"")
    plan, result = shop.publish()
    assert not plan.problems and result.is_well, describe(plan)
    # Its sister lies beside it in the repository, and not here.
    assert [str(warning) for warning in plan.warnings] == [
        "show.toml: The show 'mareas' is not here yet; "
        "as an edition it is linked once both are published."
    ]
    done = "\n".join(result.lines)
    assert "Done: 1 show created, 4 episodes created, 4 published, " in done
    assert "2 articles published." in done
    items = shop.items()
    source = read_show((folder / "show.toml").read_text(encoding="utf-8"))
    for path in folder.glob("*.md"):
        assert path.read_bytes() == (REAL / path.name).read_bytes()
        episode = read_episode(path.read_text(encoding="utf-8"))
        item = items.pop(str(episode.guid))
        assert item.findtext("title") == episode.title
        date = published_at(episode, source.time_zone)
        assert date is not None
        assert item.findtext("pubDate") == date.strftime("%a, %d %b %Y %H:%M:%S GMT")
        assert item.findtext(f"{ITUNES}season") == "1"
        assert item.findtext(f"{ITUNES}episodeType") == episode.episode_type
        named = {person.text for person in item.iter(f"{PODCAST}person")}
        assert {guest.name for guest in episode.guests} <= named
        for guest in episode.guests:
            person = next(p for p in item.iter(f"{PODCAST}person") if p.text == guest.name)
            assert person.get("href") == guest.url
            assert (person.get("img") is not None) == (guest.image is not None)
        # Each kind once, given or made, and WebVTT first, as Apple prefers.
        types = [t.get("type") for t in item.iter(f"{PODCAST}transcript")]
        is_transcribed = any(path.with_suffix(end).exists() for end in (".vtt", ".srt"))
        assert types[:1] == (["text/vtt"] if is_transcribed else [])
        made = {"application/x-subrip", "application/json"} if is_transcribed else set()
        assert {*types[1:]} == made and len(types) in (0, 3)
        has_chapters = path.stem[:3] in ("001", "002", "003")
        assert (item.find(f"{PODCAST}chapters") is not None) == has_chapters
        assert (item.find(f"{ITUNES}image") is not None) == path.stem.startswith("003")
        enclosure = item.find("enclosure")
        assert enclosure is not None
        assert enclosure.get("length") == str(path.with_suffix(".mp3").stat().st_size)
    assert not items
    problems, _ = check_instance(instance, progress=lambda done, total: None)
    assert problems == []


def test_an_edited_file_changes_its_episode_and_no_other(
    instance: Instance, tmp_path: Path, clock: FrozenClock
) -> None:
    folder = tmp_path / "tide-tables"
    shutil.copytree(REAL, folder)
    clock.advance(days=300)
    shop = Shop(instance, folder, b"")
    shop.publish()
    before = {guid: ElementTree.tostring(item) for guid, item in shop.items().items()}
    files = shop.bytes()
    stored = shop.stored()
    shop.publish()
    assert (shop.bytes(), shop.stored()) == (files, stored)
    path = folder / "002-grinding-by-the-moon.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("two kinds of flour", "three kinds of flour"), encoding="utf-8")
    clock.advance(hours=1)
    plan, _ = shop.publish()
    assert [episode.changes for episode in plan.episodes if episode.has_work] == [("notes",)]
    after = {guid: ElementTree.tostring(item) for guid, item in shop.items().items()}
    changed = [guid for guid in before if before[guid] != after[guid]]
    assert changed == [read_episode(text).guid]
    assert b"three kinds of flour" in after[changed[0]]


# guids


def test_a_guid_is_written_once_and_every_other_byte_stays(shop: Shop) -> None:
    path = shop.episode("001-low", "", audio=True)
    odd = "\ufeff---\r\n# mine\r\ntitle: 'Low'\r\ndate: 2026-03-01\r\n---\r\n\r\nÄ \r\n\r\n"
    path.write_bytes(odd.encode())
    path.chmod(0o640)
    shop.publish()
    row = shop.rows()["Low"]
    written = path.read_bytes().decode()
    assert written == odd.replace("2026-03-01\r\n", f"2026-03-01\r\nguid: {row.guid}\r\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not list(shop.folder.glob(".*"))
    shop.publish()
    assert path.read_bytes().decode() == written


class Dying:
    """A clock whose process ends at its n-th look."""

    def __init__(self, clock: Callable[[], datetime], looks: int) -> None:
        self.clock, self.looks = clock, looks

    def __call__(self) -> datetime:
        self.looks -= 1
        if self.looks < 0:
            raise KeyboardInterrupt
        return self.clock()


@pytest.mark.parametrize("looks", range(6))
def test_whenever_it_dies_the_next_run_makes_each_episode_once(
    shop: Shop, clock: FrozenClock, looks: int
) -> None:
    shop.episode("001-low", "title: Low\ndate: 2026-03-01\n")
    shop.write("bare.mp3", shop.sound)
    clock_of_life = shop.instance.clock
    shop.instance.clock = Dying(clock, looks)
    plan = plan_show(
        shop.instance.database, shop.folder, base_url=shop.instance.base_url, now=clock()
    )
    with pytest.raises(KeyboardInterrupt):
        shop.apply(plan)
        shop.instance.now()
        shop.instance.now()
    shop.instance.clock = clock_of_life
    texts = shop.bytes()
    shop.publish()
    rows = shop.rows()
    assert sorted(rows) == ["Low", "bare"]
    assert {row.status for row in rows.values()} == {"published"}
    for name in ("001-low.md", "bare.md"):
        text = shop.bytes()[name].decode()
        assert find_guid(text) in {row.guid for row in rows.values()}
        if "guid" in texts.get(name, b"").decode():
            assert text == texts[name].decode()
    # What was stored for the run that died was taken back.
    assert len(shop.stored()) == 2


def find_guid(text: str) -> str:
    guid = read_episode(text).guid
    assert guid is not None
    return guid


def test_a_folder_that_can_only_be_read_has_stable_guids(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.episode("001-low", "title: Low\ndate: 2026-03-01\n")
    shop.write("bare.mp3", shop.sound)
    before = shop.bytes()
    # Tests may run as root, whom no mode keeps from writing.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    _, result = shop.publish()
    assert result.is_well
    assert sum("guid cannot be written" in note for note in result.notes) == 2
    rows = shop.rows()
    assert {row.status for row in rows.values()} == {"published"}
    assert shop.bytes() == before
    monkeypatch.undo()
    # Once it can be written, the same guids are put into the files.
    plan, _ = shop.publish()
    assert {episode.actions for episode in plan.episodes} == {("write",)}
    assert find_guid((shop.folder / "001-low.md").read_text()) == rows["Low"].guid
    assert find_guid((shop.folder / "bare.md").read_text()) == rows["bare"].guid
    assert {title: row.guid for title, row in shop.rows().items()} == {
        title: row.guid for title, row in rows.items()
    }


def test_a_renamed_file_with_its_guid_is_the_same_episode(shop: Shop) -> None:
    path = shop.episode("001-low", "title: Low\ndate: 2026-03-01\n")
    shop.publish()
    before = shop.rows()["Low"]
    path.rename(shop.folder / "007-ebb.md")
    (shop.folder / "001-low.mp3").rename(shop.folder / "007-ebb.mp3")
    plan, _ = shop.publish()
    assert not plan.has_work and len(plan.warnings) == 1
    assert shop.rows()["Low"].slug == before.slug == "low"


def test_a_text_that_lost_its_guid_is_known_by_its_audio(shop: Shop) -> None:
    path = shop.episode("001-low", "title: Low\ndate: 2026-03-01\n")
    shop.publish()
    guid = shop.rows()["Low"].guid
    path.write_text(path.read_text().replace(f"guid: {guid}\n", ""))
    path.rename(shop.folder / "new-name.md")
    (shop.folder / "001-low.mp3").rename(shop.folder / "new-name.mp3")
    plan, _ = shop.publish()
    assert only(plan, "new-name.md").actions == ("write",)
    assert find_guid((shop.folder / "new-name.md").read_text()) == guid
    assert len(shop.rows()) == 1


def test_a_new_file_under_an_old_name_is_a_new_episode(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop.episode("001", "title: Low\ndate: 2026-03-01\n", audio=False)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    shop.publish()
    monkeypatch.undo()
    shop.publish()
    path.rename(shop.folder / "002.md")
    shop.episode("001", "title: New\n", audio=False)
    shop.publish()
    assert sorted(shop.rows()) == ["Low", "New"]


def test_two_files_with_one_guid_or_slug_are_both_refused(shop: Shop) -> None:
    shop.episode("001-a", "title: A\nguid: same\n", audio=False)
    shop.episode("002-b", "title: B\nguid: same\n", audio=False)
    shop.episode("003-c", "title: C\nslug: tide\n", audio=False)
    shop.episode("004-d", "title: D\nslug: tide\n", audio=False)
    shop.episode("005-e", "title: E\n", audio=False)
    plan, _ = shop.publish()
    assert plan.problems == (
        "001-a.md: It has the same guid as 002-b.md: same.",
        "002-b.md: It has the same guid as 001-a.md: same.",
        "003-c.md: It has the same slug as 004-d.md: tide.",
        "004-d.md: It has the same slug as 003-c.md: tide.",
    )
    assert list(shop.rows()) == ["E"]


# Audio without a text


def test_a_bare_audio_file_becomes_an_episode_from_its_tags(shop: Shop, clock: FrozenClock) -> None:
    title = 'Ebb: "two"\u0085 — 🐟 # 3'
    notes = "--- Line\n\n* one &amp; `two`"
    tagged = with_id3(
        shop.sound,
        mutagen.id3.TIT2(encoding=3, text=title),
        mutagen.id3.TRCK(encoding=3, text="7/52"),
        mutagen.id3.TPOS(encoding=3, text="2"),
        mutagen.id3.COMM(encoding=3, lang="eng", desc="", text=notes),
    )
    shop.write("013_ebb.MP3", tagged)
    shop.write("12 - High water.mp3", shop.sound)
    _, result = shop.publish()
    assert result.is_well
    rows = shop.rows()
    plain = rows["High water"]
    tagged_row = next(row for row in rows.values() if row is not plain)
    assert (tagged_row.number, tagged_row.season, tagged_row.status) == (7, 2, "published")
    # Both came at the same moment, and apps sort by it.
    assert {row.published_at for row in rows.values()} == {
        clock(),
        clock().replace(second=1),
    }
    source = read_episode((shop.folder / "013_ebb.md").read_text(encoding="utf-8"))
    assert (source.guid, source.title) == (tagged_row.guid, tagged_row.title)
    assert source.title is not None and source.title.startswith('Ebb: "two"')
    assert source.notes == tagged_row.notes
    # From now on the text is what counts.
    path = shop.folder / "12 - High water.md"
    path.write_text(path.read_text().replace("High water", "Highest water"))
    plan, _ = shop.publish()
    assert only(plan, path.name).changes == ("title",)
    assert shop.rows()["Highest water"].guid == plain.guid


def test_any_name_that_a_disk_can_hold_will_do(shop: Shop) -> None:
    for number, name in enumerate((b"\xff", b"007", "Ärger & co".encode(), b"a" * 240)):
        path = Path(os.fsdecode(os.fsencode(shop.folder) + b"/" + name + b".mp3"))
        path.write_bytes(lame(3 + number))
    plan, result = shop.publish()
    assert len(plan.episodes) == 4 and result.is_well, result.problems
    assert {"Untitled", "007", "Ärger & co", "a" * 240} == set(shop.rows())
    assert len(list(shop.folder.iterdir())) == 9


def test_audio_that_a_broken_text_names_waits_for_it(shop: Shop) -> None:
    shop.write("final mix.mp3", shop.sound)
    shop.write("001-low.md", "---\ntitle: Low\naudio: final mix.mp3\ncolour: red\n---\n")
    plan, _ = shop.publish()
    assert "Line 4: podhost does not know the key “colour”" in plan.problems[0]
    assert "final mix.mp3 waits" in " ".join(plan.warnings)
    assert not shop.rows() and not shop.stored()
    shop.write("001-low.md", "---\ntitle: Low\naudio: final mix.mp3\n---\n")
    shop.publish()
    assert list(shop.rows()) == ["Low"]


def test_what_apps_cannot_play_stays_a_draft_with_a_sentence(shop: Shop) -> None:
    shop.write("001-low.wav", wav(seconds=3))
    shop.episode("001-low", "title: Low\ndate: 2026-03-01\n", audio=False)
    shop.write("bare.wav", wav(seconds=3))
    _, result = shop.publish()
    assert "do not play WAV" in result.notes[0]
    assert {row.status for row in shop.rows().values()} == {"draft"}
    plan, _ = shop.publish()
    assert "001-low.md: It stays a draft: " in " ".join(plan.warnings)
    # Beside a master, the file for listeners is chosen.
    shop.write("001-low.mp3", shop.sound)
    plan, _ = shop.publish()
    assert only(plan, "001-low.md").actions == ("change", "publish")
    assert shop.rows()["Low"].status == "published"
    assert "001-low.wav is not used" in " ".join(plan.warnings)


# What is edited, added and taken away


def test_what_is_taken_out_of_a_text_has_its_default_again(shop: Shop) -> None:
    shop.write("show.toml", (shop.folder / "show.toml").read_text() + 'author = "Ann"\n')
    shop.episode(
        "001-low",
        "date: 2026-03-01\ntitle: Low\nslug: ebb\nseason: 2\nseason_name: Ebb\nnumber: 3\n"
        "type: bonus\nexplicit: true\nauthor: Bo\nlink: https://bo.example/\nblock: true\n"
        "guests: [Ann, Bo]\npeople:\n  - name: Cy\n    role: producer\n",
    )
    shop.publish()
    row = shop.rows()["Low"]
    assert [credit.role for credit in row.credits] == ["guest", "guest", "producer"]
    assert (row.slug, row.season, row.is_blocked, row.explicit) == ("ebb", 2, True, True)
    shop.write("show.toml", 'title = "Harbour"\n')
    shop.episode("001-low", f"date: 2026-03-01\nguid: {row.guid}\n", "")
    plan, _ = shop.publish()
    assert plan.show_changes == ("author",)
    changes = "title notes season season_name number episode_type explicit author link blocked"
    assert only(plan, "001-low.md").changes == (*changes.split(), "people")
    row = shop.rows()["Tag of 001-low"]
    # A slug is an address: it stays until another is given.
    assert (row.slug, row.season, row.is_blocked, row.explicit) == ("ebb", None, False, None)
    assert not row.credits and shop.show().author == ""


def test_chapters_beside_the_audio_win_over_those_inside(shop: Shop) -> None:
    inside = mutagen.id3.CHAP(
        element_id="c1",
        start_time=0,
        end_time=10_000,
        start_offset=0xFFFFFFFF,
        end_offset=0xFFFFFFFF,
        sub_frames=[mutagen.id3.TIT2(encoding=3, text="Inside")],
    )
    shop.episode("001-low", "date: 2026-03-01\ntitle: Low\n", audio=False)
    shop.write("001-low.mp3", with_id3(shop.sound, inside))
    shop.publish()

    def titles() -> list[str]:
        return [chapter.title for chapter in list_chapters(shop.rows()["Low"])]

    assert titles() == ["Inside"]
    path = shop.write("001-low.chapters.txt", "00:00 Beside\n00:05 And on\n01:00 Too late\n")
    plan, result = shop.publish()
    assert only(plan, "001-low.md").changes == ("chapters",)
    assert titles() == ["Beside", "And on"]
    assert "“Too late” starts" in result.notes[0]
    path.write_text("nothing")
    plan = shop.plan()
    assert plan.problems[0].startswith("001-low.md: 001-low.chapters.txt: This file holds no")
    path.unlink()
    shop.publish()
    assert titles() == ["Inside"]


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("json", '{"chapters": [{"startTime": 2, "title": "Ebb"}]}'),
        ("psc", '<chapters><chapter start="00:00:02" title="Ebb"/></chapters>'),
        ("xml", '<chapters><chapter start="2" title="Ebb"/></chapters>'),
        ("vtt", "WEBVTT\n\n00:02.000 --> 00:04.000\nEbb\n"),
        ("srt", "1\n00:00:02,000 --> 00:00:04,000\nEbb\n"),
        ("txt", "00:02 Ebb\n"),
    ],
)
def test_chapters_beside_the_audio_may_have_any_format(
    shop: Shop, ending: str, content: str
) -> None:
    shop.episode("001-low", "title: Low\n", "00:00 In the notes\n00:05 Too\n")
    shop.write(f"001-low.chapters.{ending}", content)
    shop.publish()
    row = shop.rows()["Low"]
    assert [(entry.start_ms, entry.title) for entry in list_chapters(row)] == [(2000, "Ebb")]
    assert not row.transcripts


def test_chapters_from_the_notes_are_said_to_be_so(shop: Shop) -> None:
    shop.episode("001-low", "title: Low\n", "00:00 Ebb\n00:05 Flood\n")
    _, result = shop.publish()
    assert [entry.title for entry in list_chapters(shop.rows()["Low"])] == ["Ebb", "Flood"]
    assert "The 2 chapters are those that the notes list" in " ".join(result.notes)
    # A file decides, also where it says what the notes said, or that there are none.
    path = shop.write("001-low.chapters.txt", "00:00 Ebb\n00:05 Flood\n")
    shop.publish()
    shop.episode("001-low", "title: Low\n", "00:00 Ebb\n00:05 Surge\n", audio=False)
    shop.publish()
    assert [entry.title for entry in list_chapters(shop.rows()["Low"])] == ["Ebb", "Flood"]
    path.unlink()
    shop.publish()
    assert [entry.title for entry in list_chapters(shop.rows()["Low"])] == ["Ebb", "Surge"]
    shop.write("001-low.chapters.json", '{"chapters": []}')
    shop.publish()
    assert list_chapters(shop.rows()["Low"]) == []


def test_pictures_of_chapters_inside_survive_an_unchanged_folder(
    shop: Shop, clock: FrozenClock
) -> None:
    def inside(colour: str) -> mutagen.id3.CHAP:
        data = shop.picture("inside.png", colour=colour).read_bytes()
        (shop.folder / "inside.png").unlink()
        return mutagen.id3.CHAP(
            element_id="c1",
            start_time=0,
            end_time=10_000,
            start_offset=0xFFFFFFFF,
            end_offset=0xFFFFFFFF,
            sub_frames=[
                mutagen.id3.TIT2(encoding=3, text="Inside"),
                mutagen.id3.APIC(encoding=3, mime="image/png", type=3, desc="", data=data),
            ],
        )

    def picture_id() -> str | None:
        return shop.rows()["Low"].chapters[0].artwork_id

    shop.episode("001-low", "date: 2026-03-01\ntitle: Low\n", audio=False)
    shop.write("001-low.mp3", with_id3(shop.sound, inside("navy")))
    _, result = shop.publish()
    assert result.is_well and not result.notes
    navy, stored = picture_id(), shop.stored()
    assert navy is not None
    plan, _ = shop.publish()
    assert not plan.has_work and (picture_id(), shop.stored()) == (navy, stored)
    # Chapters beside the audio have none of its pictures, were they the same chapters.
    path = shop.write("001-low.chapters.txt", "00:00 Inside\n")
    plan, _ = shop.publish()
    assert only(plan, "001-low.md").changes == ("chapters",)
    assert picture_id() is None
    path.unlink()
    shop.publish()
    assert picture_id() == navy
    shop.write("001-low.mp3", with_id3(shop.sound, inside("red")))
    shop.publish()
    assert picture_id() not in (None, navy)
    # What was cleared away while other chapters were used is gone, and nothing is left to do.
    path.write_text("00:00 Beside\n")
    shop.publish()
    clock.advance(days=2)
    with shop.instance.database.write() as session:
        session.execute(delete(Artwork))
    path.unlink()
    shop.publish()
    assert picture_id() is None


def test_transcripts_are_offered_as_they_lie_there(shop: Shop) -> None:
    shop.episode("001-low", "date: 2026-03-01\ntitle: Low\n")

    def offered() -> list[tuple[str, str | None]]:
        """Without what podhost made of them, but for WebVTT."""
        rows = in_feed(shop.rows()["Low"].transcripts)
        return [(t.extension, t.language) for t in rows if t.extension in ("vtt", "srt")]

    shop.write("001-low.srt", SRT)
    shop.publish()
    assert offered() == [("vtt", None), ("srt", None)]
    shop.write("001-low.vtt", VTT)
    shop.write("001-low.es.vtt", VTT.replace("Low water", "Bajamar"))
    shop.write("001-low.final.vtt", VTT)
    plan, _ = shop.publish()
    assert only(plan, "001-low.md").changes == ("transcripts",)
    # Two files, not three: with WebVTT there, SRT is not converted as well.
    assert offered() == [("vtt", None), ("srt", None), ("vtt", "es"), ("srt", "es")]
    forms = [(t.extension, t.language) for t in shop.rows()["Low"].transcripts]
    assert len(forms) == len(set(forms)) == 10
    (shop.folder / "001-low.es.vtt").rename(shop.folder / "001-low.pt-br.vtt")
    shop.publish()
    assert offered()[2] == ("vtt", "pt-br")
    for path in shop.folder.glob("*.?t?"):
        path.unlink()
    for path in shop.folder.glob("*.srt"):
        path.unlink()
    shop.publish()
    assert offered() == []
    shop.write("001-low.vtt", b"%PDF-1.4")
    before = shop.stored()
    _, result = shop.publish()
    assert result.problems[0].startswith("001-low.md: 001-low.vtt: This is a PDF")
    assert shop.stored() == before


def test_new_audio_has_the_old_guid_and_a_new_address(shop: Shop) -> None:
    shop.episode("001-low", "date: 2026-03-01\ntitle: Low\n")
    shop.publish()
    before = shop.rows()["Low"]
    shop.write("001-low.mp3", lame(12))
    plan, _ = shop.publish()
    assert only(plan, "001-low.md").changes == ("audio",)
    after = shop.rows()["Low"]
    assert after.guid == before.guid and after.published_at == before.published_at
    assert before.audio is not None and after.audio is not None
    assert enclosure_url("", after.audio) != enclosure_url("", before.audio)
    assert round(after.audio.duration_ms / 1000) == 12
    (shop.folder / "001-low.mp3").unlink()
    plan, _ = shop.publish()
    assert not plan.has_work
    assert "it keeps the audio that it has" in plan.warnings[-1]


def test_pictures_are_stored_once_and_follow_their_files(shop: Shop) -> None:
    shop.picture("guests/ann.png")
    guest = "guests:\n  - name: Ann\n    image: guests/ann.png\n"
    for stem in ("001-a", "002-b", "003-c"):
        shop.episode(stem, f"date: 2026-03-01\ntitle: {stem}\n{guest}")
    shop.picture("002-b.jpg", 1400, "teal")
    shop.publish()
    rows = shop.rows()
    assert len({row.credits[0].artwork_id for row in rows.values()}) == 1
    assert [row.artwork is not None for _, row in sorted(rows.items())] == [False, True, False]
    pictures = {key.split("/")[1] for key in shop.stored() if key.startswith("artwork/")}
    assert pictures == {rows["002-b"].artwork_id, rows["001-a"].credits[0].artwork_id}
    shop.picture("guests/ann.png", colour="red")
    (shop.folder / "002-b.jpg").unlink()
    plan, _ = shop.publish()
    assert [episode.changes for episode in plan.episodes] == [
        ("people",),
        ("people", "artwork"),
        ("people",),
    ]
    after = shop.rows()
    assert after["002-b"].artwork is None
    assert after["001-a"].credits[0].artwork_id != rows["001-a"].credits[0].artwork_id


def test_the_picture_in_the_tags_serves_where_no_file_does(shop: Shop, tmp_path: Path) -> None:
    Image.new("RGB", (1400, 1400), "olive").save(tmp_path / "inside.jpg")
    picture = mutagen.id3.APIC(
        encoding=3, mime="image/jpeg", type=3, desc="", data=(tmp_path / "inside.jpg").read_bytes()
    )
    shop.episode("001-low", "date: 2026-03-01\ntitle: Low\n", audio=False)
    shop.write("001-low.mp3", with_id3(shop.sound, picture))
    shop.publish()
    inside = shop.rows()["Low"].artwork_id
    assert inside is not None
    shop.picture("001-low.png", 1400)
    shop.publish()
    assert shop.rows()["Low"].artwork_id not in (None, inside)
    (shop.folder / "001-low.png").unlink()
    shop.publish()
    assert shop.rows()["Low"].artwork_id == inside


def test_artwork_that_apps_refuse_is_a_problem_and_the_show_stands(shop: Shop) -> None:
    shop.picture("artwork.jpg", 200)
    shop.episode("001-low", "title: Low\n", audio=False)
    shop.picture("001-low.png", 300)
    shop.episode("002-ebb", "title: Ebb\n", audio=False)
    _, result = shop.publish()
    assert not result.is_well
    assert result.problems[0].startswith("artwork.jpg: ")
    assert result.problems[1].startswith("001-low.md: 001-low.png: ")
    assert list(shop.rows()) == ["Ebb"] and not shop.stored()


# Status and dates


def test_the_date_says_draft_scheduled_or_published(shop: Shop, clock: FrozenClock) -> None:
    shop.write("show.toml", 'title = "Harbour"\ntime_zone = "Europe/Madrid"\n')
    shop.episode("001-draft", "title: Draft\n")
    shop.episode("002-kept", "title: Kept\ndate: 2026-03-01\nstatus: draft\n")
    shop.episode("003-past", "title: Past\ndate: 2026-03-01 10:00\n")
    shop.episode("004-soon", "title: Soon\ndate: 2026-03-05 11:00\n")
    shop.episode("005-mute", "title: Mute\ndate: 2026-03-01\n", audio=False)
    plan, _ = shop.publish()
    assert "005-mute.md: There is no audio beside it; it stays a draft." in plan.warnings
    rows = shop.rows()
    assert {title: row.status for title, row in rows.items()} == {
        "Draft": "draft",
        "Kept": "draft",
        "Past": "published",
        "Soon": "scheduled",
        "Mute": "draft",
    }
    assert rows["Past"].published_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert len(shop.items()) == 1
    clock.advance(hours=1)
    assert shop.plan().has_work
    assert len(shop.items()) == 2
    assert not shop.plan().has_work


def test_a_published_date_stays_and_a_planned_one_moves(shop: Shop, clock: FrozenClock) -> None:
    path = shop.episode("001-low", "title: Low\ndate: 2026-03-10\n")
    shop.publish()
    path.write_text(path.read_text().replace("2026-03-10", "2026-03-11"))
    plan, _ = shop.publish()
    assert only(plan, "001-low.md").actions == ("schedule",)
    clock.advance(days=7)
    shop.items()
    planned = datetime(2026, 3, 11, tzinfo=UTC)
    assert shop.rows()["Low"].published_at == planned
    for other in ("2026-03-02", "2026-12-24"):
        path.write_text(path.read_text().replace("2026-03-11", other))
        plan, _ = shop.publish()
        assert not plan.has_work
        assert "It was published on 2026-03-11 00:00 UTC and keeps that date" in plan.warnings[-1]
        path.write_text(path.read_text().replace(other, "2026-03-11"))
    path.write_text(path.read_text().replace("date: 2026-03-11\n", ""))
    plan, result = shop.publish()
    assert only(plan, "001-low.md").actions == ("withdraw",)
    assert "Done: 1 withdrawn." in result.lines
    assert not shop.items()
    path.write_text(path.read_text().replace("title", "date: 2026-03-12\ntitle"))
    plan, _ = shop.publish()
    assert only(plan, "001-low.md").actions == ("publish",)
    row = shop.rows()["Low"]
    assert (row.status, row.published_at) == ("published", planned)


def test_episodes_of_one_day_keep_their_seconds(shop: Shop) -> None:
    for stem in ("001", "002", "003"):
        shop.episode(stem, f"title: Part {stem}\ndate: 2026-03-01\n")
    shop.publish()
    seconds = [row.published_at for _, row in sorted(shop.rows().items())]
    assert [moment.second for moment in seconds if moment] == [0, 1, 2]
    assert not any("keeps that date" in warning for warning in shop.plan().warnings)
    with shop.instance.database.write() as session:
        row = session.get_one(Episode, shop.rows()["Part 001"].id)
        withdraw_episode(session, row, now=shop.instance.now())
    plan, _ = shop.publish()
    assert [episode.actions for episode in plan.episodes] == [("publish",), (), ()]


def test_what_was_deleted_stays_deleted(shop: Shop) -> None:
    shop.episode("001-low", "title: Low\ndate: 2026-03-01\n")
    shop.publish()
    with shop.instance.database.write() as session:
        row = session.get_one(Episode, shop.rows()["Low"].id)
        delete_episode(session, row, now=shop.instance.now())
    plan, _ = shop.publish()
    assert "deleted here and stays so" in plan.warnings[-1]
    assert not shop.rows()


def test_an_episode_whose_files_are_gone_is_kept_and_named(shop: Shop) -> None:
    shop.episode("001-low", "title: Low\ndate: 2026-03-01\n")
    shop.publish()
    for path in shop.folder.glob("001*"):
        path.unlink()
    plan, _ = shop.publish()
    assert plan.warnings[-1] == "No files here for “Low”; podhost keeps what it has."
    assert shop.rows()["Low"].status == "published"


# The show and its folder


def test_the_show_is_changed_by_its_file(shop: Shop) -> None:
    shop.publish()
    shop.write(
        "show.toml",
        f'title = "Tides"\nslug = "tides"\npodcast_guid = "{PODCAST_GUID}"\nlanguage = "pt-BR"\n'
        'categories = ["Arts"]\n[owner]\nname = "Ann"\nemail = "ann@ann.example"\n'
        '[[people]]\nname = "Pia"\n',
    )
    plan, _ = shop.publish()
    assert set(plan.show_changes) == {
        *("title", "language", "categories", "owner_name", "owner_email", "slug", "people")
    }
    with shop.instance.database.read() as session:
        show = get_show(session, "tides")
        assert find_show(session, "harbour") == show
        assert session.scalars(select(Credit.name)).all() == ["Pia"]
    assert (show.title, show.language, show.podcast_guid) == ("Tides", "pt-br", PODCAST_GUID)


def test_the_podcast_guid_is_written_once_the_address_is_public(shop: Shop) -> None:
    owner = '[owner]\r\nname = "A"\r\nemail = "a@b.example"\r\n'
    path = shop.write("show.toml", f'# mine\r\ntitle = "Harbour"\r\n\r\n{owner}')
    shop.instance.base_url = "http://127.0.0.1:8000"
    shop.publish()
    text = path.read_bytes()
    assert b"podcast_guid" not in text
    shop.instance.base_url = "https://pod.example"
    shop.publish()
    line = f'podcast_guid = "{shop.show().podcast_guid}"\r\n'.encode()
    assert path.read_bytes().replace(line, b"") == text
    assert read_show(path.read_bytes().decode()).podcast_guid == shop.show().podcast_guid
    # So a renamed folder is the same show, and keeps its address.
    shop.folder.rename(shop.folder.parent / "other")
    shop.folder = shop.folder.parent / "other"
    plan = shop.plan()
    assert not plan.has_work and plan.slug == "harbour"


def test_a_copied_folder_is_not_the_show_it_was_copied_from(shop: Shop) -> None:
    shop.publish()
    copy = shop.folder.parent / "copy"
    shutil.copytree(shop.folder, copy)
    plan = Shop(shop.instance, copy, b"").plan()
    assert plan.problems == (
        "show.toml: The folder harbour beside this one has the same podcast_guid. "
        "A copy is another show: take the line out.",
    )
    assert not plan.has_work and not Shop(shop.instance, copy, b"").apply(plan).lines


def test_another_show_is_not_taken_over_by_a_folder_of_its_name(shop: Shop) -> None:
    shop.publish()
    guid = "00000000-0000-4000-8000-000000000000"
    shop.write("show.toml", f'title = "Mine"\npodcast_guid = "{guid}"\n')
    plan = shop.plan()
    assert "There is another show called 'harbour' here" in plan.problems[0]


def test_a_network_is_a_folder_of_shows(tmp_path: Path) -> None:
    for name in ("ebb", "flow", ".hidden"):
        (tmp_path / "net" / name).mkdir(parents=True)
        (tmp_path / "net" / name / "show.toml").write_text('title = "X"\n')
    (tmp_path / "net" / "notes").mkdir()
    (tmp_path / "net" / "README.md").write_text("Hello")
    assert [path.name for path in find_shows(tmp_path / "net")] == ["ebb", "flow"]
    assert find_shows(tmp_path / "net" / "ebb") == [tmp_path / "net" / "ebb"]
    for wrong in (tmp_path / "net" / "notes", tmp_path / "nowhere"):
        with pytest.raises(Invalid, match="There is no"):
            find_shows(wrong)
    (tmp_path / "apart").mkdir()
    (tmp_path / "apart" / "show.toml").write_text('title = "X"\n')
    (tmp_path / "net" / "link").symlink_to(tmp_path / "apart")
    with pytest.raises(Invalid, match="link is a link to a folder outside"):
        find_shows(tmp_path / "net")


# Hostile folders


def test_nothing_outside_the_folder_is_read(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "x.mp3").write_bytes(shop.sound)
    (tmp_path / "secret.vtt").write_text(VTT)
    (shop.folder / "link.mp3").symlink_to("/etc/passwd")
    (shop.folder / "text.md").symlink_to("/etc/passwd")
    (shop.folder / "dangling.mp3").symlink_to("nowhere")
    (shop.folder / "circle.mp3").symlink_to("circle.mp3")
    os.mkfifo(shop.folder / "pipe.mp3")
    shop.write("up.md", "---\ntitle: Up\naudio: ../x.mp3\n---\n")
    shop.write("abs.md", "---\ntitle: Abs\naudio: /etc/passwd\n---\n")
    shop.write("named.md", "---\ntitle: Named\n\nartwork: link.mp3\n---\n")
    shop.episode("side", "title: Side\n")
    (shop.folder / "side.vtt").symlink_to(tmp_path / "secret.vtt")
    shop.episode("fine", "title: Fine\ndate: 2026-03-01\n")
    # Inside the folder, links may lead where they like.
    (shop.folder / "also.md").write_text("---\ntitle: Also\ndate: 2026-03-02\n---\n")
    (shop.folder / "also.mp3").symlink_to("fine.mp3")
    plan, result = shop.publish()
    found = dict(problem.split(": ", 1) for problem in plan.problems)
    assert "link.mp3 leads out of the show's folder" in found["link"]
    assert "leads out" in found["text.md"]
    assert "There is no file dangling.mp3" in found["dangling"]
    assert "cannot be read" in found["circle"]
    assert "is not a file" in found["pipe"]
    assert found["up.md"].startswith("Line 3: “audio” must name a file inside")
    assert "“audio”" in found["abs.md"]
    assert found["named.md"].startswith("Line 4: link.mp3 leads out")
    assert "side.vtt leads out" in found["side.md"]
    assert len(found) == 9 and result.is_well
    assert sorted(shop.rows()) == ["Also", "Fine"]
    assert len(shop.stored()) == 2


def test_what_is_no_audio_leaves_nothing_behind(shop: Shop) -> None:
    shop.write("001-pdf.mp3", b"%PDF-1.7 " + bytes(2000))
    shop.episode("001-pdf", "title: Pdf\ndate: 2026-03-01\n", audio=False)
    # Passes a first look, and fails when it is probed.
    shop.write("002-cut.mp3", b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(5000))
    shop.episode("002-cut", "title: Cut\ndate: 2026-03-01\n", audio=False)
    shop.write("003.mp3", b"")
    shop.episode("004-fine", "title: Fine\ndate: 2026-03-01\n")
    plan, result = shop.publish()
    said = [*plan.problems, *result.problems]
    assert any("001-pdf.md: " in text and "PDF" in text for text in said)
    assert any(text.startswith("002-cut.md: ") for text in said)
    assert any(text.startswith("003.mp3: ") for text in said)
    assert len(said) == 3
    assert list(shop.rows()) == ["Fine"]
    assert len(shop.stored()) == 1
    assert "guid" not in (shop.folder / "002-cut.md").read_text()


def test_a_failed_replacement_leaves_the_episode_as_it_was(shop: Shop) -> None:
    shop.episode("001-low", "title: Low\ndate: 2026-03-01\n")
    shop.publish()
    before, stored = shop.rows()["Low"].audio, shop.stored()
    shop.write("001-low.wav", wav(seconds=3))
    text = (shop.folder / "001-low.md").read_text()
    shop.write("001-low.md", text.replace("title: Low", "title: New\naudio: 001-low.wav"))
    _, result = shop.publish()
    assert "do not play WAV" in result.problems[0]
    after = shop.rows()["Low"].audio
    assert before is not None and after is not None
    assert (after.id, shop.stored()) == (before.id, stored)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'title = "\xff"\n', "show.toml: Line 1: this is not UTF-8 text"),
        (b"title = Harbour\n", "show.toml: Line 1: this is not valid TOML"),
        (b"", "show.toml: “title” is missing."),
        (b'title = "A"\nartwork = "no.jpg"\n', "show.toml: There is no file no.jpg"),
        (b'title = "A"\nslug = "studio"\n', "show.toml: The name 'studio' is used by podhost"),
        (
            b'title = "A"\n[[people]]\nname = "P"\nrole = "hots"\n',
            "show.toml: people[0].role: The Podcast Taxonomy",
        ),
    ],
)
def test_a_wrong_show_file_changes_nothing(shop: Shop, content: bytes, sentence: str) -> None:
    shop.write("show.toml", content)
    shop.episode("001-low", "title: Low\n")
    before = shop.bytes()
    plan = shop.plan()
    assert sentence in plan.problems[0]
    assert shop.apply(plan).lines == []
    assert not shop.rows() and not shop.stored()
    assert shop.bytes() == before


def test_a_mistake_is_named_with_its_line(shop: Shop) -> None:
    shop.episode("001-a", "title: A\nnumber: many\n", audio=False)
    shop.episode(
        "002-b", "title: B\nguests: [Ann]\npeople:\n  - name: Bo\n    role: gest\n", audio=False
    )
    shop.episode("003-c", f"title: {'x' * 1001}\n", audio=False)
    shop.write("004-d.md", b"---\ntitle: \xff\n---\n")
    shop.write("notes to self.md", "Nothing for listeners.\n")
    shop.episode("005-e", "title: E\n", audio=False)
    plan, _ = shop.publish()
    said = sorted(plan.problems)
    assert said[0].startswith("001-a.md: Line 3: “number” must be a whole number")
    assert "002-b.md: Line 6: “people[0].role”: The Podcast Taxonomy has no role" in said[1]
    assert said[2].startswith("003-c.md: Line 2: “title”: It has 1001 characters")
    assert said[3].startswith("004-d.md: Line 2: this is not UTF-8")
    assert len(said) == 4
    assert "notes to self.md has neither front matter nor audio" in " ".join(plan.warnings)
    assert list(shop.rows()) == ["E"]


def test_hidden_files_and_the_readme_are_left_alone(shop: Shop) -> None:
    shop.write("README.md", "---\ntitle: Not an episode\n---\n")
    shop.write(".hidden.mp3", shop.sound)
    shop.write("drafts.mp3/take.txt", "a folder, whatever its name")
    before = shop.bytes()
    plan, _ = shop.publish()
    assert not plan.episodes and not plan.problems
    assert shop.bytes() == before


# Plans


def test_a_plan_reads_as_lines_and_changes_nothing(shop: Shop) -> None:
    shop.episode("001-low", "title: Low\ndate: 2026-03-01\n")
    shop.episode("002-ebb", "title: Ebb\ndate: 2026-04-01 08:00\n")
    shop.episode("003-mute", "title: Mute\n", audio=False)
    shop.episode("004-bad", "titel: Bad\n", audio=False)
    before = shop.bytes()
    lines = describe(shop.plan())
    assert lines[:6] == [
        "harbour: create the show “Harbour”, https://pod.example/harbour/feed.xml",
        "  001-low.md: create, publish “Low”",
        "  002-ebb.md: create, schedule for 2026-04-01 08:00 UTC “Ebb”",
        "  003-mute.md: create as a draft “Mute”",
        "  Note: There is no artwork.jpg; a plain pattern stands in until there is one.",
        "  Note: 003-mute.md: There is no audio beside it; it stays a draft.",
    ]
    assert lines[6].startswith("  Problem: 004-bad.md: Line 2: podhost does not know the key")
    assert len(lines) == 7
    assert shop.bytes() == before and not shop.rows() and not shop.stored()
    shop.publish()
    assert "  3 episodes: nothing to do" in describe(shop.plan())


def test_planning_asks_the_database_as_often_for_many_as_for_one(shop: Shop) -> None:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    def count() -> int:
        asked.clear()
        shop.plan()
        return len(asked)

    shop.episode("000", "title: First\nguests: [Ann]\n", audio=False)
    shop.write("000.vtt", VTT)
    shop.publish()
    event.listen(shop.instance.database.engine, "before_cursor_execute", note)
    one = count()
    for number in range(1, 20):
        shop.episode(f"{number:03}", "guests: [Ann]\n", audio=False)
        shop.write(f"{number:03}.vtt", VTT)
    shop.publish()
    assert count() == one
    event.remove(shop.instance.database.engine, "before_cursor_execute", note)


def test_progress_is_told(shop: Shop) -> None:
    shop.episode("001-low", "title: Low\n", audio=False)
    told: list[tuple[int, int]] = []
    apply_plan(
        shop.instance.database,
        shop.instance.storage,
        shop.plan(),
        base_url=shop.instance.base_url,
        now=shop.instance.now,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_file_that_changes_between_plan_and_apply_waits(shop: Shop) -> None:
    path = shop.episode("001-low", "title: Low\ndate: 2026-03-01\n")
    shop.episode("002-ebb", "title: Ebb\ndate: 2026-03-01\n")
    plan = shop.plan()
    path.write_text(path.read_text().replace("Low", "Lower"))
    shop.write("002-ebb.mp3", lame(11))
    result = shop.apply(plan)
    assert sorted(result.problems) == [
        "001-low.md: 001-low.md was changed meanwhile; publish again.",
        "002-ebb.md: 002-ebb.mp3 changed while it was read; publish again.",
    ]
    assert not shop.rows() and not shop.stored()
    shop.publish()
    assert sorted(shop.rows()) == ["Ebb", "Lower"]


# Watching


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Path, list[dict[str, int]]]]:
    """A folder that is watched, and the sizes of its files whenever it is to be published."""
    folder = tmp_path / "watched"
    folder.mkdir()
    calls: list[dict[str, int]] = []
    stop = threading.Event()
    thread = threading.Thread(
        target=watch_folder,
        args=(
            folder,
            lambda: calls.append({path.name: path.stat().st_size for path in folder.iterdir()}),
            stop,
        ),
    )
    thread.start()
    wait_for(lambda: bool(calls))
    yield folder, calls
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def test_a_file_is_taken_when_it_is_whole(watched: tuple[Path, list[dict[str, int]]]) -> None:
    folder, calls = watched
    assert calls == [{}]
    longest_pause = 1.0
    # Where the machine has so much to do that the copying itself paused for a second, it is right
    # to take what is there, and the test begins anew.
    while longest_pause > 0.8:
        calls.clear()
        longest_pause = copied_slowly(folder / "long.mp3")
        wait_for(lambda: {"long.mp3": 8000} in calls)
        # And once only: as long as nothing changes, nothing is done.
        time.sleep(1.5)
    assert calls == [{"long.mp3": 8000}]


def copied_slowly(path: Path) -> float:
    """Write the file piece by piece; the longest time between two of them, in seconds."""
    pauses = []
    with path.open("wb") as slow:
        for _ in range(8):
            began_at = time.monotonic()
            slow.write(bytes(1000))
            slow.flush()
            time.sleep(0.3)
            pauses.append(time.monotonic() - began_at)
    return max(pauses)


def test_what_goes_wrong_does_not_end_the_watching(tmp_path: Path) -> None:
    stop = threading.Event()
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        if len(calls) == 2:
            stop.set()
        raise Invalid("Nothing can be published.")

    thread = threading.Thread(target=watch_folder, args=(tmp_path, fail, stop))
    thread.start()
    wait_for(lambda: len(calls) == 1)
    (tmp_path / "show.toml").write_text("")
    thread.join(20)
    assert len(calls) == 2 and not thread.is_alive()


def test_a_guid_of_an_old_feed_is_kept_letter_by_letter(shop: Shop) -> None:
    odd = "http://old.example/?p=12&x= ÄÖ"
    shop.episode("001-low", f"title: Low\ndate: 2026-03-01\nguid: '{odd}'\n")
    shop.publish()
    with shop.instance.database.read() as session:
        assert find_episode_by_guid(session, shop.show(), odd) is not None
    assert list(shop.items()) == [odd]


def test_two_runs_at_once_replace_audio_once(shop: Shop) -> None:
    shop.episode("one")
    shop.publish()
    shop.write("one.mp3", lame(12))
    first, second = shop.plan(), shop.plan()
    assert shop.apply(first).is_well
    before = sorted(stat.key for stat in shop.instance.storage.list())
    assert shop.apply(second).is_well
    (row,) = shop.rows().values()
    assert row.audio is not None
    assert row.audio.revision == 2
    assert sorted(stat.key for stat in shop.instance.storage.list()) == before


# Feed tags


def test_feed_tags_come_from_the_texts_and_go_with_them(shop: Shop) -> None:
    shop.write(
        "show.toml",
        """title = "Tide Tables"
medium = "video"
license = "CC-BY-4.0"
location = { name = "Lisbon", geo = "geo:38.72,-9.14" }
inline_chapters = true
images = true
locked_owner = "ann@tide.example"
update_frequency = { label = "Mondays", rrule = "FREQ=WEEKLY;COUNT=3", dtstart = 2026-03-02 }

[[funding]]
url = "https://tide.example/give"
label = "Give"

[[live_items]]
guid = "a"
title = "Ebb"
start = 2030-01-01T19:00:00Z
content_links = [{ href = "https://tide.example/", text = "Hear" }]
""",
    )
    front = """title: Low water
date: 2026-01-01
number: 3
episode_display: Ch. 3
soundbites:
  - start: 1
    duration: 2.5
    title: Hello
txt: [{text: "false", purpose: ai-content}]
value:
  type: lightning
  method: lnaddress
  suggested: 0.00000005
  recipients: [{type: lnaddress, address: ann@sea.example, split: 1, fee: true}]
"""
    shop.episode("low-water", front)
    shop.write("low-water.chapters.txt", "00:00 Hello\n00:02 The wreck\n")
    plan, result = shop.publish()
    assert not plan.problems and not result.problems
    (item,) = shop.items().values()
    soundbite = item.find(f"{PODCAST}soundbite")
    assert soundbite is not None and soundbite.attrib == {"startTime": "1", "duration": "2.5"}
    recipient = item.find(f"{PODCAST}value/{PODCAST}valueRecipient")
    assert recipient is not None and recipient.get("fee") == "true"
    chapters = item.findall("{http://podlove.org/simple-chapters}chapters/*")
    assert [chapter.get("start") for chapter in chapters] == ["00:00:00.000", "00:00:02.000"]
    tags = shop.show().tags
    assert tags is not None and tags["license"] == {"name": "CC-BY-4.0"}
    assert tags["live_items"][0]["start"] == "2030-01-01T19:00:00Z"
    assert tags["locked_owner"] == "ann@tide.example"
    assert tags["update_frequency"]["dtstart"] == "2026-03-02"
    assert shop.rows()["Low water"].tags is not None
    shop.write("show.toml", 'title = "Tide Tables"\n')
    text = shop.folder / "low-water.md"
    said = text.read_text().replace(front, "title: Low water\ndate: 2026-01-01\nnumber: 3\n")
    text.write_text(said)
    plan, _ = shop.publish()
    assert {"license", "funding", "images"} <= set(plan.show_changes)
    assert "soundbites" in plan.episodes[0].changes
    assert shop.show().tags is None and shop.rows()["Low water"].tags is None


def test_a_wrong_feed_tag_is_named_with_its_line(shop: Shop) -> None:
    shop.episode("low-water", "title: Low\nsoundbites:\n  - start: 1\n    duration: long\n")
    shop.episode("more", "title: More\nlicense: Ours\nfunding: tide\n", audio=False)
    shop.episode("most", "title: Most\ncontent_links: [1]\nvalue: money\n", audio=False)
    problems = shop.plan().problems
    assert problems == (
        "low-water.md: Line 5: “duration” must be a number, not text.",
        "more.md: Line 3: “url” is needed for a licence that is not a known one such as CC-BY-4.0."
        " Line 4: “url” must be a whole address that begins with https://, of at most 2,000"
        " characters.",
        "most.md: Line 3: “content_links” entry 1 must be keys and values, not text."
        " Line 4: “value” must be keys and values, not text.",
    )


def test_a_soundbite_may_lie_in_audio_that_comes_with_it(shop: Shop) -> None:
    shop.episode("low-water", "title: Low water\ndate: 2026-01-01\n")
    shop.publish()
    text = shop.folder / "low-water.md"
    long = lame(20)
    said = text.read_text().replace(
        "title: Low water\n", "title: Low water\nsoundbites: {start: 15, duration: 4}\n"
    )
    text.write_text(said)
    assert shop.apply(shop.plan()).problems
    shop.write("low-water.mp3", long)
    _, result = shop.publish()
    assert not result.problems
    (item,) = shop.items().values()
    assert item.find(f"{PODCAST}soundbite") is not None
    shop.write("low-water.mp3", with_id3(shop.sound))
    _, result = shop.publish()
    assert any("left out of the feed" in note for note in result.notes)
    (item,) = shop.items().values()
    assert item.find(f"{PODCAST}soundbite") is None
