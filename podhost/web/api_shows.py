"""The API's calls for shows."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import list_shows_of, make_owner
from podhost.answers import HubList, ShowAnswer, ShowList, show_answer, show_answers
from podhost.artwork import PreparedArtwork, add_artwork, cropped_sha256, find_artwork
from podhost.errors import Conflict, Invalid
from podhost.feeds.hubs import hub_answers, list_hubs
from podhost.feeds.rendering import find_snapshot
from podhost.fields import FieldErrors
from podhost.formats.artwork import SMALLEST_ARTWORK_PX, Crop
from podhost.models import Artwork, Show
from podhost.moves import read_again
from podhost.moves.cut_over import CutOver, cut_over
from podhost.shows import (
    ShowInput,
    change_show,
    create_show,
    delete_show,
    set_show_artwork,
)
from podhost.uploads.intake import Intake
from podhost.web.calls import Call, json_answer, named, naming_fields_of
from podhost.web.inputs import read_count
from podhost.web.openapi import Query
from podhost.web.uploading import ReceivedFile

DEFAULT_PAGE = 50
LARGEST_PAGE = 200
# Beyond it, databases no longer count.
_FARTHEST = 10**9


class ArtworkCrop(msgspec.Struct, kw_only=True):
    """Which square of a picture becomes the artwork: its left and upper edge and how wide it is,
    in pixels of the upright picture; all of it, if nothing is said."""

    x: int | UnsetType | None = UNSET
    y: int | UnsetType | None = UNSET
    side: int | UnsetType | None = UNSET


CROP = tuple(
    Query(name, f"Of a bare file that is to be cut: {meaning}.", {"type": "integer", "minimum": 0})
    for name, meaning in (
        ("x", "the left edge of the square"),
        ("y", "its upper edge"),
        ("side", "how wide it is"),
    )
)


def get_shows(call: Call, session: Session) -> ShowList:
    """A page of the shows here that the caller may see, by title."""
    limit, offset = page(call)
    shows = list_shows_of(session, call.actor)
    return ShowList(
        shows=show_answers(session, shows[offset : offset + limit], call.instance.base_url),
        total=len(shows),
        next=next_page(call, "/api/v1/shows", limit, offset, len(shows)),
    )


def post_show(call: Call) -> Response:
    """A new show."""
    given = call.given(ShowInput, told=ShowAnswer)
    base_url = call.instance.base_url
    with naming_fields_of(ShowInput), call.write() as session:
        show = create_show(session, given, base_url=base_url, now=call.now())
        make_owner(session, show, call.actor, now=call.now())
        created = show_answer(session, show, base_url, warnings=call.warnings)
    location = f"{base_url}/api/v1/shows/{created.slug}"
    return json_answer(created, 201, location=location)


def get_one_show(call: Call, session: Session) -> ShowAnswer:
    """One show."""
    return show_answer(session, call.show(session), call.instance.base_url)


def patch_show(call: Call) -> Response:
    """Change what is given; everything else stays."""
    given = call.given(ShowInput, told=ShowAnswer)
    with naming_fields_of(ShowInput), call.write() as session:
        show = call.show(session, lock=True)
        change_show(session, show, given, now=call.now())
        changed = show_answer(session, show, call.instance.base_url, warnings=call.warnings)
    return json_answer(changed)


def remove_show(call: Call) -> Response:
    """Take the show off the air for good."""
    with call.write() as session:
        delete_show(session, call.show(session, lock=True), now=call.now())
    return Response(status_code=204)


def put_show_artwork(call: Call) -> Response:
    """Give the show its artwork."""
    crop = given_crop(call)
    received = required_file(call, "artwork")
    with Intake(call.instance.database, call.instance.storage) as intake:
        picture = prepared_artwork(call, intake, received, crop)
        with call.write() as session:
            show = call.show(session, lock=True)
            artwork = artwork_row(call, session, picture)
            set_show_artwork(session, show, artwork, now=call.now())
            changed = show_answer(session, show, call.instance.base_url, warnings=call.warnings)
    return json_answer(changed)


def get_hubs(call: Call, session: Session) -> Response:
    """Who is told that the show's feed changed, and what became of it."""
    show = call.show(session)
    snapshot = find_snapshot(session, show)
    hubs = list_hubs(call.instance.settings, call.instance.base_url)
    told = HubList(
        hubs=hub_answers(session, show, hubs),
        snapshot_version=snapshot.version if snapshot is not None else None,
    )
    return json_answer(told)


class MoveAgain(msgspec.Struct, kw_only=True):
    """To have the new feed read again; `anyway` sends apps there although it lacks something."""

    anyway: bool | UnsetType = UNSET


def get_move(call: Call, session: Session) -> Response:
    """How far the show's move to another host is, and what is to be done."""
    return json_answer(_cut_over(call, session, call.show(session)))


def post_move(call: Call) -> Response:
    """Have the new feed read again, soon."""
    given = call.given(MoveAgain)
    with call.write() as session:
        show = call.show(session, lock=True)
        read_again(session, show, anyway=given.anyway is True, now=call.now())
        answer = _cut_over(call, session, show)
    return json_answer(answer, 202)


def _cut_over(call: Call, session: Session, show: Show) -> CutOver:
    hubs = hub_answers(session, show, list_hubs(call.instance.settings, call.instance.base_url))
    return cut_over(show, call.instance.base_url, hubs, now=call.now())


def get_doctor(call: Call, session: Session) -> Response:
    """What is wrong with the show's feed; nothing is read from the network."""
    # Loaded here, because nobody asks for it at first and it takes its time.
    from podhost.doctor.diagnoses import diagnose
    from podhost.feeds.hubs import site_of

    show = call.show(session)
    return json_answer(diagnose(session, show, site_of(call.instance), now=call.now()))


# What the calls for episodes need as well


def page(call: Call) -> tuple[int, int]:
    """The limit and the offset that the query asks for. Raises Invalid."""
    limit = offset = 0
    errors = FieldErrors()
    with errors.noting("limit"):
        limit = read_count(
            call.query.get("limit"), default=DEFAULT_PAGE, least=1, most=LARGEST_PAGE
        )
    with errors.noting("offset"):
        offset = read_count(call.query.get("offset"), default=0, least=0, most=_FARTHEST)
    errors.raise_any()
    return limit, offset


def next_page(
    call: Call, path: str, limit: int, offset: int, total: int, *, more: str = ""
) -> str | None:
    """The address of the page after this one; None after the last."""
    if offset + limit >= total:
        return None
    return f"{call.instance.base_url}{path}?limit={limit}&offset={offset + limit}{more}"


def required_file(call: Call, name: str) -> ReceivedFile:
    """The file of this field. Raises Invalid when there is none."""
    received = call.form.files.get(name) if call.form is not None else None
    if received is None:
        sentence = f"Send the file in the field {name!r} of a form."
        raise Invalid(f"{name}: {sentence}", {name: sentence})
    return received


def given_crop(call: Call) -> Crop | None:
    """Which part of the picture is meant; None: all of it. Raises Invalid."""
    given = call.given(ArtworkCrop, files=("artwork",))
    values: dict[str, int] = {}
    errors = FieldErrors()
    for name in ("x", "y", "side"):
        with errors.noting(name):
            said = getattr(given, name)
            # A bare file has no fields.
            asked = call.query.get(name) or "" if said in (UNSET, None) else str(said)
            if asked:
                values[name] = read_count(asked, default=0, least=0, most=_FARTHEST)
    if values:
        for name in {"x", "y", "side"} - values.keys() - errors.sentences.keys():
            with errors.noting(name):
                raise ValueError("Give x, y and side together, or none of them.")
    errors.raise_any()
    return Crop(**values) if values else None


def prepared_artwork(
    call: Call, intake: Intake, received: ReceivedFile, crop: Crop | None = None
) -> PreparedArtwork | str:
    """The picture, or a part of it, stored now; or the id of the same, where it is here already."""
    with call.instance.database.read() as session:
        known = find_artwork(session, cropped_sha256(received.sha256, crop))
    # Pictures of people may be of any shape.
    if known is not None and known.width == known.height >= SMALLEST_ARTWORK_PX:
        return known.id
    prepared = named("artwork", lambda: intake.artwork(received.path, crop=crop))
    call.warnings += prepared.files.warnings
    return prepared


@contextmanager
def stored_picture(call: Call) -> Iterator[PreparedArtwork]:
    """The file `picture` of a call, of any shape, stored; taken back when no row comes to know it
    inside the block. Raises Invalid."""
    received = required_file(call, "picture")
    with Intake(call.instance.database, call.instance.storage) as intake:
        yield named("picture", lambda: intake.artwork(received.path, is_square=False))


def artwork_row(call: Call, session: Session, picture: PreparedArtwork | str) -> Artwork:
    """The row of a picture that `prepared_artwork` gave."""
    if isinstance(picture, PreparedArtwork):
        return add_artwork(session, picture, now=call.now())
    known = session.get(Artwork, picture)
    if known is None:
        raise Conflict("The picture was just cleaned away; send it again.")
    return known
