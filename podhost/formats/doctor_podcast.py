"""The feed doctor's look at the podcast namespace (Podcasting 2.0), wherever its tags stand.

What a tag wants stands in one table; rule ids are made of it: podcast-funding-url is the
attribute url of podcast:funding, podcast-locked-text what stands inside of podcast:locked.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from podhost.formats import doctor_values as v
from podhost.formats.doctor_report import Report, View, whole_text
from podhost.formats.doctor_rules import Rule, Severity
from podhost.formats.doctor_values import Kind
from podhost.formats.feed_xml import name_of

SOURCE = "podcast namespace"
_PREFIX = "podcast:"
# Deeper than any tag is meant to be nested.
_MAX_DEPTH = 6


class Tag(NamedTuple):
    """What a tag wants: its text, its attributes, which of them and which children it needs."""

    text: Kind | None = None
    needs_text: bool = False
    attributes: Mapping[str, Kind] = {}
    needed: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    is_single: bool = False
    place: str = ""


_REMOTE = {"feedGuid": v.UUID, "feedUrl": v.URL, "medium": v.MEDIUM}
_TAGS: Mapping[str, Tag] = {
    "guid": Tag(v.UUID, True, is_single=True, place="show"),
    "locked": Tag(v.YES_OR_NO, True, {"owner": v.MAIL}, is_single=True, place="show"),
    "medium": Tag(v.MEDIUM, True, is_single=True, place="show"),
    "txt": Tag(v.up_to(4000), True, {"purpose": v.LABEL}),
    "funding": Tag(v.LABEL, False, {"url": v.URL}, ("url",)),
    "person": Tag(v.LABEL, True, {"role": v.ROLE, "group": v.GROUP, "img": v.URL, "href": v.URL}),
    "location": Tag(
        v.LABEL,
        True,
        {
            "rel": v.one_of("subject", "creator"),
            "geo": v.GEO,
            "osm": v.OSM,
            "country": v.COUNTRY,
        },
    ),
    "trailer": Tag(
        v.LABEL,
        True,
        {
            "url": v.URL,
            "pubdate": v.DATE,
            "length": v.INTEGER,
            "type": v.MIME,
            "season": v.INTEGER,
        },
        ("url", "pubdate"),
        place="show",
    ),
    "license": Tag(v.LABEL, True, {"url": v.URL}, is_single=True),
    "value": Tag(
        attributes={"suggested": v.DECIMAL},
        needed=("type", "method"),
        children=("valueRecipient",),
    ),
    "valueRecipient": Tag(
        attributes={"split": v.INTEGER, "fee": v.BOOLEAN},
        needed=("type", "address", "split"),
    ),
    "valueTimeSplit": Tag(
        attributes={
            "startTime": v.DECIMAL,
            "duration": v.DECIMAL,
            "remoteStartTime": v.DECIMAL,
            "remotePercentage": v.DECIMAL,
        },
        needed=("startTime", "duration"),
    ),
    "image": Tag(
        attributes={
            "href": v.URL,
            "width": v.INTEGER,
            "height": v.INTEGER,
            "type": v.MIME,
            "purpose": v.LABEL,
        },
        needed=("href",),
    ),
    "block": Tag(v.YES_OR_NO, True, place="show"),
    "updateFrequency": Tag(
        v.LABEL,
        False,
        {"complete": v.BOOLEAN, "dtstart": v.ISO_DATE, "rrule": v.RRULE},
        is_single=True,
        place="show",
    ),
    "podping": Tag(attributes={"usesPodping": v.BOOLEAN}, is_single=True, place="show"),
    "podroll": Tag(children=("remoteItem",), is_single=True, place="show"),
    "publisher": Tag(children=("remoteItem",), is_single=True, place="show"),
    "remoteItem": Tag(attributes=_REMOTE, needed=("feedGuid",)),
    "chat": Tag(
        attributes={"protocol": v.one_of("irc", "xmpp", "nostr", "matrix")},
        needed=("server", "protocol"),
        is_single=True,
    ),
    "socialInteract": Tag(
        attributes={"accountUrl": v.URL, "priority": v.INTEGER}, needed=("protocol",)
    ),
    "liveItem": Tag(
        attributes={
            "status": v.one_of("pending", "live", "ended"),
            "start": v.ISO_DATE,
            "end": v.ISO_DATE,
        },
        needed=("status", "start"),
        children=("contentLink",),
        place="show",
    ),
    "transcript": Tag(
        attributes={
            "url": v.URL,
            "type": v.TRANSCRIPT_TYPE,
            "language": v.LANGUAGE,
            "rel": v.one_of("captions"),
        },
        needed=("url", "type"),
        place="episode",
    ),
    "chapters": Tag(
        attributes={"url": v.URL, "type": v.CHAPTERS_TYPE},
        needed=("url", "type"),
        is_single=True,
        place="episode",
    ),
    "soundbite": Tag(
        v.LABEL,
        False,
        {"startTime": v.DECIMAL, "duration": v.DECIMAL},
        ("startTime", "duration"),
        place="episode",
    ),
    "season": Tag(v.INTEGER, True, {"name": v.LABEL}, is_single=True, place="episode"),
    "episode": Tag(v.DECIMAL, True, {"display": v.SHORT_LABEL}, is_single=True, place="episode"),
    "alternateEnclosure": Tag(
        attributes={
            "type": v.MIME,
            "length": v.INTEGER,
            "bitrate": v.DECIMAL,
            "height": v.INTEGER,
            "lang": v.LANGUAGE,
            "title": v.SHORT_LABEL,
            "rel": v.SHORT_LABEL,
            "default": v.BOOLEAN,
        },
        needed=("type",),
        children=("source",),
    ),
    "source": Tag(attributes={"contentType": v.MIME}, needed=("uri",)),
    "integrity": Tag(
        attributes={"type": v.one_of("sri", "pgp-signature")}, needed=("type", "value")
    ),
    "contentLink": Tag(attributes={"href": v.URL}, needed=("href",)),
}


def examine_tags(view: View, report: Report, *, is_show: bool) -> None:
    """Look at every podcast: tag that stands directly in a show or an episode, and inside it."""
    for name, elements in view.children.items():
        if not name.startswith(_PREFIX):
            continue
        local = name.removeprefix(_PREFIX)
        tag = _TAGS.get(local)
        if tag is None:
            if local == "images":
                _add(report, view, "images-old", "hint", "It is out of use.", "Use podcast:image.")
            continue
        if tag.is_single and len(elements) > 1:
            _add(
                report,
                view,
                f"{local}-twice",
                "warning",
                f"There is more than one <podcast:{local}>.",
                "Leave one.",
            )
        if tag.place and (tag.place == "show") != is_show:
            _add(
                report,
                view,
                f"{local}-misplaced",
                "hint",
                f"<podcast:{local}> belongs to the {tag.place}, where apps look for it.",
                "Move it.",
            )
        for element in elements:
            _examine_tag(local, element, report, view, 0)
    _examine_remote_items(view, report, is_show)


def _examine_tag(local: str, element: Any, report: Report, view: View, depth: int) -> None:
    tag = _TAGS[local]
    _examine_text(local, tag, element, report, view)
    _examine_attributes(local, tag, element, report, view)
    children = [
        (name_of(child).removeprefix(_PREFIX), child)
        for child in element
        if isinstance(child.tag, str) and name_of(child).startswith(_PREFIX)
    ]
    names = [name for name, _ in children]
    for needed in tag.children:
        if needed not in names:
            _add(
                report,
                view,
                f"{local}-{needed}",
                "warning",
                f"<podcast:{local}> has no <podcast:{needed}> inside, so apps pass over it.",
                f"Add one, or take <podcast:{local}> out.",
            )
    special = _SPECIAL.get(local)
    if special is not None:
        special(element, names, report, view)
    if depth < _MAX_DEPTH:
        for name, child in children:
            if name in _TAGS:
                _examine_tag(name, child, report, view, depth + 1)


def _examine_text(local: str, tag: Tag, element: Any, report: Report, view: View) -> None:
    if tag.text is None:
        return
    text = whole_text(element).strip()
    if not text:
        if tag.needs_text:
            _add(
                report,
                view,
                f"{local}-text",
                "warning",
                f"<podcast:{local}> is empty.",
                f"It should hold {tag.text.meaning}.",
            )
    elif not tag.text.accepts(text):
        _add(
            report,
            view,
            f"{local}-text",
            tag.text.severity,
            f"<podcast:{local}> is “{{}}”.",
            f"It should be {tag.text.meaning}.",
            text,
        )


def _examine_attributes(local: str, tag: Tag, element: Any, report: Report, view: View) -> None:
    for name in tag.needed:
        if not (element.get(name) or "").strip():
            _add(
                report,
                view,
                f"{local}-{name}",
                "warning",
                f"<podcast:{local}> does not have {name}, without which apps pass over it.",
                f"Give it {tag.attributes.get(name, v.ANYTHING).meaning} as {name}.",
            )
    for name, kind in tag.attributes.items():
        value = (element.get(name) or "").strip()
        if value and not kind.accepts(value):
            _add(
                report,
                view,
                f"{local}-{name}",
                kind.severity,
                f"<podcast:{local}> has “{{}}” as {name}.",
                f"It should be {kind.meaning}.",
                value,
            )


def _examine_license(element: Any, names: list[str], report: Report, view: View) -> None:
    text = whole_text(element).strip()
    if text and " " in text and not element.get("url"):
        _add(
            report,
            view,
            "license-url",
            "warning",
            "The licence “{}” is no known name, and has no address where it can be read.",
            "Use a known name such as CC-BY-4.0, or add url.",
            text,
        )


def _examine_frequency(element: Any, names: list[str], report: Report, view: View) -> None:
    if "COUNT=" in (element.get("rrule") or "") and not element.get("dtstart"):
        _add(
            report,
            view,
            "updateFrequency-dtstart",
            "warning",
            "<podcast:updateFrequency> counts episodes and does not say from when.",
            "Add dtstart.",
        )


def _examine_publisher(element: Any, names: list[str], report: Report, view: View) -> None:
    items = [child for child in element if isinstance(child.tag, str)]
    mediums = [item.get("medium") for item in items if name_of(item) == "podcast:remoteItem"]
    if mediums and mediums != ["publisher"]:
        _add(
            report,
            view,
            "publisher-medium",
            "warning",
            "<podcast:publisher> should name one feed, and say that its medium is publisher.",
            'Keep one remoteItem, with medium="publisher".',
        )


def _examine_interact(element: Any, names: list[str], report: Report, view: View) -> None:
    if element.get("protocol") not in (None, "disabled") and not element.get("uri"):
        _add(
            report,
            view,
            "socialInteract-uri",
            "warning",
            "<podcast:socialInteract> does not have uri, without which apps pass over it.",
            "Give it the address of the post.",
        )


def _examine_split(element: Any, names: list[str], report: Report, view: View) -> None:
    if "remoteItem" not in names and "valueRecipient" not in names:
        _add(
            report,
            view,
            "valueTimeSplit-empty",
            "warning",
            "<podcast:valueTimeSplit> does not say who gets the value.",
            "Add one remoteItem, or recipients.",
        )


def _examine_live(element: Any, names: list[str], report: Report, view: View) -> None:
    live = View(element, view.place)
    for name in ("title", "guid"):
        if not live.text(name):
            message = f"A live stream (podcast:liveItem) has no {name}."
            _add(report, view, f"liveItem-{name}", "warning", message, f"Give it a {name}.")
    if live.first("enclosure") is None and "alternateEnclosure" not in names:
        _add(
            report,
            view,
            "liveItem-enclosure",
            # Before it begins, its address may not be known.
            "warning" if element.get("status") == "live" else "hint",
            "The live stream “{}” has no enclosure, so no app can play it.",
            "Name the stream's address in an enclosure, or in podcast:alternateEnclosure.",
            live.text("title"),
        )
    _examine_live_times(live, report, view)


def _examine_live_times(live: View, report: Report, view: View) -> None:
    start, end = (v.read_moment(live.element.get(name) or "") for name in ("start", "end"))
    status, title = live.element.get("status"), live.text("title")
    if start is not None and end is not None and end <= start:
        message = "The live stream “{}” ends before it starts."
        _add(report, view, "liveItem-times", "warning", message, "Mend start or end.", title)
    over_at = (end or start) if status == "live" else start
    if report.now is None or over_at is None or report.now - over_at < _LATE:
        return
    if status in ("pending", "live"):
        _add(
            report,
            view,
            "liveItem-late",
            "warning",
            f"The live stream “{{}}” should have {_SHOULD_HAVE[status]} long ago, and is still "
            f"called {status}.",
            "Set its status to ended, or take it out.",
            title,
        )


# How late a stream may be; its times are an approximation (podcast namespace).
_LATE = timedelta(days=1)
_SHOULD_HAVE = {"pending": "begun", "live": "ended"}
_SPECIAL = {
    "liveItem": _examine_live,
    "license": _examine_license,
    "updateFrequency": _examine_frequency,
    "publisher": _examine_publisher,
    "socialInteract": _examine_interact,
    "valueTimeSplit": _examine_split,
}


def _examine_remote_items(view: View, report: Report, is_show: bool) -> None:
    medium = view.text("podcast:medium")
    if not view.all("podcast:remoteItem"):
        return
    if not is_show or not (medium == "publisher" or medium.endswith("L") or medium == "mixed"):
        _add(
            report,
            view,
            "remoteItem-misplaced",
            "warning",
            "<podcast:remoteItem> stands alone in a show that is no list and no publisher.",
            "Put it into podcast:podroll, or choose the medium that fits.",
        )


def _add(
    report: Report,
    view: View,
    rule_id: str,
    severity: Severity,
    message: str,
    fix: str,
    *values: str,
) -> None:
    rule = Rule(severity, SOURCE, message, fix)
    report.add_rule(f"podcast-{rule_id}", rule, view.place, *values)
