"""What text and addresses go through before they stand in a document; it knows no markup but XML's.

Everything here is pure, total on any `str` (control characters and lone surrogates included) and
gives back its own output unchanged, so input and output may both be cleaned.
"""

import html
import html.entities
import re
import unicodedata
from functools import lru_cache
from urllib.parse import quote, urlsplit, urlunsplit

ELLIPSIS = "…"
# Podcast Index keeps no more of a guid.
LONGEST_GUID = 740
# All that counts as space around a text.
SPACES = "".join(letter for letter in map(chr, range(1, 0x3001)) if letter.isspace())

# What one system or another takes for something else in names of files.
_NO_FILE_NAME = frozenset('/\\:*?"<>|')
# XML 1.0 section 2.2: everything else is a legal character.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_FORBIDDEN_ASCII = bytes(byte for byte in range(0x20) if byte not in b"\t\n\r")
_SHORT_CHARS = 100
_LINE_SPACE = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029 ]+")
_COMMENT = re.compile(r"<!--(?:(?!-->|<!--).)*-->", re.DOTALL)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
# Only names of real elements count as markup, so that "x<y and y>z" survives.
_HTML_NAMES = (
    "a abbr address article aside audio b blockquote body br button caption center cite code col"
    " dd del details div dl dt em embed figcaption figure font footer form frame h1 h2 h3 h4 h5 h6"
    " head header hr html i iframe img input ins kbd label li link main mark meta nav noscript"
    " object ol option p param picture pre q s samp script section select small source span strike"
    " strong style sub summary sup svg table tbody td textarea tfoot th thead title tr tt u ul"
    " var video"
)
_MARKUP = re.compile(rf"</?(?:{'|'.join(_HTML_NAMES.split())})(?:[\s/][^<>]*)?>", re.IGNORECASE)
_BREAKING_MARKUP = re.compile(
    r"<(?:br|/p|/div|/li|/h[1-6]|/tr|/blockquote)(?:[\s/][^<>]*)?>", re.IGNORECASE
)
# Markup hidden in markup this deep was put there to cause trouble; it is taken apart instead.
_MAX_MARKUP_DEPTH = 8


def remove_forbidden(text: str) -> str:
    """Give `text` without the characters that XML 1.0 forbids and without lone surrogates."""
    # Ten times as fast, and most texts are so.
    if text.isascii() and len(text.encode().translate(None, _FORBIDDEN_ASCII)) == len(text):
        return text
    return _FORBIDDEN.sub("", text)


def is_guid(value: str) -> bool:
    """Whether feeds can carry `value` as a guid letter by letter: imported ones are kept as they
    are, so it is judged and never cleaned (PSP-1)."""
    is_line = remove_forbidden(value) == value and "\n" not in value and bool(value.strip())
    return is_line and len(value) <= LONGEST_GUID


def clean_text(text: str) -> str:
    """Give `text` in NFC, trimmed, with plain newlines and only characters that XML 1.0 allows."""
    if _is_plain(text):
        return text.strip()
    text = remove_forbidden(text.replace("\r\n", "\n").replace("\r", "\n"))
    return unicodedata.normalize("NFC", text).strip()


def _is_plain(text: str) -> bool:
    """Whether it is lines of printable ASCII, as most texts are: then there is little to clean."""
    return text.isascii() and text.replace("\n", "").isprintable()


def plain_text(text: str) -> str:
    """Give the clean text of a field that must not hold HTML: pasted tags and entities are gone.

    Line breaks stay, and become of `<br>` and `</p>`. "AT&amp;T" reads "AT&T" afterwards, as the
    person who pasted it meant (the W3C feed validator flags HTML in plain fields).
    """
    for _ in range(_MAX_MARKUP_DEPTH):
        before = text
        text = _without_markup(clean_text(text))
        if text == before:
            return text
    return clean_text(text.replace("<", "").replace("&", ""))


def plain_line(text: str) -> str:
    """Give the plain text of a field of one line: runs of spaces and line breaks are one space."""
    return _short_line(text) if len(text) <= _SHORT_CHARS else _line(text)


def _line(text: str) -> str:
    return _LINE_SPACE.sub(" ", plain_text(text)).strip()


# A feed of 5,000 episodes names the same few people tens of thousands of times.
_short_line = lru_cache(maxsize=4096)(_line)


def shown(text: str, max_chars: int = 80) -> str:
    """Give somebody's own words fit to stand in a sentence, on a terminal too: what is printable,
    question marks for the rest, cut to `max_chars`."""
    # Longer ones are cut first, so that looking at them takes no time.
    start = text[: max_chars + 1]
    if not start.isprintable():
        start = "".join(char if char.isprintable() else "?" for char in start)
    return truncate_text(start, max_chars)


def truncate_text(text: str, max_chars: int) -> str:
    """Give `text`, or its beginning and an ellipsis, in at most `max_chars` characters (>= 1)."""
    if len(text) <= max_chars:
        return text
    return text[: _boundary(text, max_chars - len(ELLIPSIS))].rstrip() + ELLIPSIS


def given_file_name(given: str) -> str:
    """The last part of what a sender calls a file, one clean line; it is never used as a path."""
    name = clean_text(given.replace("\\", "/").rpartition("/")[2]).replace("\n", " ")
    return truncate_text(name, 255)


def truncate_utf8(text: str, max_bytes: int) -> str:
    """Give `text`, or its beginning and an ellipsis, in at most `max_bytes` bytes of UTF-8.

    Never cuts inside a character; `max_bytes` under three leaves no room for the ellipsis.
    """
    text = remove_forbidden(text)
    encoded = text.encode("utf-8")
    if len(encoded) <= max_bytes:
        return text
    room = max_bytes - len(ELLIPSIS.encode("utf-8"))
    if room < 0:
        return ""
    kept = encoded[:room].decode("utf-8", "ignore")
    return text[: _boundary(text, len(kept))].rstrip() + ELLIPSIS


def absolute_url(url: str, *, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """Give an absolute address as percent-encoded ASCII; one that is so already stays as it is.

    Raises ValueError for anything else: relative, another scheme, no host, a password in it.
    RFC 3986, with international host names as RFC 3490 has them.
    """
    # Most are so already, and then there is nothing to be cleaned.
    if _is_plain_url(url, schemes):
        return url
    text = clean_text(url)
    if _is_plain_url(text, schemes):
        return text
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"not an address: {url!r}") from None
    if parts.scheme not in schemes or not host or "@" in parts.netloc:
        raise ValueError(f"not an absolute {' or '.join(schemes)} address: {url!r}")
    netloc = _ascii_host(host, url) + (f":{port}" if port is not None else "")
    path, query, fragment = (_quoted(part) for part in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme, netloc, path, query, fragment))


def is_plain_url(url: str) -> bool:
    """Whether it is an absolute address of which no part is empty or left to chance: joining it to
    a base, encoding it and making it absolute all give it back as it is."""
    return _WHOLE_URL.fullmatch(url) is not None


def slugify(title: str, *, fallback: str = "untitled", max_chars: int = 80) -> str:
    """Give a slug for an address: lower-case ASCII letters, digits and single hyphens.

    Latin, Greek and Cyrillic letters are transliterated; a title with nothing that can be written
    in ASCII gives `fallback`.
    """
    text = "".join(_LETTERS.get(char, char) for char in plain_line(title).lower())
    text = unicodedata.normalize("NFKD", text)
    text = "".join(_LETTERS.get(char, char) for char in text if not unicodedata.combining(char))
    text = re.sub(r"['’`]", "", text.lower())
    slug = re.sub(r"[^a-z0-9]+", "-", text).strip("-")
    if len(slug) > max_chars:
        head, hyphen, _ = slug[: max_chars + 1].rpartition("-")
        slug = head if hyphen else slug[:max_chars]
    return slug or fallback


_URL_CHARS = r"A-Za-z0-9\-._~:/@!$&'()*+,="


def _of_url(more: str) -> str:
    chars = f"[{_URL_CHARS}{more}]*"
    return f"{chars}(?:%[0-9A-Fa-f]{{2}}{chars})*"


_PLAIN_URL = re.compile(
    rf"([a-z]+)://[A-Za-z0-9][A-Za-z0-9.\-]*(?::(\d{{1,5}}))?(?:[/?#]{_of_url('?#;')})?"
)
_WHOLE_URL = re.compile(
    rf"https?://[A-Za-z0-9][A-Za-z0-9.\-]*(?::\d{{1,4}})?(?:/{_of_url('')})?"
    rf"(?:\?(?=[^#]){_of_url('?')})?(?:#(?=.){_of_url('?#')})?",
    re.ASCII,
)
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_.])?|[0-9a-f:.]*:[0-9a-f:.]*")


def saved_name(title: str) -> str:
    """Give the title as a file's name that every system takes, without an ending; it may be empty.

    At most 100 bytes of UTF-8: two of them with an ending fit into the 255 that systems allow.
    """
    letters = (
        " " if letter in _NO_FILE_NAME or unicodedata.category(letter)[0] in "CZ" else letter
        for letter in unicodedata.normalize("NFC", title)
    )
    name = " ".join("".join(letters).split())
    return truncate_utf8(name, 100).strip(". ")


def _is_plain_url(text: str, schemes: tuple[str, ...]) -> bool:
    match = _PLAIN_URL.fullmatch(text)
    return match is not None and match[1] in schemes and int(match[2] or 0) <= 65535


def _quoted(part: str) -> str:
    return quote(_LONE_PERCENT.sub("%25", part), safe="%/:@!$&'()*+,;=?-._~")


def _ascii_host(host: str, url: str) -> str:
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not _HOST.fullmatch(name):
        raise ValueError(f"no usable host name in {url!r}")
    return f"[{name}]" if ":" in name else name


def _without_markup(text: str) -> str:
    if "<" in text:
        text = _BREAKING_MARKUP.sub("\n", _COMMENT.sub("", text))
        text = _MARKUP.sub("", text)
    if "&" in text:
        text = _ENTITY.sub(_unescaped, text)
    return clean_text(text)


def _unescaped(match: re.Match[str]) -> str:
    entity = match[0]
    # html.unescape would read "&notes;" as "&not" and "es;".
    known = entity[1] == "#" or entity[1:] in html.entities.html5
    return html.unescape(entity) if known else entity


def _boundary(text: str, index: int) -> int:
    """Step back so that no accent, joiner or variation selector is cut from its letter."""
    index = max(0, index)
    # Sixteen marks on one letter are not writing any more; stop there.
    for step in range(min(index, 16)):
        at = index - step
        if not _is_attached(text[at]) and text[at - 1] != "\u200d":
            return at
    return index


def _is_attached(char: str) -> bool:
    return (
        unicodedata.combining(char) != 0
        or char == "\u200d"
        or "\ufe00" <= char <= "\ufe0f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


_LETTERS = {
    **dict(zip("ßæœøđðłıħŋ", ("ss", "ae", "oe", "o", "d", "d", "l", "i", "h", "ng"), strict=True)),
    "þ": "th",
    "&": " and ",
    **dict(zip("абвгдезийклмнопрстуфыэіґ", "abvgdeziiklmnoprstufyeig", strict=True)),
    **dict(
        zip(
            "ёжхцчшщюяъьєї",
            ("e", "zh", "kh", "ts", "ch", "sh", "shch", "yu", "ya", "", "", "ye", "yi"),
            strict=True,
        )
    ),
    **dict(zip("αβγδεζηικλμνξοπρσςτυφω", "avgdeziiklmnxoprsstyfo", strict=True)),
    **dict(zip("θχψ", ("th", "ch", "ps"), strict=True)),
}
