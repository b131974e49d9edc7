"""The show that the family `site` looks at: 5,000 episodes, 2,000 guests, 1,000 articles.

As in shows.py, what there are thousands of is written as rows. The feed is not rendered and the
search is not indexed, because no page needs either.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from benchmarks.shows import add_show
from benchmarks.studio_show import put_transcript
from podhost.db import new_id
from podhost.formats.markdown import render_notes
from podhost.instance import Instance
from podhost.models import (
    Article,
    ArticleAuthor,
    ArticleCategory,
    Chapter,
    Credit,
    Episode,
    Person,
    Transcript,
)
from podhost.shows import get_show
from podhost.written.articles import ArticleInput, create_article
from podhost.written.pages import PageInput, create_page
from podhost.written.publishing import publish_article
from podhost.written.sponsors import SponsorInput, create_sponsor

SLUG = "tides"
GUEST = "pilar-reef"
_HEARD = 200
_CHAPTERS = 30
_CATEGORIES = ("Harbours", "Weather", "Boats", "Law")
_PAGES = 6
_TEXT = "What the *tide* left, and who came by to look for it. " * 120


def fill(instance: Instance, episodes: int, guests: int, articles: int) -> dict[str, str]:
    """The show; the slug that stands behind each part of the site, such as /episodes."""
    ids = add_show(instance, SLUG, episodes=episodes, is_rendered=False)
    # Where the neighbours of an episode are furthest away.
    seen, now = ids[episodes // 2], instance.now()
    transcript = put_transcript(instance, seen)
    people = [_person(number) for number in range(guests)]
    with instance.database.write() as session:
        show = get_show(session, SLUG, lock=True)
        session.execute(insert(Transcript), [transcript])
        session.execute(delete(Chapter).where(Chapter.episode_id == seen))
        session.execute(insert(Chapter), [_chapter(seen, each) for each in range(_CHAPTERS)])
        session.execute(insert(Person), [{**person, "show_id": show.id} for person in people])
        heard = [(ids[each * episodes // guests], each) for each in range(guests)]
        heard += [(episode_id, 0) for episode_id in ids[:: episodes // min(_HEARD, episodes)]]
        of_show = {"show_id": show.id}
        session.execute(
            insert(Credit), [{**_credit(at, people[each]), **of_show} for at, each in heard]
        )
        session.execute(update(Person).where(Person.id == people[0]["id"]).values(slug=GUEST))
        page = _add_pages(session, show, now)
        article = _add_articles(session, show, people, articles, now)
        slug = session.scalars(select(Episode.slug).where(Episode.id == seen)).one()
    return {
        "episodes": slug,
        "embed": slug,
        "people": GUEST,
        "authors": GUEST,
        "articles": article,
        "pages": page,
    }


def _person(number: int) -> dict[str, Any]:
    name = f"Pilar Reef {number}"
    bio = "Knows every stone of the harbour, and says so to whoever asks. " * 3
    return {"id": new_id(), "slug": f"guest-{number}", "name": name, "name_key": name, "bio": bio}


def _credit(episode_id: str, person: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id(),
        "episode_id": episode_id,
        "person_id": person["id"],
        "position": 9,
        "name": person["name"],
        "role": "guest",
        "group": "cast",
        "bio": person["bio"],
    }


def _chapter(episode_id: str, position: int) -> dict[str, Any]:
    return {
        "episode_id": episode_id,
        "position": position,
        "start_ms": position * 120_000,
        "end_ms": (position + 1) * 120_000,
        "title": f"Part {position + 1}: further out",
    }


def _add_pages(session: Any, show: Any, now: datetime) -> str:
    for number in range(_PAGES):
        place = {"menu": ("top", "foot")[number % 2], "status": "published"}
        given = PageInput(title=f"Page {number}", text=_TEXT, **place)
        page = create_page(session, show, given, now=now)
        named = SponsorInput(name=f"Chandlery {number}", text="Rope by the metre.")
        create_sponsor(session, show, named, now=now)
    return str(page.slug)


def _add_articles(
    session: Any, show: Any, people: list[dict[str, Any]], count: int, now: datetime
) -> str:
    """Articles by several authors in several categories; the slug of one of them."""
    given = ArticleInput(title="What the tide left", text=_TEXT, summary="Rope and glass.")
    publish_article(session, create_article(session, show, given, now=now), at=None, now=now)
    html = render_notes(_TEXT)
    rows: dict[Any, list[dict[str, Any]]] = {Article: [], ArticleAuthor: [], ArticleCategory: []}
    for number in range(count - 1):
        moment = now - timedelta(hours=13 * (number + 1))
        row = {
            "id": new_id(),
            "show_id": show.id,
            "slug": f"flotsam-{number}",
            "title": f"Flotsam {number}: what was found, and by whom",
            "summary": "Rope, glass, a boot, and what they have to say of the winter.",
            "text": _TEXT,
            "text_html": html,
            "minutes": 7,
            "status": "published",
            "published_at": moment,
            "created_at": moment,
            "changed_at": moment,
        }
        rows[Article].append(row)
        of_row = {"article_id": row["id"]}
        rows[ArticleAuthor] += [
            {**of_row, "position": place, "person_id": people[(number + place) % 7]["id"]}
            for place in range(2)
        ]
        name = _CATEGORIES[number % len(_CATEGORIES)]
        named = {"show_id": show.id, "key": name.lower(), "name": name}
        rows[ArticleCategory].append({**of_row, "position": 0, **named})
    for model, values in rows.items():
        session.execute(insert(model), values)
    return f"flotsam-{(count - 1) // 2}"
