"""What the commands do where that is more than one call; the command line parses and prints."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import UNSET

from podhost import fields, worker
from podhost.accounts import accounts as account_rows
from podhost.answers import EpisodeAnswer, ShowAnswer, episode_answer, show_answer, show_answers
from podhost.artwork import add_artwork
from podhost.audio.revisions import prepare_audio_file
from podhost.audio.tagging import request_tags
from podhost.backup import BackupReport
from podhost.backup.restore import restore
from podhost.chapters.rows import notes_warnings
from podhost.config import Settings
from podhost.episodes import (
    EpisodeInput,
    create_episode,
    episode_problems,
    get_episode,
    list_episodes,
)
from podhost.episodes.publishing import publish_episode
from podhost.errors import Invalid
from podhost.exports.shows import Exported, export_show
from podhost.feeds import hubs
from podhost.feeds.further import further_body
from podhost.feeds.rendering import find_snapshot, render_show, snapshot_body
from podhost.folders import (
    Plan,
    Progress,
    apply_plan,
    describe,
    find_shows,
    folder_turn,
    plan_show,
    watch_folder,
)
from podhost.formats.text import shown
from podhost.instance import Instance, adopt_base_url, open_instance
from podhost.people import CreditInput
from podhost.serving.startup import check_data_folder
from podhost.shows import ShowInput, create_show, get_show, list_shows, set_show_artwork
from podhost.uploads.intake import Intake

Say = Callable[[str], None]

# Whose tokens are made before anybody has an account.
OWNER_EMAIL = "owner@podhost.example"
# How often a folder is published anew because others change the same show meanwhile.
_TRIES = 5


def make_show(instance: Instance, *, artwork: Path | None, **given: Any) -> ShowAnswer:
    """Create a show and render its feed. Raises Invalid or Conflict with a sentence."""
    values = {name: value for name, value in given.items() if value not in (None, ())}
    if "categories" in values:
        values["categories"] = list(values["categories"])
    with Intake(instance.database, instance.storage) as intake:
        picture = intake.artwork(_readable(artwork)) if artwork is not None else None
        with instance.database.write() as session:
            now = instance.now()
            given_show = ShowInput(**values)
            show = create_show(session, given_show, base_url=instance.base_url, now=now)
            if picture is not None:
                set_show_artwork(session, show, add_artwork(session, picture, now=now), now=now)
    worker.run_due_jobs(instance)
    with instance.database.read() as session:
        return show_answer(session, get_show(session, show.slug), instance.base_url)


def all_shows(instance: Instance) -> list[ShowAnswer]:
    """Every show, by title."""
    with instance.database.read() as session:
        return show_answers(session, list_shows(session), instance.base_url)


def add_episode(
    instance: Instance,
    *,
    audio: Path,
    show_slug: str,
    publish_now: bool,
    at: str | None,
    notes: str | None,
    guests: Sequence[str],
    **given: Any,
) -> EpisodeAnswer:
    """Add an episode from a file that stays where it is. Raises what the domain raises.

    `at` without a zone is meant in the show's.
    """
    path = _readable(audio)
    if publish_now and at is not None:
        raise Invalid("--publish and --at say different things; give one of them.")
    values = {name: value for name, value in given.items() if value is not None}
    episode_input = EpisodeInput(
        notes=_text(notes) if notes is not None else UNSET,
        guests=[CreditInput(name=name) for name in guests] if guests else UNSET,
        **values,
    )
    with instance.database.read() as session:
        show = get_show(session, show_slug)
    # Before the file is stored, which takes longest.
    moment = _moment(at, show.time_zone) if at is not None else None
    with Intake(instance.database, instance.storage) as intake:
        prepared = intake.keep_audio(prepare_audio_file(instance.storage, path))
        with instance.database.write() as session:
            show = get_show(session, show_slug, lock=True)
            episode = create_episode(session, show, episode_input, prepared, now=instance.now())
            if (publish_now or moment is not None) and not episode_problems(episode):
                publish_episode(session, episode, now=instance.now(), at=moment)
        intake.take_back()
    worker.run_due_jobs(instance)
    with instance.database.read() as session:
        episode = get_episode(session, get_show(session, show_slug), episode.id)
        return episode_answer(
            episode.show,
            episode,
            instance.base_url,
            warnings=[*prepared.warnings, *notes_warnings(episode)],
        )


def write_episode_tags(instance: Instance, show_slug: str, key: str) -> EpisodeAnswer:
    """Write what is said of an episode into its audio. Raises NotFound, Gone or Invalid."""
    with instance.database.write() as session:
        episode = get_episode(session, get_show(session, show_slug, lock=True), key)
        request_tags(session, episode, now=instance.now())
    worker.run_due_jobs(instance)
    with instance.database.read() as session:
        episode = get_episode(session, get_show(session, show_slug), episode.id)
        return episode_answer(episode.show, episode, instance.base_url)


def all_episodes(instance: Instance, show_slug: str) -> list[EpisodeAnswer]:
    """Every episode of a show, newest first."""
    with instance.database.read() as session:
        show = get_show(session, show_slug)
        return [
            episode_answer(show, episode, instance.base_url)
            for episode in list_episodes(session, show)
        ]


def feed_of(instance: Instance, show_slug: str, name: str | None = None) -> bytes:
    """The bytes of the feed, or of the further one of this name, as apps get them.

    What is waiting to be rendered is rendered first. Raises NotFound for either.
    """
    worker.run_due_jobs(instance)
    with instance.database.read() as session:
        show = get_show(session, show_slug)
        if name is not None:
            return further_body(session, show, name)
        snapshot = find_snapshot(session, show)
        if snapshot is not None:
            return snapshot_body(snapshot)
        # Another worker has the job in hand.
        return render_show(session, show, hubs.site_of(instance))


def export_folder(
    instance: Instance, show_slug: str, folder: Path, *, with_audio: bool, progress: Progress
) -> Exported:
    """Write a show into a new folder. What is waiting to be rendered is rendered first."""
    worker.run_due_jobs(instance)
    return export_show(
        instance.database,
        instance.storage,
        show_slug,
        folder,
        site=hubs.site_of(instance),
        now=instance.now(),
        with_audio=with_audio,
        progress=progress,
    )


def publish_folder(
    instance: Instance,
    folder: Path,
    *,
    dry_run: bool,
    say: Say,
    bar: Callable[[], AbstractContextManager[Progress | None]] = nullcontext,
) -> bool:
    """Publish a show's folder, or a folder of them; False when something in it was wrong.

    `bar` shows how far a show has come, between the lines that are said.
    """
    is_well = True
    for show_folder in find_shows(folder):
        if dry_run:
            is_well = not _planned(instance, show_folder, say).problems and is_well
            continue
        wait = f"{shown(show_folder.name)}: another podhost is publishing this folder; waiting."
        with folder_turn(show_folder, partial(say, wait)):
            is_well = _publish_show(instance, show_folder, say, bar) and is_well
    if not dry_run:
        worker.run_due_jobs(instance)
    return is_well


def _planned(instance: Instance, folder: Path, say: Say) -> Plan:
    plan = plan_show(instance.database, folder, base_url=instance.base_url, now=instance.now())
    for line in describe(plan):
        say(line)
    return plan


def _publish_show(
    instance: Instance,
    folder: Path,
    say: Say,
    bar: Callable[[], AbstractContextManager[Progress | None]],
) -> bool:
    """Publish one show; again, when somebody else changed it between the plan and the deed."""
    for tries_left in reversed(range(_TRIES)):
        plan = _planned(instance, folder, say)
        with bar() if plan.has_work else nullcontext() as progress:
            result = apply_plan(
                instance.database,
                instance.storage,
                plan,
                base_url=instance.base_url,
                now=instance.now,
                progress=progress,
            )
        for line in result.lines:
            say(line)
        if not (result.is_outrun and tries_left):
            break
        say("The show was changed by somebody else at the same moment; looking again.")
    return result.is_well and not plan.problems


def watch_folder_and_publish(
    instance: Instance, folder: Path, *, say: Say, stop: threading.Event
) -> None:
    """Publish the folder now and whenever a file in it changes, until `stop` is set."""
    say(f"Watching {folder}; Ctrl-C ends it.")
    watch_folder(folder, lambda: publish_folder(instance, folder, dry_run=False, say=say), stop)


def restore_backup(
    settings: Settings, path: Path, *, progress: Callable[[int, int], None]
) -> BackupReport:
    """Restore a backup, then render the feeds that were behind when it was made."""
    check_data_folder(settings.data)
    instance = open_instance(settings)
    try:
        report = restore(instance, path, progress=progress)
        adopt_base_url(instance, serving=False)
        worker.run_sweep(instance)
        worker.run_due_jobs(instance)
        return report
    finally:
        instance.close()


def make_token(instance: Instance, *, email: str | None, name: str, scope: str) -> dict[str, Any]:
    """A token for an account. Raises Invalid when it is not clear which account is meant.

    Who can run this command owns the instance: where there is no account yet, one is made.
    """
    with instance.database.write() as session:
        now = instance.now()
        known = account_rows.list_accounts(session)
        if email is not None:
            account = account_rows.find_account(session, email)
            if account is None:
                raise Invalid(
                    f"There is no account {email}; make it with `podhost account create`."
                )
        elif not known:
            account, _ = account_rows.create_account(
                session, OWNER_EMAIL, name="Owner", is_operator=True, now=now
            )
        elif len(known) == 1:
            account = known[0]
        else:
            raise Invalid("There are several accounts; say which one with --account.")
        token, secret = account_rows.create_token(session, account, name=name, scope=scope, now=now)
        return {"token": secret, "id": token.id, "account": account.email, "scope": scope}


def all_tokens(instance: Instance) -> list[dict[str, Any]]:
    """Every token, without its secret."""
    with instance.database.read() as session:
        return [
            {
                "id": token.id,
                "name": token.name,
                "account": token.account.email,
                "scope": token.scope,
                "created_at": token.created_at,
                "revoked_at": token.revoked_at,
            }
            for token in account_rows.list_tokens(session)
        ]


def _moment(value: str, time_zone: str) -> datetime:
    try:
        return fields.moment(value, time_zone)
    except ValueError as error:
        raise Invalid(f"at: {error}", {"at": str(error)}) from None


def _readable(path: Path) -> Path:
    if not path.is_file():
        raise Invalid(f"There is no file {path}.")
    return path


def _text(value: str) -> str:
    if not value.startswith("@"):
        return value
    path = _readable(Path(value[1:]))
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Invalid(f"The file {path} cannot be read as UTF-8 text.") from None
