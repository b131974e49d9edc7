"""What the parts of an optional tag must say together; each part alone is judged by tag_rules.

A check gives a sentence for each place inside of the tag that is wrong.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from podhost.errors import Invalid
from podhost.formats import tag_rules as rules
from podhost.formats.foreign_tags import total_problems
from podhost.formats.podcast_namespace import normalise_role
from podhost.formats.tag_values import (
    AlternateEnclosure,
    EpisodeValue,
    FurtherFeed,
    Integrity,
    License,
    LiveItem,
    LivePerson,
    PlatformBlock,
    Recipient,
    RemoteItem,
    SocialInteract,
    Txt,
    UpdateFrequency,
    Value,
)

MOST_FEEDS = 50


def _txt_problems(tag: Txt) -> dict[str, str]:
    if tag.purpose == "ai-content" and tag.text not in ("true", "false"):
        return {".text": "It must be true or false for the purpose ai-content."}
    if tag.purpose in ("verify", "applepodcastsverify") and "\n" in tag.text:
        return {".text": "It must be one line, the proof as the directory gave it."}
    return {}


def _license_problems(tag: License) -> dict[str, str]:
    if tag.url or _is_known_license(tag.name):
        return {}
    return {".url": "It is needed for a licence that is not a known one such as CC-BY-4.0."}


def _is_known_license(name: str) -> bool:
    """Whether the name alone says what is allowed: an identifier that licences are known by."""
    return name.lower() in _KNOWN_LICENSES or bool(_CREATIVE_COMMONS.fullmatch(name))


# With the country where there is a version for it, such as CC-BY-3.0-AT.
_CREATIVE_COMMONS = re.compile(
    r"cc-by(-nc)?(-sa|-nd)?-(1\.0|2\.0|2\.5|3\.0|4\.0)(-[a-z]{2,4})?", re.ASCII | re.IGNORECASE
)
_LICENSE_NAMES = """
    cc0-1.0 mit apache-2.0 gpl-2.0-only gpl-2.0-or-later gpl-3.0-only gpl-3.0-or-later
    gfdl-1.3-only gfdl-1.3-or-later lal-1.2 lal-1.3 pddl-1.0 unlicense wtfpl
"""
_KNOWN_LICENSES = frozenset(_LICENSE_NAMES.split())


def _frequency_problems(tag: UpdateFrequency) -> dict[str, str]:
    if not (tag.label or tag.rrule or tag.complete):
        return {"": "It must have a label, an rrule, or complete."}
    if tag.rrule and "COUNT" in rules.recurrence_parts(tag.rrule) and not tag.dtstart:
        return {".dtstart": "It is needed when the rule counts; write the first day."}
    return {}


def _interact_problems(tag: SocialInteract) -> dict[str, str]:
    if tag.protocol != "disabled":
        return {} if tag.uri else {".uri": "It is needed: the address of the post."}
    if tag != SocialInteract(protocol="disabled"):
        return {"": "It can say nothing besides the protocol when that is disabled."}
    return {}


def _value_problems(tag: Value) -> dict[str, str]:
    problems = _share_problems(tag.recipients, "")
    for index, split in enumerate(tag.time_splits if isinstance(tag, EpisodeValue) else ()):
        place = f".time_splits[{index}]"
        if bool(split.remote_item) == bool(split.recipients):
            problems[place] = "It must have either a remote_item or recipients."
        elif split.recipients:
            problems |= _share_problems(split.recipients, place)
    return problems


def _share_problems(recipients: Sequence[Recipient], place: str) -> dict[str, str]:
    if sum(recipient.split for recipient in recipients) == 0:
        return {f"{place}.recipients": "It must give somebody a share of at least 1."}
    return {}


def _integrity_problems(tag: Integrity) -> dict[str, str]:
    if tag.type == "sri" and not rules.is_sri(tag.value):
        return {".value": "It must be a hash such as sha384- and 64 letters in base64."}
    return {}


def _person_problems(tag: LivePerson) -> dict[str, str]:
    try:
        normalise_role(tag.role, tag.group)
    except Invalid as error:
        return {".role": f"It is none that apps know. {error.message}"}
    return {}


def _live_problems(tag: LiveItem) -> dict[str, str]:
    if tag.end and datetime.fromisoformat(tag.end) <= datetime.fromisoformat(tag.start):
        return {".end": "It must be later than start."}
    problems = _default_problems(tag.alternate_enclosures)
    return {f".alternate_enclosures{place}": text for place, text in problems.items()}


_SECRET_CHARS, _SECRET_KINDS = 20, 8


def _feed_problems(tag: FurtherFeed) -> dict[str, str]:
    if tag.delay_hours and tag.early_hours:
        return {".early_hours": "It cannot stand beside delay_hours."}
    rule = (tag.seasons, tag.labels, tag.types, tag.media, tag.newest, tag.delay_hours)
    if not any(rule) and not tag.is_private:
        return {
            "": "It must choose episodes by seasons, labels, types, media, newest or delay_hours, "
            "or be private; else it is the show's feed once more."
        }
    is_secret = len(tag.name) >= _SECRET_CHARS and len(set(tag.name)) >= _SECRET_KINDS
    if tag.is_private and not is_secret:
        return {
            ".name": "It must be one that nobody guesses, because whoever knows it has the feed: "
            f"{_SECRET_CHARS} characters or more, such as `openssl rand -hex 16` prints."
        }
    return {}


CHECKS: Mapping[type, Callable[[Any], dict[str, str]]] = {
    LivePerson: _person_problems,
    LiveItem: _live_problems,
    Txt: _txt_problems,
    License: _license_problems,
    UpdateFrequency: _frequency_problems,
    SocialInteract: _interact_problems,
    Value: _value_problems,
    EpisodeValue: _value_problems,
    Integrity: _integrity_problems,
    FurtherFeed: _feed_problems,
}


def _default_problems(tags: Sequence[AlternateEnclosure]) -> dict[str, str]:
    if sum(tag.default for tag in tags) > 1:
        return {"": "It can have one default only."}
    return {}


def _block_problems(tags: Sequence[PlatformBlock]) -> dict[str, str]:
    if len({tag.id for tag in tags}) < len(tags):
        return {"": "It names a platform twice."}
    return {}


def _publisher_problems(tag: RemoteItem) -> dict[str, str]:
    if tag.medium not in (None, "publisher"):
        return {".medium": "It must be publisher, or left out."}
    return {}


def _guid_problems(tags: Sequence[LiveItem]) -> dict[str, str]:
    first = {tag.guid: index for index, tag in reversed([*enumerate(tags)])}
    return {
        f"[{index}].guid": "It is that of another stream; apps tell streams apart by it."
        for index, tag in enumerate(tags)
        if first[tag.guid] != index
    }


def _name_problems(tags: Sequence[FurtherFeed]) -> dict[str, str]:
    if len(tags) > MOST_FEEDS:
        return {"": f"It has {len(tags)} feeds; {MOST_FEEDS} are the most."}
    for key in ("name", "podcast_guid"):
        found = [value for tag in tags if (value := getattr(tag, key))]
        if len(set(found)) < len(found):
            return {"": f"It has two feeds with the same {key}."}
    return {}


LIST_CHECKS: Mapping[str, Callable[[Any], dict[str, str]]] = {
    "alternate_enclosures": _default_problems,
    "platform_blocks": _block_problems,
    "publisher": _publisher_problems,
    "live_items": _guid_problems,
    "foreign_tags": total_problems,
    "feeds": _name_problems,
}
