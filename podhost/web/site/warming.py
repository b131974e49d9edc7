"""Looks at each kind of page once, so that no reader is the first; it answers nobody.

What one show's pages need, those of all shows have ready then: statements are compiled, styles
packed, classes mapped to tables. The pages themselves stay in memory like any others.
"""

import re
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from typing import Any
from urllib.parse import quote

from sqlalchemy import func, select
from sqlalchemy.orm import Session, configure_mappers

from podhost.models import Credit, Episode, Person, Show
from podhost.templating import environment, template_steps
from podhost.translations import LANGUAGES
from podhost.web import static_files
from podhost.web.site.listing import is_public
from podhost.web.site.looks import SiteRoute
from podhost.web.site.serving import make_ready
from podhost.web.site.table import ROUTES
from podhost.web.warming import Step
from podhost.written.pages import published_pages
from podhost.written.reading import published_articles

# Who makes a page, what is in its address, and what it is asked.
Asked = tuple[SiteRoute, dict[str, str], str]

# Cards are drawn in a child, which nothing has to be ready for; and an address as a picture takes
# megabytes that no other page needs, and a few hundredths of a second.
_LEFT_OUT = ("/cards/", "/follow")


def steps(app: Any) -> Iterator[Step]:
    """All that the first pages need. `app` has the state of the application."""
    yield partial(import_module, "brotli")
    yield configure_mappers
    yield static_files.version
    for language in LANGUAGES:
        yield partial(environment, language)
    yield from template_steps("site/")
    found: list[Asked] = []

    def find() -> None:
        with app.state.instance.database.read() as session:
            found.extend(find_pages(session))

    yield find
    for route, parameters, query in found:
        yield partial(make_ready, app, route, parameters, query)


def find_pages(session: Session) -> list[Asked]:
    """The pages of the show with the most episodes, one of each kind."""
    count = func.count()
    most = session.execute(
        select(Show.id, Show.slug)
        .join(Episode, Episode.show_id == Show.id)
        .where(Show.deleted_at.is_(None), Episode.status == "published")
        .group_by(Show.id, Show.slug)
        .order_by(count.desc())
        .limit(1)
    ).one_or_none()
    if most is None:
        return []
    slugs = _slugs(session, most.id)
    query = f"q={quote(slugs['episodes'].replace('-', ' '))}" if "episodes" in slugs else ""
    pages = []
    for route in ROUTES:
        names = re.findall(r"{(\w+)}", route.path)
        kind = route.path.split("/")[1]
        if route.method != "GET" or route.path.startswith(_LEFT_OUT):
            continue
        if names == [] or (names == ["slug"] and kind in slugs):
            parameters = {"slug": slugs[kind]} if names else {}
            asked = query if route.is_search else ""
            pages.append((route, {"show": most.slug, **parameters}, asked))
    return pages


def _slugs(session: Session, show_id: str) -> dict[str, str]:
    """By the folder of its page, one thing of each kind that the show has."""
    episode = session.scalar(
        select(Episode.slug)
        .where(*is_public(show_id))
        .order_by(Episode.published_at.desc())
        .limit(1)
    )
    guest = session.scalar(
        select(Person.slug)
        .join(Credit, Credit.person_id == Person.id)
        .where(Credit.show_id == show_id, Credit.role == "guest", Person.merged_into_id.is_(None))
        .limit(1)
    )
    articles = published_articles(session, show_id, limit=1)
    pages = published_pages(session, show_id)
    found = {
        "episodes": episode,
        "embed": episode,
        "people": guest,
        "articles": articles[0].slug if articles else None,
        "pages": pages[0][0] if pages else None,
    }
    return {kind: slug for kind, slug in found.items() if slug is not None}
