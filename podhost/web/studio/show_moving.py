"""The pages on which shows are moved in from another host, and moved out."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.errors import Conflict, Invalid, PodhostError
from podhost.exports.archives import READY, export_answer, list_exports
from podhost.feeds.hubs import hub_answers, list_hubs
from podhost.history.audit import is_called
from podhost.importing import rows
from podhost.importing.answers import import_answer_of, import_episodes, import_list
from podhost.importing.documents import UPLOADED, import_source, keep_document
from podhost.importing.pages import feed_address
from podhost.importing.plans import Source, address_source
from podhost.models import Import, Show
from podhost.moves import read_again, report_of
from podhost.moves.cut_over import CutOver, cut_over
from podhost.shows import ShowInput, change_show
from podhost.web.studio.show_fields import N_
from podhost.web.studio.show_fields_feed import MOVE
from podhost.web.studio.show_forms import labels_of, read_fields, show_input
from podhost.web.studio.visits import StudioRoute, Visit

# So many failed episodes and differences stand on a page; the report has them all.
MOST_LISTED = 200


_LOCKED = N_(
    "The feed is locked (podcast:locked): its owner does not want it imported. Unlock it at the "
    "old host, or say that the show is yours."
)


# Moving in ----------------------------------------------------------------------------------------


def see_imports(visit: Visit) -> Response:
    """All imports."""
    with visit.read() as session:
        return visit.page(
            "studio/imports.html", say=visit.words.said, imports=import_list(session).imports
        )


def see_new_import(visit: Visit) -> Response:
    """Where from?"""
    return _new_import_page(visit, source=visit.query.get("source", ""))


def look_or_begin(visit: Visit) -> Response:
    """Say what would come; or, when that was seen and wanted, have it brought."""
    form = visit.form
    is_mine, written = form.has("mine"), form.text("source")
    try:
        source = _source(visit, written)
        if form.text("step") == "begin":
            is_called("begin_import")
            with visit.write() as session:
                row = rows.begin_import(session, source, is_mine=is_mine, now=visit.now())
                return visit.redirect(f"/imports/{row.id}")
        return _preview_page(visit, source, written, is_mine=is_mine)
    except PodhostError as error:
        errors = error.fields or {"source": error.message}
        return _new_import_page(visit, written, is_mine=is_mine, errors=errors, status=422)


def _source(visit: Visit, written: str) -> Source:
    """The uploaded file, one that was uploaded before the preview, or the address."""
    sent = visit.files.get("feed")
    if sent is not None:
        body = sent.path.read_bytes()
        with visit.write() as session:
            return keep_document(session, sent.file_name, body, now=visit.now())
    if written.startswith(UPLOADED):
        with visit.read() as session:
            return import_source(session, written)
    try:
        return address_source(feed_address(written))
    except Invalid as error:
        raise Invalid(error.message, {"source": error.message}) from None


def _new_import_page(
    visit: Visit,
    source: str = "",
    *,
    is_mine: bool = False,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    return visit.page(
        "studio/import_new.html",
        say=visit.words.said,
        status=status,
        source="" if source.startswith(UPLOADED) else source,
        is_mine=is_mine,
        errors=errors or {},
    )


def _preview_page(visit: Visit, source: Source, written: str, *, is_mine: bool) -> Response:
    from podhost.fetching import instance_fetcher
    from podhost.importing.previews import preview_import

    instance = visit.instance
    with instance_fetcher(
        instance.settings, base_url=instance.base_url, purpose="feed import"
    ) as fetcher:
        preview = preview_import(instance, source, fetcher, is_mine=is_mine)
    return visit.page(
        "studio/import_preview.html",
        say=visit.words.said,
        preview=preview,
        refusals=[_LOCKED if "--mine" in text else text for text in preview.refusals],
        source=source.key,
        is_mine=is_mine,
    )


def see_import(visit: Visit) -> Response:
    """How far it is; the page's script asks the API for more."""
    with visit.read() as session:
        row = rows.get_import(session, visit.parameters["import"])
        answer = import_answer_of(session, row, with_episodes=False)
        can_sync = _can_sync(row)
        some = partial(import_episodes, session, row, limit=MOST_LISTED)
        failed, listed = [*some(state=rows.FAILED)], [*some()]
        noted = [*some(with_notes=True)]
    remarks = [(entry.title, note) for entry in noted for note in entry.notes]
    return visit.page(
        "studio/import.html",
        say=visit.words.said,
        found=answer,
        failed=failed,
        listed=listed,
        remarks=[*(("", note) for note in answer.notes), *remarks][:MOST_LISTED],
        differences=(answer.differences or [])[:MOST_LISTED],
        is_running=answer.state in (rows.BEGUN, rows.READING, rows.RUNNING, rows.COMPARING),
        can_sync=can_sync,
        most_listed=MOST_LISTED,
    )


def retry(visit: Visit) -> Response:
    """Try what failed once more."""
    _ = visit.words
    import_id = visit.parameters["import"]
    try:
        with visit.write() as session:
            row = rows.get_import(session, import_id, lock=True)
            rows.retry_import(session, row, now=visit.now())
    except Conflict as error:
        return visit.redirect(f"/imports/{import_id}", say=_.said(error.message))
    return visit.redirect(f"/imports/{import_id}", say=_("It is tried again."))


def sync_again(visit: Visit) -> Response:
    """Bring what is new at the old host."""
    _ = visit.words
    with visit.write() as session:
        row = rows.get_import(session, visit.parameters["import"], lock=True)
        source = import_source(session, row.source)
        row = rows.begin_import(session, source, is_mine=row.is_mine, now=visit.now())
        import_id = row.id
    return visit.redirect(f"/imports/{import_id}", say=_("The old feed is read again."))


def _can_sync(row: Import) -> bool:
    return row.state in (rows.DONE, rows.FAILED) and not row.source.startswith(UPLOADED)


# Moving out ---------------------------------------------------------------------------------------


def see_move(visit: Visit) -> Response:
    """The list of what is to be done, and how far it is."""
    return _move_page(visit)


def begin_move(visit: Visit) -> Response:
    """Have the new feed read, and apps sent there once all is well."""
    _ = visit.words
    here = visit.parameters["show"]
    values = read_fields(MOVE.fields, visit.form.pairs)
    if not values["moved_to"]:
        errors = {"moved_to": _("Give the address of the feed at the new host.")}
        return _move_page(visit, values, errors, status=422)
    try:
        with visit.write() as session:
            show = visit.show(session, lock=True)
            change_show(session, show, show_input(values), now=visit.now())
            read_again(session, show, anyway=visit.form.has("anyway"), now=visit.now())
    except (Invalid, Conflict) as error:
        return _move_page(visit, values, error.fields, status=422)
    return visit.redirect(f"/shows/{here}/move", say=_("The new feed is being read."))


def end_move(visit: Visit) -> Response:
    """Have feed and audio be here again."""
    _ = visit.words
    with visit.write() as session:
        show = visit.show(session, lock=True)
        given = ShowInput(moved_to=None, moved_audio=False)
        change_show(session, show, given, now=visit.now())
    here = visit.parameters["show"]
    return visit.redirect(f"/shows/{here}/move", say=_("The feed is here again."))


def unlock(visit: Visit) -> Response:
    """Let the new host import the show."""
    _ = visit.words
    with visit.write() as session:
        show = visit.show(session, lock=True)
        change_show(session, show, ShowInput(locked=False), now=visit.now())
    here = visit.parameters["show"]
    return visit.redirect(f"/shows/{here}/move", say=_("The feed is unlocked."))


def _move_page(
    visit: Visit,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    with visit.read() as session:
        show = visit.show(session)
        found = _cut_over(visit, session, show)
        kept = list_exports(session, show, now=visit.now())
        archives = [export_answer(row, show, visit.instance.base_url) for row in kept]
        is_read = report_of(show).checked_at is not None
    now = {"moved_to": show.moved_to or "", "moved_audio": show.moved_audio}
    return visit.page(
        "studio/show_move.html",
        say=visit.words.said,
        status=status,
        show=show,
        tab="settings",
        fields=MOVE.fields,
        values=values or now,
        errors=errors or {},
        labels=labels_of(MOVE.fields, errors or {}),
        found=found,
        archive=next(iter(archives), None),
        # While a newer one is made, and where it fails.
        older=next((one for one in archives[1:] if one.state == READY), None),
        is_waiting=show.moved_to is not None and not is_read,
    )


def _cut_over(visit: Visit, session: Any, show: Show) -> CutOver:
    instance = visit.instance
    hubs = hub_answers(session, show, list_hubs(instance.settings, instance.base_url))
    return cut_over(show, instance.base_url, hubs, now=visit.now())


_IMPORT = "/imports/{import}"
_MOVE = "/shows/{show}/move"
ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("GET", "/imports", see_imports, Permission.OPERATE),
    StudioRoute("GET", "/imports/new", see_new_import, Permission.OPERATE),
    StudioRoute("POST", "/imports/new", look_or_begin, Permission.OPERATE, files=("feed",)),
    StudioRoute("GET", _IMPORT, see_import, Permission.OPERATE),
    StudioRoute("POST", _IMPORT + "/retry", retry, Permission.OPERATE),
    StudioRoute("POST", _IMPORT + "/sync", sync_again, Permission.OPERATE),
    StudioRoute("GET", _MOVE, see_move, Permission.MANAGE),
    StudioRoute("POST", _MOVE, begin_move, Permission.MANAGE),
    StudioRoute("POST", _MOVE + "/back", end_move, Permission.MANAGE),
    StudioRoute("POST", _MOVE + "/unlock", unlock, Permission.MANAGE),
)
