"""What a private link opens: the episode before it is out, a guest's own details, and what there is
to share once it is out. Nobody is signed in here; the secret in the path is what counts."""

from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.login_limits import require_clip_request
from podhost.artwork import add_artwork
from podhost.audio.revisions import enclosure_url
from podhost.errors import Invalid, NotFound, PodhostError, TooManyRequests
from podhost.formats.clips import LONGEST_MS
from podhost.formats.embedding import player_frame
from podhost.formats.feed_tags import stored_episode_tags
from podhost.formats.text import saved_name
from podhost.guests.clips import create_clip, delete_clip, get_clip, list_clips
from podhost.guests.letters import tell_hosts
from podhost.guests.links import Guest, ends_at, guest_path, preview_path
from podhost.guests.proposals import (
    PICTURE,
    PICTURES_PER_DAY,
    Correction,
    fields_of,
    find_open,
    propose,
    take_picture,
)
from podhost.guests.share_pictures import list_pictures
from podhost.models import Artwork, Clip, Credit, GuestLink, GuestProposal
from podhost.people import MOST_LINKS, PersonLink
from podhost.shows import feed_path, lock_show, new_feed_url
from podhost.uploads.intake import Intake
from podhost.web.private_files import PrivateFile, private_answer
from podhost.web.studio.guest_view import (
    audio_response,
    episode_values,
    open_visit,
    private_page,
)
from podhost.web.studio.moments import read_moment
from podhost.web.studio.visits import ANYONE, StudioRoute, Visit

_EMPTY_LINKS = 1


# Before it is out, and for hosts who only want it heard


def preview(visit: Visit) -> Response:
    """The episode as listeners will see it, for whoever holds a link to hear it."""
    with visit.read() as session:
        guest = open_visit(visit, session, is_preview=True)
        path = preview_path(visit.parameters["secret"])
        values = episode_values(session, guest.show, guest.episode, path)
        return private_page(visit.page("studio/preview.html", **values))


def preview_audio(visit: Visit) -> Response:
    """The audio of a preview."""
    with visit.read() as session:
        audio = open_visit(visit, session, is_preview=True).episode.audio
    return audio_response(visit, audio)


# A guest's page


def portal(visit: Visit) -> Response:
    """What the guest can see, correct and share."""
    with visit.read() as session:
        guest = open_visit(visit, session, is_preview=False)
        return _portal_page(visit, session, guest)


def portal_audio(visit: Visit) -> Response:
    """The episode's audio, out or not."""
    with visit.read() as session:
        audio = open_visit(visit, session, is_preview=False).episode.audio
    return audio_response(visit, audio)


def correct(visit: Visit) -> Response:
    """Keep what the guest corrects, or apply it where the link says so."""
    _ = visit.words
    picture = visit.files.get("picture")
    try:
        with Intake(visit.instance.database, visit.instance.storage) as intake:
            if picture is not None:
                _count_picture(visit)
            prepared = (
                intake.artwork(picture.path, is_square=False) if picture is not None else None
            )
            with visit.write() as session:
                # One change of an episode after the other.
                lock_show(session, open_visit(visit, session, is_preview=False).show.id)
                session.expire_all()
                guest = open_visit(visit, session, is_preview=False)
                artwork = (
                    add_artwork(session, prepared, now=visit.now())
                    if prepared is not None
                    else None
                )
                is_first = find_open(session, guest.link) is None
                proposal = propose(
                    session, guest, _correction(visit), artwork=artwork, now=visit.now()
                )
                status = proposal.status if proposal is not None else ""
                if proposal is not None and is_first and status == "open":
                    base_url = visit.instance.base_url
                    tell_hosts(session, guest, proposal, base_url=base_url, now=visit.now())
    except TooManyRequests:
        raise
    except PodhostError as error:
        if isinstance(error, NotFound):
            raise
        return _refused(visit, error)
    said = {
        "open": _("Thank you. Your host will look at it."),
        "applied": _("Thank you. It is changed."),
        "": _("Nothing was different, so nothing was changed."),
    }
    return _back(visit, said[status])


def _count_picture(visit: Visit) -> None:
    """Before it is drawn, which takes a second; in a transaction of its own, so that it counts
    whatever becomes of the picture."""
    with visit.write() as session:
        guest = open_visit(visit, session, is_preview=False)
        take_picture(
            session.get_one(GuestLink, guest.link.id, with_for_update=True), now=visit.now()
        )


def _refused(visit: Visit, error: PodhostError) -> Response:
    """The page again, with what was typed and what is wrong with it."""
    _ = visit.words
    errors = {name: _.said(sentence) for name, sentence in error.fields.items()}
    wrong_links = [text for name, text in errors.items() if name.startswith("links")]
    if wrong_links:
        errors["links"] = wrong_links[0]
    known = {"name", "bio", "url", "links"}
    sentence = "" if known & errors.keys() else _.said(error.message)
    with visit.read() as session:
        guest = open_visit(visit, session, is_preview=False)
        return _portal_page(
            visit,
            session,
            guest,
            status=422,
            mine=_typed(visit),
            field_errors=errors,
            error=sentence,
        )


def _correction(visit: Visit) -> Correction:
    form = visit.form
    return Correction(
        name=form.text("name"),
        bio=form.text("bio"),
        url=_with_scheme(form.text("url")),
        links=[
            PersonLink(name=link["name"], url=_with_scheme(link["url"]))
            for link in _typed_links(visit)
            if link["url"]
        ],
    )


def _with_scheme(address: str) -> str:
    """People write ann.example, and mean a web page."""
    if address and "://" not in address and "." in address and " " not in address:
        return f"https://{address}" if not address.startswith(("javascript:", "data:")) else address
    return address


def _typed_links(visit: Visit) -> list[dict[str, str]]:
    form = visit.form
    return [
        {"name": form.text(f"link-name-{n}"), "url": form.text(f"link-url-{n}")}
        for n in range(MOST_LINKS)
    ]


def _typed(visit: Visit) -> dict[str, Any]:
    form = visit.form
    links = [link for link in _typed_links(visit) if link["name"] or link["url"]]
    return {name: form.text(name) for name in ("name", "bio", "url")} | {"links": links}


# What there is to share


def make_clip(visit: Visit) -> Response:
    """Have a part of the episode cut out."""
    _ = visit.words
    try:
        start_ms, end_ms = _part(visit)
        with visit.write() as session:
            guest = open_visit(visit, session, is_preview=False)
            require_clip_request(session, guest.link.id, visit.now())
            create_clip(session, guest, start_ms, end_ms, now=visit.now())
    except PodhostError as error:
        if isinstance(error, NotFound):
            raise
        with visit.read() as session:
            guest = open_visit(visit, session, is_preview=False)
            asked = {name: visit.form.text(name) for name in ("start", "end")}
            wrong = {"clip": _.said(error.message)}
            return _portal_page(visit, session, guest, status=422, asked=asked, field_errors=wrong)
    return _back(visit, _("The clip is being cut; it takes a moment."), "#clips")


def _part(visit: Visit) -> tuple[int, int]:
    start_ms, end_ms = (read_moment(visit.form.text(name)) for name in ("start", "end"))
    if start_ms is None or end_ms is None:
        raise Invalid("Write moments such as 1:23 or 1:02:03.5.")
    return start_ms, end_ms


def forget_clip(visit: Visit) -> Response:
    """Take a clip away."""
    with visit.write() as session:
        guest = open_visit(visit, session, is_preview=False)
        delete_clip(session, get_clip(session, guest.link, visit.parameters["clip"]))
    return _back(visit, visit.words("The clip is deleted."), "#clips")


def clip_file(visit: Visit) -> Response:
    """A clip, to be heard or saved."""
    with visit.read() as session:
        guest = open_visit(visit, session, is_preview=False)
        clip_id = visit.parameters["name"].partition(".")[0]
        clip = get_clip(session, guest.link, clip_id)
        title = guest.episode.title
    if clip.storage_key is None or clip.size_bytes is None or clip.sha256 is None:
        raise NotFound("This clip is not ready yet.")
    name = saved_name(title) if "save" in visit.query else None
    file = PrivateFile(
        clip.storage_key, clip.size_bytes, clip.sha256, clip.mime_type, clip.created_at, name
    )
    return private_answer(visit.instance, visit.request, file)


def picture_file(visit: Visit) -> Response:
    """A picture to share."""
    with visit.read() as session:
        guest = open_visit(visit, session, is_preview=False)
        shape = visit.parameters["name"].partition(".")[0]
        found = [row for row in list_pictures(session, guest.link) if row.shape == shape]
        title = guest.episode.title
    if not found:
        raise NotFound("There is no such picture here.")
    (row,) = found
    name = f"{saved_name(title)} {shape}" if "save" in visit.query else None
    file = PrivateFile(
        row.storage_key, row.size_bytes, row.sha256, row.mime_type, row.created_at, name
    )
    return private_answer(visit.instance, visit.request, file, may_redirect=False)


# The page


def _portal_page(
    visit: Visit, session: Session, guest: Guest, *, status: int = 200, **values: Any
) -> Response:
    path = guest_path(visit.parameters["secret"])
    proposal = find_open(session, guest.link)
    shown = {
        "portal": path,
        "guest": guest,
        "ends_at": ends_at(guest.link, guest.episode),
        "proposal": proposal,
        "pending": fields_of(proposal) if proposal is not None else [],
        "mine": _details(guest.credit, proposal),
        "own_picture": _own_picture(session, guest.credit, proposal),
        "most_links": MOST_LINKS,
        "empty_links": _EMPTY_LINKS,
        "pictures_per_day": PICTURES_PER_DAY,
        "asked": {"start": "", "end": ""},
        **episode_values(session, guest.show, guest.episode, path),
        **(_sharing(visit, session, guest) if guest.is_out else {}),
        **values,
    }
    return private_page(visit.page("studio/guest_portal.html", status, **shown))


def _details(credit: Credit | None, proposal: GuestProposal | None) -> dict[str, Any]:
    """What the form begins with: what the guest proposed last, else what is said now."""
    if credit is None:
        return {}
    said = {
        "name": credit.name,
        "bio": credit.bio,
        "url": credit.url or "",
        "links": list(credit.links or ()),
    }
    wanted = proposal.wanted if proposal is not None else {}
    return {
        name: wanted.get(name, value) or ([] if name == "links" else "")
        for name, value in said.items()
    }


def _own_picture(session: Session, credit: Credit | None, proposal: GuestProposal | None) -> Any:
    if proposal is not None and PICTURE in fields_of(proposal):
        return session.get(Artwork, proposal.artwork_id)
    return credit.artwork if credit is not None else None


def _sharing(visit: Visit, session: Session, guest: Guest) -> dict[str, Any]:
    """The addresses, codes, clips and pictures that there are once the episode is out."""
    show, episode, base_url = guest.show, guest.episode, visit.instance.base_url
    assert episode.audio is not None, "what is out has audio"
    feed_url = new_feed_url(show) or base_url + feed_path(show)
    feed = urlsplit(feed_url)
    page_url = f"{base_url}/{show.slug}/episodes/{episode.slug}"
    embed_url = f"{base_url}/{show.slug}/embed/{episode.slug}"
    audio_url = enclosure_url(base_url, episode.audio)
    return {
        "page_url": page_url,
        "feed_url": feed_url,
        "bare_feed_url": f"{feed.netloc}{feed.path}",
        "audio_url": audio_url,
        "embed_code": player_frame(embed_url, episode.title),
        "pictures": list_pictures(session, guest.link),
        "clips": [_clip(visit, clip) for clip in list_clips(session, guest.link)],
        "longest_seconds": LONGEST_MS // 1000,
        "soundbites": [
            {
                "start_ms": round(bite.start * 1000),
                "end_ms": round((bite.start + bite.duration) * 1000),
                "title": bite.title or "",
            }
            for bite in stored_episode_tags(episode.tags).soundbites
        ],
    }


def _clip(visit: Visit, clip: Clip) -> dict[str, Any]:
    return {
        "id": clip.id,
        "start_ms": clip.start_ms,
        "end_ms": clip.end_ms,
        "status": clip.status,
        "problem": visit.words.said(clip.problem) if clip.problem else "",
        "size_bytes": clip.size_bytes or 0,
    }


def _back(visit: Visit, say: str, part: str = "") -> Response:
    response = visit.redirect(f"/guests/{visit.parameters['secret']}{part}", say=say)
    return private_page(response)


def _require_guest(visit: Visit) -> None:
    """Before a form is received: nobody sends megabytes to be told that there is no such link."""
    with visit.read() as session:
        open_visit(visit, session, is_preview=False)


ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("GET", "/preview/{secret}", preview, ANYONE),
    StudioRoute("GET", "/preview/{secret}/audio/{name}", preview_audio, ANYONE),
    StudioRoute("GET", "/guests/{secret}", portal, ANYONE),
    StudioRoute(
        "POST", "/guests/{secret}", correct, ANYONE, files=("picture",), admit=_require_guest
    ),
    StudioRoute("GET", "/guests/{secret}/audio/{name}", portal_audio, ANYONE),
    StudioRoute("GET", "/guests/{secret}/pictures/{name}", picture_file, ANYONE),
    StudioRoute("POST", "/guests/{secret}/clips", make_clip, ANYONE, admit=_require_guest),
    StudioRoute("GET", "/guests/{secret}/clips/{name}", clip_file, ANYONE),
    StudioRoute(
        "POST",
        "/guests/{secret}/clips/{clip}/delete",
        forget_clip,
        ANYONE,
        admit=_require_guest,
    ),
)
