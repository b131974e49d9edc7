"""Text that was encoded twice is mended, and nothing else is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.formats.mojibake import meant_text

WRITTEN = (
    *("café", "“quoted” – text…", "It’s", "©2024 Ann", "Voyage à Paris", "😀 fun", "naïve façade"),
    *("Привет, мир", "日本語の番組", "Zażółć gęślą jaźń", "Ελληνικά", "עברית שלום", "مرحبا"),
    *("Đặng Văn", "Tidevann på sjøen – før", "ภาษาไทย", "हिन्दी", "Ça va ?", "çok güzel İstanbul"),
)
# Right as they are, though parts of them could be broken letters.
RIGHT = (
    *("«CAFÉ»", "CAFÉ»", "THÉ\xa0! CAFÉ\xa0!", "MANHÃ\xa0", "Spaß®", "SÃO PAULO", "MAÇÃ", "Â"),
    *("PÅ\xa0TUR", "Ä°", "Ö²", "ÂNGELO", "Ã", "âme", "château «x»", "à° ", "Ã¼ is a broken „ü“"),
    *("plain", "", "a\x85b", "\ud800Ã©", "Ã©\ud800"),
)


def windows(text: str) -> str:
    """The text's UTF-8 as Windows-1252 shows it; open bytes as Latin-1 does."""
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode())


def latin(text: str) -> str:
    return text.encode().decode("latin-1")


@pytest.mark.parametrize("text", WRITTEN)
def test_what_was_encoded_twice_is_mended(text: str) -> None:
    for broken in (windows(text), latin(text), windows(windows(text)), latin(latin(text))):
        assert broken != text and meant_text(broken) == text
    assert meant_text(text) == text


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_stays(text: str) -> None:
    assert meant_text(text) == text


@given(st.text(max_size=60))
def test_any_text_is_mended_or_stays(text: str) -> None:
    meant = meant_text(text)
    assert meant == text or len(meant) < len(text)


@given(st.text(st.sampled_from("aé ’ëßñ—Жя日"), max_size=30))
def test_texts_in_every_script_stay_as_they_are(text: str) -> None:
    assert meant_text(text) == text
