"""The feed doctor's look at what a feed says of its episodes, one by one and among each other."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from podhost.formats import doctor_fields as fields
from podhost.formats import doctor_values as v
from podhost.formats.doctor_podcast import examine_tags
from podhost.formats.doctor_report import Report, View
from podhost.formats.feed_words import EPISODE_TYPES
from podhost.formats.text import shown

_ONCE = (
    "title",
    "description",
    "link",
    "guid",
    "pubDate",
    "itunes:duration",
    "itunes:episode",
    "itunes:season",
    "itunes:episodeType",
    "content:encoded",
    *fields.ITUNES_ONCE,
)
_OBSOLETE = (
    "itunes:subtitle",
    "itunes:summary",
    "itunes:keywords",
    "itunes:order",
    "itunes:isClosedCaptioned",
    "googleplay:description",
    "googleplay:explicit",
)
_TYPES_OF = {
    ".mp3": {"audio/mpeg", "audio/mp3"},
    ".m4a": {"audio/x-m4a", "audio/m4a", "audio/mp4", "audio/aac"},
    ".mp4": {"video/mp4", "audio/mp4"},
    ".m4v": {"video/x-m4v", "video/m4v", "video/mp4"},
    ".mov": {"video/quicktime"},
    ".pdf": {"application/pdf"},
}
_NUMBERED = re.compile(r"(?:episode|folge|ep\.?|e|#)\s*#?\d{1,5}\s*(?:[:.\-–—|]|$)", re.IGNORECASE)
_ADVISED_SOUNDBITE_SECONDS = (15, 120)


class Episodes:
    """Looks at one episode after the other and remembers what must not come twice."""

    def __init__(self, report: Report, *, is_serial: bool, has_hosts: bool) -> None:
        self._report = report
        self._is_serial, self._has_hosts = is_serial, has_hosts
        self._guids: set[str] = set()
        self._urls: set[str] = set()
        self._dates: set[datetime] = set()
        self._numbers: set[tuple[str, str]] = set()
        self._last: datetime | None = None
        self._is_sorted = True

    def examine(self, view: View) -> None:
        """Look at one item; its neighbours were or will be looked at too."""
        fields.examine_once(view, _ONCE, self._report)
        self._examine_core(view)
        self._examine_guid(view)
        self._examine_enclosure(view)
        self._examine_date(view)
        self._examine_itunes(view)
        self._examine_numbers(view)
        self._examine_chapters(view)
        self._examine_people(view)
        fields.examine_obsolete(view, _OBSOLETE, self._report)
        fields.examine_restriction(view, self._report)
        examine_tags(view, self._report, is_show=False)

    def is_newest_first(self) -> bool:
        """Whether no episode was newer than the one before it."""
        return self._is_sorted

    def _examine_core(self, view: View) -> None:
        report = self._report
        title = view.text("title")
        if not title:
            report.add("episode-title-missing", view.place)
        elif _NUMBERED.match(title):
            report.add("episode-title-number", view.place, title)
        fields.examine_line(view, "title", "title", report)
        if not view.text("description") and not view.text("content:encoded"):
            report.add("notes-missing", view.place)
        fields.examine_bytes(view, "description", "description", report)
        for name in ("description", "content:encoded"):
            fields.examine_notes(view, name, name, report)
        names = list(view.children)
        if "description" in names and "content:encoded" in names[: names.index("description")]:
            report.add("notes-order", view.place)
        if view.text("link"):
            fields.examine_url(view, view.text("link"), "link", report)
        author = view.text("author")
        if author and not v.is_mail_address(author.split(" ")[0]):
            report.add("author-form", view.place, author)

    def _examine_guid(self, view: View) -> None:
        report = self._report
        raw = view.raw("guid") or ""
        guid = raw.strip()
        if not guid:
            report.add("guid-missing", view.place)
            return
        if raw != guid:
            report.add("guid-spaces", view.place)
        if guid in self._guids:
            report.add("guid-twice", view.place, guid)
        self._guids.add(guid)
        element = view.first("guid")
        says = (element.get("isPermaLink") or "true") if element is not None else "true"
        if says.strip().lower() != "false" and not v.is_url(guid):
            report.add("guid-permalink", view.place, guid)
        if guid.isdigit():
            report.add("guid-digits", view.place, guid)
        if len(guid) > fields.MAX_CHARS:
            report.add("guid-long", view.place, len(guid))

    def _examine_enclosure(self, view: View) -> None:
        enclosures = view.all("enclosure")
        if not enclosures:
            self._report.add("enclosure-missing", view.place)
            return
        if len(enclosures) > 1:
            self._report.add("enclosure-several", view.place, len(enclosures))
        enclosure = enclosures[0]
        suffix = self._examine_address(view, (enclosure.get("url") or "").strip())
        self._examine_type(view, (enclosure.get("type") or "").strip(), suffix)
        self._examine_length(view, enclosure)

    def _examine_address(self, view: View, url: str) -> str:
        report = self._report
        if not url:
            report.add("enclosure-url-missing", view.place)
            return ""
        if not v.is_url(url):
            report.add("enclosure-url-invalid", view.place, url)
            return ""
        if not v.has_only_url_letters(url):
            report.add("url-letters", view.place, url, field="enclosure")
        elif url.lower().startswith("http:"):
            report.add("url-http", view.place, url, field="enclosure")
        if url in self._urls:
            report.add("enclosure-twice", view.place, url)
        self._urls.add(url)
        name = urlsplit(url).path.rpartition("/")[2].lower()
        suffix = "." + name.rpartition(".")[2] if "." in name else ""
        if suffix not in _TYPES_OF:
            report.add("enclosure-extension", view.place, url)
        return suffix

    def _examine_type(self, view: View, mime_type: str, suffix: str) -> None:
        if not mime_type:
            self._report.add("enclosure-type-missing", view.place)
        elif not v.is_mime_type(mime_type):
            self._report.add("enclosure-type-invalid", view.place, mime_type)
        elif suffix in _TYPES_OF and mime_type.lower() not in _TYPES_OF[suffix]:
            said = f"“{mime_type}” and “{suffix}”"
            self._report.add("enclosure-type-differs", view.place, said)

    def _examine_length(self, view: View, enclosure: Any) -> None:
        length = enclosure.get("length")
        if length is None:
            self._report.add("enclosure-length-missing", view.place)
        elif not v.is_integer(length.strip()):
            self._report.add("enclosure-length-invalid", view.place, length)
        elif int(length) == 0:
            self._report.add("enclosure-length-unknown", view.place)
        elif int(length) > 30 and int(length) == v.duration_seconds(view.text("itunes:duration")):
            self._report.add("enclosure-length-duration", view.place, length)

    def _examine_date(self, view: View) -> None:
        date = fields.examine_date(view, "pubDate", self._report)
        if date is None:
            self._report.add("date-missing", view.place)
        if date is None or date.moment is None:
            return
        if date.moment in self._dates:
            self._report.add("date-twice", view.place, view.text("pubDate"))
        self._dates.add(date.moment)
        if self._last is not None and date.moment > self._last:
            self._is_sorted = False
        self._last = date.moment

    def _examine_itunes(self, view: View) -> None:
        report = self._report
        fields.examine_explicit(view, report)
        fields.examine_image(view, report)
        fields.examine_block(view, report)
        fields.examine_line(view, "itunes:title", "itunes:title", report)
        fields.examine_line(view, "itunes:author", "itunes:author", report)
        duration = view.text("itunes:duration")
        if not duration:
            report.add("duration-missing", view.place)
        elif not v.duration_seconds(duration):
            report.add("duration-invalid", view.place, duration)
        kind = view.text("itunes:episodeType")
        if view.first("itunes:episodeType") is not None and kind not in EPISODE_TYPES:
            report.add("episode-type-invalid", view.place, kind)

    def _examine_numbers(self, view: View) -> None:
        report = self._report
        for name in ("itunes:episode", "itunes:season"):
            value = view.text(name)
            if view.first(name) is not None and not (v.is_integer(value) and int(value) > 0):
                report.add("number-invalid", view.place, value, field=name)
        number, season = view.text("itunes:episode"), view.text("itunes:season")
        if (view.text("itunes:episodeType") or "full") != "full":
            return
        if not number:
            if self._is_serial:
                report.add("number-missing", view.place)
            return
        if (season, number) in self._numbers:
            report.add("number-twice", view.place, number)
        self._numbers.add((season, number))

    def _examine_chapters(self, view: View) -> None:
        duration = v.duration_seconds(view.text("itunes:duration"))
        for chapters in view.all("psc:chapters"):
            problem = _chapters_problem(View(chapters, view.place), duration)
            if problem:
                self._report.add("chapters-inline", view.place, problem)
        for soundbite in view.all("podcast:soundbite"):
            start = v.decimal((soundbite.get("startTime") or "").strip())
            seconds = v.decimal((soundbite.get("duration") or "").strip())
            if start is None or seconds is None:
                continue
            if duration and start + seconds > duration + 1:
                said = f"{start:g} + {seconds:g} seconds of {duration}"
                self._report.add("soundbite-outside", view.place, said)
            shortest, longest = _ADVISED_SOUNDBITE_SECONDS
            if not shortest <= seconds <= longest:
                self._report.add("soundbite-length", view.place, f"{seconds:g}")

    def _examine_people(self, view: View) -> None:
        people = view.all("podcast:person")
        if people and self._has_hosts and not any(is_host(person) for person in people):
            self._report.add("persons-replaced", view.place)


def is_host(person: Any) -> bool:
    """Whether this podcast:person is a host, which is what one without a role is."""
    return (person.get("role") or "host").strip().lower() in ("host", "co-host", "guest host")


def place_of(number: int, item: Any) -> str:
    """Where an item is, in words: its place from the top of the feed, and its title."""
    title = shown(" ".join((item.findtext("title") or "").split()), 60)
    return f"episode {number}, “{title}”" if title else f"episode {number}"


def _chapters_problem(chapters: View, duration: int | None) -> str:
    last = -1.0
    found = chapters.all("psc:chapter")
    if not found:
        return "there is no chapter"
    for chapter in found:
        start = v.play_time_seconds((chapter.get("start") or "")[:40])
        if start is None:
            return f"one starts at “{shown(chapter.get('start') or '')}”"
        if not (chapter.get("title") or "").strip():
            return f"the one at {start:g} seconds has no title"
        if start < last:
            return f"the one at {start:g} seconds comes too late"
        if duration and start > duration:
            return f"one starts at {start:g} seconds, and the episode has {duration}"
        last = start
    return ""
