"""Feeds of others: the first line is the Content-Type, the rest the document."""

from lxml import etree

from podhost.errors import Invalid
from podhost.formats.feed_xml import name_of, read_feed, text_of


def one_input(data: bytes) -> None:
    first, _, content = data.partition(b"\n")
    try:
        feed = read_feed(content, first.decode("utf-8", "replace"))
    except Invalid:
        return
    # libxml2 may leave references to entities where it recovered; they are no elements.
    assert all(map(name_of, feed.root.iter(etree.Element)))
    assert (feed.level == "strict") == (not feed.repairs)
    if feed.level != "recovered":
        again = read_feed(etree.tostring(feed.root, encoding="utf-8"))
        assert again.level == "strict", "what was read is not right when it is written"
        assert text_of(again.root) == text_of(feed.root), "reading twice differs"
