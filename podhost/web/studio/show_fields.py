"""Every setting of a show as its pages show it: words, kind, place in the feed; it reads no form.

One description for each field of the API's `ShowInput`, under the API's own name, so that pages,
forms and programs cannot come to differ. What a value may be is judged where shows are written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Kind = Literal[
    "line",
    "text",
    "address",
    "mail",
    "truth",
    "choice",
    "number",
    "decimal",
    "words",
    "numbers",
    "record",
    "rows",
    "json",
    "hidden",
    "language",
    "time_zone",
    "category",
    "role",
    "country",
]
Choices = tuple[tuple[str, str], ...]


def N_(text: str) -> str:
    """Mark a sentence that is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting, or a part of one.

    `name` is that of the API; "" for entries of a list that are single texts. `element` is what it
    becomes in the feed. `parts` are those of a record or of each row. `is_rare` folds it away
    until it is used. `default` is what a new row begins with.
    """

    name: str
    label: str
    help: str = ""
    kind: Kind = "line"
    element: str = ""
    choices: Choices = ()
    parts: tuple["Field", ...] = ()
    placeholder: str = ""
    is_required: bool = False
    is_rare: bool = False
    default: Any = None

    @property
    def is_list(self) -> bool:
        """Whether its value is a list."""
        return self.kind in ("rows", "words", "numbers")

    @property
    def is_lone(self) -> bool:
        """Whether its rows are single values."""
        return self.kind == "rows" and self.parts[0].name == ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A page of settings: its part of the address, its title and a line on what is there."""

    name: str
    title: str
    help: str
    fields: tuple[Field, ...]

    @property
    def usual(self) -> Sequence[Field]:
        """Those that most shows need."""
        return [field for field in self.fields if not field.is_rare]

    @property
    def rare(self) -> Sequence[Field]:
        """Those that few shows need."""
        return [field for field in self.fields if field.is_rare]


def line(name: str, label: str, help: str = "", **more: Any) -> Field:
    """A line of text."""
    return Field(name=name, label=label, help=help, **more)


def text(name: str, label: str, help: str = "", **more: Any) -> Field:
    """Text of several lines."""
    return Field(name=name, label=label, help=help, kind="text", **more)


def address(name: str, label: str, help: str = "", **more: Any) -> Field:
    """A web address."""
    return Field(name=name, label=label, help=help, kind="address", **more)


def mail(name: str, label: str, help: str = "", **more: Any) -> Field:
    """An e-mail address."""
    return Field(name=name, label=label, help=help, kind="mail", **more)


def truth(name: str, label: str, help: str = "", **more: Any) -> Field:
    """Yes or no."""
    return Field(name=name, label=label, help=help, kind="truth", **more)


def number(name: str, label: str, help: str = "", **more: Any) -> Field:
    """A number."""
    return Field(name=name, label=label, help=help, kind="number", **more)


def decimal(name: str, label: str, help: str = "", **more: Any) -> Field:
    """A number that may have a point."""
    return Field(name=name, label=label, help=help, kind="decimal", **more)


def word_list(name: str, label: str, help: str = "", **more: Any) -> Field:
    """Words with commas between."""
    return Field(name=name, label=label, help=help, kind="words", **more)


def choice(name: str, label: str, choices: Choices, help: str = "", **more: Any) -> Field:
    """One of a few."""
    return Field(name=name, label=label, help=help, kind="choice", choices=choices, **more)


def record(name: str, label: str, parts: Sequence[Field], help: str = "", **more: Any) -> Field:
    """Something that has parts."""
    return Field(name=name, label=label, help=help, kind="record", parts=tuple(parts), **more)


def rows(name: str, label: str, parts: Sequence[Field], help: str = "", **more: Any) -> Field:
    """A list of things that have parts."""
    return Field(name=name, label=label, help=help, kind="rows", parts=tuple(parts), **more)


def needed(field: Field) -> Field:
    """The same field, without which there is nothing to say."""
    return replace(field, is_required=True)


def all_words(fields: Sequence[Field]) -> Iterator[str]:
    """Every sentence of these fields that is translated where it is shown."""
    for field in fields:
        yield from filter(None, (field.label, field.help))
        # Words of the feed itself are the same in every language.
        yield from (text for value, text in field.choices if text != value)
        yield from all_words(field.parts)


def by_name(groups: Sequence[Group]) -> Mapping[str, tuple[Group, Field]]:
    """Where each field stands."""
    return {field.name: (group, field) for group in groups for field in group.fields}
