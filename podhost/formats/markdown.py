"""Show notes: Markdown and foreign HTML in, the few clean HTML tags that podcast apps show out.

It decides what markup may stand in a feed or on a page; where the notes end up is not its business.
"""

import html
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urljoin

from markdown_it import MarkdownIt
from markdown_it.token import Token

from podhost.errors import Invalid
from podhost.formats.tangles import is_entangled
from podhost.formats.text import (
    absolute_url,
    clean_text,
    is_plain_url,
    plain_line,
    plain_text,
    remove_forbidden,
)

if TYPE_CHECKING:
    import nh3

MAX_NOTES_BYTES = 128_000
# A link reference used ten thousand times unfolds 100 KB of Markdown to 15 MB of HTML.
MAX_NOTES_HTML_BYTES = 1_000_000
_UNFOLDED = "These show notes use the same long link too often; write it out less."


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


# Apple shows p, ol, ul, li, a; PSP-1 adds the emphasis; the rest degrades to its text.
ALLOWED_TAGS = _words("p ol ul li a b i strong em br h2 h3 blockquote code pre")

_HEADINGS = {"h1": "h2", "h2": "h2", "h3": "h3", "h4": "h3", "h5": "h3", "h6": "h3"}
# These vanish, but what stood in two of them must not run together.
_BOXES = _words(
    "div section article header footer main aside nav address figure figcaption dl dt dd"
    " table caption tr hr fieldset details summary"
)
_CELLS = frozenset({"td", "th"})
_BLOCKS = _words("p ol ul li h2 h3 blockquote pre")
_PLAIN_TAGS = ALLOWED_TAGS - {"a", "br"}
_KNOWN_TAGS = {*ALLOWED_TAGS, *_HEADINGS, *_BOXES, *_CELLS, "img"}
_DROPPED_WITH_CONTENT = _words(
    "script style iframe form object embed noscript template textarea select button title svg math"
    " audio video canvas"
)

_TOKEN = re.compile(
    r"<(?P<end>/?)(?P<tag>[a-z][a-z0-9]*)(?P<attributes>(?:\s+[a-z][a-z\-]*=\"[^\"]*\")*)\s*/?>"
    r"|(?P<text>[^<]+|<)"
)
_ATTRIBUTE = re.compile(r"([a-z\-]+)=\"([^\"]*)\"")
_HREF = re.compile(r"\shref=\"([^\"]*)\"")
_BARE_URL = re.compile(r"\bhttps?://[^\s<>\"'`“”‘’«»]+", re.IGNORECASE)
_MAIL = re.compile(r"mailto:[^\s@?]+@[^\s@?]+(?:\?\S*)?", re.IGNORECASE)


def render_notes(markdown: str, *, base_url: str | None = None) -> str:
    """Give clean HTML of notes in Markdown (CommonMark, HTML allowed, line breaks kept).

    `base_url` is the page that relative links are relative to; without it they become text.
    Raises Invalid for more than 128 KB of Markdown, or for notes that unfold to 1 MB of HTML.
    """
    text = clean_text(markdown)
    if len(text.encode("utf-8")) > MAX_NOTES_BYTES:
        raise Invalid(f"Show notes may be {MAX_NOTES_BYTES // 1000} KB long; these are longer.")
    parser = _parser()
    references: dict[str, Any] = {}
    tokens = parser.parse(text, references)
    if _attribute_chars(tokens) > MAX_NOTES_HTML_BYTES:
        raise Invalid(_UNFOLDED)
    rendered = parser.renderer.render(tokens, parser.options, references)
    if len(rendered) > MAX_NOTES_HTML_BYTES:
        raise Invalid(_UNFOLDED)
    return clean_html(rendered, base_url=base_url)


def _attribute_chars(tokens: Sequence[Token]) -> int:
    """How long addresses and titles are together once each stands where it is used."""
    spans = [span for token in tokens for span in token.children or ()]
    return sum(len(str(value)) for span in spans for value in span.attrs.values())


def clean_html(foreign_html: str, *, base_url: str | None = None) -> str:
    """Give foreign HTML with the allowed tags only, every link absolute, nothing that runs.

    Headings become h2 and h3, pictures links to themselves, bare addresses links; links that are
    neither http, https nor mailto become their text. Empty elements are left out, and HTML nested
    more than 100 elements deep, or in a tangle of unclosed ones, becomes its text.
    """
    # The cleaner takes no lone surrogates, and nobody needs what XML forbids.
    foreign_html = remove_forbidden(foreign_html)
    if is_entangled(foreign_html):
        foreign_html = html.escape(plain_text(foreign_html), quote=False)
    # Last, because &#11; was five harmless characters before nh3 read it.
    return clean_text(_rewritten(_cleaner().clean(foreign_html), base_url))


def notes_text(notes_html: str, *, with_links: bool = False) -> str:
    """Give the plain text of clean notes: paragraphs apart, list items with a hyphen.

    `with_links` adds each address in brackets behind its link, for mail and plain-text readers.
    """
    writer = _TextWriter(with_links)
    for token in _tokens(notes_html):
        writer.write(token)
    text = re.sub(r"[ \t]+\n", "\n", "".join(writer.out))
    return clean_text(re.sub(r"\n{3,}", "\n\n", text))


def notes_line(notes_html: str) -> str:
    """Give the plain text of clean notes on one line, with a dot between the items of lists."""
    line = " ".join(re.sub(r"(?m)^[ \t]*- ", "· ", notes_text(notes_html)).split())
    return line.removeprefix("· ")


def truncate_html(notes_html: str, max_bytes: int) -> str:
    """Give clean notes in at most `max_bytes` bytes of UTF-8, markup included and all tags closed.

    Never cuts inside a character, an entity or a tag; a cut text ends in an ellipsis.
    """
    notes_html = remove_forbidden(notes_html)
    if len(notes_html.encode("utf-8")) <= max_bytes:
        return notes_html
    return _Truncation(max_bytes).run(notes_html)


class _Token(NamedTuple):
    """A tag (name, end or not, attributes unescaped) or, with an empty tag, a run of text."""

    tag: str
    is_end: bool
    attributes: dict[str, str]
    text: str


def _tokens(clean: str) -> Iterator[_Token]:
    """Split HTML as nh3 and this module write it: quoted attributes, no comments, no bare `<`."""
    for match in _TOKEN.finditer(clean):
        if (text := match["text"]) is not None:
            yield _Token("", False, {}, text)
            continue
        yield _Token(match["tag"], bool(match["end"]), _attributes(match["attributes"]), match[0])


def _attributes(written: str) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(written)}


def _href(written: str) -> str:
    match = _HREF.search(written)
    return html.unescape(match[1]) if match else ""


def _rewritten(safe: str, base_url: str | None) -> str:
    writer = _Writer(base_url)
    # Not by _tokens: an import writes hundreds of thousands of them.
    for end, tag, attributes, text in _TOKEN.findall(safe):
        if text:
            writer.write_text(text)
        else:
            writer.write_tag(_HEADINGS.get(tag, tag), bool(end), attributes)
    writer.trim()
    return "".join(writer.out)


class _Writer:
    """Writes what apps can show; remembers where it is, to keep links from nesting."""

    def __init__(self, base_url: str | None) -> None:
        self.out: list[str] = []
        self._base_url = base_url
        self._links: list[str] = []
        self._code_depth = 0
        self._needs_break = False

    def write_tag(self, tag: str, is_end: bool, attributes: str) -> None:
        if tag in _PLAIN_TAGS:
            if is_end:
                self._write_end(tag)
            else:
                self._write_start(tag)
        elif tag == "a":
            self._write_link(is_end, attributes)
        elif tag == "img":
            self._write_picture(_attributes(attributes))
        elif tag in _BOXES:
            self._needs_break = bool(self.out) and not self._code_depth
        elif tag in _CELLS:
            if self._wants_space():
                self.out.append(" ")
        elif tag == "br" and not self._is_at_line_start():
            self.out.append("<br>")

    def trim(self) -> None:
        """Take back the spaces and line breaks that end a block."""
        while self.out and (self.out[-1] == "<br>" or not self.out[-1].strip()):
            self.out.pop()

    def _write_start(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._needs_break = False
        else:
            self._break()
        self._code_depth += tag in ("code", "pre")
        self.out.append(f"<{tag}>")

    def _write_end(self, tag: str) -> None:
        self._code_depth -= tag in ("code", "pre")
        if tag in _BLOCKS:
            self._needs_break = False
            self.trim()
        if self.out and self.out[-1] == f"<{tag}>":
            self.out.pop()
        else:
            self.out.append(f"</{tag}>")

    def write_text(self, escaped: str) -> None:
        if not escaped.strip() and not self._code_depth and not self._wants_space():
            return
        self._break()
        if "&" not in escaped and "://" not in escaped and ">" not in escaped and escaped != "<":
            self.out.append(escaped)
            return
        text = html.unescape(escaped)
        if self._links or self._code_depth:
            self.out.append(html.escape(text, quote=False))
            return
        position = 0
        for match in _BARE_URL.finditer(text):
            address = _without_trailing_punctuation(match[0])
            url = self._absolute(address)
            if url is None:
                continue
            before = text[position : match.start()]
            self.out += [html.escape(before, quote=False), link(url, address)]
            position = match.start() + len(address)
        self.out.append(html.escape(text[position:], quote=False))

    def _write_link(self, is_end: bool, attributes: str) -> None:
        if is_end:
            opened = self._links.pop() if self._links else ""
            # A link without text could not be tapped.
            if opened and self.out[-1].startswith("<a "):
                self.out.append(html.escape(opened, quote=False))
            if opened:
                self.out.append("</a>")
            return
        self._break()
        url = None if any(self._links) else self._absolute(_href(attributes))
        self._links.append(url or "")
        if url:
            self.out.append(f'<a href="{html.escape(url)}">')

    def _write_picture(self, attributes: dict[str, str]) -> None:
        self._break()
        text = plain_line(attributes.get("alt", ""))
        url = None if any(self._links) else self._absolute(attributes.get("src", ""))
        self.out.append(link(url, text or url) if url else html.escape(text, quote=False))

    def _break(self) -> None:
        if self._needs_break and not self._is_at_line_start() and self.out[-1] != "<br>":
            self.out.append("<br>")
        self._needs_break = False

    def _is_at_line_start(self) -> bool:
        """Say whether nothing stands on the present line of the present block yet."""
        last = next((piece for piece in reversed(self.out) if piece.strip()), "")
        return not last or (last.startswith("<") and last.strip("</>") in _BLOCKS)

    def _wants_space(self) -> bool:
        # Never two in a row, or looking back over them could take for ever.
        return bool(self.out) and not self._needs_break and bool(self.out[-1].strip())

    def _absolute(self, address: str) -> str | None:
        return absolute_link(address, self._base_url)


def absolute_link(address: str, base_url: str | None) -> str | None:
    """Give the http, https or mailto address that `address` means, or None for any other."""
    if is_plain_url(address):
        return address
    address = clean_text(address)
    if not address:
        return None
    if _MAIL.fullmatch(address):
        return "mailto:" + quote(address[7:], safe="%@?=&+.,;:/!$'()*-_~")
    if address.startswith("//"):
        address = f"https:{address}"
    elif address.lower().startswith("www."):
        # A relative link by the letter, and never meant as one.
        address = f"https://{address}"
    try:
        return absolute_url(urljoin(base_url, address) if base_url else address)
    except ValueError:
        return None


def _without_trailing_punctuation(address: str) -> str:
    """Leave the full stop of the sentence and the bracket around the address outside of it."""
    surplus = address.count(")") - address.count("(")
    end = len(address)
    while end and (address[end - 1] in ".,;:!?*_~|]}" or (address[end - 1] == ")" and surplus > 0)):
        end -= 1
        surplus -= address[end] == ")"
    return address[:end]


def link(url: str, text: str) -> str:
    """Give the HTML of a link to an address that `absolute_link` gave; both are escaped."""
    return f'<a href="{html.escape(url)}">{html.escape(text, quote=False)}</a>'


class _TextWriter:
    """Writes the text of the tokens, with line breaks for their blocks."""

    def __init__(self, with_links: bool) -> None:
        self.out: list[str] = []
        self._with_links = with_links
        self._pre_depth = 0
        self._newlines = 0
        self._bullet = ""
        self._address = ""
        self._link_start = 0

    def write(self, token: _Token) -> None:
        if token.tag == "":
            self._write_text(html.unescape(token.text))
        elif token.tag == "br":
            self.out.append("\n")
        elif token.tag == "a" and self._with_links:
            self._write_link(token)
        elif token.tag in _BLOCKS:
            wanted = 1 if token.tag in ("li", "ul", "ol") else 2
            self._newlines = max(self._newlines, wanted)
            if token.tag == "li" and not token.is_end:
                self._bullet = "- "
            if token.tag in ("ul", "ol") and not self._bullet:
                self._newlines = 2
            if token.tag == "pre":
                self._pre_depth += -1 if token.is_end else 1

    def _write_text(self, text: str) -> None:
        if not self._pre_depth:
            text = re.sub(r"\s+", " ", text)
            if self._newlines or not self.out or self.out[-1].endswith(("\n", " ")):
                text = text.lstrip()
        if text:
            self._start_block()
            self.out.append(text)

    def _start_block(self) -> None:
        if self.out:
            self.out.append("\n" * self._newlines)
        self.out.append(self._bullet)
        self._newlines, self._bullet = 0, ""

    def _write_link(self, token: _Token) -> None:
        if not token.is_end:
            self._address = token.attributes.get("href", "")
            self._link_start = len(self.out)
        elif self._address and "".join(self.out[self._link_start :]).strip() != self._address:
            self.out.append(f" ({self._address})")


class _Truncation:
    """Copies tokens while there is room for them and for the end tags that they owe."""

    def __init__(self, max_bytes: int) -> None:
        self._room = max_bytes
        self._out: list[str] = []
        self._open: list[str] = []

    def run(self, notes_html: str) -> str:
        for token in _tokens(notes_html):
            if token.tag == "":
                if not self._add_text(token.text):
                    break
            elif not self._add_tag(token):
                break
        while self._out and (last := self._out[-1]):
            if self._open and last.startswith((f"<{self._open[-1]}>", f"<{self._open[-1]} ")):
                self._open.pop()
            elif last.strip() and last != "<br>":
                break
            self._out.pop()
        closing = [f"</{tag}>" for tag in reversed(self._open)]
        return "".join(self._out + closing)

    def _add_tag(self, token: _Token) -> bool:
        if token.is_end:
            # What its start tag reserved pays for it.
            if self._open and self._open[-1] == token.tag:
                self._open.pop()
                self._out.append(token.text)
            return True
        is_void = token.tag == "br"
        cost = len(token.text.encode("utf-8")) + (0 if is_void else len(f"</{token.tag}>"))
        if cost > self._room:
            return False
        self._room -= cost
        self._out.append(token.text)
        if not is_void:
            self._open.append(token.tag)
        return True

    def _add_text(self, escaped: str) -> bool:
        size_bytes = len(escaped.encode("utf-8"))
        if size_bytes <= self._room:
            self._room -= size_bytes
            self._out.append(escaped)
            return True
        kept = escaped.encode("utf-8")[: max(0, self._room - 3)].decode("utf-8", "ignore")
        kept = re.sub(r"&[^;\s]{0,32}$", "", kept)
        # Cut between words where there is one nearby.
        head, space, tail = kept.rpartition(" ")
        kept = (head if space and len(tail) < 40 else kept).rstrip()
        if kept:
            self._out.append(kept + "…")
        return False


@lru_cache(maxsize=1)
def _cleaner() -> "nh3.Cleaner":
    # Loaded here, because what is stored is clean already.
    import nh3

    return nh3.Cleaner(
        tags=_KNOWN_TAGS,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        attributes={"a": {"href"}, "img": {"src", "alt"}},
        link_rel=None,
        url_schemes={"http", "https", "mailto"},
    )


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # The preset bounds recursion: what is nested deeper than 20 levels loses its text.
    parser = MarkdownIt("commonmark", {"html": True, "breaks": True})
    # Every address is judged once, in clean_html, so that a refused link still shows its text.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    return parser
