"""The commands `import`, `export` and `move-out`; they parse, print and call; no decision."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from podhost.cli.options import (
    COMMON,
    opened,
    print_json,
    progress,
    settings_flags,
    stop_on_signal,
)

if TYPE_CHECKING:
    from podhost.commands.imports import OnProgress
    from podhost.fetching import Fetcher
    from podhost.instance import Instance


@click.command("import")
@click.argument("source")
@click.option("--dry-run", is_flag=True, help="Only say what would come; nothing is written.")
@click.option("--retry", is_flag=True, help="Try the failed episodes of an import again.")
@click.option("--mine", is_flag=True, help="The show is yours, although its feed is locked.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@settings_flags(*COMMON)
def import_show(
    source: str, dry_run: bool, retry: bool, mine: bool, as_json: bool, **flags: Any
) -> None:
    """Move a show here: SOURCE is its feed's address, a file, or OPML; with --retry also the show.

    What was interrupted goes on when the same command is given again; later, it brings what is new.

    Example: podhost import https://old.example/feed.xml
    """
    from podhost.fetching import instance_fetcher

    if dry_run and retry:
        raise click.UsageError("--dry-run and --retry say different things; give one of them.")
    with opened(flags) as instance:
        settings, base_url = instance.settings, instance.base_url
        with instance_fetcher(settings, base_url=base_url, purpose="feed import") as fetcher:
            if dry_run:
                _say_what_would_come(instance, source, fetcher, mine=mine, as_json=as_json)
            else:
                _import(instance, source, fetcher, retry=retry, mine=mine, as_json=as_json)


def _say_what_would_come(
    instance: "Instance", source: str, fetcher: "Fetcher", *, mine: bool, as_json: bool
) -> None:
    from podhost.importing.plans import MovedHere, plan_imports
    from podhost.importing.report import describe_import, import_answer, refusals

    try:
        with progress("Reading") as advance:
            plans = plan_imports(
                source,
                fetcher,
                database=instance.database,
                now=instance.now(),
                is_mine=mine,
                base_url=instance.base_url,
                on_progress=advance,
            )
    except MovedHere as moved:
        # That is what whoever looks after the cut-over hopes to read, and no error.
        if as_json:
            print_json({"feeds": [], "moved": moved.message})
        else:
            click.echo(moved.message)
        return
    if as_json:
        print_json({"feeds": [import_answer(plan) for plan in plans]})
    else:
        for plan in plans:
            click.echo("\n".join([*describe_import(plan), ""]))
        click.echo("Nothing was written.")
    if sentences := refusals(plans):
        raise click.ClickException("\n".join(sentences))


def _import(
    instance: "Instance",
    source: str,
    fetcher: "Fetcher",
    *,
    retry: bool,
    mine: bool,
    as_json: bool,
) -> None:
    from podhost.commands import imports as work
    from podhost.importing.answers import describe_result

    stop = stop_on_signal()
    if retry:
        begun = [work.Begun(source, work.retry_failed(instance, source))]
    else:
        begun = work.begin_imports(instance, source, fetcher, is_mine=mine)
    ids = [one.import_id for one in begun if one.import_id is not None]
    with _without_lines_of_jobs(), _progress_line() as tell:
        is_done = work.work_until_done(instance, ids, fetcher, stop=stop, on_progress=tell)
    answers = work.import_results(instance, ids)
    errors = [f"{one.name}: {one.error}" for one in begun if one.error is not None]
    errors += [f"{answer.source}: {answer.error}" for answer in answers if answer.error]
    if as_json:
        print_json({"imports": answers, "errors": errors})
    else:
        unchanged = {one.import_id for one in begun if one.is_unchanged}
        for answer in answers:
            click.echo("\n".join(describe_result(answer)))
            if answer.id in unchanged:
                click.echo("  Nothing is new in the old feed.")
    for line in errors:
        click.echo(f"  Problem: {line}", err=True)
    if not is_done:
        raise click.ClickException("It was stopped; the same command goes on where it was.")
    failed = sum(answer.episodes.failed for answer in answers)
    if failed:
        them = "An episode" if failed == 1 else f"{failed} episodes"
        # By its name: a list has no episodes, and an address may have a password in it.
        again = "; ".join(
            f"podhost import {answer.show or answer.source} --retry"
            for answer in answers
            if answer.episodes.failed
        )
        raise click.ClickException(f"{them} did not come. To try again: {again}")
    if errors:
        raise click.exceptions.Exit(1)


@contextmanager
def _without_lines_of_jobs() -> Iterator[None]:
    """What goes wrong with an episode stands in the report; as a line of the log it would stand in
    the middle of the progress."""
    from podhost.importing.rows import KINDS

    def is_told(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR or getattr(record, "job", None) not in KINDS

    log = logging.getLogger("podhost.jobs.runner")
    log.addFilter(is_told)
    try:
        yield
    finally:
        log.removeFilter(is_told)


@contextmanager
def _progress_line() -> Iterator["OnProgress"]:
    """How far imports are, in one line on a terminal; nothing elsewhere."""
    from podhost.importing.answers import ImportSummary, describe_progress, size_in_words

    if not sys.stderr.isatty():
        yield lambda found, under_way: None
        return

    def tell(found: Sequence[ImportSummary], under_way_bytes: int) -> None:
        lines = [describe_progress(one) for one in found if one.state != "done"]
        more = f" and {len(lines) - 1} other shows" if len(lines) > 1 else ""
        under_way = f", {size_in_words(under_way_bytes)} under way" if under_way_bytes else ""
        click.echo(f"\r\x1b[K{lines[0] if lines else ''}{more}{under_way}", nl=False, err=True)

    try:
        yield tell
    finally:
        click.echo("\r\x1b[K", nl=False, err=True)


@click.command()
@click.argument("show_slug", metavar="SHOW")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--no-audio", is_flag=True, help="Leave the audio files out.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
@settings_flags(*COMMON)
def export(show_slug: str, folder: Path, no_audio: bool, as_json: bool, **flags: Any) -> None:
    """Write a whole show into a new folder of plain files, which `publish` reads back.

    Example: podhost export tide-tables my-show/
    """
    from podhost.commands import export_folder

    with opened(flags) as instance, progress("Exporting") as advance:
        exported = export_folder(
            instance, show_slug, folder, with_audio=not no_audio, progress=advance
        )
    if as_json:
        print_json(exported)
    else:
        click.echo(exported.line)
    for problem in exported.problems:
        click.echo(f"  Problem: {problem}", err=True)
    if exported.problems:
        raise click.exceptions.Exit(1)


@click.command("move-out")
@click.argument("show_slug", metavar="SHOW")
@click.option("--to", "address", metavar="URL", help="The feed at the new host.")
@click.option(
    "--enclosures/--no-enclosures", default=None, help="The audio's addresses lead there too."
)
@click.option("--anyway", is_flag=True, help="Although the new feed lacks something.")
@click.option("--dry-run", is_flag=True, help="Only read the new feed; nothing is changed.")
@click.option("--back", is_flag=True, help="Take the redirect away; the show is here again.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@settings_flags(*COMMON)
def move_out(
    show_slug: str,
    address: str | None,
    enclosures: bool | None,
    anyway: bool,
    dry_run: bool,
    back: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Have a show's feed lead to its new host, for ever; without --to, list what is to be done.

    The new feed is read first: it must have every episode under the same guid.

    Example: podhost move-out tide-tables --to https://new.example/feed.xml --enclosures
    """
    from podhost.commands import moves as run

    if back and (address is not None or anyway or dry_run or enclosures is not None):
        raise click.UsageError("--back goes alone.")
    if address is None and (anyway or (enclosures is not None and not back)):
        raise click.UsageError("Say where the show has moved, with --to.")
    with opened(flags) as instance:
        if back:
            found = run.move_back(instance, show_slug)
        elif address is None or dry_run:
            found = run.move_list(instance, show_slug, address, with_audio=enclosures)
        else:
            found = run.move_out(instance, show_slug, address, with_audio=enclosures, anyway=anyway)
    if as_json:
        print_json(found)
    else:
        for line in run.move_lines(found):
            click.echo(line)
    for problem in found.problems:
        click.echo(f"  Problem: {problem}", err=True)
    if address is not None and not dry_run and found.redirect_to != found.moved_to:
        raise click.ClickException("The redirect is not on. Mend this, or add --anyway.")
    if found.problems and not anyway:
        raise click.exceptions.Exit(1)
