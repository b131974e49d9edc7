"""The API's calls for editing an episode with others, and what helps while somebody types."""

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.artwork import add_artwork, find_picture
from podhost.editing.edits import (
    EditAnswer,
    Present,
    apply_edit,
    discard_edit,
    forget_presence,
    list_present,
    note_presence,
    read_edit,
    save_edit,
)
from podhost.editing.previews import NotesPreview, preview_notes
from podhost.editing.versions import entity_tag
from podhost.episodes import EpisodeInput
from podhost.errors import Conflict, Invalid
from podhost.formats.introductions import NotesGuest
from podhost.people import CreditInput, find_people, held_picture_url
from podhost.uploads.intake import Intake
from podhost.web.api_shows import required_file
from podhost.web.calls import Call, answer, json_answer, named
from podhost.web.openapi import PREFIX, FormBody, Operation, Query

_SHOW = PREFIX + "/shows/{show}"
_EDIT = _SHOW + "/episodes/{episode}/edit"
_LONGEST_QUERY = 200


class EditInput(msgspec.Struct, kw_only=True):
    """What was typed since `version` was read; `dropped` names fields that are given up.

    `desk` is a name of the program's own for the place where somebody types, if it has several.
    """

    version: int
    values: EpisodeInput | UnsetType = UNSET
    dropped: list[str] | UnsetType = UNSET
    desk: str | UnsetType | None = UNSET


class PresenceAnswer(msgspec.Struct, kw_only=True):
    """Who else has the episode open, and its version now."""

    version: int
    others: list[Present]


class NotesInput(msgspec.Struct, kw_only=True):
    """Notes in Markdown, and the people with whom the feed introduces them."""

    notes: str
    people: list[CreditInput] | UnsetType = UNSET


class PersonFound(msgspec.Struct, kw_only=True):
    """Somebody of the show, with what was last said of them and the role they had last."""

    name: str
    role: str
    group: str
    url: str | None
    bio: str
    image_url: str | None
    artwork_id: str | None
    picture_url: str | None
    episodes: int


class PeopleAnswer(msgspec.Struct, kw_only=True):
    """Those whose names fit, the most credited first."""

    people: list[PersonFound]


class PictureAnswer(msgspec.Struct, kw_only=True):
    """A person's picture that podhost holds, to be named as `artwork_id` of a credit."""

    artwork_id: str
    url: str
    warnings: list[str]


def get_edit(call: Call, session: Session) -> EditAnswer:
    """The episode as this account edits it."""
    return _read(call, session)


def patch_edit(call: Call) -> Response:
    """Keep what was typed: in a draft at once, of what is out in a working copy."""
    given = call.given(EditInput)
    with call.write() as session:
        save_edit(
            session,
            call.episode(session, lock=True),
            call.actor.account_id,
            EpisodeInput() if given.values is UNSET else given.values,
            version=given.version,
            dropped=() if given.dropped is UNSET else given.dropped,
            desk=given.desk or None,
            now=call.now(),
        )
        edit = _read(call, session)
    return _edit_answer(edit)


def post_edit_apply(call: Call) -> Response:
    """Put the working copy into the episode, all of it or nothing."""
    try:
        with call.write() as session:
            episode = call.episode(session, lock=True)
            apply_edit(session, episode, call.actor.account_id, now=call.now())
            return _edit_answer(_read(call, session))
    except Conflict:
        with call.instance.database.read() as session:
            return _edit_answer(_read(call, session))


def remove_edit(call: Call) -> Response:
    """Drop the working copy; the episode stays as it is."""
    with call.write() as session:
        discard_edit(session, call.episode(session, lock=True), call.actor.account_id)
    return Response(status_code=204)


def post_presence(call: Call) -> Response:
    """Say that this account has the episode open, for a minute."""
    with call.write() as session:
        episode, account_id, now = call.episode(session), call.actor.account_id, call.now()
        note_presence(session, episode, account_id, now=now)
        others = list_present(session, episode, account_id, now=now)
        told = PresenceAnswer(version=episode.edit_version, others=others)
    return json_answer(told)


def remove_presence(call: Call) -> Response:
    """Say that this account closed the episode."""
    with call.write() as session:
        forget_presence(session, call.episode(session), call.actor.account_id)
    return Response(status_code=204)


def post_preview_notes(call: Call) -> Response:
    """Notes as apps will show them, from the very function that makes the feed's."""
    given = call.given(NotesInput)
    guests = [
        NotesGuest(person.name, person.url, person.bio)
        for person in ([] if given.people is UNSET else given.people)
        if (person.role or "guest").strip().lower() == "guest"
    ]
    with call.instance.database.read() as session:
        language = call.show(session).language
    return json_answer(
        named("notes", lambda: preview_notes(given.notes, guests, language=language))
    )


def get_suggestions(call: Call, session: Session) -> Response:
    """People of the show whose names fit what was typed."""
    words = call.query.get("q", "")
    if len(words) > _LONGEST_QUERY:
        sentence = f"It has {len(words)} characters; {_LONGEST_QUERY} are the most."
        raise Invalid(f"q: {sentence}", {"q": sentence})
    base_url = call.instance.base_url
    found = [
        PersonFound(
            name=person.name,
            role=person.role,
            group=person.group,
            url=person.url,
            bio=person.bio,
            image_url=person.image_url,
            artwork_id=person.artwork.id if person.artwork is not None else None,
            picture_url=held_picture_url(base_url, person.artwork) or person.image_url,
            episodes=person.episodes,
        )
        for person in find_people(session, call.show(session), words)
    ]
    return json_answer(PeopleAnswer(people=found))


def post_picture(call: Call) -> Response:
    """Store a person's picture, of any shape, in the sizes that apps ask for."""
    received = required_file(call, "artwork")
    with call.instance.database.read() as session:
        known = find_picture(session, received.sha256, is_square=False)
        if known is not None:
            return json_answer(_picture(call, known.id, held_picture_url("", known) or ""))
    with Intake(call.instance.database, call.instance.storage) as intake:
        prepared = named("artwork", lambda: intake.artwork(received.path, is_square=False))
        call.warnings += prepared.files.warnings
        with call.write() as session:
            artwork = add_artwork(session, prepared, now=call.now())
            stored = _picture(call, artwork.id, held_picture_url("", artwork) or "")
    return json_answer(stored)


def _picture(call: Call, artwork_id: str, path: str) -> PictureAnswer:
    url = call.instance.base_url + path
    return PictureAnswer(artwork_id=artwork_id, url=url, warnings=call.warnings)


def _read(call: Call, session: Session) -> EditAnswer:
    return read_edit(session, call.episode(session), call.actor.account_id, now=call.now())


def _edit_answer(edit: EditAnswer) -> Response:
    """200, or 409 where somebody else changed the same; the error and both texts in one answer."""
    headers = {"ETag": entity_tag(edit.version)}
    if not edit.conflicts:
        return answer(msgspec.json.encode(edit), headers=headers)
    sentence = "Somebody else changed this meanwhile; look at both."
    error = {
        "code": "conflict",
        "message": "Somebody else changed the same meanwhile. Nothing was overwritten.",
        "fields": {conflict.field: sentence for conflict in edit.conflicts},
    }
    return answer(msgspec.json.encode({"error": error, "edit": edit}), 409, headers=headers)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_EDIT,
        handler=get_edit,
        summary="Read an episode as you edit it: what it says, what you typed, who else is there.",
        answer=EditAnswer,
        needs=Permission.EDIT,
    ),
    Operation(
        method="PATCH",
        path=_EDIT,
        handler=patch_edit,
        summary="Keep what was typed of an episode; nothing is overwritten unseen.",
        json=EditInput,
        answer=EditAnswer,
    ),
    Operation(
        method="DELETE",
        path=_EDIT,
        handler=remove_edit,
        summary="Drop your working copy of an episode.",
        status=204,
    ),
    Operation(
        method="POST",
        path=_EDIT + "/apply",
        handler=post_edit_apply,
        summary="Put your working copy into the episode.",
        answer=EditAnswer,
    ),
    Operation(
        method="POST",
        path=_EDIT + "/presence",
        handler=post_presence,
        summary="Say that you have an episode open, and read who else does.",
        answer=PresenceAnswer,
    ),
    Operation(
        method="DELETE",
        path=_EDIT + "/presence",
        handler=remove_presence,
        summary="Say that you closed an episode.",
        status=204,
    ),
    Operation(
        method="POST",
        path=_SHOW + "/preview-notes",
        handler=post_preview_notes,
        summary="Read notes in Markdown as apps will show them.",
        json=NotesInput,
        answer=NotesPreview,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/people/suggestions",
        handler=get_suggestions,
        summary="Find people of a show by the beginning of a name.",
        query=(Query("q", "The beginning of a word of the name.", {"type": "string"}),),
        answer=PeopleAnswer,
    ),
    Operation(
        method="POST",
        path=_SHOW + "/people/pictures",
        handler=post_picture,
        summary="Store a person's picture, to be named by a credit.",
        form=FormBody(
            files=("artwork",),
            required=("artwork",),
            raw="artwork",
            raw_types=("image/jpeg", "image/png", "image/webp"),
        ),
        answer=PictureAnswer,
    ),
)
