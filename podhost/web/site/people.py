"""The people of a show: an index of its guests, a page for each, and who works on it."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from podhost.errors import NotFound
from podhost.fields import may_be_slug
from podhost.models import Credit, Person
from podhost.people import list_credits
from podhost.people_public import TOLD, public_value
from podhost.web.site.episodes import EPISODES_PER_PAGE
from podhost.web.site.frame import list_head
from podhost.web.site.listing import (
    EpisodeCard,
    count_episodes,
    credited,
    is_of_show,
    list_episodes,
    public_ids,
    read_pictures,
    with_person,
    without_own_host,
)
from podhost.web.site.looks import Head, Look, Moved, Page, SiteRoute
from podhost.web.site.schema import breadcrumbs, person
from podhost.written.reading import ArticleCard, count_published, published_articles

_GUESTS_PER_PAGE = 200


class Heard(NamedTuple):
    """Somebody of the index: in how many episodes, and since when they were heard last."""

    slug: str
    name: str
    bio: str
    episodes: int
    picture: Any


def guests_page(look: Look) -> Page:
    """`/<show>/guests`: everybody who was a guest, by name; `?q=` looks for some of them."""
    words = " ".join(look.query.get("q", "").split())[:100]
    number = look.page_number()
    guests, count = _guests(look, words, number)
    if not guests and number > 1:
        raise NotFound("There is no such page.")
    _ = look.words
    return Page(
        template="site/guests.html",
        head=list_head(
            _("Guests of %(show)s", show=look.show.title),
            "/guests",
            number,
            picture=look.show.artwork,
            data=[breadcrumbs(look, ("/guests", _("Guests")))],
            is_indexed=not words,
        ),
        values={
            "guests": guests,
            "words": words,
            "count": count,
            "page": number,
            "pages": -(-count // _GUESTS_PER_PAGE),
        },
    )


def person_page(look: Look) -> Page:
    """`/<show>/people/<slug>`: who somebody is, and every episode and article of theirs."""
    slug, number = look.parameters["slug"], look.page_number()
    found = _find_person(look, slug)
    made = _made_by(look, found.id, number)
    if not (made.pages or made.is_of_show):
        # Whoever was only named in a draft is known to nobody yet, by whatever spelling.
        raise NotFound("There is nobody of that name here.")
    if number > max(1, made.pages):
        raise NotFound("There is no such page.")
    if found.slug != slug:
        raise Moved(look.path(f"/people/{found.slug}"))
    _ = look.words
    path = f"/people/{found.slug}"
    place = ("/credits", _("Credits")) if made.is_of_show else ("/guests", _("Guests"))
    links = [found.url] if found.url else []
    links += [link["url"] for link in found.links or ()]
    picture = found.picture
    return Page(
        template="site/person.html",
        head=list_head(
            found.name,
            path,
            number,
            description=found.bio,
            picture=picture or look.show.artwork,
            kind="profile",
            data=[
                person(
                    look,
                    slug=found.slug,
                    name=found.name,
                    bio=found.bio,
                    picture_url=look.picture_url(picture),
                    links=links,
                ),
                breadcrumbs(look, place, (path, found.name)),
            ],
        ),
        values={
            "person": found,
            "episodes": made.episodes,
            "articles": made.articles,
            "page": number,
            "pages": made.pages,
        },
    )


class Made(NamedTuple):
    """One page of what somebody was heard in and wrote, and how many pages there are; whether the
    show itself names them."""

    is_of_show: bool
    episodes: Sequence[EpisodeCard]
    articles: Sequence[ArticleCard]
    pages: int


def _made_by(look: Look, person_id: str, number: int) -> Made:
    session, show = look.session, look.show
    heard = with_person(show.id, person_id)
    is_named = is_of_show(session, show.id, person_id)
    if is_named:
        heard = heard | without_own_host(show.id)
    start, per_page = (number - 1) * EPISODES_PER_PAGE, EPISODES_PER_PAGE
    most = max(
        count_episodes(session, show.id, heard),
        count_published(session, show.id, author_id=person_id),
    )
    return Made(
        is_named,
        list_episodes(session, show, heard, limit=per_page, offset=start),
        published_articles(session, show.id, author_id=person_id, limit=per_page, offset=start),
        -(-most // per_page),
    )


def credits_page(look: Look) -> Page:
    """`/<show>/credits`: who makes the show, and who made which episode."""
    show, _ = look.show, look.words
    return Page(
        template="site/credits.html",
        head=Head(
            title=_("Credits of %(show)s", show=show.title),
            path="/credits",
            picture=show.artwork,
            data=[breadcrumbs(look, ("/credits", _("Credits")))],
        ),
        values={
            "hosts": credited(look.session, list_credits(look.session, show, None)),
            "by_role": _by_role(look),
        },
    )


def _by_role(look: Look) -> dict[str, list[tuple[str, str, int]]]:
    """The slugs and names of all but guests, with how many episodes they had that role in; who has
    several spellings is one."""
    main, episodes = aliased(Person), func.count(Credit.episode_id.distinct())
    rows = look.session.execute(
        select(main.slug, main.name, Credit.role, episodes)
        .select_from(Credit)
        .join(Person, Person.id == Credit.person_id)
        .join(main, main.id == func.coalesce(Person.merged_into_id, Person.id))
        .where(
            Credit.show_id == look.show.id,
            Credit.role != "guest",
            Credit.episode_id.in_(public_ids(look.show.id)),
        )
        .group_by(main.slug, main.name, Credit.role)
        .order_by(episodes.desc(), main.name)
    )
    found: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for slug, name, role, count in rows:
        found[role].append((slug, name, count))
    return dict(found)


class KnownPerson(NamedTuple):
    """Somebody with what was last said of them; `picture` is a row of the artwork, or None."""

    id: str
    slug: str
    name: str
    bio: str
    url: str | None
    links: list[dict[str, str]] | None
    picture: Any


def _find_person(look: Look, slug: str) -> KnownPerson:
    """Who has this slug, or whose other spelling has it. Raises NotFound."""
    row = (
        look.session.scalar(
            select(Person).where(Person.show_id == look.show.id, Person.slug == slug)
        )
        if may_be_slug(slug)
        else None
    )
    if row is None:
        raise NotFound("There is nobody of that name here.")
    if row.merged_into_id is not None:
        row = look.session.get_one(Person, row.merged_into_id)
    told = {name: public_value(row, name) for name in TOLD}
    picture = read_pictures(look.session, [told["artwork_id"]]).get(told["artwork_id"])
    bio, url, links = told["bio"], told["url"], told["links"]
    return KnownPerson(row.id, row.slug, row.name, bio, url, links, picture)


def _guests(look: Look, words: str, number: int) -> tuple[list[Heard], int]:
    main = aliased(Person)
    heard = (
        select(main.id, func.count(Credit.episode_id.distinct()).label("episodes"))
        .select_from(Credit)
        .join(Person, Person.id == Credit.person_id)
        .join(main, main.id == func.coalesce(Person.merged_into_id, Person.id))
        .where(
            Credit.show_id == look.show.id,
            Credit.role == "guest",
            Credit.episode_id.in_(public_ids(look.show.id)),
        )
        .group_by(main.id)
        .subquery()
    )
    said = (Person.bio, Person.artwork_id, Person.still_public)
    query = select(Person.slug, Person.name, *said, heard.c.episodes).join(
        heard, heard.c.id == Person.id
    )
    rows = [
        row
        for row in look.session.execute(query.order_by(Person.name_key))
        if all(word in row.name.casefold() for word in words.casefold().split())
    ]
    start = (number - 1) * _GUESTS_PER_PAGE
    shown = rows[start : start + _GUESTS_PER_PAGE]
    held = [public_value(row, "artwork_id") for row in shown]
    pictures = read_pictures(look.session, held)
    return [
        Heard(row.slug, row.name, public_value(row, "bio"), row.episodes, pictures.get(picture))
        for row, picture in zip(shown, held, strict=True)
    ], len(rows)


ROUTES: tuple[SiteRoute, ...] = (
    SiteRoute("/guests", guests_page, reads=("q", "page"), is_search=True),
    SiteRoute("/people/{slug}", person_page, reads=("page",)),
    SiteRoute("/credits", credits_page),
)
