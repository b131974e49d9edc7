"""Owns how one raw value of a text file becomes a typed one, and the sentence when it cannot.

It must not know which files and keys there are; that is `showfolder`.
"""

import difflib
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from podhost.errors import Invalid
from podhost.formats.categories import parse_category
from podhost.formats.languages import is_language_code
from podhost.formats.text import (
    LONGEST_GUID,
    absolute_url,
    clean_text,
    is_guid,
    plain_line,
    remove_forbidden,
    shown,
)

MAX_LIST = 200
MAX_REPORTED = 20

Reader = Callable[[Any], Any]


class WrongError(Exception):
    """Problems of one value: from the path below it ("" for itself) to a sentence."""

    def __init__(self, problems: str | Mapping[str, str]) -> None:
        super().__init__()
        self.problems = {"": problems} if isinstance(problems, str) else dict(problems)


class Keys(NamedTuple):
    """What a table of a file may hold: a reader for each key, which of them must be there, and
    for words that other programs use the sentence that says what to write instead."""

    readers: Mapping[str, Reader]
    required: frozenset[str] = frozenset()
    hints: Mapping[str, str] = {}


def read_table(data: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """The values that are there, typed. Empty ones count as absent, so the default stands.

    Raises WrongError with all that is wrong in the table and below it.
    """
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for key, value in data.items():
        if key not in keys.readers:
            problems[shown(key)] = _unknown(key, keys, len(problems))
        elif value not in ("", [], {}):
            try:
                found[key] = keys.readers[key](value)
            except WrongError as error:
                problems |= _below(key, error.problems)
    for key in sorted(keys.required - found.keys()):
        problems.setdefault(key, f"“{key}” is missing.")
    if problems:
        raise WrongError(problems)
    return found


def _below(key: str, problems: Mapping[str, str]) -> dict[str, str]:
    # A path with a dot comes from a table, whose sentences name their key already.
    return {
        key + path: sentence if "." in path else f"“{key}” {sentence}"
        for path, sentence in problems.items()
    }


def _unknown(key: str, keys: Keys, earlier: int) -> str:
    folded = key.lower().replace("-", "_").replace(" ", "_")
    hint = keys.hints.get(folded)
    if hint is None and folded in keys.readers:
        hint = f"did you mean “{folded}”?"
    if hint is None and earlier < MAX_REPORTED:
        words = difflib.get_close_matches(folded[:40], keys.readers, 1, 0.6)
        hint = f"did you mean “{words[0]}”?" if words else None
    return f"podhost does not know the key “{shown(key)}”; " + (
        hint or "the keys are " + ", ".join(keys.readers) + "."
    )


_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)? ?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read_text(value: Any) -> str:
    """Plain text that may have line breaks."""
    if not isinstance(value, str):
        raise WrongError("must be a text; put it in quotes.")
    readable = clean_text(value)
    if not readable:
        raise WrongError("has no readable letters in it.")
    return readable


def read_line(value: Any) -> str:
    """Plain text in one line, pasted markup taken off."""
    line = plain_line(read_text(value))
    if not line:
        raise WrongError("has no readable letters in it.")
    return line


def choice(*allowed: str) -> Reader:
    def read(value: Any) -> str:
        word = read_line(value)
        # Some of the namespace's own words have capitals.
        for known in allowed:
            if word.lower() == known.lower():
                return known
        raise WrongError(f"can be {', '.join(allowed)}, not “{shown(word)}”.")

    return read


def read_truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in _TRUTH:
        raise WrongError("can be true or false.")
    return _TRUTH[word]


def read_number(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,7}", value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
        raise WrongError("must be a whole number from 1 to 1000000.")
    return value


def read_url(value: Any) -> str:
    """An absolute http or https address of at most 2,000 characters, percent-encoded."""
    url = read_text(value)
    try:
        # One that is encoded already may be many times as long.
        if len(unquote(url)) > 2_000 or re.search(r"\s", url):
            raise ValueError(url)
        return absolute_url(url)
    except ValueError:
        raise WrongError("must be a web address like https://ann.example/.") from None


def read_path(value: Any) -> str:
    """A file inside the show's folder, with / between its parts, letter by letter as written."""
    path = value.strip() if isinstance(value, str) else read_text(value)
    if "\\" in path:
        raise WrongError("must have / between folders, not \\.")
    parts = path.removeprefix("./").split("/")
    odd = remove_forbidden(path) != path or "\n" in path or ":" in parts[0]
    if odd or {"", ".", ".."}.intersection(parts):
        raise WrongError("must name a file inside the show's folder, like guests/ann.jpg.")
    return "/".join(parts)


def read_image(value: Any) -> str:
    return read_url(value) if isinstance(value, str) and "://" in value else read_path(value)


def read_language(value: Any) -> str:
    code = read_line(value).lower().replace("_", "-")
    if not is_language_code(code):
        raise WrongError("must be a language code like en, de or pt-br.")
    return code


def read_category(value: Any) -> str:
    """One of Apple's categories in its exact words, "Category" or "Category > Subcategory"."""
    try:
        name, subcategory = parse_category(read_line(value))
    except Invalid as error:
        raise WrongError(f"is not one that apps know. {error.message}") from None
    return f"{name} > {subcategory}" if subcategory else name


def read_slug(value: Any) -> str:
    slug = read_line(value).lower()
    if not _SLUG.fullmatch(slug) or len(slug) > 64:
        raise WrongError("must be made of letters a to z, digits and single hyphens, at most 64.")
    return slug


def read_guid(value: Any) -> str:
    """Any string that feeds can carry: imported ones are kept letter by letter (PSP-1)."""
    if not isinstance(value, str):
        raise WrongError("must be a text; put it in quotes.")
    if not is_guid(value):
        raise WrongError(f"must be one line of at most {LONGEST_GUID} characters.")
    return value


def read_podcast_guid(value: Any) -> str:
    try:
        found = uuid.UUID(read_line(value))
    except ValueError:
        found = None
    if found is None or str(found) != read_line(value).lower():
        raise WrongError("must be a UUID like 917393e3-1b1e-5cef-ace4-edaa54e1f810.")
    return str(found)


def read_email(value: Any) -> str:
    address = read_text(value)
    if not re.fullmatch(r"[^@\s<>\"]{1,254}@[^@\s<>\"]{1,254}", address):
        raise WrongError("must be a mail address like ann@ann.example.")
    return address


def read_time_zone(value: Any) -> str:
    name = read_text(value)
    try:
        return ZoneInfo(name).key
    except (LookupError, ValueError, OSError):
        raise WrongError("must be a time zone like UTC or Europe/Lisbon.") from None


def read_moment(value: Any) -> datetime:
    """A date (midnight), a time without zone, or a time with zone, always whole seconds."""
    found = _native_date(value)
    if isinstance(value, str) and (match := _DATE.fullmatch(value.strip())):
        day, clock, zone = match.groups()
        try:
            found = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone or ''}")
        except ValueError:
            raise WrongError("is a day or an hour that does not exist.") from None
    if found is None:
        raise WrongError("must look like 2026-03-01, 2026-03-01 09:00 or 2026-03-01T09:00Z.")
    if not 1970 <= found.year <= 2199:
        raise WrongError("must lie between 1970 and 2199.")
    return found.replace(microsecond=0)


def _native_date(value: Any) -> datetime | None:
    # TOML has dates and times of its own.
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, time()) if isinstance(value, date) else None


def list_of(reader: Reader) -> Reader:
    """A list; a single value is taken as a list of one."""

    def read(value: Any) -> tuple[Any, ...]:
        items = value if isinstance(value, list) else [value]
        if len(items) > MAX_LIST:
            raise WrongError(f"has more than {MAX_LIST} entries.")
        found: list[Any] = []
        problems: dict[str, str] = {}
        for index, item in enumerate(items):
            try:
                found.append(reader(item))
            except WrongError as error:
                for path, sentence in error.problems.items():
                    where = sentence if "." in path else f"entry {index + 1} {sentence}"
                    problems[f"[{index}]{path}"] = where
        if problems:
            raise WrongError(problems)
        return tuple(found)

    return read


def table_of(keys: Keys, what: str) -> Reader:
    """A reader for a table within a file; `what` says in a sentence what is expected there."""

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise WrongError(f"must be {what}.")
        try:
            return read_table(value, keys)
        except WrongError as error:
            raise WrongError({f".{key}": text for key, text in error.problems.items()}) from None

    return read
