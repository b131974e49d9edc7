"""The page on where to submit a show: its feed's address, and what was noted of each directory."""

from collections.abc import Mapping

from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.errors import Invalid
from podhost.feeds.hubs import PODCAST_INDEX, hub_answers, list_hubs
from podhost.shows.directories import (
    DIRECTORIES,
    ListingInput,
    directory_list,
    names_fed_by,
    note_listing,
)
from podhost.web.studio.show_fields import N_
from podhost.web.studio.visits import StudioRoute, Visit

NEEDS: Mapping[str, str] = {
    "account": N_("an account there"),
    "owner_email": N_("the owner's e-mail in the feed"),
    "artwork": N_("artwork"),
    "category": N_("a category"),
    "episode": N_("an episode or a trailer"),
}
_NOTED = ("submitted_on", "listed_url", "note")


def see_directories(visit: Visit) -> Response:
    """The feed's address, and every directory."""
    return _page(visit)


def save_listing(visit: Visit) -> Response:
    """Note something of one directory."""
    _ = visit.words
    directory_id = visit.form.text("directory")
    given = {name: visit.form.text(name) for name in _NOTED}
    if visit.form.has("today"):
        given["submitted_on"] = visit.now().date().isoformat()
    try:
        with visit.write() as session:
            show = visit.show(session, lock=True)
            note_listing(session, show, directory_id, ListingInput(**given), now=visit.now())
    except Invalid as error:
        return _page(visit, directory_id, given, error.fields, status=422)
    here = visit.parameters["show"]
    return visit.redirect(f"/shows/{here}/submit#{directory_id}", say=_("Saved."))


def _page(
    visit: Visit,
    directory_id: str = "",
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    instance = visit.instance
    with visit.read() as session:
        show = visit.show(session)
        listed = directory_list(session, show, instance.base_url)
        hubs = hub_answers(session, show, list_hubs(instance.settings, instance.base_url))
        told = next((hub for hub in hubs if hub.kind == PODCAST_INDEX), None)
    return visit.page(
        "studio/show_submit.html",
        say=visit.words.said,
        status=status,
        show=show,
        tab="submit",
        listed=listed,
        needs=NEEDS,
        names={directory.id: directory.name for directory in DIRECTORIES},
        fed={directory.id: names_fed_by(directory.id) for directory in DIRECTORIES},
        told_at=told.last_sent_at if told is not None else None,
        lacks_artwork=show.artwork is None or show.artwork.is_placeholder,
        wrong=directory_id,
        given=given or {},
        errors=errors or {},
    )


_SUBMIT = "/shows/{show}/submit"
ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("GET", _SUBMIT, see_directories, Permission.VIEW),
    StudioRoute("POST", _SUBMIT, save_listing, Permission.MANAGE),
)
