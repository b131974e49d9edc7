"""What the optional tags of shows and episodes may say; reads them from JSON-like values.

It builds no XML (`tag_elements` does) and knows no row. Rules: the podcast namespace, Spotify's and
Media RSS's own.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, get_type_hints

import msgspec

from podhost.errors import Invalid
from podhost.formats import tag_rules as rules
from podhost.formats.foreign_tags import read_foreign_tag
from podhost.formats.tag_checks import CHECKS, LIST_CHECKS
from podhost.formats.tag_values import (
    NO_EPISODE_TAGS,
    NO_SHOW_TAGS,
    AlternateEnclosure,
    Chat,
    ContentLink,
    EpisodeTags,
    EpisodeValue,
    Funding,
    FurtherFeed,
    Image,
    Integrity,
    License,
    LiveItem,
    LivePerson,
    Location,
    MediaRestriction,
    PlatformBlock,
    Recipient,
    RemoteItem,
    ShowTags,
    SocialInteract,
    Soundbite,
    Source,
    Stream,
    TimeSplit,
    Txt,
    UpdateFrequency,
    Value,
)
from podhost.formats.type_sentences import type_problem

LONGEST_LABEL = 128
LONGEST_TXT = 4_000
LIVE_STATUSES = ("pending", "live", "ended")
MOST_ENTRIES = 200
# A page for each few episodes would be as many documents as episodes.
SMALLEST_PAGE = 5


_SHOW_TYPES = get_type_hints(ShowTags)
_EPISODE_TYPES = get_type_hints(EpisodeTags)
SHOW_TAGS = tuple(_SHOW_TYPES)
EPISODE_TAGS = tuple(_EPISODE_TYPES)


def read_show_tag(name: str, given: Any) -> Any:
    """What is stored of one given field: JSON-like, cleaned and valid; None for nothing.

    Raises Invalid, whose fields are paths below this one, such as "[0].url".
    """
    return _read_field(name, given, _SHOW_TYPES[name])


def read_episode_tag(name: str, given: Any) -> Any:
    """As `read_show_tag`, for an episode."""
    return _read_field(name, given, _EPISODE_TYPES[name])


def stored_show_tags(stored: Mapping[str, Any] | None) -> ShowTags:
    """The tags out of what `read_show_tag` gave for each."""
    return msgspec.convert(stored, ShowTags) if stored else NO_SHOW_TAGS


def stored_episode_tags(stored: Mapping[str, Any] | None) -> EpisodeTags:
    """As `stored_show_tags`, for an episode."""
    return msgspec.convert(stored, EpisodeTags) if stored else NO_EPISODE_TAGS


def check_soundbites(stored: Mapping[str, Any] | None, duration_ms: int) -> None:
    """Raises Invalid for each stored soundbite that is not inside audio of this length."""
    problems = {
        f"[{index}]": f"It ends after the audio does, at {duration_ms / 1000:g} seconds."
        for index, soundbite in enumerate(stored_episode_tags(stored).soundbites)
        if not lies_inside(soundbite, duration_ms)
    }
    if problems:
        raise Invalid(" ".join(problems.values()), problems)


def episode_tag_warnings(
    stored: Mapping[str, Any], number: int | None, duration_ms: int | None
) -> list[str]:
    """What of an episode's tags the feed cannot have, as it stands with its audio and number."""
    tags = stored_episode_tags(stored)
    warnings = [
        f"The soundbite at {soundbite.start:g} seconds ends after the audio does; "
        "it is kept, and left out of the feed."
        for soundbite in tags.soundbites
        if duration_ms is not None and not lies_inside(soundbite, duration_ms)
    ]
    if tags.episode_display and not number and tags.decimal_number is None:
        warnings.append("episode_display stands beside the episode's number, and it has none.")
    return warnings


def lies_inside(soundbite: Soundbite, duration_ms: int) -> bool:
    """Whether audio of this length has the whole soundbite."""
    return round((soundbite.start + soundbite.duration) * 1000) <= duration_ms


def _read_field(name: str, given: Any, kind: Any) -> Any:
    if given is None or given == "" or given == [] or given == ():
        return None
    try:
        # Text files have no numbers of their own in YAML, and TOML has dates.
        plain = _plain(msgspec.to_builtins(given, builtin_types=(date,)))
        value = msgspec.convert(plain, kind, strict=False)
    except msgspec.ValidationError as error:
        place, sentence = type_problem(error)
        raise Invalid(sentence, {place: sentence}) from None
    except (TypeError, RecursionError, ValueError):
        sentence = "It is nothing that a feed could say."
        raise Invalid(sentence, {"": sentence}) from None
    problems: dict[str, str] = {}
    read = _read_value(value, _FIELD_RULES.get(name), "", problems)
    if not problems and (check := LIST_CHECKS.get(name)):
        problems |= check(read)
    if problems:
        raise Invalid(" ".join(problems.values()), problems)
    # As it comes back from the database; what says nothing but its default is not there.
    return msgspec.json.decode(msgspec.json.encode(read)) or None


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _read_value(value: Any, rule: rules.Rule | None, path: str, problems: dict[str, str]) -> Any:
    if isinstance(value, msgspec.Struct):
        return _read_struct(value, path, problems)
    if isinstance(value, tuple):
        if len(value) > MOST_ENTRIES:
            problems[path] = f"It has {len(value)} entries; {MOST_ENTRIES} are the most."
            return value
        read = [
            _read_value(entry, rule, f"{path}[{index}]", problems)
            for index, entry in enumerate(value)
        ]
        # An entry that is empty says nothing.
        return tuple(entry for entry in read if entry not in (None, ""))
    if value is None or rule is None:
        return value
    try:
        return rule(value)
    except ValueError as error:
        problems[path] = str(error)
        return value


def _read_struct(value: msgspec.Struct, path: str, problems: dict[str, str]) -> msgspec.Struct:
    own_rules = _RULES[type(value)]
    earlier = len(problems)
    read: dict[str, Any] = {}
    for field in msgspec.structs.fields(type(value)):
        place = f"{path}.{field.name}"
        found = _read_value(getattr(value, field.name), own_rules.get(field.name), place, problems)
        is_empty = found in (None, "", ())
        if is_empty and field.required and place not in problems:
            problems[place] = "It must not be empty."
        read[field.name] = field.default if is_empty and not field.required else found
    kept = msgspec.structs.replace(value, **read)
    if len(problems) == earlier and (check := CHECKS.get(type(value))):
        problems |= {f"{path}{place}": text for place, text in check(kept).items()}
    return kept


# What single fields may be


_LABEL = rules.line(LONGEST_LABEL)
_WORD = rules.pattern(
    r"[a-z0-9][a-z0-9._+\-]{0,63}", "It must be one word of letters a to z, digits and hyphens."
)


def _label_of_episodes(value: str) -> str:
    """Kept in lower case, so that feeds choose by it whatever its case."""
    return str(rules.line(64)(value)).lower()


_HOURS = rules.whole(1, 24 * 366)
_FIELD_RULES: Mapping[str, rules.Rule] = {
    "locked_owner": rules.mail_address,
    "apple_title": rules.line(255),
    "managing_editor": rules.contact,
    "web_master": rules.contact,
    "decimal_number": rules.decimal_number,
    "images": rules.truth,
    "artwork_alt": rules.line(1_000),
    "inline_chapters": rules.truth,
    "spotify_limit": rules.whole(1, 100_000),
    "spotify_countries": rules.country,
    "episode_display": rules.line(32),
    "foreign_tags": read_foreign_tag,
    "feed_page_size": rules.none_or_whole(SMALLEST_PAGE, 10_000),
    "slim_after": rules.none_or_whole(1, 100_000),
    "labels": _label_of_episodes,
}
_VALUE_RULES = {"type": _WORD, "method": _WORD, "suggested": rules.amount}
_RULES: Mapping[type, Mapping[str, rules.Rule]] = {
    Funding: {"url": rules.web_address, "label": _LABEL},
    License: {"name": _LABEL, "url": rules.web_address},
    Location: {
        "name": _LABEL,
        "rel": rules.one_of("subject", "creator"),
        "geo": rules.geo,
        "osm": rules.osm,
        "country": rules.country,
    },
    Txt: {"text": rules.paragraph(LONGEST_TXT), "purpose": _LABEL},
    UpdateFrequency: {
        "label": _LABEL,
        "rrule": rules.recurrence,
        "dtstart": rules.moment,
    },
    PlatformBlock: {"id": _WORD},
    RemoteItem: {
        "feed_guid": rules.uuid_text,
        "feed_url": rules.web_address,
        "item_guid": rules.guid,
        "medium": rules.one_of(*rules.MEDIUMS, *rules.LIST_MEDIUMS),
        "title": rules.line(255),
    },
    Chat: {
        "server": rules.line(255),
        "protocol": _WORD,
        "account_id": rules.line(255),
        "space": rules.line(255),
    },
    SocialInteract: {
        "protocol": _WORD,
        "uri": rules.resource,
        "account_id": rules.line(255),
        "account_url": rules.web_address,
        "priority": rules.whole(0, 1_000_000),
    },
    Recipient: {
        "type": _WORD,
        "address": rules.line(500),
        "split": rules.whole(0, 1_000_000),
        "name": rules.line(255),
        "custom_key": rules.line(255),
        "custom_value": rules.line(1_000),
    },
    TimeSplit: {
        "start": rules.seconds(),
        "duration": rules.seconds(above=0),
        "remote_start": rules.seconds(),
        "remote_percentage": rules.percentage,
    },
    Value: _VALUE_RULES,
    EpisodeValue: _VALUE_RULES,
    MediaRestriction: {
        "relationship": rules.one_of("allow", "deny"),
        "countries": rules.country,
    },
    Soundbite: {
        "start": rules.seconds(),
        "duration": rules.seconds(above=0),
        "title": _LABEL,
    },
    Source: {"uri": rules.resource, "content_type": rules.mime_type},
    Integrity: {"type": rules.one_of("sri", "pgp-signature"), "value": rules.paragraph(4_000)},
    AlternateEnclosure: {
        "type": rules.mime_type,
        "length": rules.whole(0, 2**53),
        "bitrate": rules.bits_per_second,
        "height": rules.whole(1, 100_000),
        "lang": rules.language,
        "title": rules.line(32),
        "rel": rules.line(32),
        "codecs": rules.line(255),
    },
    Image: {
        "href": rules.web_address,
        "alt": rules.line(1_000),
        "aspect_ratio": rules.pattern(
            r"[1-9]\d{0,4}(?:\.\d{1,4})?/[1-9]\d{0,4}(?:\.\d{1,4})?",
            "It must be width and height with a slash between, such as 16/9.",
        ),
        "width": rules.whole(1, 100_000),
        "height": rules.whole(1, 100_000),
        "type": rules.mime_type,
        "purpose": _LABEL,
    },
    ContentLink: {"href": rules.web_address, "text": _LABEL},
    LivePerson: {
        "name": _LABEL,
        "role": _LABEL,
        "group": _LABEL,
        "url": rules.web_address,
        "image_url": rules.web_address,
    },
    Stream: {"url": rules.web_address, "type": rules.mime_type},
    LiveItem: {
        "guid": rules.stream_guid,
        "title": rules.line(255),
        "start": rules.instant,
        "status": rules.one_of(*LIVE_STATUSES),
        "end": rules.instant,
        "description": rules.paragraph(LONGEST_TXT),
        "link": rules.web_address,
        "image_url": rules.web_address,
    },
    FurtherFeed: {
        "name": rules.pattern(
            r"(?=.{1,64}\Z)[a-z0-9]+(?:[-_][a-z0-9]+)*",
            "It stands in an address, so it may have only letters a to z, digits and single "
            "hyphens, at most 64 of them.",
        ),
        "title": rules.line(255),
        "description": rules.paragraph(LONGEST_TXT),
        "podcast_guid": rules.uuid_text,
        "seasons": rules.whole(1, 1_000_000),
        "labels": _label_of_episodes,
        "types": rules.one_of("full", "trailer", "bonus"),
        "media": rules.one_of("audio", "video"),
        "newest": rules.whole(1, 100_000),
        "delay_hours": _HOURS,
        "early_hours": _HOURS,
    },
}
