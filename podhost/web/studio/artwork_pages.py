"""The page of a show's or an episode's artwork: a picture is given, and a square cut out of it."""

from typing import Any

from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.artwork import add_artwork, cropped_sha256, find_picture
from podhost.episodes import set_episode_artwork
from podhost.errors import Conflict, Invalid
from podhost.formats.artwork import FILE_LIMIT_BYTES, PIXEL_LIMIT, SMALLEST_ARTWORK_PX, Crop
from podhost.models import Artwork, Episode
from podhost.shows import set_show_artwork
from podhost.uploads.intake import Intake
from podhost.web.studio.listening import episode_path
from podhost.web.studio.visits import STUDIO, StudioRoute, Visit

_OF_SHOW = "/shows/{show}/artwork"
_OF_EPISODE = "/shows/{show}/episodes/{episode}/artwork"
_CHOOSE = "Choose a picture first."


def artwork_page(visit: Visit) -> Response:
    """The artwork as it is, and a form to give another."""
    return _page(visit)


def save_artwork(visit: Visit) -> Response:
    """Take a picture, or the chosen part of it, as the artwork."""
    _ = visit.words
    try:
        _store(visit)
    except Invalid as error:
        return _page(visit, 422, field_errors={"artwork": _.said(error.message)})
    return visit.redirect(_path(visit), say=_("The artwork is saved."))


def remove_artwork(visit: Visit) -> Response:
    """Take an episode's own artwork away; the show's serves again."""
    with visit.write() as session:
        set_episode_artwork(session, visit.episode(session, lock=True), None, now=visit.now())
    say = visit.words("The episode has the artwork of the show again.")
    return visit.redirect(_path(visit), say=say)


def _store(visit: Visit) -> None:
    file = visit.files.get("artwork")
    if file is None:
        raise Invalid(_CHOOSE)
    crop = _crop(visit)
    with visit.read() as session:
        known = find_picture(session, cropped_sha256(file.sha256, crop), True)
    with Intake(visit.instance.database, visit.instance.storage) as intake:
        prepared = intake.artwork(file.path, crop=crop) if known is None else None
        with visit.write() as session:
            show = visit.show(session, lock=True)
            now = visit.now()
            if prepared is not None:
                row = add_artwork(session, prepared, now=now)
            else:
                assert known is not None, "one of the two is there"
                found = session.get(Artwork, known.id)
                if found is None:
                    raise Conflict("The picture was just cleaned away; send it again.")
                row = found
            if "episode" in visit.parameters:
                set_episode_artwork(session, visit.episode(session), row, now=now)
            else:
                set_show_artwork(session, show, row, now=now)


def _crop(visit: Visit) -> Crop | None:
    """The square that the form names; None: the whole picture."""
    texts = [visit.form.text(name) for name in ("x", "y", "side")]
    if not all(text.isascii() and text.isdigit() and len(text) < 9 for text in texts):
        return None
    return Crop(*map(int, texts))


def _path(visit: Visit) -> str:
    with visit.read() as session:
        if "episode" in visit.parameters:
            episode = visit.episode(session)
            return f"{episode_path(episode.show, episode)}/artwork"
        return f"/shows/{visit.show(session).slug}/artwork"


def _page(visit: Visit, status: int = 200, **values: Any) -> Response:
    with visit.read() as session:
        show = visit.show(session)
        episode: Episode | None = None
        if "episode" in visit.parameters:
            episode = visit.episode(session)
        owner = episode or show
        path = f"{episode_path(show, episode)}" if episode is not None else f"/shows/{show.slug}"
        told = {
            "show": show,
            "episode": episode,
            "artwork": owner.artwork,
            "serving": owner.artwork or show.artwork,
            "api_path": f"/api/v1{path}/artwork",
            "page_path": f"{STUDIO}{path}/artwork",
        }
    return visit.page(
        "studio/artwork.html",
        status,
        least=SMALLEST_ARTWORK_PX,
        most_bytes=FILE_LIMIT_BYTES,
        most_pixels=PIXEL_LIMIT,
        **told,
        **values,
    )


ROUTES = (
    StudioRoute("GET", _OF_SHOW, artwork_page, Permission.MANAGE),
    StudioRoute("POST", _OF_SHOW, save_artwork, Permission.MANAGE, files=("artwork",)),
    StudioRoute("GET", _OF_EPISODE, artwork_page, Permission.EDIT),
    StudioRoute("POST", _OF_EPISODE, save_artwork, Permission.EDIT, files=("artwork",)),
    StudioRoute("POST", f"{_OF_EPISODE}/remove", remove_artwork, Permission.EDIT),
)
