"""The feeds of a show's articles, made of its rows."""

import json
from datetime import timedelta

from lxml import etree

from podhost.formats.article_feeds import render_article_json, render_atom
from podhost.instance import Instance
from podhost.models import Article, Show
from podhost.written.articles import ArticleInput, change_article
from podhost.written.feeds import article_feed
from tests.conftest import FrozenClock
from tests.making import make_show
from tests.written.making import make_article

ATOM = "{http://www.w3.org/2005/Atom}"


def bodies(instance: Instance, show: Show) -> tuple[bytes, bytes]:
    with instance.database.read() as session:
        held = session.get_one(Show, show.id)
        base_url = instance.base_url
        home_url = f"{base_url}/{held.slug}"
        values = article_feed(session, held, held.title, lambda path: home_url + path, base_url)
    return render_atom(*values), render_article_json(*values)


def test_feeds_have_what_is_out_and_keep_identities_when_addresses_change(
    instance: Instance, clock: FrozenClock
) -> None:
    show = make_show(instance)
    first = make_article(instance, show, "First", authors=("Ann",), categories=["Moon"])
    clock.advance(hours=1)
    make_article(instance, show, "Second", text="**Whole** text.")
    make_article(instance, show, "A draft", publish=False)
    make_article(instance, show, "To come", at=clock() + timedelta(days=1))
    atom, feed = bodies(instance, show)
    assert bodies(instance, show) == (atom, feed)
    root = etree.fromstring(atom)
    assert [each.text for each in root.iterfind(f"{ATOM}entry/{ATOM}title")] == ["Second", "First"]
    items = json.loads(feed)["items"]
    assert items[0]["content_html"] == "<p><strong>Whole</strong> text.</p>"
    page_url = f"{instance.base_url}/tide-tables/people/ann"
    assert items[1]["tags"] == ["Moon"]
    assert items[1]["authors"] == [{"name": "Ann", "url": page_url}]

    clock.advance(hours=1)
    with instance.database.write() as session:
        row = session.get_one(Article, first.id)
        given = ArticleInput(slug="moon", updated_at=clock().isoformat())
        change_article(session, show, row, given, now=clock())
    changed = json.loads(bodies(instance, show)[1])["items"][1]
    assert changed["id"] == items[1]["id"] and changed["url"].endswith("/articles/moon")
    assert "date_modified" in changed and changed["date_published"] == items[1]["date_published"]
