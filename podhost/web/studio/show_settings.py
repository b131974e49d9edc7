"""The pages of a show's settings: a form for each group, and the feed doctor on top.

What a setting is stands in the table of fields; what it may be is judged where shows are written.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.answers import Diagnosis, show_answer
from podhost.errors import Conflict, Invalid, NotFound
from podhost.feeds.further import feed_answers
from podhost.feeds.hubs import site_of
from podhost.history.audit import leave_out
from podhost.models import Episode, Show
from podhost.people import list_credits, picture_url, whole_credit_values
from podhost.shows import ShowInput, change_show, delete_show, is_public
from podhost.web.calls import naming_fields_of
from podhost.web.studio import pickers
from podhost.web.studio.doctor_words import Remark, distinct, remark_of, stand_ins
from podhost.web.studio.show_fields import Group
from podhost.web.studio.show_forms import (
    as_json,
    beside,
    labels_of,
    name_private_feeds,
    read_fields,
    show_input,
    stored_values,
)
from podhost.web.studio.show_groups import GROUPS, PLACES, find_group
from podhost.web.studio.visits import StudioRoute, Visit


def see_settings(visit: Visit) -> Response:
    """The first group."""
    return _see(visit, GROUPS[0])


def see_group(visit: Visit) -> Response:
    """The group that the address names."""
    return _see(visit, _named_group(visit))


def save_settings(visit: Visit) -> Response:
    """Save the first group."""
    return _save(visit, GROUPS[0])


def save_group(visit: Visit) -> Response:
    """Save the group that the address names."""
    return _save(visit, _named_group(visit))


def see_doctor(visit: Visit) -> Response:
    """All that the doctor says of the feed as it is, if that is known or quickly found.

    Looking at a large feed takes too long for a page: then it says so, and its script asks. Who
    has no script gets there by a link, with `now` in its query.
    """
    from podhost.doctor.diagnoses import diagnose, known_diagnosis

    look = diagnose if "now" in visit.query else known_diagnosis
    with visit.read() as session:
        show = visit.show(session)
        found = look(session, show, site_of(visit.instance), now=visit.now())
        return _doctor_page(visit, session, show, found, is_live=False)


def look_live(visit: Visit) -> Response:
    """The same, and how the feed, its audio and its artwork are served; servers are asked."""
    from podhost.doctor.diagnoses import look_at_show_live

    with visit.read() as session:
        show = visit.show(session)
    found = look_at_show_live(visit.instance, show)
    with visit.read() as session:
        return _doctor_page(visit, session, visit.show(session), found, is_live=True)


def delete_this_show(visit: Visit) -> Response:
    """Take the show off the air, if its name was typed."""
    _ = visit.words
    with visit.write() as session:
        show = visit.show(session, lock=True)
        is_meant = visit.form.text("title").strip().casefold() == show.title.strip().casefold()
        if is_meant:
            delete_show(session, show, now=visit.now())
            title, slug = show.title, show.slug
        else:
            leave_out()
    if is_meant:
        say = _("%(title)s was deleted.", title=title)
        return visit.redirect("/", say=say, undo=f"/trash/{slug}/restore")
    errors = {"delete.title": _("Type the show's title exactly as it is.")}
    return _see(visit, GROUPS[-1], errors=errors, status=422)


def _named_group(visit: Visit) -> Group:
    group = find_group(visit.parameters["group"])
    if group is None:
        raise NotFound("There are no such settings.")
    return group


def _save(visit: Visit, group: Group) -> Response:
    _ = visit.words
    values = read_fields(group.fields, visit.form.pairs)
    name_private_feeds(values.get("feeds") or ())
    try:
        given = show_input(values)
        with naming_fields_of(ShowInput), visit.write() as session:
            show = visit.show(session, lock=True)
            if visit.form.text("seen") not in ("", _seen(visit, session, show, group)):
                leave_out()
                return _page(visit, session, show, group, values, is_stale=True, status=409)
            if _renames(show, values) and not visit.form.has("confirm_slug"):
                leave_out()
                return _page(visit, session, show, group, values, asks_slug=True, status=422)
            change_show(session, show, given, now=visit.now())
            slug = show.slug
    except (Invalid, Conflict) as error:
        return _see(visit, group, values=values, errors=error.fields, status=422)
    return visit.redirect(f"/shows/{slug}/settings/{group.name}", say=_("Saved."))


def _seen(visit: Visit, session: Session, show: Show, group: Group) -> str:
    """What tells whether the group says the same as when its page was opened."""
    stored = msgspec.json.encode(_values(visit, session, show, group))
    return hashlib.sha256(stored).hexdigest()[:16]


def _renames(show: Show, values: Mapping[str, Any]) -> bool:
    return "slug" in values and str(values["slug"]) != show.slug


def _see(
    visit: Visit,
    group: Group,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    with visit.read() as session:
        show = visit.show(session)
        shown = values if values is not None else _values(visit, session, show, group)
        return _page(visit, session, show, group, shown, errors=errors, status=status)


def _values(visit: Visit, session: Session, show: Show, group: Group) -> dict[str, Any]:
    """What the fields of the group say now, as a form would send it."""
    answer = show_answer(session, show, visit.instance.base_url)
    values = stored_values(group.fields, answer)
    if "people" in values:
        values["people"] = [
            {**whole_credit_values(credit), "group": None}
            for credit in list_credits(session, show, None)
        ]
    if "categories" in values:
        values["categories"] = [" > ".join(filter(None, pair)) for pair in show.categories]
    return values


def _page(
    visit: Visit,
    session: Session,
    show: Show,
    group: Group,
    values: Mapping[str, Any],
    *,
    errors: Mapping[str, str] | None = None,
    asks_slug: bool = False,
    is_stale: bool = False,
    status: int = 200,
) -> Response:
    from podhost.doctor.diagnoses import known_diagnosis

    found = known_diagnosis(session, show, site_of(visit.instance), now=visit.now())
    language = visit.language
    return visit.page(
        "studio/show_settings.html",
        say=visit.words.said,
        status=status,
        show=show,
        tab="settings",
        groups=GROUPS,
        group=group,
        values=values,
        errors=(placed := beside(group.fields, errors or {})),
        labels=labels_of(group.fields, placed),
        opens_rare=_opens_rare(group, values, placed),
        asks_slug=asks_slug,
        is_stale=is_stale,
        # Who is shown their own input again has not seen what is stored by now.
        seen=("" if is_stale else visit.form.text("seen")) or _seen(visit, session, show, group),
        doctor=_doctor(session, show, found),
        pickers={
            "languages": pickers.language_choices(language, str(values.get("language") or "")),
            "time_zones": pickers.time_zone_choices(
                language, visit.now(), str(values.get("time_zone") or "")
            )
            if "time_zone" in values
            else {},
            "categories": pickers.category_choices(visit.words.find),
            "roles": pickers.role_choices(),
        },
        as_json=as_json,
        pictures=_pictures(visit, session, show) if group.name == "people" else {},
        feeds=feed_answers(session, show, visit.instance.base_url) if group.name == "feed" else (),
    )


def _opens_rare(group: Group, values: Mapping[str, Any], errors: Mapping[str, str]) -> bool:
    """Whether something stands, or is wrong, among what few shows need."""
    names = tuple(field.name for field in group.rare)
    is_used = any(values.get(name) for name in names)
    return is_used or any(path.startswith(names) for path in errors)


def _pictures(visit: Visit, session: Session, show: Show) -> Mapping[str, str]:
    """The pictures that are kept here, by their ids."""
    return {
        credit.artwork_id: url
        for credit in list_credits(session, show, None)
        if credit.artwork_id and (url := picture_url(visit.instance.base_url, credit))
    }


def _doctor_page(
    visit: Visit, session: Session, show: Show, found: Diagnosis | None, *, is_live: bool
) -> Response:
    return visit.page(
        "studio/show_doctor.html",
        say=visit.words.said,
        show=show,
        tab="settings",
        groups=GROUPS,
        group=None,
        doctor=_doctor(session, show, found),
        is_live=is_live,
        is_public=is_public(visit.instance.base_url),
    )


def _doctor(session: Session, show: Show, found: Diagnosis | None) -> dict[str, Any]:
    """The remarks with where each is mended; `is_known` False: the feed is to be looked at first.

    What the feed has a stand-in for is said too, the worst first.
    """
    remarks = list(stand_ins(show))
    if found is not None:
        remarks += distinct(map(remark_of, found.findings))
    order = ("error", "warning", "hint")
    remarks.sort(key=lambda remark: order.index(remark.severity))
    return {
        "is_known": found is not None,
        "remarks": [(remark, _way(show, remark)) for remark in remarks],
        "episodes": _episodes(session, show, remarks),
        "counts": {kind: sum(one.severity == kind for one in remarks) for kind in order},
    }


def _way(show: Show, remark: Remark) -> str:
    """Where the remark is mended, below /studio; "" where no setting does."""
    if remark.field == "artwork":
        return f"/shows/{show.slug}/artwork"
    if remark.field == "moved_to":
        return f"/shows/{show.slug}/move"
    if remark.field not in PLACES:
        return ""
    group, field = PLACES[remark.field]
    return f"/shows/{show.slug}/settings/{group.name}#field-{field.name}"


def _episodes(
    session: Session, show: Show, remarks: Sequence[Remark]
) -> Mapping[int, tuple[str, str]]:
    """The ids and titles of the episodes that the remarks name, by their place in the feed."""
    named = {number for remark in remarks for number in remark.episodes}
    if not named:
        return {}
    rows = session.execute(
        select(Episode.id, Episode.title)
        .where(
            Episode.show_id == show.id,
            Episode.status == "published",
            Episode.deleted_at.is_(None),
        )
        .order_by(Episode.published_at.desc(), Episode.id)
        .limit(max(named))
    )
    return {number: (row.id, row.title) for number, row in enumerate(rows, 1) if number in named}


_SETTINGS = "/shows/{show}/settings"
ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("GET", _SETTINGS, see_settings, Permission.MANAGE),
    StudioRoute("POST", _SETTINGS, save_settings, Permission.MANAGE),
    StudioRoute("GET", _SETTINGS + "/doctor", see_doctor, Permission.MANAGE),
    StudioRoute("POST", _SETTINGS + "/doctor", look_live, Permission.MANAGE),
    StudioRoute("GET", _SETTINGS + "/{group}", see_group, Permission.MANAGE),
    StudioRoute("POST", _SETTINGS + "/{group}", save_group, Permission.MANAGE),
    StudioRoute("POST", "/shows/{show}/delete", delete_this_show, Permission.MANAGE),
)
