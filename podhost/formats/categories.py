"""The categories that directories accept, read from what people write; no show's own data."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from podhost.errors import Invalid
from podhost.formats.text import plain_line, shown

Category = tuple[str, str | None]

_SEPARATOR = re.compile(r"\s*[>›»]\s*|\s+/\s+")


class _Table(NamedTuple):
    """The data file, and it once more with names folded for comparison."""

    names: Mapping[str, tuple[str, ...]]
    exact: Mapping[tuple[str, ...], Category]
    by_last_name: Mapping[str, Category]


def categories() -> Mapping[str, tuple[str, ...]]:
    """Give every category with its subcategories, in Apple's exact words and order."""
    return _table().names


def is_category(name: str, subcategory: str | None) -> bool:
    """Say whether a feed may name this pair: exact names, and the subcategory under its parent."""
    known = categories().get(name)
    return known is not None and (subcategory is None or subcategory in known)


def parse_category(value: str | Sequence[str | None]) -> Category:
    """Read a category as a person, a form or another host's feed writes it.

    Takes "Society & Culture > Places & Travel", ("Society & Culture", "Places & Travel"), "Arts",
    a bare subcategory, or a name from before August 2019; case, spaces and "and" for "&" do not
    matter. Gives the exact (category, subcategory or None). Raises Invalid, naming near matches.
    """
    parts = _SEPARATOR.split(value) if isinstance(value, str) else [part or "" for part in value]
    parts = [part for part in (plain_line(part) for part in parts) if part]
    key = tuple(_folded(part) for part in parts)
    table = _table()
    found = table.exact.get(key)
    if found is None and len(key) == 1:
        found = table.by_last_name.get(key[0])
    if found is None:
        raise _unknown(parts)
    return found


@lru_cache(maxsize=1)
def _table() -> _Table:
    text = (files("podhost") / "data" / "categories.json").read_text(encoding="utf-8")
    data = json.loads(text)
    names = {parent: tuple(children) for parent, children in data["categories"].items()}
    exact: dict[tuple[str, ...], Category] = {}
    by_last_name: dict[str, set[Category]] = {}
    legacy: dict[str, set[Category]] = {}
    for old, new in data["legacy"].items():
        path = tuple(_folded(part) for part in old.split(" > "))
        exact[path] = (new[0], new[1] if len(new) > 1 else None)
        legacy.setdefault(path[-1], set()).add(exact[path])
    for parent, children in names.items():
        exact[(_folded(parent),)] = (parent, None)
        for child in children:
            exact[(_folded(parent), _folded(child))] = (parent, child)
            by_last_name.setdefault(_folded(child), set()).add((parent, child))
    # A bare name of today wins over a bare name of the past.
    bare = {**legacy, **by_last_name}
    unique = {name: pairs.pop() for name, pairs in bare.items() if len(pairs) == 1}
    return _Table(MappingProxyType(names), exact, unique)


def _folded(name: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\band\b", "&", name.casefold())).strip()


def _unknown(parts: Sequence[str]) -> Invalid:
    if not parts:
        return Invalid("A category needs a name, such as “Arts” or “Arts > Books”.")
    written = " > ".join(parts)
    near = _near_matches(parts)
    hint = f" Did you mean {' or '.join(f'“{name}”' for name in near)}?" if near else ""
    return Invalid(f"Podcast directories know no category “{shown(written)}”.{hint}")


def _near_matches(parts: Sequence[str]) -> list[str]:
    candidates: dict[str, str] = {}
    for parent, children in categories().items():
        candidates[_folded(parent)] = parent
        for child in children:
            candidates[_folded(child)] = f"{parent} > {child}"
            candidates[f"{_folded(parent)} > {_folded(child)}"] = f"{parent} > {child}"
    wanted = [_folded(" > ".join(parts)[:100]), _folded(parts[-1][:100])]
    near = [m for name in wanted for m in difflib.get_close_matches(name, candidates, n=3)]
    return list(dict.fromkeys(candidates[name] for name in near))[:3]
