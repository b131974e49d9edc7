"""One element of a foreign feed, asked for its fields by name; it knows no rule of any tag."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote, urljoin

from podhost.formats.feed_xml import name_of, text_of
from podhost.formats.imported import Oddity
from podhost.formats.mojibake import meant_text
from podhost.formats.text import (
    absolute_url,
    is_plain_url,
    plain_line,
    remove_forbidden,
    shown,
    truncate_text,
)

MAX_LINE_CHARS = 255
# Longer addresses are no addresses; apps and proxies stop far earlier.
MAX_URL_CHARS = 4096

_TRUE = frozenset({"true", "yes", "explicit", "1"})
_FALSE = frozenset({"false", "no", "clean", "0"})
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
# "cdn.example.com/ep.mp3" is a host without a scheme, "audio/ep.mp3" a path.
_HOST_FIRST = re.compile(r"[a-z0-9\-]+(?:\.[a-z0-9\-]+)*\.[a-z]{2,18}(?::[0-9]{1,5})?/", re.I)
_HALF_SCHEME = re.compile(r"(https?):/{0,3}(?=[^/])", re.IGNORECASE)
_POSITIVE = re.compile(r"0*[1-9][0-9]{0,8}", re.ASCII)
_USER = re.compile(r"(?:\A|(?<=//))[^/?#]*@")
_AUTHORITY = re.compile(r"(https?://[^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


class Fields:
    """The children of a channel or an item by name; what is odd about them is noted.

    `base_url` is what relative addresses are relative to. Texts come trimmed, with line breaks
    and all; `line` gives plain text of one line.
    """

    def __init__(self, element: Any, place: str, base_url: str | None) -> None:
        self.place = place
        self.base_url = base_url
        self.oddities: list[Oddity] = []
        self._was_mended = False
        self._children: dict[str, list[Any]] = {}
        for child in element:
            if name := name_of(child):
                self._children.setdefault(name, []).append(child)

    def names(self) -> Iterable[str]:
        """The names of all children, each once, in the order of the feed."""
        return self._children

    def all(self, name: str) -> list[Any]:
        """The children of that name."""
        return self._children.get(name, [])

    def texts(self, *names: str) -> Iterator[str]:
        """The texts of the children of these names that have some, the first name first."""
        for name in names:
            for child in self.all(name):
                if text := text_of(child).strip():
                    yield text

    def text(self, *names: str) -> str:
        """The first text there is, or ""."""
        return next(self.texts(*names), "")

    def line(self, *names: str, max_chars: int = MAX_LINE_CHARS) -> str:
        """The first text that is not empty as plain text, cut to `max_chars`, or ""."""
        return next(self.lines(*names, max_chars=max_chars), "")

    def lines(self, *names: str, max_chars: int = MAX_LINE_CHARS) -> Iterator[str]:
        """The texts that are not empty as plain text."""
        for text in self.texts(*names):
            line = one_line(self.meant(text))
            if len(line) > max_chars:
                self.note("A text is too long.", "It is cut.", line)
                line = truncate_text(line, max_chars)
            if line:
                yield line

    def prose(self, *names: str) -> str:
        """The first text there is, as it was meant where it was encoded twice; or ""."""
        return self.meant(self.text(*names))

    def meant(self, text: str) -> str:
        """What people read, as it was before somebody encoded it twice; it is noted once."""
        meant = meant_text(text)
        if meant != text and not self._was_mended:
            self._was_mended = True
            self.note("Letters are broken: the text was encoded twice.", "It is mended.", text)
        return meant

    def attribute(self, name: str, attribute: str) -> str:
        """The first value that is not empty of that attribute, or ""."""
        values = (child.get(attribute, "").strip() for child in self.all(name))
        return next((value for value in values if value), "")

    def url(self, written: str) -> str | None:
        """The absolute address that is meant; None, and a note, when there is none."""
        if not written:
            return None
        url = meant_url(written, self.base_url)
        if url is None:
            # One with a password in it is such an address, and reports are shown to others.
            self.note("An address cannot be used.", "It is left out.", _USER.sub("", written))
        return url

    def flag(self, *names: str) -> bool | None:
        """What a tag such as itunes:explicit says; None, and a note, for what is neither."""
        text = self.text(*names).lower()
        if text in _TRUE or text in _FALSE or not text:
            return text in _TRUE if text else None
        self.note("A tag says neither yes nor no.", "It is ignored.", f"{names[0]}: {text}")
        return None

    def is_yes(self, name: str) -> bool:
        """Whether a tag such as itunes:block says yes: Apple reads any other value as no."""
        return self.text(name).lower() == "yes"

    def note(
        self, message: str, repair: str, detail: str = "", *, is_question: bool = False
    ) -> None:
        """Remember something odd; the feed's own words are shortened."""
        self.oddities.append(Oddity(self.place, message, repair, shown(detail, 120), is_question))


def one_line(text: str) -> str:
    """Plain text of one line, where non-breaking spaces are spaces too."""
    # A few hundred characters more than can be kept, so that endless ones take no time.
    return " ".join(plain_line(text[:20_000].replace("\xa0", " ")).replace("\xa0", " ").split())


def meant_url(written: str, base_url: str | None) -> str | None:
    """Give the absolute http(s) address that a feed's author meant, percent-encoded; or None.

    "//host" and a missing scheme get https; spaces and letters beyond ASCII are encoded as UTF-8,
    "%20" stays as it is. A password in the address makes it unusable.
    """
    text = remove_forbidden(written).strip()
    if not text or len(text) > MAX_URL_CHARS:
        return None
    if is_plain_url(text):
        return text
    if text.startswith("//"):
        text = f"https:{text}"
    elif match := _HALF_SCHEME.match(text):
        text = f"{match[1].lower()}://{text[match.end() :]}"
    elif _HAS_SCHEME.match(text) and not _HOST_FIRST.match(text):
        return None
    elif _HOST_FIRST.match(text):
        text = f"https://{text}"
    elif base_url:
        try:
            text = urljoin(base_url, text)
        except ValueError:
            return None
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    try:
        # Encoded before anything could bring the letters into another form: the server at the
        # other end compares bytes.
        return absolute_url(match[1] + quote(match[2], safe="%/:?#[]@!$&'()*+,;=~-._"))
    except ValueError:
        return None


def positive(text: str) -> int | None:
    """The whole number above zero that `text` is, or None."""
    return int(text) if _POSITIVE.fullmatch(text) else None


def kept(values: Iterable[Any], read: Callable[[Any], Any | None]) -> tuple[Any, ...]:
    """What `read` makes of the values, without the Nones."""
    return tuple(made for value in values if (made := read(value)) is not None)
