"""Mends the text of a feed that is not well-formed, only where nothing can be lost by it.

It looks at markup as text, in one pass for each repair, and leaves CDATA as it is; whether the
result is XML is for the parser to say.
"""

import html.entities
import re
from dataclasses import dataclass

from podhost.formats.feed_words import NAMESPACES
from podhost.formats.text import remove_forbidden

MOST_PREFIXES = 50
_OPENINGS = re.compile(r"<!\[CDATA\[|<!--|<\?")
_ENDINGS = {"<![CDATA[": "]]>", "<!--": "-->", "<?": "?>"}
_ROOT = re.compile(r"<((?:[A-Za-z_][\w.-]{0,40}:)?(?:rss|feed|rdf))(?=[\s>/])", re.IGNORECASE)
_ITEM = re.compile(r"<(?:[A-Za-z_][\w.-]{0,40}:)?(?:item|entry)(?=[\s>/])", re.IGNORECASE)
_BARE_AMPERSAND = re.compile(
    r"&(?!#[0-9]{1,10};|#[xX][0-9a-fA-F]{1,8};|[A-Za-z][A-Za-z0-9]{1,31};)"
)
# All but the five that XML itself has.
_REFERENCE = re.compile(
    r"&(?!(?:amp|lt|gt|quot|apos);)"
    r"(?:#(?P<decimal>[0-9]+)|#[xX](?P<hex>[0-9a-fA-F]+)|(?P<name>[A-Za-z][A-Za-z0-9]*));"
)
_LONE_LESS = re.compile(r"<(?!/?[^\W\d])")
_PREFIXED = re.compile(
    r"</?([A-Za-z_][A-Za-z0-9_.-]{0,40}):[A-Za-z_]"
    r"|\s([A-Za-z_][A-Za-z0-9_.-]{0,40}):[A-Za-z_][A-Za-z0-9_.-]{0,40}\s{0,9}=\s{0,9}[\"']"
)
_DECLARED = re.compile(r"xmlns:([A-Za-z_][A-Za-z0-9_.-]{0,40})\s{0,9}=")
_VOID = re.compile(r"<(br|hr|img|wbr)((?:\s[^<>]*)?)>|</(?:br|hr|img|wbr)\s{0,9}>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mending:
    """A mended feed in pieces (whether it is markup, and its text), with what was done to it.

    The line breaks before the root are the first piece, so that the parser counts lines as they
    are. `is_closed` says whether the root's end tag is there, `item_count` how many items begin.
    """

    pieces: tuple[tuple[bool, str], ...]
    repairs: tuple[str, ...]
    is_closed: bool
    item_count: int

    @property
    def text(self) -> str:
        """The whole feed, from its root to its end, without a declaration."""
        return "".join(piece for _, piece in self.pieces)


def mended(text: str) -> Mending | None:
    """The feed in `text`, mended; None when there is no root of a feed in it."""
    repairs: dict[str, None] = {}
    clean = remove_forbidden(text)
    if len(clean) < len(text):
        repairs["Characters that XML forbids were removed."] = None
    pieces = _pieces(clean)
    found = _from_root(pieces)
    if found is None:
        return None
    pieces, root, before = found
    _say_what_was_before(clean, before, repairs)
    pieces, is_closed = _to_end(pieces, root, repairs)
    item_count = sum(len(_ITEM.findall(piece)) for is_markup, piece in pieces if is_markup)
    mended_pieces = [
        (is_markup, _mended_markup(piece, repairs) if is_markup else piece)
        for is_markup, piece in pieces
    ]
    _declare_prefixes(mended_pieces, root, repairs)
    lines = (False, "\n" * clean.count("\n", 0, clean.find(f"<{root}")))
    return Mending((lines, *mended_pieces), tuple(repairs), is_closed, item_count)


def close_void_tags(mending: Mending) -> str:
    """The feed with HTML's tags that have no end closed, as they stand in text that should have
    been escaped."""
    return "".join(
        _VOID.sub(_closed_tag, piece) if is_markup else piece for is_markup, piece in mending.pieces
    )


def _closed_tag(found: re.Match[str]) -> str:
    if found[1] is None:
        return ""
    return found[0] if found[0].endswith("/>") else f"<{found[1]}{found[2]}/>"


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Markup and CDATA sections by turns; comments and processing instructions are left out."""
    pieces: list[tuple[bool, str]] = []
    unended: set[str] = set()
    start = position = 0
    while (opening := _OPENINGS.search(text, position)) is not None:
        kind = opening[0]
        position = opening.end()
        end = -1 if kind in unended else text.find(_ENDINGS[kind], position)
        if end < 0:
            # It is looked for once; every later one of its kind has no end either.
            unended.add(kind)
            continue
        if opening.start() > start:
            pieces.append((True, text[start : opening.start()]))
        position = start = end + len(_ENDINGS[kind])
        if kind == "<![CDATA[":
            pieces.append((False, text[opening.start() : start]))
    if start < len(text):
        pieces.append((True, text[start:]))
    return pieces


def _from_root(
    pieces: list[tuple[bool, str]],
) -> tuple[list[tuple[bool, str]], str, str] | None:
    """The pieces from the root on, the root's name, and the markup that stood before it."""
    before: list[str] = []
    for index, (is_markup, piece) in enumerate(pieces):
        root = _ROOT.search(piece) if is_markup else None
        if root is None:
            before.append(piece)
            continue
        before.append(piece[: root.start()])
        return [(True, piece[root.start() :]), *pieces[index + 1 :]], root[1], "".join(before)
    return None


def _say_what_was_before(text: str, before: str, repairs: dict[str, None]) -> None:
    if "<!doctype" in before.lower():
        repairs["The DOCTYPE was removed, and nothing that it defines was used."] = None
    elif before.strip() or (text[:1].isspace() and "<?xml" in text[:1000]):
        repairs["What stood before the beginning of the XML was removed."] = None


def _to_end(
    pieces: list[tuple[bool, str]], root: str, repairs: dict[str, None]
) -> tuple[list[tuple[bool, str]], bool]:
    """The pieces up to the last end tag of the root, and whether there is one."""
    end_tag = re.compile(rf"</{re.escape(root)}\s*>", re.IGNORECASE)
    for index in range(len(pieces) - 1, -1, -1):
        is_markup, piece = pieces[index]
        ends = [found.end() for found in end_tag.finditer(piece)] if is_markup else []
        if ends:
            if len(pieces) > index + 1 or piece[ends[-1] :].strip():
                repairs["What stood after the end of the feed was removed."] = None
            return [*pieces[:index], (True, piece[: ends[-1]])], True
    return pieces, False


def _mended_markup(markup: str, repairs: dict[str, None]) -> str:
    if "&" in markup:
        markup, count = _BARE_AMPERSAND.subn("&amp;", markup)
        if count:
            repairs["Signs & that begin no entity were escaped."] = None
        markup = _REFERENCE.sub(lambda found: _reference(found, repairs), markup)
    markup, count = _LONE_LESS.subn("&lt;", markup)
    if count:
        repairs["Signs < that begin no tag were escaped."] = None
    if "]]>" in markup:
        repairs["Signs ]]> that end nothing were escaped."] = None
        markup = markup.replace("]]>", "]]&gt;")
    return markup


def _reference(found: re.Match[str], repairs: dict[str, None]) -> str:
    name = found["name"]
    if name is not None:
        letters = html.entities.html5.get(f"{name};")
        if letters is None:
            repairs["Entities that nobody knows were kept as text."] = None
            return f"&amp;{name};"
        repairs["Entities of HTML, such as &nbsp;, were read as their letters."] = None
        return "".join(f"&#{ord(letter)};" for letter in letters)
    number = int(found["decimal"]) if found["decimal"] else int(found["hex"], 16)
    if number > 0x10FFFF or remove_forbidden(chr(number)) == "":
        repairs["Characters that XML forbids were removed."] = None
        return ""
    return found[0]


def _declare_prefixes(pieces: list[tuple[bool, str]], root: str, repairs: dict[str, None]) -> None:
    """Declare on the root, in place, what is used and not declared there."""
    used: dict[str, None] = {}
    for is_markup, piece in pieces:
        if is_markup and ":" in piece:
            used |= dict.fromkeys(found[1] or found[2] for found in _PREFIXED.finditer(piece))
    first = pieces[0][1]
    declared = set(_DECLARED.findall(first[: first.find(">") + 1])) | {"xml", "xmlns"}
    missing = [prefix for prefix in used if prefix not in declared][:MOST_PREFIXES]
    if not missing:
        return
    everywhere = {
        prefix for is_markup, piece in pieces if is_markup for prefix in _DECLARED.findall(piece)
    }
    said = [prefix for prefix in missing if prefix not in everywhere]
    if said:
        names = ", ".join(said[:5])
        repairs[f"Prefixes that are used without a namespace got theirs: {names}."] = None
    added = "".join(
        f' xmlns:{prefix}="{NAMESPACES.get(prefix.lower(), "urn:x-undeclared:" + prefix)}"'
        for prefix in missing
    )
    pieces[0] = (True, f"<{root}{added}{first[len(root) + 1 :]}")
