"""The page on which a show is made, the first one too: what no feed can be without, no more."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from podhost.accounts.roles import Permission, list_shows_of, make_owner
from podhost.artwork import PreparedArtwork, add_artwork
from podhost.errors import Conflict, Invalid
from podhost.shows import ShowInput, create_show, set_show_artwork
from podhost.uploads.intake import Intake
from podhost.web.calls import naming_fields_of
from podhost.web.studio import pickers
from podhost.web.studio.show_fields import N_
from podhost.web.studio.show_forms import beside, labels_of, read_fields, show_input
from podhost.web.studio.show_groups import PLACES
from podhost.web.studio.visits import StudioRoute, Visit

_FIELDS = tuple(
    PLACES[name][1] for name in ("title", "author", "description", "language", "categories")
)
_ARTWORK = N_("Artwork")


def see_new_show(visit: Visit) -> Response:
    """An empty form."""
    values = read_fields(_FIELDS, [])
    values |= {"language": visit.language, "author": visit.account.name}
    return _page(visit, values, {})


def make_show(visit: Visit) -> Response:
    """Make the show, whose owner is who asked for it, and go on to its first episode."""
    values = read_fields(_FIELDS, visit.form.pairs)
    try:
        given = show_input(values)
        # Where the browser is, as far as a script could tell it.
        given.time_zone = visit.form.text("time_zone") or visit.account.time_zone or "UTC"
        with Intake(visit.instance.database, visit.instance.storage) as intake:
            slug = _create(visit, given, _picture(visit, intake))
    except (Invalid, Conflict) as error:
        return _page(visit, values, error.fields, status=422)
    return visit.redirect(
        f"/shows/{slug}/upload", say=visit.words("Your show is here. Now its first episode.")
    )


def _create(visit: Visit, given: ShowInput, picture: PreparedArtwork | None) -> str:
    now = visit.now()
    with naming_fields_of(ShowInput), visit.write() as session:
        show = create_show(session, given, base_url=visit.instance.base_url, now=now)
        make_owner(session, show, visit.account, now=now)
        if picture is not None:
            set_show_artwork(session, show, add_artwork(session, picture, now=now), now=now)
        return show.slug


def _picture(visit: Visit, intake: Intake) -> PreparedArtwork | None:
    """The artwork, if some was given. Raises Invalid, which names its field."""
    file = visit.files.get("artwork")
    try:
        return intake.artwork(file.path) if file is not None else None
    except Invalid as error:
        raise Invalid(error.message, {"artwork": error.message}) from None


def _page(
    visit: Visit, values: Mapping[str, Any], errors: Mapping[str, str], status: int = 200
) -> Response:
    language = str(values.get("language") or "")
    placed = beside(_FIELDS, errors)
    with visit.read() as session:
        is_first = not list_shows_of(session, visit.account)
    return visit.page(
        "studio/show_new.html",
        say=visit.words.said,
        status=status,
        is_first=is_first,
        fields=_FIELDS,
        time_zone=visit.form.text("time_zone") or visit.account.time_zone or "",
        values=values,
        errors=placed,
        labels={**labels_of(_FIELDS, placed), "artwork": _ARTWORK},
        pickers={
            "languages": pickers.language_choices(visit.language, language),
            "categories": pickers.category_choices(visit.words.find),
        },
    )


ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("GET", "/shows/new", see_new_show, Permission.OPERATE),
    StudioRoute("POST", "/shows/new", make_show, Permission.OPERATE, files=("artwork",)),
)
