"""JSON and form fields become typed input; what is wrong with them becomes sentences, all at once.

It judges types and names only. What a value may be is said where the rows are written.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from podhost.errors import Invalid
from podhost.fields import FieldErrors
from podhost.formats.text import clean_text, truncate_text
from podhost.formats.type_sentences import type_problem

S = TypeVar("S", bound=msgspec.Struct)

MOST_NAMED = 20
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
_TRUTH = {
    "true": True, "yes": True, "on": True, "1": True,
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip
_LISTS = (list, tuple)
_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,12}", re.ASCII)


def read_json(data: bytes) -> Any:
    """The value that `data` is. Raises Invalid with a sentence when it is not valid JSON."""
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError:
        raise Invalid("This JSON is nested too deeply.") from None
    except UnicodeDecodeError:
        raise Invalid("This JSON is not UTF-8 text.") from None
    except msgspec.MsgspecError as error:
        if not data.strip():
            raise Invalid("The body is empty; it must be JSON.") from None
        if _HALF_CHARACTER.search(data) and "surrogate" in str(error):
            raise Invalid("This JSON holds half a character (a lone surrogate).") from None
        problem = str(error).partition(" - at ")[0]
        raise Invalid(f"This is not valid JSON: {problem}.") from None


def read_struct(
    values: Any, kind: type[S], told: frozenset[str] = frozenset()
) -> tuple[S, list[str]]:
    """The values as a `kind`, and warnings of unknown names.

    `told` are names that answers have: who gives an answer back means nothing by them.

    Raises Invalid with a sentence for each field whose type is wrong, or that is missing.
    """
    if not isinstance(values, dict):
        raise Invalid("The JSON must be an object in curly brackets.")
    needed = {field.encode_name for field in msgspec.structs.fields(kind) if field.required}
    wrong = {name: "It is missing." for name in sorted(needed - values.keys())}
    for name in _names(kind):
        if name not in values:
            continue
        try:
            msgspec.convert({name: values[name]}, kind)
        except msgspec.ValidationError as error:
            place, sentence = type_problem(error)
            at = place.removeprefix(".") or name
            # The others are missing only because each field is looked at alone.
            if at == name or at not in needed:
                wrong[at] = sentence
    if wrong:
        raise Invalid(" ".join(f"{name}: {text}" for name, text in wrong.items()), wrong)
    given = {name: value for name, value in values.items() if name not in told}
    warnings = unknown_warnings(_unknown(given, kind))
    fixed = [name for name in values if name in told]
    if fixed:
        warnings.append(f"These fields are told and cannot be given here: {', '.join(fixed)}.")
    return msgspec.convert(values, kind), warnings


def read_texts(texts: Mapping[str, str], kind: type[msgspec.Struct]) -> dict[str, Any]:
    """What the text fields of a form say, as JSON would have said it; fields left empty are gone.

    Lists are written in JSON. What cannot be read stays text, for `read_struct` to complain of.
    """
    values: dict[str, Any] = {}
    errors = FieldErrors()
    for name, kinds in _names(kind).items():
        if name in texts:
            with errors.noting(name):
                value = _from_text(texts[name], kinds)
                if value is not None:
                    values[name] = value
    errors.raise_any()
    return values


def with_outside_names(error: Invalid, kind: type[msgspec.Struct]) -> Invalid:
    """The error with its fields called as they are in JSON, where that differs."""
    outside = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    named = {outside.get(name, name): text for name, text in error.fields.items()}
    if named.keys() == error.fields.keys():
        return error
    return Invalid(" ".join(f"{name}: {text}" for name, text in named.items()), named)


def text_names(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The names of the fields, as they stand in forms and JSON."""
    return frozenset(_names(kind))


def read_count(value: str | None, *, default: int, least: int, most: int) -> int:
    """A number from a query, such as a limit. Raises ValueError with a sentence."""
    if value is None or value == "":
        return default
    if not _NUMBER.fullmatch(value) or not least <= int(value) <= most:
        raise ValueError(f"It must be a whole number from {least} to {most}.")
    return int(value)


def unknown_warnings(unknown: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """A sentence for each unknown field: its path, and the names that are known there."""
    warnings: list[str] = []
    for path, known in unknown:
        if len(warnings) == MOST_NAMED:
            warnings.append("More unknown fields were ignored.")
            break
        place, dot, name = path.rpartition(".")
        near = difflib.get_close_matches(name[:100].lower(), known, n=1)
        shown = truncate_text(clean_text(path).replace("\n", " "), 80)
        hint = f"; did you mean {place + dot + near[0]!r}?" if near else "."
        warnings.append(f"The field {shown!r} is not known and was ignored{hint}")
    return warnings


def _unknown(values: Mapping[str, Any], kind: type[msgspec.Struct]) -> Iterator[tuple[str, Any]]:
    known = _names(kind)
    for name, value in values.items():
        if name not in known:
            yield name, known
            continue
        if (inner := _struct(known[name])) is not None and isinstance(value, dict):
            for path, names in _unknown(value, inner):
                yield f"{name}.{path}", names
        if (inner := _element(known[name])) is not None and isinstance(value, list):
            for index, entry in enumerate(value):
                for path, names in _unknown(entry, inner):
                    yield f"{name}[{index}].{path}", names


def _names(kind: type[msgspec.Struct]) -> dict[str, tuple[Any, ...]]:
    """For each field, by its name outside, the types that it may have."""
    return {
        field.encode_name: get_args(field.type) if _is_union(field.type) else (field.type,)
        for field in msgspec.structs.fields(kind)
    }


def _is_union(kind: Any) -> bool:
    return bool(get_args(kind)) and get_origin(kind) not in _LISTS


def _element(kinds: tuple[Any, ...]) -> type[msgspec.Struct] | None:
    """The struct of which a field is a list."""
    for kind in kinds:
        if get_origin(kind) in _LISTS:
            return _struct(get_args(kind))
    return None


def _struct(kinds: tuple[Any, ...]) -> type[msgspec.Struct] | None:
    """The struct that a field may be."""
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return kind
    return None


def _from_text(text: str, kinds: tuple[Any, ...]) -> Any:
    if bool in kinds and text.strip().lower() in _TRUTH:
        return _TRUTH[text.strip().lower()]
    if str in kinds and bool not in kinds:
        return text
    if not text.strip():
        return None
    if int in kinds and _WHOLE.fullmatch(text.strip()):
        return int(text.strip())
    if any(get_origin(kind) in _LISTS for kind in kinds) or _struct(kinds) is not None:
        return read_json(text.encode())
    return text
