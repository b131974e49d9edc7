"""The episode page: text, people, publishing; what is typed is kept by `edits`, whoever sends it.

It works without scripts: every button sends the whole form, and nothing that was typed is lost.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.editing.edits import (
    EditAnswer,
    apply_edit,
    discard_edit,
    is_direct,
    read_edit,
    save_edit,
)
from podhost.editing.local_times import local_moment
from podhost.episodes import EpisodeInput
from podhost.episodes.publishing import delete_episode, publish_episode, withdraw_episode
from podhost.errors import Conflict, Invalid
from podhost.models import Episode
from podhost.web.forms import FormValues
from podhost.web.studio import episode_form, episode_view
from podhost.web.studio.episode_seen import seen_page
from podhost.web.studio.episode_tags import TAG_NAMES, read_tags, root_of
from podhost.web.studio.visits import StudioRoute, Visit

_PATH = "/shows/{show}/episodes/{episode}"


def episode_page(visit: Visit) -> Response:
    """The page, with what this account typed and did not put into the episode yet; whoever may
    only look sees the episode as listeners will."""
    if Permission.EDIT not in visit.allowed:
        return seen_page(visit)
    return _page(visit)


def save_page(visit: Visit) -> Response:
    """Keep all that was typed, then do what the button says."""
    do, _, target = visit.form.text("do", "save").partition(":")
    action = _ACTIONS.get(do)
    if do != "discard":
        edit, wrong = _save_typed(visit, do, target)
        # Who withdraws an episode need not mend its link first.
        if action is None or do in _NEED_ALL:
            if wrong or edit.errors:
                return _page(visit, 422, errors=wrong, typed=visit.form)
            if edit.conflicts:
                return _page(visit, 409)
    if action is None:
        return visit.redirect(_here(visit), say=_kept(visit))
    try:
        with visit.write() as session:
            done = action(visit, session, visit.episode(session, lock=True))
    except Invalid as error:
        return _page(visit, 422, errors=error.fields, sentence=error.message)
    except Conflict as error:
        return _page(visit, 409, sentence=error.message)
    return visit.redirect(done.path, say=done.said, undo=done.undo)


def _save_typed(visit: Visit, do: str, target: str) -> tuple[EditAnswer, dict[str, str]]:
    values, wrong = episode_form.read_form(visit.form)
    values["people"] = _moved(values["people"], do, target)
    given = episode_form.changed_since(visit.form, values)
    if do == "mine" and target in values:
        given[target] = values[target]
    mine = target if do == "mine" else ""
    theirs = (target,) if do == "theirs" else ()
    return _keep(visit, given, mine=mine, theirs=theirs), wrong


def _keep(visit: Visit, given: dict[str, Any], *, mine: str, theirs: tuple[str, ...]) -> EditAnswer:
    """Save what was typed; a field in conflict keeps the version on which it was typed, until its
    writer has seen both and decided."""
    account_id, now = visit.account.account_id, visit.now()
    with visit.write() as session:
        episode = visit.episode(session, lock=True)
        bases = {
            conflict.field: conflict.base
            for conflict in read_edit(session, episode, account_id, now=now).conflicts
            if conflict.field != mine
        }
        for name in theirs:
            given.pop(name, None)
        version = _version(visit, episode)
        for base in sorted({*bases.values(), version}):
            save_edit(
                session,
                episode,
                account_id,
                msgspec.convert(
                    {k: v for k, v in given.items() if bases.get(k, version) == base}, EpisodeInput
                ),
                version=base,
                dropped=theirs,
                now=now,
            )
        return read_edit(session, episode, account_id, now=now)


def _version(visit: Visit, episode: Episode) -> int:
    """The version that the page was made of; a number that cannot be is as old as can be."""
    text = visit.form.text("version")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1
    return max(1, min(number, episode.edit_version))


def _moved(people: list[dict[str, Any]], do: str, target: str) -> list[dict[str, Any]]:
    """The people as a button of one of their rows wants them."""
    index = int(target) if target.isascii() and target.isdigit() and len(target) < 5 else -1
    if do not in ("up", "down", "remove") or not 0 <= index < len(people):
        return people
    person = people.pop(index)
    if do != "remove":
        people.insert(max(0, index - 1) if do == "up" else index + 1, person)
    return people


# What the buttons do


class _Done(NamedTuple):
    """What to say, where to go on, and what takes it back."""

    said: str
    path: str
    undo: str = ""


_Action = Callable[[Visit, Session, Episode], _Done]


def _update(visit: Visit, session: Session, episode: Episode) -> _Done:
    apply_edit(session, episode, visit.account.account_id, now=visit.now())
    return _Done(visit.words("The episode is updated."), _here(visit))


def _discard(visit: Visit, session: Session, episode: Episode) -> _Done:
    discard_edit(session, episode, visit.account.account_id)
    return _Done(
        visit.words("Your changes were discarded; the episode is as it was."), _here(visit)
    )


def _publish(visit: Visit, session: Session, episode: Episode) -> _Done:
    apply_edit(session, episode, visit.account.account_id, now=visit.now())
    publish_episode(session, episode, now=visit.now())
    if episode.status == "scheduled":
        return _Done(
            visit.words("It will be out in a moment, once its tags are written."), _here(visit)
        )
    return _Done(
        visit.words("The episode is published. Apps will find it in a moment."), _here(visit)
    )


def _schedule(visit: Visit, session: Session, episode: Episode) -> _Done:
    typed = visit.form.text("at")
    if not typed:
        raise Invalid("", {"at": "Say on which day and at what time."})
    try:
        at, odd_hour = local_moment(typed, episode.show.time_zone)
    except ValueError as error:
        raise Invalid("", {"at": str(error)}) from None
    apply_edit(session, episode, visit.account.account_id, now=visit.now())
    publish_episode(session, episode, now=visit.now(), at=at)
    is_late = episode.status == "published"
    said = "That time has come already, so it is published." if is_late else "It is scheduled."
    return _Done(" ".join(filter(None, (visit.words(said), odd_hour))), _here(visit))


def _withdraw(visit: Visit, session: Session, episode: Episode) -> _Done:
    was_scheduled = episode.status == "scheduled"
    withdraw_episode(session, episode, now=visit.now())
    if was_scheduled:
        return _Done(visit.words("It is a draft again."), _here(visit))
    said = visit.words("The episode is withdrawn. Apps will lose it at their next look.")
    return _Done(said, _here(visit))


def _delete(visit: Visit, session: Session, episode: Episode) -> _Done:
    delete_episode(session, episode, now=visit.now())
    path = f"/shows/{episode.show.slug}/"
    undo = f"{path}trash/{episode.id}/restore"
    return _Done(visit.words("The episode is deleted."), path, undo)


_ACTIONS: Mapping[str, _Action] = {
    "update": _update,
    "discard": _discard,
    "publish": _publish,
    "schedule": _schedule,
    "withdraw": _withdraw,
    "delete": _delete,
}


# Those for which every field must be one that the episode can have.
_NEED_ALL = ("update", "publish", "schedule")


def _kept(visit: Visit) -> str:
    with visit.read() as session:
        direct = is_direct(visit.episode(session))
    if direct:
        return visit.words("Saved.")
    return visit.words("Saved for you; listeners see it once you update the episode.")


def _here(visit: Visit) -> str:
    return f"/shows/{visit.parameters['show']}/episodes/{visit.parameters['episode']}"


def _page(
    visit: Visit,
    status: int = 200,
    *,
    typed: FormValues | None = None,
    errors: Mapping[str, str] | None = None,
    sentence: str = "",
) -> Response:
    with visit.read() as session:
        episode = visit.episode(session)
        values = episode_view.values_of(visit, session, episode, errors or {})
        if typed is not None:
            _show_unread(values, typed, errors or {})
        named = {root_of(path) for path in errors or ()}
        values["sentence"] = "" if named & values["texts"].keys() | {"at"} & named else sentence
        values["at"] = visit.form.text("at") or values["at"]
        return visit.page("studio/episode.html", status, **values)


def _show_unread(values: dict[str, Any], typed: FormValues, wrong: Mapping[str, str]) -> None:
    """What no value can be made of stays as it was typed."""
    tags, _ = read_tags(typed.pairs)
    for name in map(root_of, wrong):
        if name in TAG_NAMES:
            values["tag_values"][name] = tags[name]
        else:
            values["texts"][name] = typed.text(name)


ROUTES = (
    StudioRoute("GET", _PATH, episode_page, Permission.VIEW),
    StudioRoute("POST", _PATH, save_page, Permission.EDIT),
)
