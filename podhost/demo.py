"""`podhost demo`: the show that comes with podhost, published, with an account and a token."""

from collections.abc import Callable
from pathlib import Path

from podhost import accounts, worker
from podhost.commands import all_episodes, all_shows, publish_folder
from podhost.errors import Conflict, Unavailable
from podhost.folders import find_shows
from podhost.instance import Instance

EMAIL = "demo@podhost.example"
_TOKEN_NAME = "demo"  # noqa: S105 - the token's name, not its secret


def demo_folder() -> Path:
    """The folder with the show: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parent
    for folder in (package / "episodes", package.parent / "episodes"):
        if folder.is_dir():
            return folder
    raise Unavailable("The demo's show is not in this installation; install podhost anew.")


def prepare_demo(instance: Instance, *, say: Callable[[str], None]) -> None:
    """Publish the show, make an account and a fresh token, print what one can try. Repeatable."""
    publish_folder(instance, demo_folder(), dry_run=False, say=say)
    # The port may be another than last time, and with it every address in the feed.
    worker.run_sweep(instance, is_first=True)
    worker.run_due_jobs(instance)
    try:
        password, secret = _account_and_token(instance)
    except Conflict:
        # Another demo on the same database made the account at the same moment.
        password, secret = _account_and_token(instance)
    slugs = {folder.name for folder in find_shows(demo_folder())}
    show = next(show for show in all_shows(instance) if show.slug in slugs)
    newest = next(episode for episode in all_episodes(instance, show.slug) if episode.audio)
    say("")
    say(f"Show:     {show.url}")
    say(f"Feed:     {show.feed_url}")
    say(f"Audio:    {newest.enclosure_url}")
    say(f"API:      {instance.base_url}/api/v1/openapi.json")
    say(f"Account:  {EMAIL}" + (f", password {password}" if password else ""))
    say(f"Token:    {secret}")
    say("")


def _account_and_token(instance: Instance) -> tuple[str | None, str]:
    """The password where the account is new, and a token that takes the place of older ones."""
    now = instance.now()
    with instance.database.write() as session:
        account, password = accounts.find_account(session, EMAIL), None
        if account is None:
            account, password = accounts.create_account(session, EMAIL, name="Demo", now=now)
        for token in accounts.list_tokens(session):
            if token.account_id == account.id and token.name == _TOKEN_NAME:
                accounts.revoke_token(session, token.id, now=now)
        _, secret = accounts.create_token(session, account, name=_TOKEN_NAME, now=now)
    return password, secret
