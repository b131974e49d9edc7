"""Articles, pages and sponsors for tests, made by the same functions that the program calls."""

from datetime import datetime

from podhost.instance import Instance
from podhost.models import Article, Page, Show, Sponsor
from podhost.shows import get_show
from podhost.written.articles import ArticleInput, AuthorInput, create_article
from podhost.written.pages import PageInput, create_page
from podhost.written.publishing import publish_article
from podhost.written.sponsors import SponsorInput, create_sponsor


def make_article(
    instance: Instance,
    show: Show,
    title: str = "Why the tide turns",
    *,
    publish: bool = True,
    at: datetime | None = None,
    authors: tuple[str, ...] = (),
    **given: object,
) -> Article:
    """An article of the show, published unless a test says otherwise."""
    values = {"text": "It **turns**, twice a day.", **given}
    with instance.database.write() as session:
        locked = get_show(session, show.slug, lock=True)
        people = [AuthorInput(name=name) for name in authors]
        made = ArticleInput(title=title, authors=people, **values)  # type: ignore[arg-type]
        article = create_article(session, locked, made, now=instance.now())
        if publish:
            publish_article(session, article, now=instance.now(), at=at)
        return article


def make_page(instance: Instance, show: Show, title: str, **given: object) -> Page:
    """A page of the show, published unless a test says otherwise."""
    values = {"status": "published", "text": "Welcome.", **given}
    with instance.database.write() as session:
        locked = get_show(session, show.slug, lock=True)
        made = PageInput(title=title, **values)  # type: ignore[arg-type]
        return create_page(session, locked, made, now=instance.now())


def make_sponsor(instance: Instance, show: Show, name: str, **given: object) -> Sponsor:
    """A sponsor of the show."""
    with instance.database.write() as session:
        locked = get_show(session, show.slug, lock=True)
        made = SponsorInput(name=name, **given)  # type: ignore[arg-type]
        return create_sponsor(session, locked, made, now=instance.now())
