"""The API's calls for guests: private links, what guests propose, and the people of a show."""

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.errors import Invalid
from podhost.guests.answers import (
    Decision,
    GuestLinkAnswer,
    GuestLinkInput,
    GuestLinkList,
    ProposalAnswer,
    ProposalList,
    link_answer,
    link_answers,
    proposal_answer,
    proposal_answers,
)
from podhost.guests.links import create_link, get_link, revoke_link
from podhost.guests.proposals import accept, decline, get_proposal
from podhost.models import GuestLink, Person
from podhost.shows.people import (
    Merge,
    PersonInput,
    PersonList,
    ShowPerson,
    change_person,
    get_person,
    known_people,
    list_people,
    merge_people,
    split_person,
)
from podhost.web.api_shows import artwork_row, page, stored_picture
from podhost.web.calls import Call, json_answer
from podhost.web.openapi import PREFIX, FormBody, Operation, Query

_SHOW = PREFIX + "/shows/{show}"
_LINKS = _SHOW + "/episodes/{episode}/guest-links"
_PROPOSALS = _SHOW + "/episodes/{episode}/proposals"
_PERSON = _SHOW + "/guests/{person}"
_LONGEST_SEARCH = 200


def get_guest_links(call: Call, session: Session) -> Response:
    """The episode's links, without their secrets."""
    return json_answer(link_answers(session, call.episode(session)))


def post_guest_link(call: Call) -> Response:
    """A new link; only this answer tells its address."""
    given = call.given(GuestLinkInput, told=GuestLinkAnswer)
    if given.expires_at is not None and given.expires_at.tzinfo is None:
        sentence = "It must say its zone, such as 2026-03-01T09:00:00Z."
        raise Invalid(f"expires_at: {sentence}", {"expires_at": sentence})
    with call.write() as session:
        episode = call.episode(session, lock=True)
        link, secret = create_link(
            session,
            episode,
            given.person,
            may_change=given.may_change,
            email=given.email,
            expires_at=given.expires_at,
            now=call.now(),
        )
        person = session.get(Person, link.person_id) if link.person_id else None
        base_url = call.instance.base_url
        made = link_answer(link, person, episode, base_url=base_url, secret=secret)
    show, key = call.parameters["show"], call.parameters["episode"]
    path = f"{PREFIX}/shows/{show}/episodes/{key}/guest-links/{link.id}"
    return json_answer(made, 201, location=base_url + path)


def get_guest_link(call: Call, session: Session) -> Response:
    """One link, without its secret."""
    episode = call.episode(session)
    link = get_link(session, episode, call.parameters["link"])
    person = session.get(Person, link.person_id) if link.person_id else None
    return json_answer(link_answer(link, person, episode))


def remove_guest_link(call: Call) -> Response:
    """The link opens nothing from now on."""
    with call.write() as session:
        link = get_link(session, call.episode(session, lock=True), call.parameters["link"])
        revoke_link(session, link, now=call.now())
    return Response(status_code=204)


def get_proposals(call: Call, session: Session) -> Response:
    """What guests would have otherwise, beside what the episode says now."""
    return json_answer(proposal_answers(session, call.episode(session), call.instance.base_url))


def accept_proposal(call: Call) -> Response:
    """Put what the guest proposed into the episode."""
    return _decide(call, is_accepted=True)


def decline_proposal(call: Call) -> Response:
    """Leave the episode as it is."""
    return _decide(call, is_accepted=False)


def _decide(call: Call, *, is_accepted: bool) -> Response:
    given = call.given(Decision)
    with call.write() as session:
        episode = call.episode(session, lock=True)
        proposal = get_proposal(session, episode, call.parameters["proposal"])
        link = session.get_one(GuestLink, proposal.link_id)
        told = proposal_answer(session, episode, proposal, link, call.instance.base_url)
        decide = accept if is_accepted else decline
        decide(session, episode, proposal, given.fields, now=call.now())
        told.status = proposal.status
    return json_answer(told)


def get_guests(call: Call, session: Session) -> Response:
    """The people of the show, by name."""
    limit, offset = page(call)
    search = call.query.get("search", "")[:_LONGEST_SEARCH]
    show, base_url = call.show(session), call.instance.base_url
    return json_answer(
        list_people(session, show, base_url, search=search, limit=limit, offset=offset)
    )


def get_one_person(call: Call, session: Session) -> Response:
    """One person of the show."""
    person = get_person(session, call.show(session), call.parameters["person"])
    return json_answer(_known(call, session, person))


def patch_person(call: Call) -> Response:
    """Change what is known of somebody, and in their episodes too where that is asked for."""
    given = call.given(PersonInput, told=ShowPerson)
    with call.write() as session:
        show = call.show(session, lock=True)
        person = get_person(session, show, call.parameters["person"])
        change_person(session, show, person, given, now=call.now())
        changed = _known(call, session, person)
    return json_answer(changed)


def put_person_picture(call: Call) -> Response:
    """Give somebody a picture, which their next credits have; of any shape."""
    with stored_picture(call) as prepared, call.write() as session:
        show = call.show(session, lock=True)
        person = get_person(session, show, call.parameters["person"])
        artwork_id = artwork_row(call, session, prepared).id
        change_person(session, show, person, PersonInput(), artwork_id=artwork_id, now=call.now())
        changed = _known(call, session, person)
    return json_answer(changed)


def merge_person(call: Call) -> Response:
    """Make somebody another spelling of somebody else; what credits say stays."""
    given = call.given(Merge)
    with call.write() as session:
        show = call.show(session, lock=True)
        other = get_person(session, show, call.parameters["person"])
        into = get_person(session, show, given.into)
        merge_people(session, other, into, now=call.now())
        merged = _known(call, session, into)
    return json_answer(merged)


def split_spelling(call: Call) -> Response:
    """Undo a merge: the spelling is somebody of their own again."""
    with call.write() as session:
        show = call.show(session, lock=True)
        spelling = get_person(session, show, call.parameters["person"])
        split_person(session, spelling, now=call.now())
        parted = _known(call, session, spelling)
    return json_answer(parted)


def _known(call: Call, session: Session, person: Person) -> ShowPerson:
    return known_people(session, [person], call.instance.base_url)[0]


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_LINKS,
        handler=get_guest_links,
        summary="List the private links of an episode.",
        answer=GuestLinkList,
        needs=Permission.EDIT,
    ),
    Operation(
        method="POST",
        path=_LINKS,
        handler=post_guest_link,
        summary="Make a private link: for a guest, or to hear the episode before it is out.",
        json=GuestLinkInput,
        answer=GuestLinkAnswer,
        status=201,
    ),
    Operation(
        method="GET",
        path=_LINKS + "/{link}",
        handler=get_guest_link,
        summary="Read a private link, but for its secret.",
        answer=GuestLinkAnswer,
        needs=Permission.EDIT,
    ),
    Operation(
        method="DELETE",
        path=_LINKS + "/{link}",
        handler=remove_guest_link,
        summary="Revoke a private link.",
        status=204,
    ),
    Operation(
        method="GET",
        path=_PROPOSALS,
        handler=get_proposals,
        summary="List what guests would have otherwise in their credits.",
        answer=ProposalList,
    ),
    Operation(
        method="POST",
        path=_PROPOSALS + "/{proposal}/accept",
        handler=accept_proposal,
        summary="Put what a guest proposed into the episode, all of it or some fields.",
        json=Decision,
        json_required=False,
        answer=ProposalAnswer,
    ),
    Operation(
        method="POST",
        path=_PROPOSALS + "/{proposal}/decline",
        handler=decline_proposal,
        summary="Leave the episode as it is.",
        json=Decision,
        json_required=False,
        answer=ProposalAnswer,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/guests",
        handler=get_guests,
        summary="List the people of a show, by name.",
        query=(
            Query("search", "Only those whose names hold these words.", {"type": "string"}),
            Query(
                "limit",
                "How many to answer with.",
                {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
            ),
            Query(
                "offset", "How many to leave out.", {"type": "integer", "minimum": 0, "default": 0}
            ),
        ),
        answer=PersonList,
    ),
    Operation(
        method="GET",
        path=_PERSON,
        handler=get_one_person,
        summary="Read a person.",
        answer=ShowPerson,
    ),
    Operation(
        method="PATCH",
        path=_PERSON,
        handler=patch_person,
        summary="Change what is known of a person, in earlier episodes too if wanted.",
        json=PersonInput,
        answer=ShowPerson,
    ),
    Operation(
        method="PUT",
        path=_PERSON + "/picture",
        handler=put_person_picture,
        summary="Give a person a picture.",
        form=FormBody(
            files=("picture",),
            required=("picture",),
            raw="picture",
            raw_types=("image/jpeg", "image/png", "image/webp"),
        ),
        answer=ShowPerson,
    ),
    Operation(
        method="POST",
        path=_PERSON + "/merge",
        handler=merge_person,
        summary="Make two people one: the first becomes another spelling of the second.",
        json=Merge,
        answer=ShowPerson,
    ),
    Operation(
        method="POST",
        path=_PERSON + "/split",
        handler=split_spelling,
        summary="Undo a merge.",
        answer=ShowPerson,
    ),
)
