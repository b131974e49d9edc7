"""The feeds of a show's articles: rows become the values that `formats.article_feeds` writes."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from podhost.artwork import artwork_url
from podhost.formats.article_feeds import (
    ArticleFeed,
    FeedArticle,
    FeedAuthor,
    article_id,
    feed_id,
)
from podhost.models import Show
from podhost.people import held_picture_url
from podhost.written.reading import ArticleCard, Author, full_texts, published_articles

ARTICLES_IN_FEED = 50
_PICTURE_PX = 1200


def article_feed(
    session: Session, show: Show, title: str, url: Callable[[str], str], base_url: str
) -> tuple[ArticleFeed, list[FeedArticle]]:
    """What the feeds say of the show, and its newest published articles with their whole texts.

    `title` is the feed's; `url` gives the absolute address of a path below the show, such as
    "/articles"; `base_url` is where pictures are.
    """
    cards = published_articles(session, show.id, limit=ARTICLES_IN_FEED)
    texts = full_texts(session, [card.id for card in cards])
    feed = ArticleFeed(
        id=feed_id(show.podcast_guid),
        title=title,
        description=show.description,
        language=show.language,
        home_url=url("/articles"),
        atom_url=url("/articles.xml"),
        json_url=url("/articles.json"),
        author=show.author,
        icon_url=artwork_url(base_url, show.artwork, size=_PICTURE_PX) if show.artwork else None,
    )
    return feed, [_article(show, card, texts[card.id], url, base_url) for card in cards]


def _article(
    show: Show, card: ArticleCard, html: str, url: Callable[[str], str], base_url: str
) -> FeedArticle:
    picture = card.picture
    return FeedArticle(
        id=article_id(show.podcast_guid, card.id),
        url=url(f"/articles/{card.slug}"),
        title=card.title,
        summary=card.summary,
        html=html,
        published_at=card.published_at,
        updated_at=card.updated_at or card.published_at,
        authors=tuple(_author(author, url, base_url) for author in card.authors),
        categories=tuple(category.name for category in card.categories),
        picture_url=artwork_url(base_url, picture, size=_PICTURE_PX) if picture else None,
    )


def _author(author: Author, url: Callable[[str], str], base_url: str) -> FeedAuthor:
    return FeedAuthor(
        author.name,
        author.url or url(f"/people/{author.slug}"),
        # One that lies elsewhere stays away: its host would learn who reads.
        held_picture_url(base_url, author.picture),
    )
