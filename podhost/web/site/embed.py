"""The player in pages of other sites; by which they find it is in oembed.py."""

from sqlalchemy import select

from podhost.errors import NotFound
from podhost.models import Audio, Episode
from podhost.web.site.episodes import get_published
from podhost.web.site.listening import player_values
from podhost.web.site.listing import is_public
from podhost.web.site.looks import Head, Look, Moved, Page, SiteRoute


def embed_page(look: Look) -> Page:
    """`/<show>/embed/<slug>`: the player of an episode, for frames in pages of anybody.

    `?theme=light` or `dark` and `?t=` are read by the page's script, so that one page is for all.
    """
    episode = get_published(look, look.parameters["slug"])
    if episode.slug != look.parameters["slug"]:
        raise Moved(look.path(f"/embed/{episode.slug}"))
    return _player(look, episode)


def newest_page(look: Look) -> Page:
    """`/<show>/embed`: the same of whichever episode is the newest."""
    episode = find_newest(look)
    if episode is None:
        raise NotFound("There is no episode yet.")
    return _player(look, episode)


def find_newest(look: Look) -> Episode | None:
    """The newest episode that can be heard."""
    return look.session.scalar(
        select(Episode)
        .join(Audio, (Audio.episode_id == Episode.id) & Audio.replaced_at.is_(None))
        .where(*is_public(look.show.id))
        .order_by(Episode.published_at.desc(), Episode.id)
        .limit(1)
    )


def _player(look: Look, episode: Episode) -> Page:
    values = player_values(look, episode)
    if values is None:
        raise NotFound("This episode has no audio.")
    return Page(
        template="site/embed.html",
        head=Head(
            title=f"{episode.title} · {look.show.title}",
            path=f"/episodes/{episode.slug}",
            is_indexed=False,
        ),
        values={"listening": {**values, "embed_code": "", "networks": (), "is_embed": True}},
        framed_by="*",
    )


ROUTES: tuple[SiteRoute, ...] = (
    SiteRoute("/embed", newest_page, is_framed=True),
    SiteRoute("/embed/{slug}", embed_page, is_framed=True),
)
