"""A show's folder that was filled by somebody who would like to read or harm what is not theirs."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from podhost.errors import Invalid
from podhost.folders import contents, files, find_shows, watch_folder
from podhost.folders.apply import _folders_below
from podhost.folders.files import (
    FolderFile,
    copy_to,
    create_text,
    find_file,
    listed,
    read_bytes,
    rewrite,
    sha256_of,
)
from podhost.instance import Instance
from tests.audio_files import lame
from tests.folders.test_folders import SRT, VTT, Shop
from tests.waiting import wait_for

SECRET = "the password of somebody else"
pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that podhost may read and whoever fills the show's folder may not."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("text.md", "words.vtt", "secret"):
        (folder / name).write_text(SECRET)
    (folder / "chapters.txt").write_text(f"00:00 {SECRET}\n")
    (folder / "x.mp3").write_bytes(lame(10))
    return folder


@pytest.fixture
def shop(instance: Instance, tmp_path: Path) -> Shop:
    folder = tmp_path / "harbour"
    folder.mkdir()
    (folder / "show.toml").write_text('title = "Harbour"\n')
    return Shop(instance, folder, lame(10))


@pytest.fixture
def found(shop: Shop) -> FolderFile:
    """A file in a folder of the show's folder, as it was found."""
    shop.write("inner/text.md", "---\ntitle: Mine\n---\n")
    return find_file(shop.folder, "inner/text.md")


# What a text can name


NAMES = (
    "../outside/secret",
    "inner/../../outside/secret",
    "./../outside/secret",
    "/etc/passwd",
    "//etc/passwd",
    "~/secret",
    "~root/secret",
    "file:///etc/passwd",
    "C:/secret",
    "..\\outside\\secret",
    "%2e%2e/outside/secret",
    "link",
    "linked/secret",
    "linked/../outside/secret",
    "inner/loop/inner/loop/link",
    "inner",
    ".",
    "..",
    "secret\n/etc/passwd",
)


@pytest.mark.parametrize("key", ["audio", "artwork", "chapters", "transcripts", "image"])
def test_no_text_can_name_what_lies_outside(shop: Shop, outside: Path, key: str) -> None:
    (shop.folder / "inner").mkdir()
    (shop.folder / "inner" / "loop").symlink_to("..")
    (shop.folder / "link").symlink_to(outside / "secret")
    (shop.folder / "linked").symlink_to(outside)
    for name in NAMES:
        quoted = json.dumps(name)
        said = f"guests: [{{name: Ann, image: {quoted}}}]" if key == "image" else f"{key}: {quoted}"
        shop.episode("001", f"title: Low\n{said}\n")
        plan = shop.plan()
        assert SECRET not in repr(plan)
        assert plan.problems, f"{key}: {name}"


@pytest.mark.parametrize("key", ["artwork", "image"])
def test_no_show_can_name_what_lies_outside(shop: Shop, outside: Path, key: str) -> None:
    (shop.folder / "link").symlink_to(outside / "secret")
    (shop.folder / "linked").symlink_to(outside)
    for name in NAMES:
        quoted = json.dumps(name)
        people = f"people = [{{name = 'Ann', image = {quoted}}}]"
        line = people if key == "image" else f"artwork = {quoted}"
        shop.write("show.toml", f"title = 'Harbour'\n{line}\n")
        plan = shop.plan()
        assert SECRET not in repr(plan)
        assert plan.problems and plan.folder is None, f"{key}: {name}"


@pytest.mark.parametrize("make", ["pipe", "socket", "device", "folder", "link to a device"])
@pytest.mark.parametrize(
    "name", ["show.toml", "001.md", "001.mp3", "001.vtt", "001.jpg", "001.chapters.txt"]
)
def test_what_is_no_file_is_not_opened(
    shop: Shop, make: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.episode("001", "title: Low\n")
    path = shop.folder / name
    path.unlink(missing_ok=True)
    if make == "pipe":
        os.mkfifo(path)
    elif make == "socket":
        monkeypatch.chdir(shop.folder)
        # It keeps its place after it is closed.
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(name)
    elif make == "device":
        try:
            os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("only root makes devices")
    elif make == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    plan = shop.plan()
    if make == "folder" and name in ("001.vtt", "001.jpg", "001.chapters.txt", "001.mp3"):
        assert not plan.problems
    else:
        assert plan.problems, "it was opened"


def test_a_folder_in_the_place_of_a_text_is_named(shop: Shop) -> None:
    shop.write("001.mp3", shop.sound)
    shop.write("001.md/inner.txt", "")
    shop.write("notes.md/inner.txt", "")
    plan = shop.plan()
    assert plan.problems == (
        "001: 001.md is a folder, and the episode's text belongs there; rename it.",
    )
    assert not plan.episodes


# Whoever fills the folder may change it at any time


def swap_for_link(found: FolderFile, target: Path) -> None:
    found.path.unlink()
    found.path.symlink_to(target)


def swap_folder(found: FolderFile, target: Path) -> None:
    found.path.parent.rename(found.root / "moved")
    found.path.parent.symlink_to(target)


def test_a_file_that_becomes_a_link_is_not_followed(found: FolderFile, outside: Path) -> None:
    swap_for_link(found, outside / "text.md")
    assert_not_read(found, outside)


def test_a_folder_that_becomes_a_link_is_not_followed(found: FolderFile, outside: Path) -> None:
    swap_folder(found, outside)
    assert_not_read(found, outside)


def assert_not_read(found: FolderFile, outside: Path) -> None:
    copy = found.root / "copy"
    with pytest.raises(OSError):
        read_bytes(found, 1000)
    with pytest.raises(Invalid, match=r"text\.md cannot be read"):
        copy_to(found, copy)
    assert not copy.exists()
    # Its hash would tell whether a guess of the content is right.
    with pytest.raises(Invalid, match=r"text\.md cannot be read"):
        sha256_of(found)
    with pytest.raises(OSError):
        rewrite(found, SECRET, "mine now")
    assert (outside / "text.md").read_text() == SECRET
    assert not [path for path in outside.iterdir() if path.name.startswith(".podhost")]


def test_nothing_is_written_through_a_link(found: FolderFile, outside: Path) -> None:
    swap_folder(found, outside)
    with pytest.raises(OSError):
        create_text(found, "new", "---\ntitle: x\n---\n")
    assert sorted(path.name for path in outside.iterdir()) == [
        "chapters.txt",
        "secret",
        "text.md",
        "words.vtt",
        "x.mp3",
    ]


def test_a_file_that_becomes_a_pipe_makes_nobody_wait(found: FolderFile) -> None:
    found.path.unlink()
    os.mkfifo(found.path)
    with pytest.raises(OSError, match="not a file any more"):
        read_bytes(found, 1000)
    with pytest.raises(Invalid, match="it is not a file any more"):
        copy_to(found, found.root / "copy")


@pytest.mark.parametrize("content", [b"---\ntitle: Mine and more\n---\n", b"", b"-" * 20])
def test_a_file_that_changes_is_not_copied(found: FolderFile, content: bytes) -> None:
    found.path.write_bytes(content)
    with pytest.raises(Invalid, match=r"text\.md changed while it was read"):
        copy_to(found, found.root / "copy")


def test_audio_is_stored_as_it_was_when_it_was_probed(shop: Shop) -> None:
    path = shop.write("001.mp3", shop.sound)
    stop = Event()
    other = path.with_name("other.bin")
    other.write_bytes(bytes(len(shop.sound)))

    def flip() -> None:
        while not stop.is_set():
            path.rename(path.with_name("mine.bin"))
            other.rename(path)
            path.rename(other)
            path.with_name("mine.bin").rename(path)

    flipping = Thread(target=flip)
    flipping.start()
    try:
        for _ in range(3):
            plan = shop.plan()
            shop.apply(plan)
    finally:
        stop.set()
        flipping.join()
    for key in shop.stored():
        with shop.instance.storage.open(key) as reader:
            assert reader.read(len(shop.sound) + 1) == shop.sound


# Sizes and numbers


def test_a_folder_with_very_many_files_is_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ENTRIES_LIMIT", 20)
    for number in range(20):
        shop.write(f"{number}.bin", b"")
    with pytest.raises(Invalid, match="more than 20 files in"):
        listed(shop.folder)
    assert shop.plan().problems
    (shop.folder / "0.bin").unlink()
    assert not shop.plan().problems


def test_texts_are_read_up_to_a_limit_together(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "TEXTS_LIMIT_BYTES", 2500)
    for name in "abcd":
        shop.episode(name, f"title: Episode {name}\n", "x" * 1000)
    plan = shop.plan()
    assert [problem.partition(":")[0] for problem in plan.problems] == ["c.md", "d.md"]
    assert "larger than 0 MB together" in plan.problems[0]
    # Their audio is not taken for episodes of its own.
    assert len(plan.episodes) == 2


def test_a_file_of_terabytes_is_not_read(shop: Shop) -> None:
    shop.episode("001", "title: Low\n")
    for name in ("001.jpg", "001.vtt", "001.chapters.txt", "artwork.jpg"):
        with (shop.folder / name).open("wb") as sparse:
            sparse.truncate(2 * 10**12)
    (shop.folder / "001.mp3").unlink()
    with (shop.folder / "001.mp3").open("wb") as sparse:
        sparse.write(shop.sound)
        sparse.truncate(2 * 10**12)
    plan, result = shop.publish()
    assert plan.problems or result.problems
    assert not shop.rows() and not shop.stored()


def test_broken_texts_in_great_number_make_audio_wait(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_SEARCHED_CHARS", 100)
    shop.write("a.md", "---\ntitle: [\n" + "x" * 200)
    shop.write("b.mp3", shop.sound)
    plan = shop.plan()
    assert not plan.episodes and any("b.mp3 waits" in warning for warning in plan.warnings)


def test_of_many_files_with_one_guid_a_few_are_named(shop: Shop) -> None:
    for number in range(10):
        shop.episode(f"{number:02}", "title: Low\nguid: same\n", audio=False)
    problems = shop.plan().problems
    assert len(problems) == 10
    assert problems[0] == (
        "00.md: It has the same guid as 01.md, 02.md, 03.md, 04.md, 05.md and 4 more: same."
    )
    assert all(" and 4 more" in problem for problem in problems)


# Names


ODD_NAMES = (
    b"line\nbreak",
    b"tab\tand\x1b[31mred",
    b"not utf-8 \xff\xfe\x80",
    b"half \xed\xa0\x80 character",
    "\u202eright to left".encode(),
    "e\u0301 and é".encode(),
    b"-rf",
    b"quotes ' \" ` $(id)",
    b"%s {0} \\n",
    "é".encode() * 100,
)


@pytest.mark.parametrize("raw", ODD_NAMES)
def test_any_name_can_be_published_and_said(shop: Shop, raw: bytes) -> None:
    stem = os.fsdecode(raw)
    sides = {"vtt": VTT, "de.srt": SRT, "chapters.txt": "00:00 Start\n"}
    for ending, text in sides.items():
        shop.write(f"{stem}.{ending}", text)
    shop.write(f"{stem}.mp3", shop.sound)
    plan, result = shop.publish()
    lines = [*plan.problems, *plan.warnings, *result.lines]
    assert all(line.isprintable() for line in lines), lines
    assert not plan.problems and result.is_well, lines
    (row,) = shop.rows().values()
    assert row.status == "published" and len(row.transcripts) >= 2 and row.chapters
    assert shop.items()


def test_names_of_folders_are_said_too(shop: Shop) -> None:
    folder = shop.folder / os.fsdecode(b"net\n\xff")
    folder.mkdir()
    with pytest.raises(Invalid) as caught:
        find_shows(folder)
    assert caught.value.message.isprintable()


def test_the_title_of_bare_audio_is_the_same_in_its_text(shop: Shop) -> None:
    shop.write("2 high_ 2 high_water.mp3", shop.sound)
    shop.publish()
    assert [*shop.rows()] == ["high 2 high water"]
    assert not shop.plan().has_work


# Watching


@pytest.fixture
def watched(shop: Shop) -> Iterator[list[int]]:
    calls: list[int] = []
    stop = Event()
    thread = Thread(target=watch_folder, args=(shop.folder, lambda: calls.append(1), stop))
    thread.start()
    wait_for(lambda: len(calls) == 1)
    yield calls
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def test_a_folder_that_appears_is_watched_too(shop: Shop, watched: list[int]) -> None:
    inner = shop.folder / "inner"
    inner.mkdir()
    wait_for(lambda: len(watched) == 2)
    (inner / "a.vtt").write_text(VTT)
    wait_for(lambda: len(watched) == 3)


def test_links_are_not_watched(shop: Shop, outside: Path) -> None:
    (shop.folder / "disk").symlink_to("/")
    (shop.folder / "loop").symlink_to(".")
    (shop.folder / "inner").mkdir()
    (shop.folder / ".git").mkdir()
    assert _folders_below(shop.folder) == [shop.folder, shop.folder / "inner"]
