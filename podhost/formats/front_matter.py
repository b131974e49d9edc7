"""Owns the syntax of front matter: where it stands, which values it holds, how one is put in.

It must not know what any key means; that is `showfolder`.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from podhost.errors import Conflict, Invalid
from podhost.formats.text import shown

MAX_BLOCK_BYTES = 64 * 1024
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 8
MAX_VALUES = 5_000

_OPENING = re.compile(r"\A\ufeff?(?:[ \t]*\r?\n)*(---|\+\+\+)[ \t]*(?:\r?\n|\Z)")
_CLOSING = {
    "---": re.compile(r"^---[ \t]*\r?$", re.MULTILINE),
    "+++": re.compile(r"^\+\+\+[ \t]*\r?$", re.MULTILINE),
}
# tomllib needs quadratic time for a key of many parts; no key here has more than two.
_LONG_TOML_KEY = re.compile(
    r"""[ \t\[]*+(?:(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){8}"""
)
_TOML_HEADER = re.compile(r"[ \t]*(\[{1,2})[ \t]*([\w-]+)[ \t]*\]{1,2}")
_TOML_KEY = re.compile(r"""[ \t]*["']?([\w-]+)["']?[ \t]*=""")
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)\Z")
# These need no quotes in YAML and can be taken for neither a number nor a date nor a truth value.
_PLAIN_YAML = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Block(NamedTuple):
    """Where the front matter of a text stands; `syntax` is empty when there is none."""

    syntax: str
    start: int
    end: int
    body_start: int
    first_line: int


class Values(NamedTuple):
    """What a block says, and the line of the file (from 1) on which each path stands."""

    data: dict[str, Any]
    lines: dict[str, int]


def decode_text(data: bytes) -> str:
    """Text from a file's bytes, line endings and byte order mark kept.

    Raises Invalid for what is too large or is not UTF-8 text.
    """
    if len(data) > MAX_FILE_BYTES:
        raise Invalid(f"This text file is larger than {MAX_FILE_BYTES // 1024} KB.")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Invalid("This file is UTF-16 text; save it as UTF-8.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Invalid(f"Line {line}: this is not UTF-8 text; save the file as UTF-8.") from None
    if "\0" in text:
        raise Invalid("This is not a text file: there are zero bytes in it.")
    return text


def find_block(text: str) -> Block:
    """The front matter's place: YAML between --- lines or TOML between +++ lines, at the top.

    Raises Invalid when it is opened but never closed, too large, or not encodable text.
    """
    _refuse_surrogates(text)
    opening = _OPENING.match(text)
    if opening is None:
        return Block("", 0, 0, 0, 1)
    fence = opening.group(1)
    start = opening.end()
    first_line = text.count("\n", 0, start) + 1
    closing = _CLOSING[fence].search(text, start)
    if closing is None:
        raise Invalid(
            f"Line {max(1, first_line - 1)}: the front matter begins with {fence} here "
            f"but is never closed; put a line with {fence} alone below it."
        )
    body_start = min(closing.end() + 1, len(text))
    syntax = "yaml" if fence == "---" else "toml"
    return Block(syntax, start, closing.start(), body_start, first_line)


def read_block(text: str, block: Block) -> Values:
    """The values of a text's front matter. Raises Invalid with the line of the mistake."""
    if not block.syntax:
        return Values({}, {})
    source = text[block.start : block.end]
    if block.syntax == "toml":
        return read_toml(source, block.first_line)
    return read_yaml(source, block.first_line)


def read_toml(source: str, first_line: int = 1) -> Values:
    """The values of a TOML text (TOML 1.0). Raises Invalid with the line of the mistake."""
    _refuse_large(source)
    _refuse_surrogates(source)
    for number, line in enumerate(source.split("\n"), first_line):
        if _LONG_TOML_KEY.match(line):
            raise Invalid(f"Line {number}: a key with this many dots has no meaning here.")
    try:
        data = tomllib.loads(source.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise Invalid(_toml_sentence(str(error), source, first_line)) from None
    except (ValueError, RecursionError):
        raise Invalid("This TOML has a number or a nesting far beyond any use.") from None
    return Values(data, _toml_lines(source, first_line))


def _toml_sentence(problem: str, source: str, first_line: int) -> str:
    place = _TOML_PLACE.search(problem)
    inner = place.group(1) if place else None
    line = int(inner) if inner else source.rstrip().count("\n") + 1
    reason = problem[: place.start()] if place else problem
    return (
        f"Line {line + first_line - 1}: this is not valid TOML ({shown(reason)}). "
        'Texts need quotes, as in title = "Low water".'
    )


def _toml_lines(source: str, first_line: int) -> dict[str, int]:
    # tomllib tells no positions, so this guesses from how the lines look. Only sentences use it.
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(source.split("\n"), first_line):
        if header := _TOML_HEADER.match(line):
            prefix = header.group(2)
            if header.group(1) == "[[":
                lines.setdefault(prefix, number)
                counts[prefix] = counts.get(prefix, -1) + 1
                prefix = f"{prefix}[{counts[prefix]}]"
            lines.setdefault(prefix, number)
        elif key := _TOML_KEY.match(line):
            lines.setdefault(f"{prefix}.{key.group(1)}" if prefix else key.group(1), number)
    return lines


def read_yaml(source: str, first_line: int = 1) -> Values:
    """The values of a YAML text: mappings, lists and strings, nothing else.

    All scalars stay strings (so `no` is not false and 010 is not 8). Anchors and aliases are
    refused, because a few lines of them can mean gigabytes. Raises Invalid with the line.
    """
    _refuse_large(source)
    _refuse_surrogates(source)
    try:
        _refuse_hostile_yaml(source, first_line)
        node = yaml.compose(source, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        raise Invalid(_yaml_sentence(error, first_line)) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise Invalid("The front matter holds characters that YAML does not allow.") from None
    lines: dict[str, int] = {}
    if node is None:
        return Values({}, lines)
    if not isinstance(node, yaml.MappingNode):
        raise Invalid(f"Line {first_line}: the front matter must be lines like “title: Low water”.")
    data: dict[str, Any] = _yaml_value(node, "", lines, first_line)
    return Values(data, lines)


def _yaml_sentence(error: yaml.MarkedYAMLError, first_line: int) -> str:
    mark = error.problem_mark or error.context_mark
    line = first_line + (mark.line if mark else 0)
    problem = shown(error.problem or error.context or "")
    hint = 'A text with a colon in it needs quotes, as in title: "Part 1: Low water".'
    if "\\t" in problem:
        hint = "Use spaces there, not a tab."
    return f"Line {line}: this is not valid YAML ({problem}). {hint}"


def _refuse_hostile_yaml(source: str, first_line: int) -> None:
    # Events come one by one, so this ends before anything large or deep has been built.
    depth = values = 0
    for event in yaml.parse(source, Loader=yaml.BaseLoader):
        line = first_line + (event.start_mark.line if event.start_mark else 0)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Invalid(
                f"Line {line}: names beginning with & or * are not allowed unquoted; "
                "put the text in quotes."
            )
        if isinstance(event, yaml.NodeEvent):
            values += 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or values > MAX_VALUES:
            raise Invalid(f"Line {line}: the front matter is nested too deeply or too long.")


def _yaml_value(node: yaml.Node, path: str, lines: dict[str, int], first_line: int) -> Any:
    lines[path] = first_line + node.start_mark.line
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [
            _yaml_value(item, f"{path}[{index}]", lines, first_line)
            for index, item in enumerate(node.value)
        ]
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = first_line + key_node.start_mark.line
        if not isinstance(key_node, yaml.ScalarNode):
            raise Invalid(f"Line {line}: a key must be a word.")
        key = key_node.value
        if key in found:
            raise Invalid(f"Line {line}: “{shown(key)}” stands here a second time.")
        child = f"{path}.{key}" if path else key
        found[key] = _yaml_value(value_node, child, lines, first_line)
        lines[child] = line
    return found


def write_value(text: str, key: str, value: str) -> str:
    """The text with `key` set to `value` in its front matter, every other character as it was.

    Front matter is made when there is none. A file that says so already comes back unchanged;
    Conflict is raised when it says something else, Invalid when it cannot be read or when there
    is no place for the line. Decode files with `decode_text`, or CRLF is lost on the way.
    """
    block = find_block(text)
    if not block.syntax:
        return _with_new_block(text, key, value)
    data = read_block(text, block).data
    if _is_written(data, key, value):
        return text
    wanted = {**data, key: value}
    source = text[block.start : block.end]
    for changed in _insertions(source, block.syntax, key, value, _newline(text)):
        candidate = text[: block.start] + changed + text[block.end :]
        if _says(candidate, wanted):
            return candidate
    raise _no_place(key, value)


def write_toml_value(text: str, key: str, value: str) -> str:
    """As `write_value`, for a file that is TOML from its first line (show.toml)."""
    data = read_toml(text).data
    if _is_written(data, key, value):
        return text
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    source = text.removeprefix(mark)
    for changed in _insertions(source, "toml", key, value, _newline(text)):
        try:
            found = read_toml(changed).data
        except Invalid:
            continue
        if found == {**data, key: value}:
            return mark + changed
    raise _no_place(key, value)


def _is_written(data: dict[str, Any], key: str, value: str) -> bool:
    found = data.get(key)
    if found is None or found == "":
        return False
    if found != value:
        raise Conflict(f"“{key}” is written in this file already and is never changed.")
    return True


def _says(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return read_block(text, find_block(text)).data == wanted
    except Invalid:
        return False


def _no_place(key: str, value: str) -> Invalid:
    return Invalid(f"podhost could not find the place to write {key}: {value}; write it by hand.")


def _with_new_block(text: str, key: str, value: str) -> str:
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix(mark)
    newline = _newline(text)
    gap = newline if body else ""
    made = f"---{newline}{_line_for('yaml', key, value)}{newline}---{newline}"
    if not _says(made, {key: value}):
        raise _no_place(key, value)
    return mark + made + gap + body


def _insertions(source: str, syntax: str, key: str, value: str, newline: str) -> Iterator[str]:
    """The block with the line put in, in order of taste; the caller takes the first that works."""
    line = _line_for(syntax, key, value)
    quoted = line[len(key) + 1 :].lstrip("= ")
    empty = re.compile(
        rf"^([ \t]*{re.escape(key)}[ \t]*[:=])[ \t]*(?:\"\"|'')?[ \t]*(?=#|\r?$)", re.M
    )
    if found := empty.search(source):
        comment = " " if source.startswith("#", found.end()) else ""
        yield source[: found.start()] + f"{found[1]} {quoted}{comment}" + source[found.end() :]
    first = re.search(r"^([ \t]*)[^\s#]", source, re.M)
    line = (first.group(1) if first else "") + line
    ending = "" if not source or source.endswith("\n") else newline
    yield source + ending + line + newline
    for place in (_before_tables(source), first.start() if first else 0):
        yield source[:place] + line + newline + source[place:]


def _before_tables(source: str) -> int:
    """Where the first TOML table begins, with the comments and blank lines above it."""
    place = above = 0
    for line in source.splitlines(keepends=True):
        start = line.strip()
        if start.startswith("["):
            return above
        place += len(line)
        if start and not start.startswith("#"):
            above = place
    return len(source)


def _line_for(syntax: str, key: str, value: str) -> str:
    quoted = json.dumps(value, ensure_ascii=False)
    if syntax == "toml":
        return f"{key} = {quoted}"
    return f"{key}: {value if _PLAIN_YAML.fullmatch(value) else quoted}"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _refuse_large(source: str) -> None:
    if len(source) > MAX_BLOCK_BYTES or len(source.encode("utf-8", "replace")) > MAX_BLOCK_BYTES:
        raise Invalid(
            f"The keys and values are larger than {MAX_BLOCK_BYTES // 1024} KB; "
            "long text belongs into the notes below them."
        )


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise Invalid(f"Line {line}: this is not UTF-8 text; save the file as UTF-8.") from None
