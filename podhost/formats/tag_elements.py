"""Feed tags as XML elements to be, in a fixed order: same values in, same elements out.

It takes valid values and judges nothing; `rss.py` writes what it gives.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from podhost.formats.tag_rules import LIST_MEDIUMS
from podhost.formats.tag_values import (
    AlternateEnclosure,
    Chat,
    ContentLink,
    EpisodeTags,
    EpisodeValue,
    Funding,
    Image,
    License,
    LiveItem,
    Location,
    MediaRestriction,
    Recipient,
    RemoteItem,
    ShowTags,
    SocialInteract,
    TimeSplit,
    Txt,
    UpdateFrequency,
    Value,
)
from podhost.formats.text import remove_forbidden


class Tag(NamedTuple):
    """One XML element to be: `name` with its customary prefix, such as "podcast:person"."""

    name: str
    text: str | None = None
    attributes: Mapping[str, str] = {}
    children: tuple["Tag", ...] = ()


def show_elements(tags: ShowTags, medium: str) -> Iterator[Tag]:
    """The channel's own of the podcast namespace, but for txt and the artwork's own images."""
    for platform in tags.platform_blocks:
        yield Tag("podcast:block", "yes" if platform.block else "no", {"id": platform.id})
    yield from _common_elements(tags)
    if tags.update_frequency:
        yield _frequency(tags.update_frequency)
    if tags.podroll:
        yield Tag("podcast:podroll", None, {}, tuple(_remote(item) for item in tags.podroll))
    if tags.publisher:
        yield Tag("podcast:publisher", None, {}, (_remote(tags.publisher, "publisher"),))
    # Anywhere else they would say nothing (podcast namespace, remoteItem).
    if medium in LIST_MEDIUMS or medium == "publisher":
        yield from (_remote(item) for item in tags.remote_items)


def other_show_elements(tags: ShowTags) -> Iterator[Tag]:
    """The channel's of other namespaces: Spotify's and Media RSS."""
    if tags.spotify_limit is not None:
        yield Tag("spotify:limit", None, {"recentCount": str(tags.spotify_limit)})
    if tags.spotify_countries:
        codes = " ".join(code.lower() for code in tags.spotify_countries)
        yield Tag("spotify:countryOfOrigin", codes)
    yield from restriction_elements(tags.media_restriction)


def restriction_elements(restriction: MediaRestriction | None) -> Iterator[Tag]:
    """Of Media RSS, for shows and episodes."""
    if restriction is not None:
        attributes = {"relationship": restriction.relationship, "type": "country"}
        codes = " ".join(code.lower() for code in restriction.countries)
        yield Tag("media:restriction", codes, attributes)


def episode_elements(tags: EpisodeTags) -> Iterator[Tag]:
    """The item's own of the podcast namespace and Media RSS, but for the episode's number."""
    for soundbite in tags.soundbites:
        attributes = _written(startTime=soundbite.start, duration=soundbite.duration)
        yield Tag("podcast:soundbite", _clean(soundbite.title), attributes)
    yield from txt_elements(tags.txt)
    yield from _common_elements(tags)
    for enclosure in tags.alternate_enclosures:
        yield _enclosure(enclosure)
    for link in tags.content_links:
        yield _content_link(link)
    yield from restriction_elements(tags.media_restriction)


def live_element(tag: LiveItem, people: Sequence[Tag]) -> Tag:
    """A live stream, which is written as an item is; `people` are its people's elements."""
    attributes = _written(status=tag.status, start=tag.start, end=tag.end)
    children = [Tag("title", _clean(tag.title)), Tag("guid", tag.guid, {"isPermaLink": "false"})]
    if tag.link:
        children.append(Tag("link", tag.link))
    if tag.description:
        children.append(Tag("description", _paragraphs(tag.description)))
    if tag.enclosure:
        # A stream has no end, and RSS 2.0 no enclosure without a length.
        file = {"url": tag.enclosure.url, "length": "0", "type": tag.enclosure.type}
        children.append(Tag("enclosure", None, file))
    if tag.image_url:
        # Not itunes:image, which simple parsers then take for the show's (feedparser, 2026-11).
        children.append(Tag("podcast:image", None, {"href": tag.image_url}))
    children += people
    if tag.chat:
        children.append(_chat(tag.chat))
    children += [_enclosure(enclosure) for enclosure in tag.alternate_enclosures]
    children += [_content_link(link) for link in tag.content_links]
    return Tag("podcast:liveItem", None, attributes, tuple(children))


def _paragraphs(text: str) -> str:
    """Plain text as the HTML that apps expect a description to be."""
    written = escape(remove_forbidden(text).strip(), quote=False)
    return "".join(f"<p>{part}</p>".replace("\n", "<br>") for part in re.split(r"\n{2,}", written))


def txt_elements(tags: Sequence[Txt]) -> Iterator[Tag]:
    """Free texts, in the order given."""
    for tag in tags:
        yield Tag("podcast:txt", _clean(tag.text), _written(purpose=tag.purpose))


def _common_elements(tags: ShowTags | EpisodeTags) -> Iterator[Tag]:
    """What shows and episodes may both have."""
    yield from (_image(tag) for tag in tags.other_images)
    yield from (_funding(tag) for tag in tags.funding)
    yield from (_location(tag) for tag in tags.location)
    if tags.license:
        yield _license(tags.license)
    if tags.value:
        yield _value(tags.value)
    if tags.chat:
        yield _chat(tags.chat)
    yield from (_interact(tag) for tag in tags.social_interact)


def _funding(tag: Funding) -> Tag:
    return Tag("podcast:funding", _clean(tag.label), {"url": tag.url})


def _image(tag: Image) -> Tag:
    attributes = _written(
        href=tag.href,
        alt=tag.alt,
        width=tag.width,
        height=tag.height,
        type=tag.type,
        purpose=tag.purpose,
    )
    if tag.aspect_ratio:
        attributes["aspect-ratio"] = tag.aspect_ratio
    return Tag("podcast:image", None, attributes)


def _location(tag: Location) -> Tag:
    attributes = _written(rel=tag.rel, geo=tag.geo, osm=tag.osm, country=tag.country)
    return Tag("podcast:location", _clean(tag.name), attributes)


def _license(tag: License) -> Tag:
    return Tag("podcast:license", _clean(tag.name), _written(url=tag.url))


def _frequency(tag: UpdateFrequency) -> Tag:
    attributes = _written(complete=tag.complete or None, dtstart=tag.dtstart, rrule=tag.rrule)
    return Tag("podcast:updateFrequency", _clean(tag.label), attributes)


def _remote(tag: RemoteItem, medium: str | None = None) -> Tag:
    attributes = _written(
        feedGuid=tag.feed_guid,
        feedUrl=tag.feed_url,
        itemGuid=tag.item_guid,
        medium=medium or tag.medium,
        title=tag.title,
    )
    return Tag("podcast:remoteItem", None, attributes)


def _chat(tag: Chat) -> Tag:
    attributes = _written(
        server=tag.server, protocol=tag.protocol, accountId=tag.account_id, space=tag.space
    )
    return Tag("podcast:chat", None, attributes)


def _interact(tag: SocialInteract) -> Tag:
    attributes = _written(
        protocol=tag.protocol,
        uri=tag.uri,
        accountId=tag.account_id,
        accountUrl=tag.account_url,
        priority=tag.priority,
    )
    return Tag("podcast:socialInteract", None, attributes)


def _value(tag: Value) -> Tag:
    children = [_recipient(recipient) for recipient in tag.recipients]
    if isinstance(tag, EpisodeValue):
        children += [_time_split(split) for split in tag.time_splits]
    attributes = _written(type=tag.type, method=tag.method, suggested=tag.suggested)
    return Tag("podcast:value", None, attributes, tuple(children))


def _recipient(tag: Recipient) -> Tag:
    attributes = _written(
        name=tag.name,
        type=tag.type,
        address=tag.address,
        customKey=tag.custom_key,
        customValue=tag.custom_value,
        split=tag.split,
        fee=tag.fee or None,
    )
    return Tag("podcast:valueRecipient", None, attributes)


def _time_split(tag: TimeSplit) -> Tag:
    attributes = _written(startTime=tag.start, duration=tag.duration)
    if tag.remote_item is None:
        return _split(attributes, [_recipient(recipient) for recipient in tag.recipients])
    attributes |= _written(
        remoteStartTime=tag.remote_start or None, remotePercentage=tag.remote_percentage
    )
    return _split(attributes, [_remote(tag.remote_item)])


def _split(attributes: Mapping[str, str], children: Sequence[Tag]) -> Tag:
    return Tag("podcast:valueTimeSplit", None, attributes, tuple(children))


def _enclosure(tag: AlternateEnclosure) -> Tag:
    attributes = _written(
        type=tag.type,
        length=tag.length,
        bitrate=tag.bitrate,
        height=tag.height,
        lang=tag.lang,
        title=tag.title,
        rel=tag.rel,
        codecs=tag.codecs,
        default=tag.default or None,
    )
    children = [
        Tag("podcast:source", None, _written(uri=source.uri, contentType=source.content_type))
        for source in tag.sources
    ]
    if tag.integrity:
        hashed = _written(type=tag.integrity.type, value=tag.integrity.value)
        children.append(Tag("podcast:integrity", None, hashed))
    return Tag("podcast:alternateEnclosure", None, attributes, tuple(children))


def _content_link(tag: ContentLink) -> Tag:
    return Tag("podcast:contentLink", _clean(tag.text), {"href": tag.href})


def _written(**values: Any) -> dict[str, str]:
    """What is there, as attributes have it."""
    return {name: _word(value) for name, value in values.items() if value is not None}


def _word(value: Any) -> str:
    if value is True:
        return "true"
    if isinstance(value, float):
        # Never an exponent, which no app would read.
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return remove_forbidden(str(value))


def _clean(text: str | None) -> str | None:
    return remove_forbidden(text) if text else None
