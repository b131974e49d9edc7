"""Which encoding the bytes of a feed are in, and their text; it never fails and tells what it did.

A declaration is believed when it can be true; bytes that do not fit are read as Windows-1252,
which is what they nearly always are.
"""

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Others that Python knows are not text, hide markup from whoever looks at the bytes, or cost more
# than they are long.
_ENCODINGS = frozenset(
    [
        *("utf-8", "ascii", "koi8-r", "koi8-u", "mac-roman", "shift_jis", "euc_jp", "cp932"),
        *("gb2312", "gbk", "gb18030", "big5", "euc_kr", "cp949"),
        *(f"iso8859-{part}" for part in range(1, 17) if part != 12),
        *(f"cp125{part}" for part in range(9)),
    ]
)
_DECLARED = re.compile(
    rb"""<\?xml\s[^>]{0,200}?encoding\s{0,20}=\s{0,20}["']([A-Za-z0-9._:-]{1,40})["']"""
)
_CHARSET = re.compile(r"""charset\s{0,20}=\s{0,20}["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_HEAD_BYTES = 4096
_BAD_BYTE = re.compile("[\udc80-\udcff]")
_BYTE_OF_WINDOWS = re.compile(rb"[\x80-\x9f]")


def encoding_of(body: bytes, content_type: str = "") -> tuple[str, list[str]]:
    """The encoding of a feed as Python calls it, and a sentence when its own word is not taken.

    What counts, in order: a byte order mark, UTF-16 without one, the XML declaration, the charset
    of `content_type` where the bytes are not UTF-8, UTF-8.
    """
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return encoding, []
    head = body[:_HEAD_BYTES]
    if head.startswith(b"<\0"):
        return "utf-16-le", []
    if head.startswith(b"\0<"):
        return "utf-16-be", []
    declared = _DECLARED.search(head)
    if declared is not None:
        label = declared[1].decode("ascii")
    else:
        charset = _CHARSET.search(content_type)
        if charset is None or _fits(body, "utf-8"):
            return "utf-8", []
        label = charset[1]
    try:
        encoding = codecs.lookup(label).name
    except (LookupError, ValueError):
        encoding = ""
    if encoding not in _ENCODINGS:
        return "utf-8", [f"The feed says that it is written in {label}; it was read as UTF-8."]
    if encoding == "ascii":
        return "utf-8", []
    if encoding in ("iso8859-1", "cp1252") and not body.isascii() and _fits(body, "utf-8"):
        # In Latin-1 it would be letters that never follow each other.
        return "utf-8", [f"The feed says that it is written in {label}, but it is in UTF-8."]
    if encoding == "iso8859-1" and _BYTE_OF_WINDOWS.search(body):
        # Latin-1 has no letters there; browsers read it as this too (WHATWG Encoding 4.2).
        return "cp1252", ["Letters that ISO-8859-1 does not have were read as those of Windows."]
    return encoding, []


def decoded(body: bytes, encoding: str) -> tuple[str, list[str]]:
    """The text of `body`, without a byte order mark, and a sentence when bytes did not fit."""
    body = body.removeprefix(codecs.BOM_UTF8)
    if _fits(body, encoding):
        return body.decode(encoding), []
    if encoding in ("utf-8", "cp1252"):
        text = body.decode(encoding, "surrogateescape")
        text = _BAD_BYTE.sub(lambda found: _WINDOWS[ord(found[0]) - 0xDC80], text)
        return text, [f"Bytes that are not {encoding.upper()} were read as letters of Windows."]
    text = body.decode(encoding, "replace")
    return text, [f"Bytes that are not {encoding.upper()} were replaced by question marks."]


def _fits(body: bytes, encoding: str) -> bool:
    try:
        body.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _letter_of_windows(byte: int) -> str:
    raw = bytes([byte])
    return raw.decode("cp1252" if _fits(raw, "cp1252") else "latin-1")


_WINDOWS = tuple(map(_letter_of_windows, range(0x80, 0x100)))
