"""The commands `import` and `export`; they parse, print and call, and decide nothing."""

from pathlib import Path
from typing import Any

import click

from podhost.cli_options import COMMON, opened, print_json, progress, settings_flags


@click.command("import")
@click.argument("source")
@click.option("--dry-run", is_flag=True, help="Only say what would come; nothing is written.")
@click.option("--mine", is_flag=True, help="The show is yours, although its feed is locked.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole plan as JSON.")
@settings_flags(*COMMON)
def import_show(source: str, dry_run: bool, mine: bool, as_json: bool, **flags: Any) -> None:
    """Say what moving a show here would bring: SOURCE is a feed's address, a file, or OPML.

    Example: podhost import https://old.example/feed.xml --dry-run
    """
    from podhost.fetching import instance_fetcher
    from podhost.import_report import describe_import, import_answer, refusals
    from podhost.imports import plan_imports

    if not dry_run:
        raise click.UsageError(
            "Only a dry run can be made yet: add --dry-run to see what would come."
        )
    with opened(flags) as instance, progress("Reading") as advance:
        settings, base_url = instance.settings, instance.base_url
        with instance_fetcher(settings, base_url=base_url, purpose="feed import") as fetcher:
            plans = plan_imports(
                source,
                fetcher,
                database=instance.database,
                now=instance.now(),
                is_mine=mine,
                on_progress=advance,
            )
    if as_json:
        print_json({"feeds": [import_answer(plan) for plan in plans]})
    else:
        for plan in plans:
            click.echo("\n".join([*describe_import(plan), ""]))
        click.echo("Nothing was written.")
    if sentences := refusals(plans):
        raise click.ClickException("\n".join(sentences))


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
