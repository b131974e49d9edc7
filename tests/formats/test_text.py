"""Text and addresses on their way into documents: cleaned, cut, and never an exception."""

import unicodedata
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from podhost.formats.text import (
    absolute_url,
    clean_text,
    is_guid,
    is_plain_url,
    plain_line,
    plain_text,
    remove_forbidden,
    saved_name,
    slugify,
    truncate_text,
    truncate_utf8,
)

any_text = st.text(st.characters(exclude_categories=()))
pieces = ["<", ">", "</b>", "<b", "&", "amp;", "#38;", "lt;", "<!--", "-->", "b>", "\x00", " ", "é"]
markup = st.lists(st.sampled_from(pieces), max_size=30).map("".join)


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        (" a ", "a"),
        ("a\x00\x01\x08\x0b\x0c\x0e\x1fb", "ab"),
        ("a\ufffe\uffffb", "ab"),
        ("a\ud800\udfffb", "ab"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\tb", "a\tb"),
        ("e\u0301", "é"),
        ("👍🏽 مرحبا \u202e", "👍🏽 مرحبا \u202e"),
        ("\x00 ", ""),
    ],
)
def test_clean_text_keeps_what_xml_allows(written: str, clean: str) -> None:
    assert clean_text(written) == clean


@given(any_text)
def test_clean_text_fits_into_xml_and_stays_as_it_is(text: str) -> None:
    clean = clean_text(text)
    element = etree.Element("a", b=remove_forbidden(text))
    element.text = clean
    assert (etree.fromstring(etree.tostring(element)).text or "") == clean
    assert clean_text(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)


@pytest.mark.parametrize(
    ("pasted", "plain"),
    [
        ("AT&amp;T", "AT&T"),
        ("AT&T", "AT&T"),
        ("<b>Rock</b> &amp; Roll", "Rock & Roll"),
        ("x<y and y>z", "x<y and y>z"),
        ("1 < 2 > 0 <3", "1 < 2 > 0 <3"),
        ("Fish &notes; R&D &copy", "Fish &notes; R&D &copy"),
        ("caf&eacute; &#8212; &#x2014;", "café — —"),
        ("a<br>b<br />c", "a\nb\nc"),
        ("<p>One</p><p class='x'>Two</p>", "One\nTwo"),
        ("&amp;lt;b&amp;gt;deep&amp;lt;/b&amp;gt;", "deep"),
        ("<scr<b>ipt>x", "x"),
        ("a<!-- no -->b", "ab"),
        ("&#0;&#xD800;&#11;x", "\ufffd\ufffdx"),
    ],
)
def test_plain_text_holds_no_markup(pasted: str, plain: str) -> None:
    assert plain_text(pasted) == plain


@given(any_text | markup)
def test_plain_text_stays_as_it_is(text: str) -> None:
    plain = plain_text(text)
    assert plain_text(plain) == plain
    assert plain_line(plain_line(text)) == plain_line(text)


@pytest.mark.parametrize(
    "hostile",
    [
        "<!--" * 25_000,
        "<" * 30_000 + "b>" * 30_000,
        "&" + "amp;" * 25_000,
        "<a " * 33_000,
        "&lt;" * 25_000,
    ],
)
def test_hostile_markup_of_a_hundred_kilobytes_ends(hostile: str) -> None:
    assert plain_text(plain_text(hostile)) == plain_text(hostile)


def test_a_line_is_one_line() -> None:
    assert plain_line(" a\n\n b\t\u2028c\x85d ") == "a b c d"
    assert plain_line("Quoi\u00a0?") == "Quoi\u00a0?"


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("a bcd", 3, "a…"),
        ("ab", 1, "…"),
        ("ae\u0308x", 3, "a…"),
        ("a👩‍🚀bc", 4, "a…"),
        ("a👍🏽bc", 3, "a…"),
    ],
)
def test_truncate_text_never_parts_a_letter_from_its_marks(text: str, limit: int, cut: str) -> None:
    assert truncate_text(text, limit) == cut


@given(any_text, st.integers(1, 40))
def test_truncate_text_keeps_the_beginning_within_the_limit(text: str, limit: int) -> None:
    cut = truncate_text(text, limit)
    assert len(cut) <= limit
    assert cut == text or text.startswith(cut[:-1])


@given(any_text, st.integers(0, 40))
def test_truncate_utf8_keeps_the_beginning_within_the_limit(text: str, limit: int) -> None:
    cut = truncate_utf8(text, limit)
    assert len(cut.encode("utf-8")) <= limit
    clean = remove_forbidden(text)
    assert cut == clean or clean.startswith(cut[:-1])


def test_truncate_utf8_counts_bytes() -> None:
    assert truncate_utf8("ää", 4) == "ää"
    assert truncate_utf8("äää", 5) == "ä…"
    assert truncate_utf8("👍👍", 7) == "👍…"
    assert truncate_utf8("aaaa", 3) == "…"


@pytest.mark.parametrize(
    ("address", "printed"),
    [
        ("https://pod.example", "https://pod.example"),
        ("https://POD.example/A?x=%7e&y=[1]", "https://pod.example/A?x=%7e&y=%5B1%5D"),
        ("https://POD.example/A?x=%7e#f", "https://POD.example/A?x=%7e#f"),
        (" http://127.0.0.1:8000/ ", "http://127.0.0.1:8000/"),
        ("HTTPS://pod.example/ä b?q=ü#ö", "https://pod.example/%C3%A4%20b?q=%C3%BC#%C3%B6"),
        ("https://bücher.example/100%", "https://xn--bcher-kva.example/100%25"),
        ("https://[::1]:80/", "https://[::1]:80/"),
        ("https://a_b.example/\x0bx\ud800", "https://a_b.example/x"),
        ('https://pod.example/"><script>', "https://pod.example/%22%3E%3Cscript%3E"),
    ],
)
def test_an_absolute_address_becomes_ascii(address: str, printed: str) -> None:
    assert absolute_url(address) == printed
    assert absolute_url(printed) == printed


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/path",
        "pod.example/path",
        "//pod.example/path",
        "https:path",
        "https://",
        "https:///path",
        "https://u:p@pod.example/",
        "https://pod.example:99999999/",
        "https://pod.example:65536/",
        "https://pod example/",
        "https://[::1/",
        "https://-/",
        "ftp://pod.example/",
        "javascript:alert(1)",
        "https://" + "ü" * 80 + ".example/",
    ],
)
def test_another_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError):
        absolute_url(address)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Low water", "low-water"),
        ("  7: What's *up*, Doc?  ", "7-whats-up-doc"),
        ("Größe & Gefühl", "grosse-and-gefuhl"),
        ("Æther, øre, Łódź", "aether-ore-lodz"),
        ("Привет, мир", "privet-mir"),
        ("Καλημέρα", "kalimera"),
        ("日本語", "untitled"),
        ("", "untitled"),
        ("\x00\ud800", "untitled"),
        ("½ ﬁne ①", "1-2-fine-1"),
    ],
)
def test_a_slug_is_made_of_ascii_letters_digits_and_hyphens(title: str, slug: str) -> None:
    assert slugify(title) == slug


@given(any_text)
def test_any_title_has_a_slug(title: str) -> None:
    slug = slugify(title, fallback="episode")
    assert slug and slug.isascii() and len(slug) <= 80
    assert slugify(slug) == slug
    assert not set(slug) - set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_long_slug_ends_with_a_whole_word() -> None:
    assert slugify("tide " * 40, max_chars=12) == "tide-tide"
    assert slugify("tide tables", max_chars=4) == "tide"
    assert slugify("x" * 90) == "x" * 80


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("x" * 740, True),
        ("x" * 741, False),
        (" http://old.example/?p=1 ", True),
        ("e\u0301", True),
        ("", False),
        ("  ", False),
        ("a\nb", False),
        ("a\x00b", False),
        ("\ud800", False),
    ],
)
def test_a_guid_is_judged_and_never_cleaned(value, answer):
    assert is_guid(value) is answer


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Low water", "Low water"),
        ('AC/DC: what?\\ <b>|*"', "AC DC what b"),
        ("a\u202eb\x00c\n d\u00a0e", "a b c d e"),
        (" ..hidden.. ", "hidden"),
        ("..", ""),
        ("潮" * 100, "潮" * 32 + "…"),
        ("e\u0301\ud800", "é"),
    ],
)
def test_a_title_becomes_a_name_that_every_system_takes(title: str, name: str) -> None:
    assert saved_name(title) == name


@given(st.text(st.characters(exclude_categories=())))
def test_any_title_becomes_a_name_or_none(title: str) -> None:
    name = saved_name(title)
    assert len(name.encode()) <= 100 and not set(name) & set('/\\:*?"<>|\r\n\0')
    assert saved_name(name) == name


parts = ["http://", "https://", "a.example", ":80", ":99999", "/", "..", "?", "#", ";", "%20", "%"]


@pytest.mark.parametrize(
    ("url", "is_plain"),
    [
        ("https://a.example", True),
        ("http://a.example:8000/b/%20c?d=1&e#f?g", True),
        ("https://a.example/b?", False),
        ("https://a.example/b#", False),
        ("https://a.example/b?#c", False),
        ("https://a.example/b;", False),
        ("HTTPS://a.example/", False),
        ("https://a.example/é", False),
        ("ftp://a.example/", False),
        ("/b", False),
    ],
)
def test_a_plain_url_is_whole(url: str, is_plain: bool) -> None:
    assert is_plain_url(url) is is_plain


@given(st.lists(st.sampled_from([*parts, "a", "=", "@", " ", "é", "["]), max_size=8).map("".join))
def test_a_plain_url_stays_whatever_is_done_to_it(url: str) -> None:
    for address in (url, f"https://a.example/{url}"):
        if is_plain_url(address):
            assert absolute_url(address) == address
            assert urljoin("http://b.example/c?d", address) == address
            assert urljoin("https://a.example/e/", address) == address
