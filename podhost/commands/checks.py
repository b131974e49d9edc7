"""`podhost check`: puts together what was looked at and words it; it decides and mends nothing."""

import shutil
import textwrap
from contextlib import nullcontext
from typing import Any

import click
import msgspec

from podhost.answers import Diagnosis
from podhost.checks import Progress, check_instance
from podhost.cli.options import opened, print_json, progress, settings_from
from podhost.config import Settings
from podhost.doctor import diagnose_address, diagnose_body, feed_body
from podhost.feeds.hubs import site_of
from podhost.fetching import Fetcher, instance_fetcher
from podhost.formats.doctor_rules import Finding
from podhost.instance import Instance, utc_now
from podhost.models import Show
from podhost.moves import look_at_new_feed, report_of
from podhost.shows import get_show

_COLOURS = {"error": "red", "warning": "yellow", "hint": "cyan"}
_WORDS = {
    "error": ("error", "errors"),
    "warning": ("warning", "warnings"),
    "hint": ("hint", "hints"),
}
_WIDEST = 100
# How long it waits for a worker that has a feed in hand.
_RENDER_SECONDS = 10
_INDENT = " " * 9


class Checked(msgspec.Struct, kw_only=True):
    """What `podhost check` found: problems with what is stored, and what the doctor says."""

    problems: list[str]
    checked: str
    feed: Diagnosis | None

    @property
    def is_well(self) -> bool:
        """Whether all that was promised is there and no directory will reject the feed."""
        return not self.problems and (self.feed is None or not self.feed.errors)


def run_check(
    flags: dict[str, Any],
    show_slug: str | None,
    source: str | None,
    *,
    is_live: bool,
    newest: int,
    as_json: bool,
) -> bool:
    """Look at what the flags name and print what was found; whether all is well."""
    if source is not None:
        checked = check_feed(settings_from(flags), source, is_live=is_live, newest=newest)
    else:
        with opened(flags) as instance, progress("Checking") as advance:
            checked = check_stored(
                instance,
                show_slug=show_slug,
                is_live=is_live,
                newest=newest,
                progress=advance,
            )
    if as_json:
        print_json(checked)
    else:
        say(checked, shutil.get_terminal_size().columns)
    return checked.is_well


def check_stored(
    instance: Instance,
    *,
    show_slug: str | None,
    is_live: bool,
    newest: int,
    progress: Progress,
) -> Checked:
    """Look at everything, or at one show and then at its feed too; live over the network."""
    problems, checked = check_instance(
        instance, show_slug=show_slug, patience_seconds=_RENDER_SECONDS, progress=progress
    )
    if show_slug is None:
        return Checked(problems=problems, checked=checked, feed=None)
    with instance.database.read() as session:
        show = get_show(session, show_slug)
        title, body = show.title, feed_body(session, show, site_of(instance))
    reading = _fetcher(instance.settings, instance.base_url) if is_live else nullcontext()
    with reading as fetcher:
        feed = diagnose_body(title, body, now=instance.now(), fetcher=fetcher, newest=newest)
        if fetcher is not None:
            problems += _new_feed_problems(instance, show, fetcher)
    return Checked(problems=problems, checked=checked, feed=feed)


def _new_feed_problems(instance: Instance, show: Show, fetcher: Fetcher) -> list[str]:
    """What the feed lacks by now to which apps are sent; nothing where its host was told so."""
    if show.redirect_to is None:
        return []
    found = look_at_new_feed(instance, show, show.redirect_to, fetcher, with_audio=show.moved_audio)
    lacking = [] if report_of(show).anyway else found.problems
    return [f"Apps of {show.slug!r} are sent on: {said}" for said in (*found.loops, *lacking)]


def check_feed(settings: Settings, source: str, *, is_live: bool, newest: int) -> Checked:
    """Look at anybody's feed, by its address or as a file; no instance is needed."""
    with _fetcher(settings, settings.base_url) as fetcher:
        feed = diagnose_address(source, fetcher, is_live=is_live, now=utc_now(), newest=newest)
    return Checked(problems=[], checked="", feed=feed)


def say(checked: Checked, width: int) -> None:
    """Print it for people, in lines of `width` characters at most."""
    for problem in checked.problems:
        click.echo(problem, err=True)
    if checked.feed is not None:
        _say_diagnosis(checked.feed, min(width, _WIDEST))
    if checked.checked and not checked.problems:
        click.echo(checked.checked)


def _say_diagnosis(feed: Diagnosis, width: int) -> None:
    counts = {"error": feed.errors, "warning": feed.warnings, "hint": feed.hints}
    said = ", ".join(f"{count} {_WORDS[kind][count != 1]}" for kind, count in counts.items())
    click.echo(f"Feed of {feed.subject}: {said}.\n")
    for finding in feed.findings:
        for line in _finding_lines(finding, width):
            click.echo(line)
        click.echo()
    if not feed.errors:
        click.echo("Nothing in it makes Apple or another big directory reject it.")


def _finding_lines(finding: Finding, width: int) -> list[str]:
    word = click.style(f"{finding.severity.upper():<9}", fg=_COLOURS[finding.severity], bold=True)
    first, *rest = _wrapped(finding.message, width)
    where = _wrapped(f"Where: {finding.place}", width, _INDENT + "       ")
    fix = _wrapped(f"Fix: {finding.fix}", width, _INDENT + "     ")
    rule = click.style(f"{_INDENT}{finding.rule} ({finding.source})", dim=True)
    return [word + first.removeprefix(_INDENT), *rest, *where, *fix, rule]


def _wrapped(text: str, width: int, following: str = _INDENT) -> list[str]:
    return textwrap.wrap(
        text,
        max(40, width),
        initial_indent=_INDENT,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [_INDENT]


def _fetcher(settings: Settings, base_url: str) -> Fetcher:
    return instance_fetcher(settings, base_url=base_url, purpose="feed doctor")
