"""Text that was encoded twice, such as “cafÃ©”: told strictly, and read as it was meant.

Nothing is guessed: text is taken only where all of it is UTF-8 that somebody read as Windows-1252
or Latin-1, and where what comes out is plausible writing.
"""

import re
import unicodedata

_MAX_TURNS = 3
# Windows-1252 leaves five bytes open, which programs take as Latin-1 has them.
_BYTES = {
    ord(bytes([byte]).decode("cp1252")): byte
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
# What broken text begins its letters with; most texts have none of it.
_LEADS = re.compile("[ÂÃâÄÅÎÏÐÑ×ØÙà-éð][^\x00-\x7f]")
# No writing has these two side by side: accents, quotation marks, signs, emoji.
_SURE = re.compile("Ã[^\x00-\x7f\xa0]|(?<!\\w)Ã\xa0|â[€\x80]|Â[\xa0-¿]|ð[Ÿ\x9f]|ï[¸¿]")
_SURE_COUNT = 3
# Letters that coincidences give, and few texts have: phonetic ones, Syriac, Thaana and the like.
_RARE = re.compile("[\u0180-\u02ff\u0500-\u058f\u0700-\u08ff]")
_UNPLAUSIBLE = frozenset({"Cc", "Cn", "Co", "Cs"})


def meant_text(text: str) -> str:
    """The text as it was before it was encoded twice, or more often; any other as it is."""
    found = text
    for _ in range(_MAX_TURNS):
        if found.isascii() or _LEADS.search(found) is None:
            break
        once = _encoded_once(found)
        if once is None:
            break
        found = once
    return found if found == text or _is_writing(found) else text


def _encoded_once(text: str) -> str | None:
    try:
        found = text.translate(_BYTES).encode("latin-1").decode("utf-8")
    except UnicodeError:
        return None
    is_sure = _SURE.search(text) is not None
    return found if is_sure or sum(char > "\x7f" for char in found) >= _SURE_COUNT else None


def _is_writing(text: str) -> bool:
    categories = {unicodedata.category(char) for char in text if char > "\x7f"}
    return categories.isdisjoint(_UNPLAUSIBLE) and _RARE.search(text) is None
