"""The table of a show's settings: complete, worded, and read back as programs would say it."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

import msgspec
import pytest

from podhost.doctor.live_rules import LIVE_RULES
from podhost.errors import Invalid
from podhost.formats.doctor_table import RULES
from podhost.shows import ShowInput
from podhost.web.studio.doctor_words import ADVICE
from podhost.web.studio.show_fields import Field
from podhost.web.studio.show_forms import read_fields, show_input
from podhost.web.studio.show_groups import EVERY_GROUP, PLACES

FIELDS = [field for group in EVERY_GROUP for field in group.fields]


def structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """The structs that a type is, may be, or is a list of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for inner in get_args(kind):
        yield from structs(inner)


def said(field: Field, path: str, value: Any) -> Iterator[tuple[str, str]]:
    """The inputs of a form that say the value."""
    if field.kind == "rows":
        for index, entry in enumerate(value or ()):
            place = f"{path}[{index}]"
            if field.is_lone:
                yield from said(field.parts[0], place, entry)
            else:
                for part in field.parts:
                    yield from said(part, f"{place}.{part.name}", entry.get(part.name))
    elif field.kind == "record":
        for part in field.parts:
            yield from said(part, f"{path}.{part.name}", (value or {}).get(part.name))
    elif field.kind == "truth":
        if value:
            yield path, "on"
    elif field.kind in ("words", "numbers"):
        yield path, ", ".join(map(str, value or ()))
    elif field.kind == "json":
        yield path, msgspec.json.encode(value).decode()
    else:
        yield path, "" if value is None else str(value)


def test_no_field_of_the_api_is_forgotten_and_none_is_there_twice() -> None:
    names = [field.name for field in FIELDS]
    assert sorted(names) == sorted(f.encode_name for f in msgspec.structs.fields(ShowInput))


@pytest.mark.parametrize("field", [f for f in FIELDS if f.kind in ("rows", "record")], ids=str)
def test_no_part_of_a_field_is_forgotten(field: Field) -> None:
    given = {f.encode_name: f.type for f in msgspec.structs.fields(ShowInput)}
    kinds = [*structs(given[field.name])]
    parts = _names(field)
    if not kinds:
        assert field.is_lone
    for kind in kinds[:1]:
        assert parts == {inner.name for inner in msgspec.structs.fields(kind)}
        required = {inner.name for inner in msgspec.structs.fields(kind) if inner.required}
        assert required <= {part.name for part in field.parts if part.is_required}


def _names(field: Field) -> set[str]:
    return {part.name for part in field.parts}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_each_has_one_line_of_help(field: Field) -> None:
    assert field.label
    assert 10 < len(field.help) <= 100
    assert field.help.endswith(".")
    assert "\n" not in field.help


def test_the_doctors_words_are_about_rules_and_fields_that_are_there() -> None:
    known = {*RULES, *LIVE_RULES, "feed-waiting"}
    assert set(ADVICE) <= known
    assert {advice.field for advice in ADVICE.values()} <= {*PLACES, "", "artwork"}


GIVEN: dict[str, Any] = {
    "title": "Tide Tables",
    "explicit": True,
    "locked": False,
    "categories": ["Arts", "Society & Culture > Documentary"],
    "license": {"name": "CC-BY-4.0"},
    "location": [{"name": "Lisboa", "rel": "creator", "country": "PT"}],
    "funding": [{"url": "https://a.example/"}, {"url": "https://b.example/", "label": "Give"}],
    "value": {
        "type": "lightning",
        "method": "lnaddress",
        "suggested": "0.00000005",
        "recipients": [
            {"type": "lnaddress", "address": "a@b.example", "split": 0, "fee": True},
            {"name": "Bo", "type": "lnaddress", "address": "b@b.example", "split": 9, "fee": False},
        ],
    },
    "media_restriction": {"relationship": "deny", "countries": ["DE", "AT"]},
    "platform_blocks": [{"id": "youtube", "block": True}, {"id": "amazon", "block": False}],
    "spotify_limit": 50,
    "spotify_countries": ["SE", "NO"],
    "slim_after": None,
    "feeds": [{"name": "season-2", "seasons": [1, 2], "types": ["full"], "private": False}],
    "people": [
        {
            "name": "Ann",
            "role": "host",
            "bio": "Ann mends nets.",
            "links": [{"url": "https://a.example/"}],
        }
    ],
    "foreign_tags": ['<x:a xmlns:x="urn:x">Ü & </x:a>', "<b/>"],
    "live_items": [{"guid": "a", "title": "Live", "start": "2026-12-01T19:00:00Z"}],
    "publisher": None,
    "medium": "podcast",
}


def sent(names: Sequence[str]) -> list[tuple[str, str]]:
    return [pair for name in names for pair in said(PLACES[name][1], name, GIVEN[name])]


def test_what_a_form_says_is_what_a_program_would_have_said() -> None:
    fields = [PLACES[name][1] for name in GIVEN]
    assert read_fields(fields, sent([*GIVEN])) == GIVEN


def test_rows_have_the_order_in_which_they_were_sent_and_empty_ones_are_none() -> None:
    pairs = [
        ("funding[7].url", "https://b.example/"),
        ("funding[0].url", " "),
        ("funding[new3].label", "Give"),
        ("people[0].role", "host"),
        ("platform_blocks[0].block", "on"),
    ]
    fields = [PLACES[name][1] for name in ("funding", "people", "platform_blocks")]
    assert read_fields(fields, pairs) == {
        "funding": [{"url": "https://b.example/"}, {"url": "", "label": "Give"}],
        "people": [],
        "platform_blocks": [],
    }


@pytest.mark.parametrize(
    ("pairs", "field"),
    [
        ([("spotify_limit", "many")], "spotify_limit"),
        ([("live_items", "[{")], "live_items"),
        ([("live_items", '{"a": 1}')], "live_items"),
        ([("feeds[3].name", "x"), ("feeds[3].seasons", "1 two")], "feeds[0].seasons[1]"),
        ([("value.type", "x"), ("value.recipients[0].split", "½")], "value.recipients[0].split"),
    ],
)
def test_what_cannot_be_read_is_refused_under_the_name_of_its_input(
    pairs: list[tuple[str, str]], field: str
) -> None:
    fields = [PLACES[pairs[0][0].partition("[")[0].partition(".")[0]][1]]
    with pytest.raises(Invalid) as caught:
        show_input(read_fields(fields, pairs))
    assert field in caught.value.fields


@pytest.mark.parametrize(
    "name",
    [
        "",
        "[",
        "funding",
        "funding[0]",
        "funding[0].url.x",
        "funding[[0]].url",
        "." * 500,
        "a" * 999,
    ],
)
def test_odd_names_of_inputs_harm_nothing(name: str) -> None:
    fields = [PLACES[field][1] for field in ("funding", "license", "title")]
    for pairs in ([(name, "x")], [(name, "x"), ("funding[0].url", "y"), (name, "z")]):
        values = read_fields(fields, pairs)
        assert isinstance(values["funding"], list)


def test_a_form_with_too_many_inputs_is_refused() -> None:
    with pytest.raises(Invalid):
        read_fields([PLACES["title"][1]], (("title", "x") for _ in range(10_001)))
