"""What the feed doctor checks of shows and episodes alike: texts, dates, addresses, artwork."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from podhost.formats import doctor_values as v
from podhost.formats.doctor_report import Report, View, whole_text
from podhost.formats.text import clean_text, plain_text

MAX_CHARS = 255
MAX_DESCRIPTION_BYTES = 4000
ITUNES_ONCE = (
    "itunes:author",
    "itunes:block",
    "itunes:explicit",
    "itunes:image",
    "itunes:title",
)
_ESCAPED = re.compile(r"&(?:#\d+|#x[0-9a-f]+|[a-z]{2,8});", re.IGNORECASE)
_UNSAFE = re.compile(
    r"<\s*(script|style|iframe|form|input|object|embed)\b|<[a-z][^<>]*\s(on[a-z]{3,20})\s*=",
    re.IGNORECASE,
)
_LINKS = re.compile(r"<(?:a|img)\s[^<>]{0,2000}?(?:href|src)\s*=\s*[\"']?([^\"'\s>]*)", re.I)
_HAS_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*:", re.IGNORECASE)
_IMAGE_NAMES = (".jpg", ".jpeg", ".png")
_COUNTRIES = re.compile(r"[a-z]{2}(?: +[a-z]{2})*", re.ASCII | re.IGNORECASE)


def examine_line(view: View, name: str, words: str, report: Report) -> None:
    """A plain text of one line: no HTML, no double escapes, 255 characters, no spaces around."""
    raw = view.raw(name)
    if raw is None:
        return
    text = raw.strip()
    if raw != text and text:
        report.add("text-spaces", view.place, field=words)
    examine_plain(view, text, words, report)
    if len(text) > MAX_CHARS:
        report.add("text-long", view.place, len(text), field=words)


def examine_plain(view: View, text: str, words: str, report: Report) -> None:
    """Text that apps print as it stands: neither HTML nor entities."""
    if ("<" in text or "&" in text) and plain_text(text) != clean_text(text):
        is_escaped = _ESCAPED.search(text) is not None and "<" not in text
        rule = "text-escaped-twice" if is_escaped else "text-html"
        report.add(rule, view.place, text, field=words)


def examine_notes(view: View, name: str, words: str, report: Report) -> None:
    """HTML that apps show: nothing unsafe in it, and whole addresses only."""
    notes = view.text(name)
    if "<" not in notes:
        return
    unsafe = _UNSAFE.search(notes)
    if unsafe is not None:
        report.add("scripts", view.place, (unsafe[1] or unsafe[2]).lower())
    for link in _LINKS.findall(notes):
        if not _HAS_SCHEME.match(link) and not link.startswith("#"):
            report.add("notes-relative", view.place, link)
            break


def examine_bytes(view: View, name: str, words: str, report: Report) -> None:
    """A description of at most 4,000 bytes of UTF-8 (Apple)."""
    size_bytes = len(view.text(name).encode("utf-8", "replace"))
    if size_bytes > MAX_DESCRIPTION_BYTES:
        report.add("description-long", view.place, size_bytes, field=words)


def examine_url(view: View, url: str, words: str, report: Report) -> bool:
    """A whole address; whether it is one."""
    if not v.is_url(url):
        report.add("url-invalid", view.place, url, field=words)
        return False
    if not v.has_only_url_letters(url):
        report.add("url-letters", view.place, url, field=words)
    elif url.lower().startswith("http:"):
        report.add("url-http", view.place, url, field=words)
    return True


def examine_date(view: View, name: str, report: Report) -> v.ReadDate | None:
    """An RFC 822 date; what it means, or None when there is none."""
    value = view.text(name)
    if not value:
        return None
    date = v.read_date(value)
    if date.moment is None:
        report.add("date-invalid", view.place, value, field=name)
        return date
    if date.has_wrong_weekday:
        report.add("date-weekday", view.place, value, field=name)
    elif not date.is_clean:
        report.add("date-form", view.place, value, field=name)
    if not v.EARLIEST_YEAR <= date.moment.year <= 2999:
        report.add("date-year", view.place, value, field=name)
    elif report.now is not None and date.moment > report.now + timedelta(minutes=5):
        report.add("date-future", view.place, value, field=name)
    return date


def examine_once(view: View, names: Sequence[str], report: Report) -> None:
    """Tags of which there may be one."""
    for name in names:
        if len(view.all(name)) > 1:
            report.add("tag-twice", view.place, field=name)


def examine_explicit(view: View, report: Report) -> None:
    """itunes:explicit, where it is given."""
    value = view.text("itunes:explicit")
    if value in ("", "true", "false"):
        return
    is_old = value.lower() in ("yes", "no", "clean", "explicit", "true", "false")
    report.add("explicit-old" if is_old else "explicit-invalid", view.place, value)


def examine_image(view: View, report: Report) -> bool:
    """itunes:image: whether there is one with an address."""
    image = view.first("itunes:image")
    url = (image.get("href") or "").strip() if image is not None else ""
    if not url:
        return False
    if examine_url(view, url, "itunes:image", report):
        path = url.partition("?")[0].partition("#")[0].lower()
        if not path.endswith(_IMAGE_NAMES):
            report.add("image-extension", view.place, url)
    return True


def examine_block(view: View, report: Report) -> None:
    """itunes:block, where it is given."""
    value = view.text("itunes:block")
    if value.lower() == "yes":
        report.add("hidden", view.place)
    elif view.first("itunes:block") is not None:
        report.add("block-invalid", view.place, value)


def examine_obsolete(view: View, names: Sequence[str], report: Report) -> None:
    """Tags that directories no longer read."""
    for name in names:
        if view.first(name) is not None:
            report.add("tag-obsolete", view.place, field=name)
    for theirs, ours in (("dc:creator", "itunes:author"), ("dc:date", "pubDate")):
        if view.first(theirs) is not None and view.first(ours) is not None:
            report.add("dc-twice", view.place, field=theirs)


def examine_restriction(view: View, report: Report) -> None:
    """media:restriction: countries that may or may not hear it."""
    for element in view.all("media:restriction"):
        problem = _restriction_problem(element)
        if problem:
            report.add("media-restriction", view.place, problem)


def _restriction_problem(element: Any) -> str:
    if element.get("type") != "country":
        return f"its type is “{element.get('type') or ''}”"
    if element.get("relationship") not in ("allow", "deny"):
        return f"its relationship is “{element.get('relationship') or ''}”"
    codes = whole_text(element).strip()
    return "" if _COUNTRIES.fullmatch(codes) else f"its countries are “{codes[:100]}”"


def are_countries(text: str) -> bool:
    """Whether these are country codes of two letters with spaces between."""
    return _COUNTRIES.fullmatch(text) is not None
