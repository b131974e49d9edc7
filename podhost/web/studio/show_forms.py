"""The forms of a show's settings, read back by their description alone; it writes nothing.

Inputs are called as the API names what is wrong: `title`, `license.url`, `funding[0].label`. The
order of rows is that in which they were sent, whatever their numbers, so that a script may move
them about.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from podhost.errors import Invalid
from podhost.shows import ShowInput
from podhost.web.inputs import read_json, read_struct
from podhost.web.studio.show_fields import Field

_STEP = re.compile(r"\[([0-9a-z]{1,12})\]|\.?([a-z_]{1,40})", re.ASCII)
_DEEPEST = 8
# More would be no settings that somebody typed.
_MOST_INPUTS = 10_000
_NUMBER = re.compile(r"-?[0-9]{1,12}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,12}(?:[.,][0-9]{1,9})?", re.ASCII)
_BETWEEN = re.compile(r"[,;\s]+")

Tree = dict[str, Any]


def read_fields(fields: Sequence[Field], sent: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What a form says of these fields, as JSON would have said it.

    What cannot be read stays the text that it is, for `show_input` to complain of.
    """
    tree = _tree(sent)
    return {field.name: _value(field, tree.get(field.name)) for field in fields}


def show_input(values: Mapping[str, Any]) -> ShowInput:
    """The values as what a show may be told. Raises Invalid for wrong types."""
    given, _ = read_struct(dict(values), ShowInput)
    return given


def name_private_feeds(feeds: Iterable[dict[str, Any]]) -> None:
    """Give private feeds that were left without a name one that nobody guesses."""
    for feed in feeds:
        is_private = feed.get("private") or feed.get("early_hours")
        if is_private and not feed.get("name"):
            feed["name"] = secrets.token_hex(16)


def stored_values(fields: Sequence[Field], told: msgspec.Struct) -> dict[str, Any]:
    """The values of these fields as they are now, out of what the API tells of the show."""
    values = msgspec.to_builtins(told)
    return {field.name: values[field.name] for field in fields}


def beside(fields: Sequence[Field], errors: Mapping[str, str]) -> dict[str, str]:
    """The errors under the names of the inputs that they stand beside: lists that are one input
    have one error, which says where in the list it is."""
    placed: dict[str, str] = {}
    for path, text in errors.items():
        input_path = _input_path(fields, path)
        rest = path.removeprefix(input_path)
        is_inside = rest.startswith("[") and "." in rest
        placed.setdefault(input_path, f"{rest}: {text}" if is_inside else text)
    return placed


def labels_of(fields: Sequence[Field], paths: Iterable[str]) -> dict[str, str]:
    """What the inputs of these paths are called on the page, where they are any."""
    found: dict[str, str] = {}
    for path in paths:
        known, label = fields, ""
        for step in _STEP.finditer(path):
            if step[2] is not None:
                field = next((field for field in known if field.name == step[2]), None)
                if field is None:
                    break
                known, label = field.parts, field.label
        if label:
            found[path] = label
    return found


def _input_path(fields: Sequence[Field], path: str) -> str:
    """The part of the path that is an input of these fields."""
    steps = _STEP.finditer(path)
    known, end = fields, 0
    for step in steps:
        if step[2] is None:
            end = step.end()
            continue
        field = next((field for field in known if field.name == step[2]), None)
        if field is None:
            return path
        end, known = step.end(), field.parts
        if field.kind in ("words", "numbers", "json"):
            return path[:end]
    return path


def as_json(value: Any) -> str:
    """A value as the text of a field for JSON; what could not be read stays as it was sent."""
    if not value:
        return ""
    if isinstance(value, str):
        return value
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _tree(sent: Iterable[tuple[str, str]]) -> Tree:
    """The inputs as a tree by the steps of their names; of two with one name, the last counts."""
    root: Tree = {}
    for index, (name, value) in enumerate(sent):
        if index >= _MOST_INPUTS:
            raise Invalid(f"The form has more than {_MOST_INPUTS} fields.")
        if steps := _steps(name):
            branch = root
            for step in steps[:-1]:
                inner = branch.setdefault(step, {})
                if not isinstance(inner, dict):
                    break
                branch = inner
            else:
                branch[steps[-1]] = value
    return root


def _steps(name: str) -> list[str]:
    found = [key or part for key, part in _STEP.findall(name)]
    is_whole = "".join(match[0] for match in _STEP.finditer(name)) == name
    return found if is_whole and len(found) <= _DEEPEST else []


def _value(field: Field, sent: Any) -> Any:
    match field.kind:
        case "truth":
            return isinstance(sent, str)
        case "record":
            return _record(field, sent)
        case "rows":
            entries = sent.values() if isinstance(sent, dict) else ()
            return [entry for one in entries if (entry := _entry(field, one)) not in (None, "")]
    written = sent.replace("\r\n", "\n") if isinstance(sent, str) else ""
    match field.kind:
        case "words":
            return _BETWEEN.split(written.strip()) if written.strip() else []
        case "numbers":
            return [*map(_number, _BETWEEN.split(written.strip()))] if written.strip() else []
        case "number":
            return _number(written)
        case "decimal":
            return _decimal(written)
        case "json":
            return _json(written)
        case "text":
            return written
    return written.strip()


def _entry(field: Field, sent: Any) -> Any:
    return _value(field.parts[0], sent) if field.is_lone else _record(field, sent)


def _record(field: Field, sent: Any) -> dict[str, Any] | None:
    """The parts that say something; None when nothing but boxes, defaults and hidden ones do."""
    tree = sent if isinstance(sent, dict) else {}
    values = {part.name: _value(part, tree.get(part.name)) for part in field.parts}
    if not any(_says_something(part, values[part.name]) for part in field.parts):
        return None
    # An empty list says that there are none; of what is left out, nothing is said.
    is_said = ("truth", "rows")
    kept = {part.name for part in field.parts if part.is_required or part.kind in is_said}
    return {name: value for name, value in values.items() if name in kept or value or value == 0}


def _says_something(part: Field, value: Any) -> bool:
    """A box, what nobody typed, and what an empty row begins with make no row."""
    return part.kind not in ("truth", "hidden") and value not in (None, "", [], part.default)


def _number(written: str) -> Any:
    text = written.strip()
    if not text:
        return None
    return int(text) if _NUMBER.fullmatch(text) else text


def _decimal(written: str) -> Any:
    text = written.strip()
    if not _DECIMAL.fullmatch(text):
        return text or None
    number = float(text.replace(",", "."))
    return int(number) if number.is_integer() else number


def _json(written: str) -> Any:
    if not written.strip():
        return None
    try:
        return read_json(written.encode())
    except Invalid:
        return written
