"""What `podhost import` does: begin or go on with imports, and work until they are done.

The work is that of jobs, so that a server that runs beside it helps, and a killed command loses
nothing. It prints nothing.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from podhost import worker
from podhost.errors import NotFound, PodhostError
from podhost.importing import rows
from podhost.importing.answers import (
    ImportAnswer,
    ImportSummary,
    import_answer_of,
    import_summary,
)
from podhost.importing.episodes import bytes_under_way, remove_abandoned_audio
from podhost.importing.plans import (
    Source,
    listed_feeds,
    listed_source,
    open_source,
    without_secrets,
)
from podhost.importing.shows import read_source
from podhost.importing.worker import run_imports
from podhost.instance import Instance
from podhost.shows import find_show

if TYPE_CHECKING:
    from podhost.fetching import Fetcher

_LOOK_EVERY_SECONDS = 0.3
# Told now and then: the summaries, and the bytes of audio that are on their way.
OnProgress = Callable[[Sequence[ImportSummary], int], None]


@dataclass(frozen=True, slots=True)
class Begun:
    """What became of one source: the id of its import, or why there is none.

    `is_unchanged`: the old host says that its feed is the one that was read last.
    """

    name: str
    import_id: str | None = None
    error: str | None = None
    is_unchanged: bool = False


def begin_imports(
    instance: Instance, given: str, fetcher: "Fetcher", *, is_mine: bool
) -> list[Begun]:
    """Read what somebody named, a feed or each feed of a list, and have its episodes brought.

    Raises what stands in the way of a single feed; of a list, one that fails stops none.
    """
    source = open_source(given)
    feeds = listed_feeds(source, fetcher)
    if feeds is None:
        return [_begin(instance, source, fetcher, is_mine=is_mine)]
    begun: list[Begun] = []
    for one in map(listed_source, feeds):
        try:
            begun.append(_begin(instance, one, fetcher, is_mine=is_mine))
        except PodhostError as error:
            begun.append(Begun(one.name, error=error.message))
    return begun


def _begin(instance: Instance, source: Source, fetcher: "Fetcher", *, is_mine: bool) -> Begun:
    """Read the feed, unless an import of it is under way. Raises as `read_source` does."""
    with instance.database.write() as session:
        row = rows.create_import(session, source, is_mine=is_mine, now=instance.now())
    is_unchanged = False
    if row.state in (rows.BEGUN, rows.DONE, rows.FAILED):
        try:
            is_unchanged = not read_source(instance, row.id, source, fetcher)
        except PodhostError:
            with instance.database.write() as session:
                rows.delete_unread(session, row.id)
            raise
    return Begun(source.name, row.id, is_unchanged=is_unchanged)


def retry_failed(instance: Instance, given: str) -> str:
    """Have the failed episodes tried again, them alone; `given` is the show or its old feed.

    Gives the id of the import. Raises NotFound, or Conflict when nothing has failed.
    """
    with instance.database.write() as session:
        show = find_show(session, given)
        found = rows.find_import_of(session, show) if show is not None else None
        if found is None:
            found = rows.find_import(session, open_source(given))
        if found is None:
            named = without_secrets(given)
            raise NotFound(f"Nothing was imported as {named!r}: name a show, or its old feed.")
        row = rows.get_import(session, found.id, lock=True)
        rows.retry_import(session, row, now=instance.now())
        return row.id


def work_until_done(
    instance: Instance,
    import_ids: Sequence[str],
    fetcher: "Fetcher",
    *,
    stop: threading.Event,
    on_progress: OnProgress,
) -> bool:
    """Work until these imports are done, or `stop` is set; False when it was."""
    crew = threading.Thread(
        target=run_imports,
        args=(instance,),
        kwargs={"stop": (ended := threading.Event()), "fetcher": fetcher},
        name="imports",
    )
    crew.start()
    try:
        while True:
            # Feeds are rendered, and new shows get their artwork.
            worker.run_due_jobs(instance)
            with instance.database.read() as session:
                found = [
                    import_summary(session, rows.get_import(session, import_id))
                    for import_id in import_ids
                ]
            on_progress(found, bytes_under_way(instance))
            if all(one.state in (rows.DONE, rows.FAILED) for one in found):
                return True
            if stop.wait(_LOOK_EVERY_SECONDS):
                return False
    finally:
        ended.set()
        crew.join()
        worker.run_due_jobs(instance)
        # Of a run that was killed after an episode was stored, and before its file was removed.
        remove_abandoned_audio(instance)


def import_results(instance: Instance, import_ids: Sequence[str]) -> list[ImportAnswer]:
    """Everything about these imports."""
    with instance.database.read() as session:
        return [
            import_answer_of(session, rows.get_import(session, import_id))
            for import_id in import_ids
        ]
