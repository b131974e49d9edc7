"""Optional tags of a foreign feed as the values that shows and episodes hold, one field each.

It only renames: what a value may be is judged where it is taken in (`feed_tags`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lxml import etree

from podhost.formats.feed_words import NAMESPACES
from podhost.formats.feed_xml import wary_parser
from podhost.formats.imported import (
    ImportedEpisode,
    ImportedLink,
    ImportedShow,
    ImportedTag,
)
from podhost.formats.text import plain_text

Found = dict[str, Any]

# podhost writes these by itself, out of what it has.
_OWN = frozenset({"podcast:podping", "podcast:trailer", "podcast:image", "podcast:images"})
_SPOTIFY = f"{{{NAMESPACES['spotify']}}}"
_MEDIA = f"{{{NAMESPACES['media']}}}"
_TRUE = frozenset({"true", "yes", "1"})


def show_tags(show: ImportedShow) -> tuple[Found, list[str]]:
    """The fields of a show's tags, as JSON has them, and the names of tags that no field holds."""
    found, rest = _read(show.tags, _SHOW_LISTS, _SHOW_SINGLES)
    found |= _links(show.funding, show.license) | _foreign(show.unknown_xml)
    found |= _pictures(show.tags) | _without_nothing(apple_title=show.itunes_title)
    if any(episode.chapters for episode in show.episodes):
        found["inline_chapters"] = True
    return found, rest


def episode_tags(episode: ImportedEpisode) -> tuple[Found, list[str]]:
    """As `show_tags`, for an episode."""
    found, rest = _read(episode.tags, _EPISODE_LISTS, _EPISODE_SINGLES)
    found |= _links(episode.funding, episode.license) | _foreign(episode.unknown_xml)
    pictures = _pictures(episode.tags)
    # Whether feeds say it in sizes is a matter of the show.
    pictures.pop("images", None)
    found |= pictures
    found |= _without_nothing(
        apple_title=episode.itunes_title,
        decimal_number=episode.decimal_number,
        episode_display=episode.number_display,
    )
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
    return found, rest


def _read(
    tags: Sequence[ImportedTag],
    lists: Mapping[str, tuple[str, Callable[[ImportedTag], Any]]],
    singles: Mapping[str, tuple[str, Callable[[ImportedTag], Any]]],
) -> tuple[Found, list[str]]:
    found: Found = {}
    rest: list[str] = []
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
            rest.append(name)
    return found, rest


def _links(funding: Iterable[ImportedLink], license_: ImportedLink | None) -> Found:
    found: Found = {}
    if entries := [_without_nothing(url=link.url, label=link.text) for link in funding]:
        found["funding"] = entries
    if license_ is not None:
        found["license"] = _without_nothing(name=license_.text or license_.url, url=license_.url)
    return found


def _foreign(tags: Iterable[str]) -> Found:
    """Tags of Spotify and Media RSS as the fields that they have, and all others as they are."""
    found: Found = {}
    others: list[str] = []
    for xml in tags:
        field = _known_field(xml)
        found |= field
        others += [] if field else [xml]
    return found | _without_nothing(foreign_tags=others)


def _known_field(xml: str) -> Found:
    if "spotify" not in xml and "mrss" not in xml:
        return {}
    try:
        element = etree.fromstring(xml.encode(), wary_parser())
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


def _pictures(tags: Iterable[ImportedTag]) -> Found:
    """Pictures of another shape or for a purpose, and what is said of the artwork once more."""
    found: Found = {}
    for tag in tags:
        if tag.name != "podcast:image":
            continue
        said = tag.attributes
        is_square = "width" in said and said.get("aspect-ratio", "1/1") == "1/1"
        if not is_square or said.get("purpose", "artwork") != "artwork":
            found.setdefault("other_images", []).append(_picture(tag))
            continue
        # The artwork in one of its sizes, said a second time in feeds that say it now.
        found["images"] = True
        if alt := tag.attributes.get("alt"):
            found.setdefault("artwork_alt", alt)
    return found


def _picture(tag: ImportedTag) -> Found:
    found = _named(
        tag,
        href="href",
        alt="alt",
        aspect_ratio="aspect-ratio",
        width="width",
        height="height",
        type="type",
        purpose="purpose",
    )
    return _numbers(found, "width", "height")


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


def _live(tag: ImportedTag) -> Found:
    """A podcast:liveItem, which is written as an item is."""
    found = _named(tag, status="status", start="start", end="end")
    for child in tag.children:
        if child.name in ("title", "guid", "link", "description"):
            text = child.text
            if child.name == "description":
                # Between paragraphs is a blank line.
                text = plain_text(re.sub(r"</p>\s*<p>", "<br><br>", text))
            found |= _without_nothing(**{child.name: text})
        elif child.name == "enclosure":
            found["enclosure"] = _named(child, url="url", type="type")
        elif child.name == "podcast:image":
            found |= _named(child, image_url="href")
        elif child.name == "podcast:chat":
            found["chat"] = _chat(child)
    for name, field, read in (
        ("podcast:alternateEnclosure", "alternate_enclosures", _enclosure),
        ("podcast:contentLink", "content_links", _content_link),
        ("podcast:person", "people", _person),
    ):
        if children := _children(tag, name):
            found[field] = [read(child) for child in children]
    return found


def _content_link(tag: ImportedTag) -> Found:
    return _named(tag, href="href") | {"text": tag.text}


def _person(tag: ImportedTag) -> Found:
    found = _named(tag, role="role", group="group", url="href", image_url="img")
    return found | {"name": tag.text}


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
    "podcast:liveItem": ("live_items", _live),
}
_EPISODE_LISTS = {
    **_LISTS,
    "podcast:alternateEnclosure": ("alternate_enclosures", _enclosure),
    "podcast:contentLink": ("content_links", _content_link),
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
