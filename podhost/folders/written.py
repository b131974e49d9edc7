"""The written side of a show's folder: the texts in articles/ and pages/, and logos of sponsors.

It reads what they say and leaves all other content alone; it knows no rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from podhost.errors import Invalid
from podhost.folders.files import FolderFile, find_file, listed, read_bytes, reason
from podhost.formats import front_matter, showfolder
from podhost.formats.showfolder import SponsorEntry
from podhost.formats.text import shown
from podhost.formats.written_files import ArticleFile, PageFile, read_article, read_page

ARTICLES, PAGES = "articles", "pages"
PICTURE_ENDINGS = ("jpg", "jpeg", "png", "webp")
# All texts are held in memory at once.
TEXTS_LIMIT_BYTES = 200_000_000

S = TypeVar("S", ArticleFile, PageFile)


@dataclass(frozen=True, slots=True)
class ArticleFiles:
    """An article's text, its picture, and pictures of its authors by the paths in the text."""

    name: str
    stem: str
    source: ArticleFile
    picture: FolderFile | None
    pictures: dict[str, FolderFile]


@dataclass(frozen=True, slots=True)
class PageFiles:
    """A page's text."""

    name: str
    stem: str
    source: PageFile


@dataclass(slots=True)
class WrittenFolder:
    """All of it. `problems` are sentences that name the file, which is in none of the lists."""

    articles: list[ArticleFiles] = field(default_factory=list)
    pages: list[PageFiles] = field(default_factory=list)
    # Logos by the paths in show.toml.
    logos: dict[str, FolderFile] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_written(root: Path, sponsors: Sequence[SponsorEntry]) -> WrittenFolder:
    """Read it. What cannot be used is a problem; raises Invalid for a logo that is not there."""
    found = WrittenFolder()
    for number, sponsor in enumerate(sponsors):
        if sponsor.logo is not None:
            key = f"sponsors[{number}].logo"
            found.logos[sponsor.logo] = find_file(root, sponsor.logo, key)
    left_bytes = TEXTS_LIMIT_BYTES
    for name, stem, side in _texts(root, ARTICLES):
        with_text = _read(root, name, read_article, found.problems, left_bytes)
        if with_text is None:
            continue
        source, size_bytes = with_text
        left_bytes -= size_bytes
        try:
            found.articles.append(_article(root, name, stem, source, side))
        except Invalid as error:
            found.problems.append(f"{shown(name)}: {error.message}")
    for name, stem, _ in _texts(root, PAGES):
        page = _read(root, name, read_page, found.problems, left_bytes)
        if page is not None:
            left_bytes -= page[1]
            found.pages.append(PageFiles(name, stem, page[0]))
    return found


def _texts(root: Path, folder: str) -> list[tuple[str, str, list[str]]]:
    """The name of each text in a folder, its stem, and names of pictures beside it."""
    path = root / folder
    if not path.is_dir() or not path.resolve().is_relative_to(root):
        return []
    names = [each.name for each in listed(path) if not each.name.startswith(".")]
    texts = []
    for name in names:
        stem, _, ending = name.rpartition(".")
        if stem and ending.lower() == "md" and name.lower() != "readme.md":
            wanted = [f"{stem}.{picture}" for picture in PICTURE_ENDINGS]
            beside = [f"{folder}/{each}" for each in wanted if each in names]
            texts.append((f"{folder}/{name}", stem, beside))
    return texts


def _read(
    root: Path,
    name: str,
    read: Callable[[str], S],
    problems: list[str],
    left_bytes: int,
) -> tuple[S, int] | None:
    try:
        file = find_file(root, name)
        data = read_bytes(file, front_matter.MAX_FILE_BYTES)
        if len(data) > left_bytes:
            limit = TEXTS_LIMIT_BYTES // 10**6
            raise Invalid(f"The texts of the folder are larger than {limit} MB together.")
        return read(showfolder.decode_text(data)), len(data)
    except OSError as error:
        problems.append(f"{shown(name)} cannot be read: {reason(error)}.")
    except Invalid as error:
        problems.append(f"{shown(name)}: {error.message}")
    return None


def _article(
    root: Path, name: str, stem: str, source: ArticleFile, side: Sequence[str]
) -> ArticleFiles:
    picture = source.picture or (side[0] if side else None)
    return ArticleFiles(
        name,
        stem,
        source,
        find_file(root, picture, "picture") if picture is not None else None,
        {
            person.image: find_file(root, person.image, f"authors[{number}].image")
            for number, person in enumerate(source.authors)
            if person.image is not None and "://" not in person.image
        },
    )
