"""What readers get of a show's written side: its articles with their feeds, and its pages."""

from typing import Any
from urllib.parse import quote

from podhost.artwork import artwork_url
from podhost.errors import NotFound
from podhost.formats.article_feeds import (
    ATOM_TYPE,
    JSON_FEED_TYPE,
    ArticleFeed,
    FeedArticle,
    render_article_json,
    render_atom,
)
from podhost.models import Episode
from podhost.search.titles import with_like_titles
from podhost.web.site.frame import list_head
from podhost.web.site.listing import EpisodeCard, is_public, list_episodes
from podhost.web.site.looks import Head, Look, Moved, Page, SiteRoute
from podhost.web.site.schema import breadcrumbs, moment
from podhost.web.site.sharing import discovery_links, share_links
from podhost.written.feeds import article_feed
from podhost.written.pages import find_page
from podhost.written.reading import (
    ArticleCard,
    articles_like,
    count_published,
    find_article,
    find_category,
    list_published_categories,
    published_articles,
)

ARTICLES_PER_PAGE = 20
_PICTURE_PX = 1200
_HEADLINE_CHARS = 110


def articles_page(look: Look) -> Page:
    """`/<show>/articles`: all articles, newest first, or those of a category."""
    key, number = look.query.get("category"), look.page_number()
    category = find_category(look.session, look.show.id, key) if key is not None else None
    total = count_published(look.session, look.show.id, category=key)
    offset = (number - 1) * ARTICLES_PER_PAGE
    articles = published_articles(
        look.session, look.show.id, category=key, limit=ARTICLES_PER_PAGE, offset=offset
    )
    if not articles and number > 1:
        raise NotFound("There is no such page.")
    _ = look.words
    title = category.name if category is not None else _("Articles")
    path = f"/articles?category={quote(category.key)}" if category is not None else "/articles"
    return Page(
        template="site/articles.html",
        head=list_head(
            title,
            path,
            number,
            picture=look.show.artwork,
            data=[breadcrumbs(look, ("/articles", _("Articles")))],
            is_indexed=bool(articles) and category is None,
        ),
        values={
            "articles": articles,
            "category": category,
            "categories": list_published_categories(look.session, look.show.id),
            "page": number,
            "pages": -(-total // ARTICLES_PER_PAGE),
        },
    )


def article_page(look: Look) -> Page:
    """`/<show>/articles/<slug>`: who wrote it and when, the text, what comes before and after."""
    slug = look.parameters["slug"]
    found = find_article(look.session, look.show.id, slug)
    if found.card.slug != slug:
        raise Moved(look.path(f"/articles/{found.card.slug}"))
    card, path = found.card, f"/articles/{found.card.slug}"
    steps = (("/articles", look.words("Articles")), (path, card.title))
    return Page(
        template="site/article.html",
        head=Head(
            title=card.title,
            path=path,
            description=card.summary,
            picture=card.picture or look.show.artwork,
            picture_alt=card.picture_alt if card.picture else "",
            card=look.card_path(path, card.picture or look.show.artwork, card.title),
            kind="article",
            properties=_properties(look, card),
            data=[_article_data(look, card), breadcrumbs(look, *steps)],
            links=discovery_links(look, path, card.title),
        ),
        values={
            "article": card,
            "text_html": found.text_html,
            "episode": found.episode,
            "previous": found.previous,
            "next": found.next,
            "related": _related(look, card),
            "related_episodes": _episodes(look, card),
            "share_links": share_links(look.words, look.url(path), card.title),
        },
    )


def author_page(look: Look) -> Page:
    """Authors have the pages of all people."""
    raise Moved(look.path(f"/people/{quote(look.parameters['slug'])}"))


def written_page(look: Look) -> Page:
    """`/<show>/pages/<slug>`: a page that stands in the menus, such as about."""
    slug = look.parameters["slug"]
    page = find_page(look.session, look.show.id, slug)
    if page.slug != slug:
        raise Moved(look.path(f"/pages/{page.slug}"))
    path = f"/pages/{page.slug}"
    return Page(
        template="site/page.html",
        head=Head(
            title=page.title,
            path=path,
            picture=look.show.artwork,
            data=[breadcrumbs(look, (path, page.title))],
        ),
        values={"page": page},
    )


def atom_feed(look: Look) -> Page:
    """`/<show>/articles.xml`: the newest articles as Atom."""
    return Page(body=render_atom(*_feed(look)), content_type=f"{ATOM_TYPE}; charset=utf-8")


def json_feed(look: Look) -> Page:
    """`/<show>/articles.json`: the same as JSON Feed."""
    body = render_article_json(*_feed(look))
    return Page(body=body, content_type=f"{JSON_FEED_TYPE}; charset=utf-8")


def _feed(look: Look) -> tuple[ArticleFeed, list[FeedArticle]]:
    title = look.words("%(show)s: articles", show=look.show.title)
    return article_feed(look.session, look.show, title, look.url, look.base_url)


def _related(look: Look, card: ArticleCard) -> list[ArticleCard]:
    """Up to three others of the first category that has any, else by the first author, else with
    words of the title in theirs."""
    for category, author_id in (
        *((category.key, None) for category in card.categories),
        *((None, author.id) for author in card.authors),
    ):
        found = published_articles(
            look.session, look.show.id, category=category, author_id=author_id, limit=4
        )
        others = [each for each in found if each.id != card.id][:3]
        if others:
            return others
    like = articles_like(look.session, look.show.id, card.title, most=4)
    return [each for each in like if each.id != card.id][:3]


def _episodes(look: Look, card: ArticleCard) -> list[EpisodeCard]:
    """Up to three episodes with words of the title in theirs."""
    public = is_public(look.show.id)
    table = Episode.__table__
    ids = with_like_titles(look.session, table, card.title, *public, most=3)
    return list_episodes(look.session, look.show, table.c.id.in_(ids), limit=3) if ids else []


def _properties(look: Look, card: ArticleCard) -> list[tuple[str, str]]:
    """The article in the words of Open Graph (ogp.me, article)."""
    properties = [("article:published_time", moment(card.published_at))]
    if card.updated_at is not None:
        properties.append(("article:modified_time", moment(card.updated_at)))
    properties += [
        ("article:author", look.url(f"/people/{author.slug}")) for author in card.authors
    ]
    names = [category.name for category in card.categories]
    properties += [("article:section", name) for name in names[:1]]
    return properties + [("article:tag", name) for name in names]


def _article_data(look: Look, card: ArticleCard) -> dict[str, Any]:
    """The article in the words of schema.org."""
    url = look.url(f"/articles/{card.slug}")
    data = {
        "@context": "https://schema.org",
        "@type": "Article",
        "headline": card.title[:_HEADLINE_CHARS],
        "description": card.summary,
        "datePublished": moment(card.published_at),
        "dateModified": moment(card.updated_at or card.published_at),
        "author": [
            {
                "@type": "Person",
                "name": author.name,
                "url": author.url or look.url(f"/people/{author.slug}"),
            }
            for author in card.authors
        ],
        "image": _picture_url(look, card) or look.picture_url(look.show.artwork),
        "keywords": [category.name for category in card.categories],
        "inLanguage": look.show.language,
        "url": url,
        "mainEntityOfPage": url,
        "publisher": {"@type": "Organization", "name": look.show.author or look.show.title},
    }
    return {key: value for key, value in data.items() if value}


def _picture_url(look: Look, card: ArticleCard) -> str | None:
    return artwork_url(look.base_url, card.picture, size=_PICTURE_PX) if card.picture else None


ROUTES: tuple[SiteRoute, ...] = (
    SiteRoute("/articles", articles_page, reads=("category", "page")),
    SiteRoute("/articles.xml", atom_feed),
    SiteRoute("/articles.json", json_feed),
    SiteRoute("/articles/{slug}", article_page),
    SiteRoute("/authors/{slug}", author_page),
    SiteRoute("/pages/{slug}", written_page),
)
