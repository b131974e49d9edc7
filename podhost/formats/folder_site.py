"""What the table [site] of a show.toml may say, and how it is written; it opens no file."""

from typing import Any

import msgspec

from podhost.formats import folder_fields as fields
from podhost.formats.folder_fields import Keys, Reader, WrongError


class SiteLinkEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The show in an app or a network; without a name it is called as its address says."""

    url: str
    name: str | None = None
    icon: str | None = None


class SiteEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a show's site. `css` is a style sheet, or the path of one inside the folder;
    `editions` are the slugs of sister shows in other languages."""

    domain: str | None = None
    accent: str | None = None
    css: str | None = None
    links: tuple[SiteLinkEntry, ...] = ()
    indexed: bool = True
    editions: tuple[str, ...] = ()

    @property
    def css_path(self) -> str | None:
        """Where the style sheet lies; None where it stands in the text itself, or there is none."""
        return self.css if self.css is not None and self.css.endswith(".css") else None


def read_site(value: Any) -> SiteEntry:
    """The table's values. Raises WrongError with all that is wrong in it."""
    found = fields.table_of(Keys(_SITE, hints=_HINTS), "keys like links, accent and domain")(value)
    if found.get("css", "").endswith(".css"):
        try:
            found["css"] = fields.read_path(found["css"])
        except WrongError as error:
            sentences = {".css": f"“css” {error.problems['']}"}
            raise WrongError(sentences) from None
    return SiteEntry(**found)


def said_of_site(site: SiteEntry) -> dict[str, Any]:
    """What a table says that reads as these values, without what a missing key means."""
    said = {
        "domain": site.domain,
        "accent": site.accent,
        "css": site.css,
        "indexed": None if site.indexed else False,
        "links": [
            {key: text for key, text in msgspec.structs.asdict(link).items() if text}
            for link in site.links
        ],
        "editions": [*site.editions],
    }
    return {key: value for key, value in said.items() if value not in (None, [])}


def _link(value: Any) -> SiteLinkEntry:
    keys = Keys(_LINK, frozenset({"url"}))
    entry = {"url": value} if isinstance(value, str) else value
    return SiteLinkEntry(**fields.table_of(keys, "an address, or name and url")(entry))


_LINK: dict[str, Reader] = {
    "name": fields.read_line,
    "url": fields.read_url,
    "icon": fields.read_line,
}
_SITE: dict[str, Reader] = {
    "domain": fields.read_line,
    "accent": fields.read_line,
    "css": fields.read_text,
    "links": fields.list_of(_link),
    "indexed": fields.read_truth,
    "editions": fields.list_of(fields.read_slug),
}
_HINTS = {
    "color": "write “accent”.",
    "colour": "write “accent”.",
    "is_indexed": "write “indexed”.",
    "style": "write “css”.",
    "stylesheet": "write “css”.",
}
SITE_KEYS = tuple(_SITE)
