"""The picture that networks show where a link to an episode or an article is shared."""

from typing import Any

from podhost.errors import NotFound
from podhost.site.cards import MIME_TYPE
from podhost.web.site.episodes import get_published
from podhost.web.site.looks import Look, Page, SiteRoute
from podhost.written.reading import find_article

# The address says what is seen on it.
_CACHING = "public, max-age=604800"


def episode_card(look: Look) -> Page:
    """`/<show>/cards/episodes/<slug>.jpg`: the episode's artwork beside its title."""
    episode = get_published(look, look.parameters["slug"])
    return _card(look, episode.artwork or look.show.artwork, episode.title)


def article_card(look: Look) -> Page:
    """`/<show>/cards/articles/<slug>.jpg`: the article's picture, or the show's artwork."""
    card = find_article(look.session, look.show.id, look.parameters["slug"]).card
    return _card(look, card.picture or look.show.artwork, card.title)


def _card(look: Look, artwork: Any, title: str) -> Page:
    """The card, or for now the artwork alone."""
    if artwork is None:
        raise NotFound("There is no picture here.")
    body = look.cards.card_of(artwork, title, look.show.title) if look.cards else None
    if body is None:
        headers = {"location": look.picture_url(artwork)}
        return Page(status=302, content_type="text/plain", is_kept=False, headers=headers)
    # They have a memory of their own, so that they push out no pages.
    return Page(
        body=body, content_type=MIME_TYPE, is_kept=False, headers={"cache-control": _CACHING}
    )


ROUTES: tuple[SiteRoute, ...] = (
    SiteRoute("/cards/episodes/{slug}.jpg", episode_card),
    SiteRoute("/cards/articles/{slug}.jpg", article_card),
)
