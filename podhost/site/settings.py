"""What a show's site looks like and where it is; it renders nothing and asks no other host."""

import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.changes import record_change
from podhost.errors import Conflict, Invalid
from podhost.fields import (
    FieldErrors,
    Reader,
    apply_given,
    as_given,
    changed_fields,
    optional_line,
    web_url,
)
from podhost.formats.text import clean_text
from podhost.models import Show, Site
from podhost.site.former_domains import note_new_domain
from podhost.site.places import ICONS, link_kind, place_name

LONGEST_CSS = 50_000
MOST_LINKS = 60
_ACCENT = re.compile(r"#[0-9a-f]{6}")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# What a style sheet could reach another host with, or end its element by.
# With backslashes, any of these words can be written so that it is not found. src() and image()
# are of drafts (css-values-4, css-images-4), for browsers to come.
_REACHING_OUT = re.compile(
    r"@import|\b(?:url|src|image|image-set)\s*\(|</|<!--|\\", re.IGNORECASE | re.ASCII
)


class SiteLink(msgspec.Struct, frozen=True, omit_defaults=True):
    """The show in an app or a network: `icon` is one of places.ICONS. What is not said of it, its
    address says."""

    name: str = ""
    url: str = ""
    icon: str = ""


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a site; the defaults are those of a show that said nothing yet."""

    domain: str | None = None
    accent: str | None = None
    css: str = ""
    links: tuple[SiteLink, ...] = ()
    is_indexed: bool = True
    edition_group: str | None = None


class SiteInput(msgspec.Struct, kw_only=True):
    """What may be said of a site; null takes something away."""

    domain: str | UnsetType | None = UNSET
    accent: str | UnsetType | None = UNSET
    css: str | UnsetType | None = UNSET
    links: tuple[SiteLink, ...] | UnsetType | None = UNSET
    is_indexed: bool | UnsetType = UNSET


def site_settings(session: Session, show: Show) -> SiteSettings:
    """What is said of the show's site."""
    row = session.get(Site, show.id)
    if row is None:
        return SiteSettings()
    return SiteSettings(
        domain=row.domain,
        accent=row.accent,
        css=row.css,
        links=msgspec.convert(row.links, tuple[SiteLink, ...]),
        is_indexed=row.is_indexed,
        edition_group=row.edition_group,
    )


def site_changes(session: Session, show: Show | None, given: SiteInput) -> list[str]:
    """The names of what `change_site` would change; of no show, against the defaults. Raises
    Invalid with every wrong field."""
    row = session.get(Site, show.id) if show is not None else None
    return changed_fields(row or _unsaid(), given, _READERS)


def site_url(base_url: str, show: Show, domain: str | None) -> str:
    """Where the show's pages are, without a slash at the end: on its own domain, if any."""
    return home_url(base_url, show.slug, domain)


def home_url(base_url: str, slug: str, domain: str | None) -> str:
    """The same of a show by its slug."""
    if domain:
        return f"{base_url.partition('://')[0]}://{domain}"
    return f"{base_url}/{quote(slug)}"


def change_site(
    session: Session, show: Show, given: SiteInput, *, now: datetime, base_url: str = ""
) -> SiteSettings:
    """Change what is given; everything else stays. Raises Invalid with what is wrong by field, or
    Conflict when another show has the domain, or podhost itself: `base_url` is where it is."""
    row = site_row(session, show, now=now)
    before = row.domain
    with session.no_autoflush:
        changed, errors = apply_given(row, given, _READERS)
        errors.raise_any()
        if "domain" in changed and row.domain is not None:
            _require_free(session, row.domain, base_url)
    if changed:
        row.changed_at = now
        session.flush()
        if "domain" in changed:
            note_new_domain(session, show, before, row.domain, now=now)
        record_change(session, "site", show.id, now=now)
    return site_settings(session, show)


def site_row(session: Session, show: Show, *, now: datetime) -> Site:
    """The row of a show's site, made where there is none."""
    row = session.get(Site, show.id)
    if row is None:
        row = _unsaid()
        row.show_id, row.changed_at = show.id, now
        session.add(row)
    return row


def _unsaid() -> Site:
    """The row of a site of which nothing was said."""
    return Site(css="", links=[], is_indexed=True)


def _require_free(session: Session, domain: str, base_url: str) -> None:
    sentence = ""
    if domain == urlsplit(base_url).hostname:
        # There the pages of all shows are, and the studio.
        sentence = "Podhost itself is at this domain; a show needs another one."
    elif session.scalar(select(Site.show_id).where(Site.domain == domain)) is not None:
        sentence = f"Another show here has the domain {domain} already."
    if sentence:
        raise Conflict(sentence, {"domain": sentence})


def read_domain(text: str) -> str:
    """A host name as browsers send it. Raises Invalid."""
    name = text.strip().lower()
    try:
        name = urlsplit(name).netloc if "://" in name else name
        name = name.removesuffix(".").encode("idna").decode("ascii")
    except ValueError:
        name = ""
    labels = name.split(".")
    if len(labels) < 2 or len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise Invalid("This is not a domain such as podcast.example.org.")
    if labels[-1].isdigit():
        raise Invalid("A domain is needed here, not the address of a machine.")
    return name


def read_accent(text: str) -> str:
    """A colour as #rrggbb. Raises Invalid."""
    colour = text.strip().lower()
    if _ACCENT.fullmatch(colour) is None:
        raise Invalid("A colour is written as six digits behind a #, such as #0b57b0.")
    return colour


def read_css(text: str) -> str:
    """A style sheet that reaches no other host. Raises Invalid."""
    # First, or what is taken away could part a word in two. Lines end as a browser reads them, or
    # the policy of the page would not know its own style sheet.
    text = clean_text(text)
    if len(text) > LONGEST_CSS:
        raise Invalid(f"A style sheet may have {LONGEST_CSS} characters here.")
    if _REACHING_OUT.search(text):
        raise Invalid(
            "A style sheet here must not load anything (@import, url), and has no backslashes and "
            "no tags: visitors are to be told to no other host."
        )
    return text


def _read_links(given: tuple[SiteLink, ...] | None) -> list[dict[str, str]]:
    links = given or ()
    if len(links) > MOST_LINKS:
        raise Invalid(f"A site may have {MOST_LINKS} links here.")
    errors, read = FieldErrors(), []
    for number, link in enumerate(links):
        name, url = "", ""
        with errors.noting(f"[{number}].name"):
            name = optional_line(link.name)
        with errors.noting(f"[{number}].url"):
            url = _address(link.url)
        with errors.noting(f"[{number}].icon"):
            read.append({"name": name or place_name(url), "url": url, "icon": _icon(link.icon)})
    if errors.sentences:
        raise Invalid("Some of the links cannot be used.", errors.sentences)
    return read


def _address(text: str) -> str:
    url = web_url(text)
    if url is None:
        raise ValueError("A link needs an address.")
    return url


def _icon(text: str) -> str:
    if text and text not in ICONS:
        raise ValueError(f"It must be one of {', '.join(ICONS)}.")
    return text


def icon_of(link: SiteLink) -> str:
    """Which of places.ICONS stands beside a link: the one that was chosen, or that of its kind."""
    return link.icon or link_kind(link.name, link.url)


def _or_none(read: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda given: read(given) if given and given.strip() else None


_READERS: dict[str, tuple[str, Reader]] = {
    "domain": ("domain", _or_none(read_domain)),
    "accent": ("accent", _or_none(read_accent)),
    "css": ("css", lambda given: read_css(given or "")),
    "links": ("links", _read_links),
    "is_indexed": ("is_indexed", as_given),
}
