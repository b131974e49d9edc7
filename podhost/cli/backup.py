"""The commands `backup` and `restore`; they parse, print and call, and decide nothing."""

from pathlib import Path
from typing import Any

import click

from podhost.cli.options import COMMON, opened, progress, settings_flags, settings_from


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--no-audio", is_flag=True, help="List the audio by size and hash, do not copy it.")
@settings_flags(*COMMON)
def backup(file: Path, no_audio: bool, **flags: Any) -> None:
    """Write all rows and files into one archive; - is standard output. Podhost may run meanwhile.

    The file holds hashes of passwords and tokens, and drafts: keep it as secret as the database.

    Example: podhost backup /var/backups/podhost-2026-03-01.tar
    """
    from podhost.backup import back_up

    path = None if str(file) == "-" else file
    with opened(flags) as instance, progress("Backing up") as advance:
        report = back_up(instance, path, with_audio=not no_audio, progress=advance)
    click.echo(f"Backed up: {report.sentence}.", err=path is None)
    for problem in report.problems:
        click.echo(problem, err=True)
    if report.problems:
        click.echo("The backup is whole but for that, which was so before it.", err=True)
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@settings_flags(*COMMON)
def restore(file: Path, **flags: Any) -> None:
    """Put a backup into an empty database and a storage that has none of its files.

    All of it is verified first. A restore that was cut short is started again.

    Example: podhost restore /var/backups/podhost-2026-03-01.tar --data /var/lib/podhost
    """
    from podhost.commands import restore_backup

    with progress("Restoring") as advance:
        report = restore_backup(settings_from(flags), file, progress=advance)
    click.echo(f"Restored: {report.sentence}.")
    for problem in report.problems:
        click.echo(f"  note: when the backup was made, {problem}")
