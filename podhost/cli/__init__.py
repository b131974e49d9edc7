"""The command line: one word per thing to do; it parses, prints and calls, and decides nothing.

Success exits 0. What a person can mend is one sentence on stderr and exit 1; wrong usage exits 2.
"""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import click

from podhost import __version__
from podhost.cli import accounts as cli_accounts
from podhost.cli import backup as cli_backup
from podhost.cli import moving as cli_moving
from podhost.cli import storage as cli_storage
from podhost.cli.options import (
    COMMON,
    SERVING,
    Group,
    opened,
    print_json,
    progress,
    settings_flags,
    settings_from,
    stop_on_signal,
)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="podhost")
def podhost() -> None:
    """A podcast host: audio files in, an RSS feed and streams out.

    Start with `podhost demo`. Each command has --help with an example.
    """


# Running


@podhost.command()
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Processes that serve.")
@click.option("--no-worker", is_flag=True, help="Leave jobs to `podhost worker` elsewhere.")
@settings_flags(*COMMON, *SERVING)
def serve(workers: int, no_worker: bool, **flags: Any) -> None:
    """Serve feeds, audio and the API until SIGTERM or Ctrl-C.

    Example: podhost serve --port 8000 --base-url https://podcasts.example.org
    """
    # What modules make while they are loaded is no garbage, and looking for some takes a tenth
    # of the start. The server looks again from when it is ready.
    gc.disable()
    from podhost.serving.server import serve as run

    run(settings_from(flags), workers=workers, with_worker=not no_worker)


@podhost.command()
@click.option("--while-parent-lives", is_flag=True, hidden=True)
@settings_flags(*COMMON)
def worker(while_parent_lives: bool, **flags: Any) -> None:
    """Do the jobs (rendering feeds, publishing at a time) until SIGTERM or Ctrl-C.

    Example: podhost worker --database-url postgresql://podhost@db/podhost
    """
    from podhost.serving.processes import watch_parent
    from podhost.worker import run_worker

    stop = stop_on_signal()
    if while_parent_lives:
        watch_parent(stop.set)
        # Polls go first where there are not cores for both. What is left, a quarter of a core at
        # the least, renders soon enough.
        os.nice(5)
    with opened(flags) as instance:
        run_worker(instance, stop=stop)


@podhost.command()
@settings_flags(*COMMON)
def migrate(**flags: Any) -> None:
    """Bring the database's tables to what this version needs.

    Example: podhost migrate --database-url postgresql://podhost@db/podhost
    """
    from podhost.db import current_revision
    from podhost.db import migrate as run
    from podhost.instance import open_instance
    from podhost.serving.startup import check_data_folder

    settings = settings_from(flags)
    check_data_folder(settings.data)
    instance = open_instance(settings)
    try:
        did_something = run(instance.database)
        revision = current_revision(instance.database)
    finally:
        instance.close()
    done = "is now at" if did_something else "was already at"
    click.echo(f"The database {done} revision {revision}.")


@podhost.command()
@settings_flags(*COMMON, *SERVING)
def demo(**flags: Any) -> None:
    """Publish the show that comes with podhost, and serve it.

    Example: podhost demo --port 8080 --data /tmp/podhost-demo
    """
    from podhost.commands.demo import prepare_demo
    from podhost.serving.server import serve as run

    run(settings_from(flags), on_prepared=lambda instance: prepare_demo(instance, say=click.echo))


# Folders


@podhost.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@click.option("--watch", is_flag=True, help="Go on, and publish again as files change.")
@settings_flags(*COMMON)
def publish(folder: Path, dry_run: bool, watch: bool, **flags: Any) -> None:
    """Publish a folder of plain files: one show, or a folder of shows.

    Example: podhost publish episodes/ --dry-run
    """
    from podhost.commands import publish_folder, watch_folder_and_publish

    with opened(flags) as instance:
        if watch:
            watch_folder_and_publish(instance, folder, say=click.echo, stop=stop_on_signal())
            return
        is_well = publish_folder(
            instance,
            folder,
            dry_run=dry_run,
            say=click.echo,
            bar=lambda: progress("Publishing"),
        )
    if not is_well:
        raise click.exceptions.Exit(1)


podhost.add_command(cli_moving.import_show)
podhost.add_command(cli_moving.export)
podhost.add_command(cli_moving.move_out)


# Shows and episodes


@podhost.group()
def show() -> None:
    """Create and list shows."""


@show.command("create")
@click.argument("title")
@click.option("--slug", help="Its name in addresses; made from the title otherwise.")
@click.option("--description", help="What it is about, in plain text.")
@click.option("--author", help="Who makes it, as apps show it.")
@click.option("--language", help="Language code, such as en or pt-br.")
@click.option("--category", "categories", multiple=True, help="Such as 'Arts > Books'; repeatable.")
@click.option("--explicit/--not-explicit", default=None, help="Has explicit content.")
@click.option("--artwork", type=click.Path(path_type=Path), help="Square JPEG or PNG, 1400+ px.")
@click.option("--json", "as_json", is_flag=True, help="Print the show as JSON.")
@settings_flags(*COMMON)
def create_show(title: str, artwork: Path | None, as_json: bool, **flags: Any) -> None:
    """Create a show.

    Example: podhost show create "Tide Tables" --category "Society & Culture > Places & Travel"
    """
    from podhost.commands import make_show as run

    with opened(flags) as instance:
        answer = run(instance, title=title, artwork=artwork, **flags)
    if as_json:
        print_json(answer)
        return
    click.echo(f"Created {answer.title!r}. Its feed: {answer.feed_url}")
    _print_warnings(answer.warnings)


@show.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@settings_flags(*COMMON)
def list_shows(as_json: bool, **flags: Any) -> None:
    """List the shows.

    Example: podhost show list --json
    """
    from podhost.commands import all_shows as run

    with opened(flags) as instance:
        shows = run(instance)
    if as_json:
        print_json(shows)
        return
    for entry in shows:
        click.echo(f"{entry.slug}\t{entry.title}\t{entry.feed_url}")
    if not shows:
        click.echo("There are no shows yet; make one with `podhost show create TITLE`.")


@podhost.group()
def episode() -> None:
    """Add and list episodes, write their tags."""


@episode.command("add")
@click.argument("audio", type=click.Path(path_type=Path))
@click.option("--show", "show_slug", required=True, help="The show's slug.")
@click.option("--title", help="Otherwise from the audio's tags.")
@click.option("--notes", help="Show notes in Markdown, or @FILE.")
@click.option("--guest", "guests", multiple=True, help="A guest's name; repeatable.")
@click.option("--season", type=int, help="Season number.")
@click.option("--number", type=int, help="Episode number.")
@click.option("--type", "episode_type", help="full, trailer or bonus.")
@click.option("--guid", help="Only for an episode that was published elsewhere before.")
@click.option("--publish", "publish_now", is_flag=True, help="Publish it now.")
@click.option("--at", help="Publish it then, such as 2026-03-01T09:00, in the show's time zone.")
@click.option("--json", "as_json", is_flag=True, help="Print the episode as JSON.")
@settings_flags(*COMMON)
def add_episode(
    audio: Path,
    show_slug: str,
    publish_now: bool,
    at: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Add an episode from an audio file; a draft, unless told to publish.

    Example: podhost episode add 007.mp3 --show tide-tables --guest "Ann Guest" --publish
    """
    from podhost.commands import add_episode as run

    with opened(flags) as instance:
        answer = run(
            instance, audio=audio, show_slug=show_slug, publish_now=publish_now, at=at, **flags
        )
    if as_json:
        print_json(answer)
        return
    click.echo(f"{answer.title!r} is {answer.status}: {answer.enclosure_url}")
    _print_warnings(answer.warnings)


@episode.command("list")
@click.option("--show", "show_slug", required=True, help="The show's slug.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@settings_flags(*COMMON)
def list_episodes(show_slug: str, as_json: bool, **flags: Any) -> None:
    """List a show's episodes, newest first.

    Example: podhost episode list --show tide-tables
    """
    from podhost.commands import all_episodes as run

    with opened(flags) as instance:
        episodes = run(instance, show_slug)
    if as_json:
        print_json(episodes)
        return
    for entry in episodes:
        click.echo(f"{entry.status}\t{entry.published_at or '-'}\t{entry.title}")
    if not episodes:
        click.echo("The show has no episodes yet.")


@episode.command("write-tags")
@click.argument("episode_key", metavar="EPISODE")
@click.option("--show", "show_slug", required=True, help="The show's slug.")
@settings_flags(*COMMON)
def write_tags(episode_key: str, show_slug: str, **flags: Any) -> None:
    """Write what is said of an episode (its slug or id) into its audio, also when it is out.

    Then it has a new address, and apps may load it again. The upload is kept.

    Example: podhost episode write-tags low-water --show tide-tables
    """
    from podhost.commands import write_episode_tags as run

    with opened(flags) as instance:
        answer = run(instance, show_slug, episode_key)
    click.echo(f"{answer.title!r} is {answer.status}: {answer.enclosure_url}")
    _print_warnings(answer.warnings)


@podhost.command()
@click.argument("show_slug", metavar="SHOW")
@click.option("--name", help="A further feed of the show.")
@settings_flags(*COMMON)
def feed(show_slug: str, name: str | None, **flags: Any) -> None:
    """Print the feed of a show as apps get it, or a further one by its name.

    Example: podhost feed tide-tables | xmllint --format -
    """
    from podhost.commands import feed_of

    with opened(flags) as instance:
        body = feed_of(instance, show_slug, name)
    sys.stdout.buffer.write(body)


@podhost.command()
@click.option("--show", "show_slug", help="Only this show, and its feed by every rule.")
@click.option("--feed", "source", metavar="URL|FILE", help="Anybody's feed instead.")
@click.option("--live", "is_live", is_flag=True, help="Also read feed, audio and artwork there.")
@click.option("--newest", type=click.IntRange(0, 1000), default=5, help="So much audio; 5.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@settings_flags(*COMMON)
def check(
    show_slug: str | None,
    source: str | None,
    is_live: bool,
    newest: int,
    as_json: bool,
    **flags: Any,
) -> None:
    """Check that everything promised is there: audio by its hash, feeds, nothing orphaned.

    With --show or --feed, see what Apple and other directories will say of the feed.

    Example: podhost check --feed https://example.org/feed.xml --live
    """
    from podhost.commands.checks import run_check

    if show_slug is not None and source is not None:
        raise click.UsageError("--show and --feed are two different feeds; give one of them.")
    if is_live and show_slug is None and source is None:
        raise click.UsageError("--live needs --show or --feed.")
    if not run_check(flags, show_slug, source, is_live=is_live, newest=newest, as_json=as_json):
        raise click.exceptions.Exit(1)


podhost.add_command(cli_backup.backup)
podhost.add_command(cli_backup.restore)
podhost.add_command(cli_storage.storage)
podhost.add_command(cli_accounts.account)
podhost.add_command(cli_accounts.token)


def _print_warnings(warnings: list[str]) -> None:
    for warning in warnings:
        click.echo(f"  note: {warning}")


def main() -> None:
    """The entry point."""
    podhost()
