"""Show folders: files, each below a line `=== NAME`, planned against a real database.

The database knows one show, so that the way of a folder that was published before is gone too.
Names may lead anywhere and be links: `=== NAME -> TARGET` makes one.
"""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from podhost.config import read_settings
from podhost.db import migrate
from podhost.errors import Invalid
from podhost.folders.contents import EpisodeFiles, find_shows
from podhost.folders.plan import Plan, describe, plan_show
from podhost.folders.values import credits_of, episode_input, file_chapters, show_input, text_for
from podhost.formats import showfolder
from podhost.instance import Instance, open_instance
from tests.audio_files import lame
from tests.making import make_episode, make_show

GUID = "917393e3-1b1e-4cef-ace4-edaa54e1f810"
SECRET = "secret from outside of the folder"
_FOLDER = tempfile.TemporaryDirectory(prefix="podhost-fuzz-")
_SEPARATOR = b"=== "
_MOST_FILES = 20


@cache
def _instance() -> Instance:
    root = Path(_FOLDER.name)
    instance = open_instance(read_settings({"PODHOST_DATA": str(root / "data")}))
    (root / "data").mkdir(exist_ok=True)
    migrate(instance.database)
    show = make_show(instance, "Tide Tables")
    audio = root / "low-water.mp3"
    audio.write_bytes(lame(2))
    make_episode(instance, show, audio, "Low water", guid=GUID, notes="Ann walks out.")
    make_episode(instance, show, None, "High water", guid="high-water", publish=False)
    (root / "outside.md").write_text(f"---\ntitle: {SECRET}\n---\n{SECRET}\n")
    return instance


def one_input(data: bytes) -> None:
    instance = _instance()
    folder = Path(_FOLDER.name) / "tide-tables"
    folder.mkdir()
    try:
        _fill(folder, data)
        for show in _shows(folder):
            plan = plan_show(
                instance.database, show, base_url="https://pod.example", now=instance.now()
            )
            lines = describe(plan)
            assert all(line.isprintable() for line in lines), lines
            assert SECRET not in repr(plan), "something outside was read"
            _check_values(plan)
    finally:
        shutil.rmtree(folder)


def _fill(folder: Path, data: bytes) -> None:
    for part in (b"\n" + data).split(b"\n" + _SEPARATOR)[1 : _MOST_FILES + 1]:
        name, _, content = part.partition(b"\n")
        name, _, target = name.partition(b" -> ")
        pieces = [piece for piece in name.split(b"/")[:4] if piece not in (b"", b".", b"..")]
        path = folder.joinpath(*(piece.decode("utf-8", "surrogateescape") for piece in pieces))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if target:
                path.symlink_to(target.decode("utf-8", "surrogateescape"))
            elif not path.is_symlink():
                path.write_bytes(content)
        except (OSError, ValueError):
            continue


def _shows(folder: Path) -> list[Path]:
    try:
        return find_shows(folder)
    except Invalid:
        return []


def _check_values(plan: Plan) -> None:
    if plan.folder is None:
        return
    assert show_input(plan.folder.show).title
    for files in plan.folder.episodes:
        _check_episode(files)


def _check_episode(files: EpisodeFiles) -> None:
    given = episode_input(files, {})
    people = (*files.source.guests, *files.source.people)
    assert len(credits_of(people, {})) == len(people)
    try:
        file_chapters(files, 60_000)
    except Invalid:
        return
    made = showfolder.read_episode(text_for(given, GUID, files.source.date))
    assert made.guid == GUID and made.title == given.title
    if files.text_file is None or files.source.guid is not None:
        return
    try:
        written = showfolder.write_guid(files.text, GUID)
    except Invalid:
        return
    again = showfolder.read_episode(written)
    assert again.guid == GUID and (again.title, again.notes) == (
        files.source.title,
        files.source.notes,
    )
