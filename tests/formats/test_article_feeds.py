"""Feeds of articles: what readers of Atom and of JSON Feed find in them."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from lxml import etree

from podhost.formats.article_feeds import (
    ArticleFeed,
    FeedArticle,
    FeedAuthor,
    article_id,
    feed_id,
    render_article_json,
    render_atom,
)

GUID = "917393e3-1b1e-5cef-ace4-edaa54e1f810"
ATOM = "{http://www.w3.org/2005/Atom}"
FEED = ArticleFeed(
    id=feed_id(GUID),
    title="Tide & Tables",
    description="",
    language="en",
    home_url="https://pod.example/tide/articles",
    atom_url="https://pod.example/tide/articles.xml",
    json_url="https://pod.example/tide/articles.json",
    author="Pier Nine",
)
ARTICLE = FeedArticle(
    id=article_id(GUID, "0" * 16),
    url='https://pod.example/tide/articles/a?b=1&c="d"',
    title="Why <tides> turn\x0b",
    summary="Moon & sun",
    html='<p>It <em>turns</em> &amp; ]]> <a href="https://a.example/">x</a></p>',
    published_at=datetime(2026, 3, 1, 8, tzinfo=UTC),
    updated_at=datetime(2026, 3, 2, 8, tzinfo=UTC),
    authors=(FeedAuthor("Ann “Ocean”", "https://ann.example/"), FeedAuthor("Bo")),
    categories=("Science", "Q&A"),
    picture_url="https://pod.example/artwork/1/640.jpg",
)


def test_atom_has_the_whole_text_its_authors_and_dates() -> None:
    root = etree.fromstring(render_atom(FEED, [ARTICLE]))
    assert root.findtext(ATOM + "updated") == "2026-03-02T08:00:00Z"
    links = {link.get("rel"): link.get("href") for link in root.findall(ATOM + "link")}
    assert links == {"self": FEED.atom_url, "alternate": FEED.home_url}
    (entry,) = root.findall(ATOM + "entry")
    assert entry.findtext(ATOM + "title") == "Why <tides> turn"
    assert entry.findtext(ATOM + "content") == ARTICLE.html
    assert entry.find(ATOM + "link").get("href") == ARTICLE.url
    assert [name.text for name in entry.iter(ATOM + "name")] == ["Ann “Ocean”", "Bo"]
    assert [each.get("term") for each in entry.findall(ATOM + "category")] == ["Science", "Q&A"]
    # What a feed and an entry must have (RFC 4287 4.1.1, 4.1.2).
    for element in (root, entry):
        for name in ("id", "title", "updated"):
            assert len(element.findall(ATOM + name)) == 1
    assert root.find(ATOM + "author") is not None


def test_json_feed_says_the_same() -> None:
    feed = json.loads(render_article_json(FEED, [ARTICLE, replace(ARTICLE, authors=())]))
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    item, other = feed["items"]
    assert item["content_html"] == ARTICLE.html and item["tags"] == ["Science", "Q&A"]
    assert item["authors"][0] == {"name": "Ann “Ocean”", "url": "https://ann.example/"}
    assert item["date_modified"] == "2026-03-02T08:00:00Z" and "authors" not in other
    unchanged = replace(ARTICLE, updated_at=ARTICLE.published_at)
    assert "date_modified" not in json.loads(render_article_json(FEED, [unchanged]))["items"][0]


def test_a_feed_without_articles_is_one_all_the_same() -> None:
    assert etree.fromstring(render_atom(FEED, [])).findtext(ATOM + "updated").startswith("1970")
    assert json.loads(render_article_json(FEED, []))["items"] == []


def test_identities_are_of_the_show_and_the_row_alone() -> None:
    ids = {feed_id(GUID), article_id(GUID, "a"), article_id(GUID, "b"), article_id("odd", "a")}
    assert len(ids) == 4 and all(each.startswith("urn:uuid:") for each in ids)
    assert article_id(GUID, "a") == article_id(GUID.upper(), "a")
    assert render_atom(FEED, [ARTICLE]) == render_atom(FEED, [ARTICLE])
