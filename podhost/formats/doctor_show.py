"""The feed doctor's look at what a feed says of the show; episodes are its neighbour's."""

import re
from typing import Any

from podhost.errors import Invalid
from podhost.formats import doctor_fields as fields
from podhost.formats import doctor_values as v
from podhost.formats.categories import is_category, parse_category
from podhost.formats.doctor_podcast import examine_tags
from podhost.formats.doctor_report import Report, View, whole_text
from podhost.formats.feed_words import SHOW_TYPES
from podhost.formats.languages import is_language_code

_ONCE = (
    "title",
    "link",
    "description",
    "language",
    "copyright",
    "pubDate",
    "lastBuildDate",
    "generator",
    "ttl",
    "image",
    "itunes:type",
    "itunes:complete",
    "itunes:new-feed-url",
    "itunes:owner",
    *fields.ITUNES_ONCE,
)
_OBSOLETE = (
    "itunes:subtitle",
    "itunes:summary",
    "itunes:keywords",
    "googleplay:author",
    "googleplay:block",
    "googleplay:category",
    "googleplay:description",
    "googleplay:email",
    "googleplay:explicit",
    "googleplay:image",
)
_CONTACT = re.compile(r"[^@\s]+@[^@\s]+\s+\(.+\)")
_COPYRIGHT = re.compile(r"©|\(c\)|℗|\b(?:19|20)\d\d\b", re.IGNORECASE)
_PAGING = frozenset({"first", "last", "next", "previous", "prev"})
_MANY_CATEGORIES = 3


def examine_show(view: View, report: Report) -> None:
    """Look at everything in a channel but its items."""
    fields.examine_once(view, _ONCE, report)
    _examine_core(view, report)
    _examine_image(view, report)
    _examine_itunes(view, report)
    _examine_categories(view, report)
    _examine_owner(view, report)
    _examine_links(view, report)
    _examine_spotify(view, report)
    fields.examine_obsolete(view, _OBSOLETE, report)
    fields.examine_restriction(view, report)
    if not view.text("podcast:guid") and view.first("podcast:guid") is None:
        report.add("feed-guid-missing", view.place)
    locked = view.first("podcast:locked")
    if locked is None:
        report.add("locked-missing", view.place)
    elif v.is_mail_address(owner := (locked.get("owner") or "").strip()):
        report.add("locked-owner-public", view.place, owner)
    examine_tags(view, report, is_show=True)


def _examine_core(view: View, report: Report) -> None:
    for name in ("title", "description"):
        if not view.text(name):
            report.add(f"{name}-missing", view.place)
    fields.examine_line(view, "title", "title", report)
    fields.examine_plain(view, view.text("description"), "description", report)
    fields.examine_bytes(view, "description", "description", report)
    fields.examine_notes(view, "description", "description", report)
    if not view.text("link"):
        report.add("link-missing", view.place)
    else:
        fields.examine_url(view, view.text("link"), "link", report)
    language = view.text("language")
    if not language:
        report.add("language-missing", view.place)
    elif not is_language_code(language):
        report.add("language-unknown", view.place, language)
    for name in ("pubDate", "lastBuildDate"):
        fields.examine_date(view, name, report)
    ttl = view.text("ttl")
    if view.first("ttl") is not None and not v.is_integer(ttl):
        report.add("ttl-invalid", view.place, ttl)
    if not view.text("generator"):
        report.add("generator-missing", view.place)
    if _COPYRIGHT.search(view.text("copyright")[:1000]):
        report.add("copyright-form", view.place, view.text("copyright"))
    for name in ("managingEditor", "webMaster"):
        value = view.text(name)
        if value and not (len(value) < 500 and _CONTACT.fullmatch(value)):
            report.add("contact-form", view.place, value, field=name)


def _examine_image(view: View, report: Report) -> None:
    element = view.first("image")
    if element is None:
        return
    image = View(element, view.place)
    for name in ("url", "title", "link"):
        value = image.text(name)
        if not value:
            report.add("rss-image", view.place, field=name)
        elif name == "url":
            fields.examine_url(view, value, "image", report)
        elif value != view.text(name):
            report.add("rss-image-differs", view.place, field=name)
    for name, largest in (("width", 144), ("height", 400)):
        value = image.text(name)
        if value and not (v.is_integer(value) and int(value) <= largest):
            report.add("rss-image-size", view.place, value, field=name)


def _examine_itunes(view: View, report: Report) -> None:
    if not fields.examine_image(view, report):
        report.add("image-missing", view.place)
    if not view.text("itunes:explicit"):
        report.add("explicit-missing", view.place)
    fields.examine_explicit(view, report)
    if not view.text("itunes:author"):
        report.add("author-missing", view.place)
    fields.examine_line(view, "itunes:author", "itunes:author", report)
    show_type = view.text("itunes:type")
    if view.first("itunes:type") is not None and show_type not in SHOW_TYPES:
        report.add("type-invalid", view.place, show_type)
    moved = view.first("itunes:new-feed-url")
    if moved is not None:
        address = whole_text(moved).strip()
        if fields.examine_url(view, address, "itunes:new-feed-url", report):
            report.add("moved", view.place, address)
    if view.first("itunes:complete") is not None:
        value = view.text("itunes:complete")
        if value.lower() == "yes":
            report.add("ended", view.place)
        else:
            report.add("complete-invalid", view.place, value)
    fields.examine_block(view, report)


def _examine_categories(view: View, report: Report) -> None:
    pairs = [pair for element in view.all("itunes:category") for pair in _pairs(element)]
    if not pairs:
        report.add("category-missing", view.place)
        return
    unknown = [pair for pair in pairs if not is_category(*pair)]
    for name, subcategory in unknown:
        written = f"{name} > {subcategory}" if subcategory else name
        report.add("category-unknown", view.place, written, _advice(name, subcategory))
    # Apple takes a main category that it knows, whatever stands below it.
    if not any(is_category(name, None) for name, _ in pairs):
        names = ", ".join(name for name, _ in pairs[:5]) or "no name"
        report.add("categories-none-known", view.place, names)
    if len(view.all("itunes:category")) > _MANY_CATEGORIES:
        report.add("categories-many", view.place, len(view.all("itunes:category")))


def _pairs(element: Any) -> list[tuple[str, str | None]]:
    name = (element.get("text") or "").strip()
    inner = View(element, "").all("itunes:category")
    return [(name, (child.get("text") or "").strip() or None) for child in inner] or [(name, None)]


def _advice(name: str, subcategory: str | None) -> str:
    try:
        known = parse_category([name[:100], (subcategory or "")[:100]])
    except Invalid:
        return ""
    return f" It is called “{' > '.join(part for part in known if part)}” now."


def _examine_owner(view: View, report: Report) -> None:
    owner = view.first("itunes:owner")
    if owner is None:
        report.add("owner-missing", view.place)
        return
    email = View(owner, view.place).text("itunes:email")
    if not v.is_mail_address(email):
        report.add("owner-invalid", view.place, email)


def _examine_links(view: View, report: Report) -> None:
    links = view.all("atom:link")
    by_rel: dict[str, list[Any]] = {}
    for link in links:
        by_rel.setdefault((link.get("rel") or "alternate").lower(), []).append(link)
        fields.examine_url(view, (link.get("href") or "").strip(), "atom:link", report)
    own = by_rel.get("self", [])
    if not own:
        report.add("self-missing", view.place)
    if len({link.get("href") for link in own}) > 1:
        report.add("self-several", view.place)
    kind = own[0].get("type") if own else None
    if own and kind not in (None, "application/rss+xml"):
        report.add("self-type", view.place, kind)
    if "next" in by_rel:
        report.add("paging-older", view.place)
    if "prev" in by_rel:
        report.add("paging-prev", view.place)
    if _PAGING & by_rel.keys() and view.first("fh:complete") is not None:
        report.add("paging-and-complete", view.place)


def _examine_spotify(view: View, report: Report) -> None:
    limit = view.first("spotify:limit")
    if limit is not None and not v.is_integer(limit.get("recentCount") or ""):
        report.add("spotify-limit", view.place, limit.get("recentCount") or "")
    origin = view.raw("spotify:countryOfOrigin")
    if origin is not None and not fields.are_countries(origin.strip()):
        report.add("spotify-country", view.place, origin)
