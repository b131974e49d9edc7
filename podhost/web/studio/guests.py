"""The people of a show, and the guests of an episode with their links and proposals, for hosts."""

from typing import Any

import msgspec
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.artwork import add_artwork
from podhost.errors import Conflict, Gone, NotFound, PodhostError
from podhost.guests.answers import GuestLinkAnswer, link_answer, link_answers, proposal_answers
from podhost.guests.links import create_link, get_link, revoke_link
from podhost.guests.proposals import accept, decline, fields_of, get_proposal
from podhost.models import Episode, Person, Show
from podhost.people import MOST_LINKS, PersonLink
from podhost.shows.people import (
    PersonInput,
    change_person,
    get_person,
    known_people,
    list_people,
    merge_people,
    name_choices,
    split_person,
)
from podhost.uploads.intake import Intake
from podhost.web.studio.visits import StudioRoute, Visit

PEOPLE_PER_PAGE = 100
_EMPTY_LINKS = 1


# The people of a show


def people_page(visit: Visit) -> Response:
    """Everybody who is or was named, by name; `?search=` finds some."""
    search = visit.query.get("search", "")[:200]
    number = visit.query.get("page", "1")
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 5 else 1
    page = max(1, page)
    with visit.read() as session:
        show = visit.show(session)
        found = list_people(
            session,
            show,
            "",
            search=search,
            limit=PEOPLE_PER_PAGE,
            offset=(page - 1) * PEOPLE_PER_PAGE,
        )
        return visit.page(
            "studio/people.html",
            show=show,
            tab="guests",
            people=found.people,
            total=found.total,
            search=search,
            page=page,
            has_more=page * PEOPLE_PER_PAGE < found.total,
        )


def person_page(visit: Visit) -> Response:
    """What is known of somebody, to be changed."""
    with visit.read() as session:
        show = visit.show(session)
        return _person_page(visit, session, show, _person(visit, session, show))


def save_person(visit: Visit) -> Response:
    """Change what is known of somebody, and in their episodes where that was ticked."""
    picture = visit.files.get("picture")
    try:
        with Intake(visit.instance.database, visit.instance.storage) as intake:
            prepared = (
                intake.artwork(picture.path, is_square=False) if picture is not None else None
            )
            with visit.write() as session:
                show = visit.show(session, lock=True)
                person = _person(visit, session, show)
                more: dict[str, Any] = {}
                if prepared is not None:
                    more["artwork_id"] = add_artwork(session, prepared, now=visit.now()).id
                given = _given(visit)
                count = change_person(session, show, person, given, now=visit.now(), **more)
    except PodhostError as error:
        if isinstance(error, (NotFound, Gone)):
            raise
        return _refused_person(visit, error)
    said = visit.words("Saved.")
    if visit.form.has("in_episodes"):
        said = visit.words.plural(
            "Saved, and changed in %(num)s episode.",
            "Saved, and changed in %(num)s episodes.",
            count,
        )
    return _to_person(visit, visit.parameters["person"], said)


def merge(visit: Visit) -> Response:
    """Make somebody another spelling of somebody else."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        other = _person(visit, session, show)
        into = get_person(session, show, visit.form.text("into"))
        merge_people(session, other, into, now=visit.now())
        said = visit.words("%(other)s is %(name)s now.", other=other.name, name=into.name)
        undo = f"/shows/{show.slug}/guests/{other.id}/split"
        return visit.redirect(f"/shows/{show.slug}/guests/{into.id}", say=said, undo=undo)


def split(visit: Visit) -> Response:
    """Undo a merge."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        spelling = _person(visit, session, show)
        split_person(session, spelling, now=visit.now())
        said = visit.words("%(name)s is somebody of their own again.", name=spelling.name)
    return _to_person(visit, visit.parameters["person"], said)


def _person(visit: Visit, session: Session, show: Show) -> Person:
    return get_person(session, show, visit.parameters["person"])


def _to_person(visit: Visit, person_id: str, say: str) -> Response:
    return visit.redirect(f"/shows/{visit.parameters['show']}/guests/{person_id}", say=say)


def _given(visit: Visit) -> PersonInput:
    form = visit.form
    return PersonInput(
        name=form.text("name"),
        bio=form.text("bio"),
        url=form.text("url"),
        links=[
            PersonLink(name=form.text(f"link-name-{n}"), url=form.text(f"link-url-{n}"))
            for n in range(MOST_LINKS)
            if form.text(f"link-url-{n}")
        ],
        in_episodes=form.has("in_episodes"),
    )


def _refused_person(visit: Visit, error: PodhostError) -> Response:
    errors = {name: visit.words.said(sentence) for name, sentence in error.fields.items()}
    wrong_links = [text for name, text in errors.items() if name.startswith("links")]
    if wrong_links:
        errors["links"] = wrong_links[0]
    is_beside = bool({"name", "bio", "url", "links"} & errors.keys())
    sentence = "" if is_beside else visit.words.said(error.message)
    given = msgspec.to_builtins(_given(visit))
    with visit.read() as session:
        show = visit.show(session)
        person = _person(visit, session, show)
        values = {"field_errors": errors, "error": sentence, "typed": given}
        return _person_page(visit, session, show, person, status=422, **values)


def _person_page(
    visit: Visit, session: Session, show: Show, person: Person, *, status: int = 200, **values: Any
) -> Response:
    if person.merged_into_id is not None:
        return visit.redirect(f"/shows/{show.slug}/guests/{person.merged_into_id}")
    known = known_people(session, [person], "")[0]
    said = msgspec.to_builtins(known)
    shown = {
        "show": show,
        "tab": "guests",
        "person": known,
        "typed": {name: said[name] for name in ("name", "bio", "url", "links")},
        "others": name_choices(session, show, besides=person.id),
        "most_links": MOST_LINKS,
        "empty_links": _EMPTY_LINKS,
        **values,
    }
    return visit.page("studio/person.html", status, **shown)


# The guests of an episode


def guests_page(visit: Visit) -> Response:
    """Who is named in the episode, their links, and what they would have otherwise."""
    with visit.read() as session:
        return _guests_page(visit, session, visit.episode(session))


def make_link(visit: Visit) -> Response:
    """Make a private link, and show its address this once."""
    form = visit.form
    try:
        with visit.write() as session:
            episode = visit.episode(session, lock=True)
            link, secret = create_link(
                session,
                episode,
                form.text("person") or None,
                may_change=form.has("may_change"),
                email=form.text("email") or None,
                now=visit.now(),
            )
            person = session.get(Person, link.person_id) if link.person_id else None
            base_url = visit.instance.base_url
            made = link_answer(link, person, episode, base_url=base_url, secret=secret)
    except PodhostError as error:
        if isinstance(error, Gone) or (isinstance(error, NotFound) and not form.text("person")):
            raise
        errors = {name: visit.words.said(sentence) for name, sentence in error.fields.items()}
        sentence = "" if errors else visit.words.said(error.message)
        asked = {"person": form.text("person"), "email": form.text("email")}
        with visit.read() as session:
            return _guests_page(
                visit,
                session,
                visit.episode(session),
                status=422,
                field_errors=errors,
                error=sentence,
                asked=asked,
            )
    with visit.read() as session:
        # Not a redirect: the address is told by this answer alone.
        return _guests_page(visit, session, visit.episode(session), made=made)


def end_link(visit: Visit) -> Response:
    """Revoke a link."""
    with visit.write() as session:
        episode = visit.episode(session, lock=True)
        revoke_link(session, get_link(session, episode, visit.parameters["link"]), now=visit.now())
    return _to_guests(visit, visit.words("The link is revoked; it opens nothing any more."))


def decide(visit: Visit) -> Response:
    """Accept what was ticked of a proposal and decline the rest, or decline all."""
    is_accepted = visit.form.text("decision") == "accept"
    with visit.write() as session:
        episode = visit.episode(session, lock=True)
        proposal = get_proposal(session, episode, visit.parameters["proposal"])
        wanted = [name for name in fields_of(proposal) if name in visit.form.all("field")]
        if is_accepted and not wanted and fields_of(proposal):
            raise Conflict("Tick what is to be taken over, or decline it all.")
        if is_accepted:
            accept(session, episode, proposal, wanted, now=visit.now())
        if proposal.status == "open":
            decline(session, episode, proposal, now=visit.now())
    _ = visit.words
    said = _("It is in the episode now.") if is_accepted else _("The episode stays as it is.")
    return _to_guests(visit, said)


def _to_guests(visit: Visit, say: str) -> Response:
    show, episode = visit.parameters["show"], visit.parameters["episode"]
    return visit.redirect(f"/shows/{show}/episodes/{episode}/guests", say=say)


def _guests_page(
    visit: Visit,
    session: Session,
    episode: Episode,
    *,
    status: int = 200,
    made: GuestLinkAnswer | None = None,
    **values: Any,
) -> Response:
    show = episode.show
    people = {credit.person_id: credit for credit in reversed(episode.credits)}
    shown = {
        "show": show,
        "tab": "episodes",
        "episode": episode,
        "page_path": f"/studio/shows/{show.slug}/episodes/{episode.id}/guests",
        "credits": list(reversed(people.values())),
        "links": link_answers(session, episode).links,
        "proposals": proposal_answers(session, episode, "").proposals,
        "made": made,
        "asked": {"person": "", "email": ""},
        **values,
    }
    return visit.page("studio/episode_guests.html", status, **shown)


_PEOPLE = "/shows/{show}/guests"
_GUESTS = "/shows/{show}/episodes/{episode}/guests"

ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("GET", _PEOPLE, people_page, Permission.VIEW),
    StudioRoute("GET", _PEOPLE + "/{person}", person_page, Permission.EDIT),
    StudioRoute("POST", _PEOPLE + "/{person}", save_person, Permission.EDIT, files=("picture",)),
    StudioRoute("POST", _PEOPLE + "/{person}/merge", merge, Permission.EDIT),
    StudioRoute("POST", _PEOPLE + "/{person}/split", split, Permission.EDIT),
    StudioRoute("GET", _GUESTS, guests_page, Permission.EDIT),
    StudioRoute("POST", _GUESTS, make_link, Permission.EDIT),
    StudioRoute("POST", _GUESTS + "/links/{link}/revoke", end_link, Permission.EDIT),
    StudioRoute("POST", _GUESTS + "/proposals/{proposal}", decide, Permission.EDIT),
)
