"""The studio's list of a show's episodes: what each lacks, several at once, the trash."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from podhost.accounts.roles import Permission, permissions_on, require
from podhost.editing.bulk import BulkInput, BulkResult, do_to_all, undo_batch
from podhost.editing.overviews import (
    ALL,
    LACKS,
    NEEDED,
    SORTS,
    TRASH,
    Wanted,
    count_states,
    list_glances,
    list_seasons,
    read_glances,
)
from podhost.errors import Invalid
from podhost.fields import positive_number
from podhost.history.audit import leave_out
from podhost.history.trash import (
    get_deleted_episode,
    get_deleted_show,
    list_deleted_shows,
    restore,
)
from podhost.models import Episode, Show
from podhost.translations import Words
from podhost.web.studio.visits import SIGNED_IN, StudioRoute, Visit

PAGE_LENGTH = 50
_FARTHEST_PAGE = 100_000
_LONGEST_WORDS = 200


def to_episodes(visit: Visit) -> Response:
    """The address without the slash at its end."""
    return visit.redirect(f"/shows/{visit.parameters['show']}/")


def episodes_page(visit: Visit) -> Response:
    """The list; the query says which episodes, in which order."""
    return _list(visit, read_wanted(visit.query))


def trash_page(visit: Visit) -> Response:
    """What was deleted and can come back."""
    return _list(visit, Wanted(state=TRASH))


def _list(visit: Visit, wanted: Wanted) -> Response:
    number = _page_number(visit.query.get("page", ""))
    with visit.read() as session:
        show = visit.show(session)
        found = list_glances(
            session,
            show,
            wanted,
            now=visit.now(),
            limit=PAGE_LENGTH,
            offset=(number - 1) * PAGE_LENGTH,
        )
        counts = count_states(session, show, now=visit.now())
        seasons = list_seasons(session, show)
    pages = max(1, -(-found.total // PAGE_LENGTH))
    if number > pages:
        return visit.redirect(_address(show, wanted, pages))
    return visit.page(
        "studio/episodes.html",
        show=show,
        tab="episodes",
        wanted=wanted,
        episodes=found.episodes,
        total=found.total,
        counts=counts,
        states=_states(visit.words, counts, wanted),
        seasons=seasons,
        lacks_words=lacks_words(visit.words),
        sorts=_sorts(visit.words),
        needed=NEEDED,
        is_trash=wanted.state == TRASH,
        is_narrowed=bool(wanted.words or wanted.season or wanted.lacks),
        number=number,
        pages=pages,
        address=lambda page, **changed: "/studio" + _address(show, wanted, page, **changed),
        here=_address(show, wanted, number),
        actions=_actions(visit.words, wanted),
        status_words=status_words(visit.words),
        type_words=_types(visit.words),
    )


def read_wanted(query: Mapping[str, str]) -> Wanted:
    """Which episodes are asked for; what makes no sense is left out, as if nobody had said it."""
    season = query.get("season", "")
    lacks, sort = query.get("lacks", ""), query.get("sort", "")
    state = query.get("state", "")
    return Wanted(
        state=state if state in ("draft", "scheduled", "published", "withdrawn", TRASH) else ALL,
        words=query.get("q", "").strip()[:_LONGEST_WORDS],
        season=int(season) if season.isascii() and season.isdigit() and len(season) < 7 else None,
        lacks=lacks if lacks in LACKS else None,
        sort=sort if sort in SORTS else SORTS[0],
    )


def _address(show: Show, wanted: Wanted, page: int = 1, **changed: Any) -> str:
    values = {
        "state": wanted.state if wanted.state != ALL else "",
        "q": wanted.words,
        "season": wanted.season or "",
        "lacks": wanted.lacks or "",
        "sort": wanted.sort if wanted.sort != SORTS[0] else "",
        "page": page if page > 1 else "",
        **changed,
    }
    query = urlencode({name: value for name, value in values.items() if value})
    return f"/shows/{show.slug}/" + (f"?{query}" if query else "")


def _page_number(value: str) -> int:
    is_number = value.isascii() and value.isdigit() and len(value) < 7
    return min(max(1, int(value)), _FARTHEST_PAGE) if is_number else 1


# Words


def status_words(_: Words) -> dict[str, str]:
    """How the states of episodes are called."""
    return {
        "draft": _("Draft"),
        "scheduled": _("Scheduled"),
        "published": _("Published"),
        "withdrawn": _("Withdrawn"),
    }


def lacks_words(_: Words) -> dict[str, str]:
    """What an episode may lack."""
    return {
        "audio": _("no audio"),
        "playable_audio": _("audio that apps cannot play"),
        "notes": _("no notes"),
        "guests": _("no guests"),
        "chapters": _("no chapters"),
        "transcript": _("no transcript"),
        "artwork": _("no artwork of its own"),
    }


def _states(_: Words, counts: Mapping[str, int], wanted: Wanted) -> list[tuple[str, str, int]]:
    named = [
        ("", ALL, _("All")),
        ("draft", "draft", _("Drafts")),
        ("scheduled", "scheduled", _("Scheduled")),
        ("published", "published", _("Published")),
        ("withdrawn", "withdrawn", _("Withdrawn")),
        (TRASH, TRASH, _("Trash")),
    ]
    rare = ("withdrawn", TRASH)
    return [
        (key, label, counts[state])
        for key, state, label in named
        if state not in rare or counts[state] or wanted.state == state
    ]


def _sorts(_: Words) -> list[tuple[str, str]]:
    return [
        ("newest", _("Newest first")),
        ("oldest", _("Oldest first")),
        ("title", _("By title")),
        ("number", _("By number")),
        ("changed", _("Changed last")),
    ]


def _types(_: Words) -> dict[str, str]:
    return {"trailer": _("Trailer"), "bonus": _("Bonus")}


def _actions(_: Words, wanted: Wanted) -> list[tuple[str, str]]:
    if wanted.state == TRASH:
        return [("restore", _("Bring back"))]
    return [
        ("publish", _("Publish now")),
        ("withdraw", _("Withdraw")),
        ("season", _("Set the season")),
        ("explicit", _("Say whether it is explicit")),
        ("add_guest", _("Add a guest")),
        ("delete", _("Delete")),
    ]


# Several at once


def bulk(visit: Visit) -> Response:
    """Ask once, then do it to every chosen episode."""
    form = visit.form
    ids = [*dict.fromkeys(form.all("episode"))]
    back = form.text("back")
    with visit.read() as session:
        show = visit.show(session)
        chosen = read_glances(session, show, ids[:500])
    way_back = back if back.startswith(f"/shows/{show.slug}/") else f"/shows/{show.slug}/"
    if not chosen:
        return visit.redirect(way_back, say=visit.words("Choose at least one episode first."))
    action = form.text("action")
    values: dict[str, Any] = {"show": show, "chosen": chosen, "action": action, "back": way_back}
    if not form.has("sure"):
        return _ask(visit, values)
    try:
        given = _given(visit, action)
        with visit.write() as session:
            locked = visit.show(session, lock=True)
            result = do_to_all(session, locked, [one.id for one in chosen], given, now=visit.now())
    except Invalid as error:
        errors = {name: visit.words.said(sentence) for name, sentence in error.fields.items()}
        return _ask(visit, values, 422, field_errors=errors)
    return _told(visit, show, result, way_back)


def _ask(visit: Visit, values: dict[str, Any], status: int = 200, **more: Any) -> Response:
    form = visit.form
    leave_out()
    return visit.page(
        "studio/bulk.html",
        status,
        tab="episodes",
        question=_question(visit.words, values["action"], len(values["chosen"])),
        season=form.text("season"),
        explicit=form.text("explicit", "yes"),
        guest=form.text("guest"),
        status_words=status_words(visit.words),
        **values,
        **more,
    )


def _question(_: Words, action: str, count: int) -> str:
    questions = {
        "publish": _.plural("Publish %(num)s episode now?", "Publish %(num)s episodes now?", count),
        "withdraw": _.plural(
            "Take %(num)s episode out of the feed?",
            "Take %(num)s episodes out of the feed?",
            count,
        ),
        "delete": _.plural("Delete %(num)s episode?", "Delete %(num)s episodes?", count),
        "restore": _.plural("Bring %(num)s episode back?", "Bring %(num)s episodes back?", count),
        "season": _.plural(
            "Set the season of %(num)s episode", "Set the season of %(num)s episodes", count
        ),
        "explicit": _.plural(
            "Is %(num)s episode explicit?", "Are %(num)s episodes explicit?", count
        ),
        "add_guest": _.plural(
            "Add a guest to %(num)s episode", "Add a guest to %(num)s episodes", count
        ),
    }
    if action not in questions:
        raise Invalid(_("Choose what to do with the episodes."))
    return questions[action]


def _given(visit: Visit, action: str) -> BulkInput:
    """What the form says. Raises Invalid."""
    form = visit.form
    season = None
    if action == "season" and (written := form.text("season")):
        try:
            season = positive_number(int(written) if written.isdecimal() else 0)
        except ValueError as error:
            raise Invalid(str(error), {"season": str(error)}) from None
    explicit = {"yes": True, "no": False}.get(form.text("explicit"))
    return BulkInput(action, season=season, explicit=explicit, guest=form.text("guest"))


def _told(visit: Visit, show: Show, result: BulkResult, way_back: str) -> Response:
    _ = visit.words
    count = len(result.done)
    done = _.plural("Done for %(num)s episode.", "Done for %(num)s episodes.", count)
    undo = f"/shows/{show.slug}/bulk/{result.batch_id}/undo" if result.done else ""
    if not result.refused:
        return visit.redirect(way_back, say=done, undo=undo)
    return visit.page(
        "studio/bulk_result.html",
        show=show,
        tab="episodes",
        done=done if result.done else "",
        undo=undo,
        refused=[(one.id, one.title, _.said(one.message)) for one in result.refused],
        back=way_back,
    )


def undo_bulk(visit: Visit) -> Response:
    """Take back what was done to several episodes."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        result = undo_batch(session, show, visit.parameters["batch"], now=visit.now())
    return _told(visit, show, result, f"/shows/{show.slug}/")


# The trash


def restore_episode(visit: Visit) -> Response:
    """Bring one deleted episode back."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        row: Episode = get_deleted_episode(session, show, visit.parameters["deleted"])
        warnings = restore(session, row, now=visit.now())
        title = row.title
    said = visit.words("“%(title)s” is back.", title=title)
    said = " ".join([said, *(visit.words.said(warning) for warning in warnings)])
    return visit.redirect(f"/shows/{show.slug}/", say=said)


def deleted_shows_page(visit: Visit) -> Response:
    """The deleted shows of whoever is signed in."""
    with visit.read() as session:
        shows = [
            show
            for show in list_deleted_shows(session, now=visit.now())
            if Permission.MANAGE in permissions_on(session, visit.account, show.id)
        ]
    return visit.page("studio/deleted_shows.html", shows=shows)


def restore_show(visit: Visit) -> Response:
    """Bring a deleted show back."""
    with visit.write() as session:
        show = get_deleted_show(session, visit.parameters["deleted"])
        require(session, visit.account, show, Permission.MANAGE)
        restore(session, show, now=visit.now())
    return visit.redirect(
        f"/shows/{show.slug}/", say=visit.words("“%(title)s” is back.", title=show.title)
    )


_SHOW = "/shows/{show}"
ROUTES = (
    StudioRoute("GET", _SHOW, to_episodes, Permission.VIEW),
    StudioRoute("GET", _SHOW + "/", episodes_page, Permission.VIEW),
    StudioRoute("GET", _SHOW + "/trash", trash_page, Permission.VIEW),
    StudioRoute("POST", _SHOW + "/trash/{deleted}/restore", restore_episode, Permission.EDIT),
    StudioRoute("POST", _SHOW + "/bulk", bulk, Permission.EDIT),
    StudioRoute("POST", _SHOW + "/bulk/{batch}/undo", undo_bulk, Permission.EDIT),
    StudioRoute("GET", "/trash", deleted_shows_page, SIGNED_IN),
    StudioRoute("POST", "/trash/{deleted}/restore", restore_show, SIGNED_IN),
)
