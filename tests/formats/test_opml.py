"""OPML lists of feeds: what apps export is read, what is hostile or none gets a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.errors import Invalid
from podhost.formats.opml import ListedFeed, is_opml, read_opml

LIST = b"""<?xml version="1.0" encoding="utf-8"?>
<!-- of an app --><opml version="1.0"><head><title>Mine</title></head><body>
<outline text="Group"><outline type="rss" text="Tide &amp; Wind" xmlUrl=" https://a.example/f "/>
<outline type="rss" title="B" text="b" xmlURL="https://b.example/f"/></outline>
<outline type="rss" text="Again" xmlUrl="https://a.example/f"/><outline text="no feed"/>
</body></opml>"""


def test_the_feeds_of_a_list_come_in_its_order_and_once() -> None:
    assert is_opml(LIST)
    assert read_opml(LIST) == [
        ListedFeed("https://a.example/f", "Tide & Wind"),
        ListedFeed("https://b.example/f", "B"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<opml>",
        b"<opml><body/></opml>",
        b"<rss><channel/></rss>",
        b"<opml>" + b"<outline>" * 100_000,
        b'<opml><outline xmlUrl="https://a.example/' + b"x" * 5_000_000 + b'"/></opml>',
        b"<opml>"
        + b"".join(b'<outline xmlUrl="https://a/%d"/>' % n for n in range(1001))
        + b"</opml>",
        b'<!DOCTYPE opml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        b"<opml><body><outline text='x'>&b;&b;</outline></body></opml>",
    ],
)
def test_what_is_no_list_gets_a_sentence(data: bytes) -> None:
    with pytest.raises(Invalid, match=r"OPML"):
        read_opml(data)


def test_feeds_and_pages_are_no_lists() -> None:
    assert not is_opml(b"<rss><!-- <opml> --></rss>")
    assert not is_opml(b"<html>")


@given(st.binary(max_size=200).map(lambda data: b"<opml><outline xmlUrl='" + data + b"'/></opml>"))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert read_opml(data)
    except Invalid:
        return
