"""Optional tags of a foreign feed as the values that shows and episodes hold, one field each.

It only renames: what a value may be is judged where it is taken in (`feed_tags`). Tags that no
field holds are given back as XML.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from podhost.formats.feed_words import NAMESPACES
from podhost.formats.imported import (
    ImportedEpisode,
    ImportedLink,
    ImportedShow,
    ImportedTag,
)

Found = dict[str, Any]

# podhost writes these by itself, out of what it has.
_OWN = frozenset({"podcast:podping", "podcast:trailer", "podcast:image", "podcast:images"})
_PODCAST = NAMESPACES["podcast"]
_SPOTIFY = f"{{{NAMESPACES['spotify']}}}"
_MEDIA = f"{{{NAMESPACES['media']}}}"
_TRUE = frozenset({"true", "yes", "1"})


def show_tags(show: ImportedShow) -> tuple[Found, tuple[str, ...]]:
    """The fields of a show's tags, as JSON has them, and what no field holds, as XML."""
    found, rest = _read(show.tags, _SHOW_LISTS, _SHOW_SINGLES)
    found |= _links(show.funding, show.license)
    pictures = [tag for tag in show.tags if tag.name == "podcast:image"]
    # Said a second time in feeds that say it now.
    if pictures:
        found["images"] = True
    if alt := next((alt for tag in pictures if (alt := tag.attributes.get("alt"))), None):
        found["artwork_alt"] = alt
    if any(episode.chapters for episode in show.episodes):
        found["inline_chapters"] = True
    unknown = []
    for xml in show.unknown_xml:
        field = _foreign(xml)
        found |= field
        unknown += [] if field else [xml]
    return found, (*unknown, *map(_xml, rest))


def episode_tags(episode: ImportedEpisode) -> tuple[Found, tuple[str, ...]]:
    """As `show_tags`, for an episode."""
    found, rest = _read(episode.tags, _EPISODE_LISTS, _EPISODE_SINGLES)
    found |= _links(episode.funding, episode.license)
    if episode.number_display:
        found["episode_display"] = episode.number_display
    if episode.soundbites:
        found["soundbites"] = [
            _without_nothing(
                start=bite.start_ms / 1000, duration=bite.duration_ms / 1000, title=bite.title
            )
            for bite in episode.soundbites
        ]
    more = [
        _without_nothing(
            type=other.mime_type, length=other.size_bytes, sources=[{"uri": other.url}]
        )
        for other in episode.more_enclosures
        if other.mime_type
    ]
    if more:
        found["alternate_enclosures"] = [*found.get("alternate_enclosures", ()), *more]
    return found, (*episode.unknown_xml, *map(_xml, rest))


def _read(
    tags: Sequence[ImportedTag],
    lists: Mapping[str, tuple[str, Callable[[ImportedTag], Any]]],
    singles: Mapping[str, tuple[str, Callable[[ImportedTag], Any]]],
) -> tuple[Found, list[ImportedTag]]:
    found: Found = {}
    rest: list[ImportedTag] = []
    for tag in tags:
        name = tag.name
        if name == "podcast:block" and not tag.attributes.get("id"):
            found["blocked"] = found.get("blocked") or tag.text.lower() == "yes"
        elif name in lists:
            field, read = lists[name]
            found.setdefault(field, []).append(read(tag))
        elif name in singles and singles[name][0] not in found:
            field, read = singles[name]
            found[field] = read(tag)
        elif name not in _OWN:
            rest.append(tag)
    return found, rest


def _links(funding: Iterable[ImportedLink], license_: ImportedLink | None) -> Found:
    found: Found = {}
    if entries := [_without_nothing(url=link.url, label=link.text) for link in funding]:
        found["funding"] = entries
    if license_ is not None:
        found["license"] = _without_nothing(name=license_.text or license_.url, url=license_.url)
    return found


def _foreign(xml: str) -> Found:
    """The field of a tag of Spotify or Media RSS; nothing for any other."""
    if "spotify" not in xml and "mrss" not in xml:
        return {}
    try:
        element = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return {}
    text = (element.text or "").strip()
    if element.tag == f"{_SPOTIFY}limit":
        return {"spotify_limit": element.get("recentCount")}
    if element.tag == f"{_SPOTIFY}countryOfOrigin":
        return {"spotify_countries": text.split()}
    if element.tag == f"{_MEDIA}restriction" and element.get("type") == "country":
        return {
            "media_restriction": {
                "relationship": element.get("relationship"),
                "countries": text.split(),
            }
        }
    return {}


def _without_nothing(**values: Any) -> Found:
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _named(tag: ImportedTag, **names: str) -> Found:
    """Attributes by the names that fields have."""
    return _without_nothing(**{ours: tag.attributes.get(theirs) for ours, theirs in names.items()})


def _number(written: str | None) -> Any:
    """A number as JSON has it; whatever else is written stays, to be judged."""
    if written and re.fullmatch(r"[0-9]{1,15}", written, re.ASCII):
        return int(written)
    if written and re.fullmatch(r"[0-9]{1,15}\.[0-9]{1,15}", written, re.ASCII):
        return float(written)
    return written


def _numbers(found: Found, *names: str) -> Found:
    return found | {name: _number(found[name]) for name in names if name in found}


def _location(tag: ImportedTag) -> Found:
    return {"name": tag.text} | _named(tag, rel="rel", geo="geo", osm="osm", country="country")


def _remote(tag: ImportedTag) -> Found:
    return _named(
        tag,
        feed_guid="feedGuid",
        feed_url="feedUrl",
        item_guid="itemGuid",
        medium="medium",
        title="title",
    )


def _remotes(tag: ImportedTag) -> list[Found]:
    return [_remote(child) for child in _children(tag, "podcast:remoteItem")]


def _publisher(tag: ImportedTag) -> Found | None:
    found = _remotes(tag)
    return {name: value for name, value in found[0].items() if name != "medium"} if found else None


def _children(tag: ImportedTag, name: str) -> list[ImportedTag]:
    return [child for child in tag.children if child.name == name]


def _chat(tag: ImportedTag) -> Found:
    return _named(tag, server="server", protocol="protocol", account_id="accountId", space="space")


def _interact(tag: ImportedTag) -> Found:
    found = _named(
        tag,
        protocol="protocol",
        uri="uri",
        account_id="accountId",
        account_url="accountUrl",
        priority="priority",
    )
    return _numbers(found, "priority")


def _frequency(tag: ImportedTag) -> Found:
    found = _without_nothing(label=tag.text) | _named(tag, rrule="rrule", dtstart="dtstart")
    return found | _flag(tag, "complete")


def _flag(tag: ImportedTag, name: str) -> Found:
    return {name: True} if tag.attributes.get(name, "").strip().lower() in _TRUE else {}


def _recipients(tag: ImportedTag) -> list[Found]:
    return [_recipient(child) for child in _children(tag, "podcast:valueRecipient")]


def _recipient(tag: ImportedTag) -> Found:
    found = _named(
        tag,
        type="type",
        address="address",
        split="split",
        name="name",
        custom_key="customKey",
        custom_value="customValue",
    )
    return _numbers(found, "split") | _flag(tag, "fee")


def _value(tag: ImportedTag) -> Found:
    found = _named(tag, type="type", method="method", suggested="suggested")
    return found | {"recipients": _recipients(tag)}


def _episode_value(tag: ImportedTag) -> Found:
    splits = [_time_split(child) for child in _children(tag, "podcast:valueTimeSplit")]
    return _value(tag) | ({"time_splits": splits} if splits else {})


def _time_split(tag: ImportedTag) -> Found:
    found = _named(
        tag,
        start="startTime",
        duration="duration",
        remote_start="remoteStartTime",
        remote_percentage="remotePercentage",
    )
    found = _numbers(found, *found)
    items = _remotes(tag)
    return found | ({"remote_item": items[0]} if items else {"recipients": _recipients(tag)})


def _block(tag: ImportedTag) -> Found:
    return {"id": tag.attributes["id"], "block": tag.text.strip().lower() == "yes"}


def _enclosure(tag: ImportedTag) -> Found:
    found = _named(
        tag,
        type="type",
        length="length",
        bitrate="bitrate",
        height="height",
        lang="lang",
        title="title",
        rel="rel",
        codecs="codecs",
    )
    found = _numbers(found, "length", "bitrate", "height") | _flag(tag, "default")
    found["sources"] = [
        _named(child, uri="uri", content_type="contentType")
        for child in _children(tag, "podcast:source")
    ]
    for child in _children(tag, "podcast:integrity"):
        found["integrity"] = _named(child, type="type", value="value")
    return found


_LISTS: Mapping[str, tuple[str, Callable[[ImportedTag], Any]]] = {
    "podcast:txt": (
        "txt",
        lambda tag: {"text": tag.text} | _named(tag, purpose="purpose"),
    ),
    "podcast:location": ("location", _location),
    "podcast:socialInteract": ("social_interact", _interact),
}
_SHOW_LISTS = {
    **_LISTS,
    "podcast:block": ("platform_blocks", _block),
    "podcast:remoteItem": ("remote_items", _remote),
}
_EPISODE_LISTS = {
    **_LISTS,
    "podcast:alternateEnclosure": ("alternate_enclosures", _enclosure),
    "podcast:contentLink": (
        "content_links",
        lambda tag: _named(tag, href="href") | {"text": tag.text},
    ),
}
_SHOW_SINGLES: Mapping[str, tuple[str, Callable[[ImportedTag], Any]]] = {
    "podcast:chat": ("chat", _chat),
    "podcast:value": ("value", _value),
    "podcast:updateFrequency": ("update_frequency", _frequency),
    "podcast:podroll": ("podroll", _remotes),
    "podcast:publisher": ("publisher", _publisher),
}
_EPISODE_SINGLES: Mapping[str, tuple[str, Callable[[ImportedTag], Any]]] = {
    "podcast:chat": ("chat", _chat),
    "podcast:value": ("value", _episode_value),
}


def _xml(tag: ImportedTag) -> str:
    """The tag as XML that stands for itself."""
    return _element(tag, f' xmlns:podcast="{_PODCAST}"')


def _element(tag: ImportedTag, more: str = "") -> str:
    attributes = "".join(
        f" {name}={quoteattr(value)}"
        for name, value in tag.attributes.items()
        if not name.startswith("{")
    )
    inner = escape(tag.text) + "".join(map(_element, tag.children))
    return f"<{tag.name}{more}{attributes}>{inner}</{tag.name}>"
