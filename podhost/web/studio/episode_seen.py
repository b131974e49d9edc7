"""An episode for those who may look at a show and not change it; it writes nothing."""

from starlette.responses import Response

from podhost.web.studio.episode_list import status_words
from podhost.web.studio.guest_view import episode_values
from podhost.web.studio.listening import episode_path, player_of
from podhost.web.studio.visits import STUDIO, Visit


def seen_page(visit: Visit) -> Response:
    """The episode as listeners see it or will, with the state that it is in."""
    with visit.read() as session:
        show, episode = visit.show(session), visit.episode(session)
        player = player_of(show, episode)
        values = episode_values(session, show, episode, STUDIO + episode_path(show, episode))
        return visit.page(
            "studio/episode_seen.html",
            **values | {"audio_path": player.audio_path if player is not None else ""},
            tab="episodes",
            status_words=status_words(visit.words),
            page_url=f"/{show.slug}/episodes/{episode.slug}",
        )
