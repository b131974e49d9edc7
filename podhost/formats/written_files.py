"""Owns what the texts of articles and pages in a show's folder may say, and writes them again.

Text in, values out and back: it must not open files, ask the time or look into the database.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from podhost.formats import folder_fields as fields
from podhost.formats import front_matter
from podhost.formats.folder_fields import Keys, Reader, WrongError
from podhost.formats.showfolder import PersonEntry, person_reader, read_file
from podhost.formats.showfolder_writing import bounded, said_values, yaml_people, yaml_value
from podhost.formats.text import remove_forbidden, shown

# The role of whom an article names, where people have one.
_AUTHOR = "author"
_ID = re.compile(r"[0-9a-f]{16}")


class ArticleFile(msgspec.Struct, frozen=True, kw_only=True):
    """What an article's file says. No `date` means a draft, and so does `status` "draft" whatever
    the date; "withdrawn" was out at that date and is not now. Without a zone, dates are in that of
    the show. `text` is Markdown; paths lie inside the show's folder."""

    title: str | None = None
    id: str | None = None
    slug: str | None = None
    old_slugs: tuple[str, ...] = ()
    summary: str = ""
    date: datetime | None = None
    updated: datetime | None = None
    status: Literal["draft", "withdrawn"] | None = None
    authors: tuple[PersonEntry, ...] = ()
    categories: tuple[str, ...] = ()
    episode: str | None = None
    picture: str | None = None
    picture_credit: str = ""
    picture_alt: str = ""
    text: str = ""


class PageFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a page's file says; it is published unless its status is "draft"."""

    title: str | None = None
    id: str | None = None
    slug: str | None = None
    old_slugs: tuple[str, ...] = ()
    status: Literal["draft", "published"] = "published"
    menu: Literal["top", "foot", "none"] = "none"
    position: int = 1
    text: str = ""


def read_article(text: str) -> ArticleFile:
    """The values of an article's file. Raises Invalid that names every mistake at once."""
    found, body = _read(text, _ARTICLE, _ARTICLE_HINTS)
    return ArticleFile(**found, text=body)


def read_page(text: str) -> PageFile:
    """The values of a page's file. Raises Invalid that names every mistake at once."""
    found, body = _read(text, _PAGE, _PAGE_HINTS)
    return PageFile(**found, text=body)


def render_article_file(article: ArticleFile) -> str:
    """An article's file: front matter in YAML, and the text, which must be clean. Raises
    Invalid."""
    lines = _lines(article, ArticleFile(), without=("authors", "text"))
    lines += yaml_people("authors", article.authors, _AUTHOR)
    return _rendered(lines, article.title, article.text)


def render_page_file(page: PageFile) -> str:
    """A page's file in the same form. Raises Invalid."""
    return _rendered(_lines(page, PageFile(), without=("text",)), page.title, page.text)


def _read(
    text: str, readers: Mapping[str, Reader], hints: Mapping[str, str]
) -> tuple[dict[str, Any], str]:
    block = front_matter.find_block(text)
    found = read_file(front_matter.read_block(text, block), Keys(readers, hints=hints))
    body = text[block.body_start :].removeprefix("\ufeff")
    body = remove_forbidden(body.replace("\r\n", "\n"))
    return found, re.sub(r"\A(?:[ \t]*\n)+", "", body).rstrip()


def _lines(values: msgspec.Struct, missing: msgspec.Struct, without: tuple[str, ...]) -> list[str]:
    names = {name: name for name in values.__struct_fields__ if name not in without}
    return [f"{key}: {yaml_value(value)}" for key, value in said_values(values, names, missing)]


def _rendered(lines: list[str], title: str | None, text: str) -> str:
    block = bounded("".join(f"{line}\n" for line in lines), shown(title or ""))
    body = f"\n{text}\n" if text else ""
    return f"---\n{block}---\n{body}"


def _id(value: Any) -> str:
    found = fields.read_line(value)
    if not _ID.fullmatch(found):
        raise WrongError("is written by podhost; leave the line out.")
    return str(found)


_COMMON: dict[str, Reader] = {
    "title": fields.read_line,
    "id": _id,
    "slug": fields.read_slug,
    "old_slugs": fields.list_of(fields.read_slug),
}
_ARTICLE: dict[str, Reader] = {
    **_COMMON,
    "summary": fields.read_text,
    "date": fields.read_moment,
    "updated": fields.read_moment,
    "status": fields.choice("draft", "withdrawn"),
    "authors": fields.list_of(person_reader(_AUTHOR)),
    "categories": fields.list_of(fields.read_line),
    "episode": fields.read_line,
    "picture": fields.read_path,
    "picture_credit": fields.read_line,
    "picture_alt": fields.read_line,
}
_PAGE: dict[str, Reader] = {
    **_COMMON,
    "status": fields.choice("draft", "published"),
    "menu": fields.choice("top", "foot", "none"),
    "position": fields.read_number,
}
_ARTICLE_HINTS = {
    "author": "write “authors”.",
    "category": "write “categories”.",
    "description": "write “summary”.",
    "image": "write “picture”.",
    "published": "write “date”.",
    "tags": "write “categories”.",
    "updated_at": "write “updated”.",
}
_PAGE_HINTS = {"date": "pages have no date; write “status: draft” to hold one back."}
ARTICLE_KEYS = tuple(_ARTICLE)
PAGE_KEYS = tuple(_PAGE)
