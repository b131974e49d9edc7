"""The inputs for an episode's tags that only apps read: their description, and forms read back.

What shows have too is described where shows are. It reads no rows; what a value may be is judged
where episodes are written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from podhost.episodes import EpisodeInput
from podhost.errors import Invalid
from podhost.web.inputs import read_struct
from podhost.web.studio.show_fields import (
    N_,
    Field,
    choice,
    decimal,
    line,
    needed,
    number,
    record,
    rows,
    text,
    truth,
)
from podhost.web.studio.show_fields_feed import OTHER_SHOW_PARTS, RECIPIENT_PARTS
from podhost.web.studio.show_forms import beside, read_fields
from podhost.web.studio.show_groups import PLACES


def _as_for_shows(name: str, **other: Any) -> Field:
    """The same as a show has it, but for `other`."""
    return replace(PLACES[name][1], **other)


_TIME_SPLIT = (
    needed(decimal("start", N_("From second"), placeholder="90")),
    needed(decimal("duration", N_("For so many seconds"), placeholder="210")),
    record(
        "remote_item",
        N_("To another show"),
        OTHER_SHOW_PARTS,
        N_("Its own recipients are paid. Say either this or recipients."),
        element="<podcast:remoteItem>",
    ),
    decimal("remote_start", N_("From its second"), placeholder="0"),
    decimal("remote_percentage", N_("Percent that go there"), placeholder="100"),
    rows("recipients", N_("Recipients"), RECIPIENT_PARTS, element="<podcast:valueRecipient>"),
)
_SOURCE = (
    needed(line("uri", N_("Address"), placeholder="https://video.example.org/7.mp4")),
    line("content_type", N_("Media type, if it is another")),
)
_FILE = (
    needed(line("type", N_("Media type"), placeholder="video/mp4")),
    line("title", N_("Title"), placeholder=N_("Video")),
    needed(rows("sources", N_("Addresses"), _SOURCE, element="<podcast:source>")),
    number("length", N_("Size in bytes")),
    decimal("bitrate", N_("Bits per second"), placeholder="96000"),
    number("height", N_("Height in pixels"), placeholder="1080"),
    line("lang", N_("Language"), placeholder="en"),
    line("rel", N_("Grouped as")),
    line("codecs", N_("Codecs"), placeholder="opus"),
    truth("default", N_("It is the same file as the audio")),
    record(
        "integrity",
        N_("Proof that it is whole"),
        (
            needed(
                choice(
                    "type",
                    N_("Type"),
                    (
                        ("", N_("No proof")),
                        ("sri", N_("A hash (SRI)")),
                        ("pgp-signature", N_("A PGP signature")),
                    ),
                )
            ),
            needed(text("value", N_("Hash or signature"))),
        ),
        element="<podcast:integrity>",
    ),
)
_VALUE = (
    *PLACES["value"][1].parts,
    rows(
        "time_splits",
        N_("Parts that pay others"),
        _TIME_SPLIT,
        N_("While a song of others is heard, for instance."),
        element="<podcast:valueTimeSplit>",
    ),
)

# In the order in which the page has them.
TAG_FIELDS: tuple[Field, ...] = (
    _as_for_shows("location"),
    _as_for_shows("social_interact"),
    _as_for_shows("chat"),
    _as_for_shows("value", parts=_VALUE),
    rows(
        "alternate_enclosures",
        N_("The same as other files"),
        _FILE,
        N_("Such as video, or smaller audio, that lies elsewhere; some apps offer a choice."),
        element="<podcast:alternateEnclosure>",
    ),
    _as_for_shows("other_images"),
    _as_for_shows("media_restriction"),
    _as_for_shows("txt", help=N_("Texts for programs, such as a proof that a directory asks for.")),
    _as_for_shows("foreign_tags"),
)
TAG_NAMES = tuple(field.name for field in TAG_FIELDS)


def read_tags(sent: Iterable[tuple[str, str]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The tags of a posted page as the API takes them, and what is wrong with the types of others.

    Paths are those of inputs, such as "value.recipients[0].split".
    """
    values = read_fields(TAG_FIELDS, sent)
    try:
        read_struct(values, EpisodeInput)
    except Invalid as error:
        return values, error.fields
    return values, {}


def root_of(path: str) -> str:
    """The field of a path such as location[0].name."""
    return path.partition(".")[0].partition("[")[0]


def errors_beside(errors: Mapping[str, str]) -> dict[str, str]:
    """Those of the errors that are of tags, under the names of their inputs."""
    own = {path: said for path, said in errors.items() if root_of(path) in TAG_NAMES}
    return beside(TAG_FIELDS, own)


def bare(value: Any) -> Any:
    """What a value says, however it is written down: no empty parts, numbers as text."""
    if isinstance(value, Mapping):
        inner = {name: said for name, part in value.items() if (said := bare(part)) is not None}
        return inner or None
    if isinstance(value, list | tuple):
        return [said for part in value if (said := bare(part)) is not None] or None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if value is None or value is False else str(value).strip() or None


def in_words(value: Any) -> str:
    """A tag's value for people to compare: a line for each entry, its parts with commas between."""
    entries = value if isinstance(value, list | tuple) else [value]
    return "\n".join(", ".join(_leaves(bare(entry))) for entry in entries)


def _leaves(value: Any) -> Iterable[str]:
    inner = value.values() if isinstance(value, Mapping) else value
    if inner is None or isinstance(inner, str):
        return [inner] if inner else []
    return [leaf for part in inner for leaf in _leaves(part)]
