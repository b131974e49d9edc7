"""`podhost demo`: the shows that come with podhost, published, with an account and a token."""

from collections.abc import Callable
from pathlib import Path

from podhost import worker
from podhost.accounts import accounts
from podhost.accounts.entry_links import make_entry_link
from podhost.answers import ShowAnswer
from podhost.commands import all_episodes, all_shows, publish_folder
from podhost.errors import Conflict, Unavailable
from podhost.folders import find_shows
from podhost.instance import Instance
from podhost.models import Newsletter
from podhost.newsletter.settings import NewsletterInput, change_newsletter
from podhost.shows import get_show

EMAIL = "demo@podhost.example"
_TOKEN_NAME = "demo"  # noqa: S105 - the token's name, not its secret


def demo_folder() -> Path:
    """The folder with the shows: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parent.parent
    for folder in (package / "demo_show", package.parent / "episodes"):
        if folder.is_dir():
            return folder
    raise Unavailable("The demo's shows are not in this installation; install podhost anew.")


def prepare_demo(instance: Instance, *, say: Callable[[str], None]) -> None:
    """Publish the shows, make an account and a fresh token, print what one can try. Repeatable."""
    publish_shows(instance, demo_folder(), say=say)
    # The port may be another than last time, and with it every address in the feed.
    worker.run_sweep(instance, is_first=True)
    worker.run_due_jobs(instance)
    try:
        password, secret, link = _account_and_token(instance)
    except Conflict:
        # Another demo on the same database made the account at the same moment.
        password, secret, link = _account_and_token(instance)
    say("")
    for show in _shipped_shows(instance):
        newest = next(episode for episode in all_episodes(instance, show.slug) if episode.audio)
        say(f"Show:     {show.url}")
        say(f"Feed:     {show.feed_url}")
        say(f"Audio:    {newest.enclosure_url}")
    say(f"API:      {instance.base_url}/api/v1/openapi.json")
    say(f"Studio:   {link} (lets you in once)")
    say(f"Account:  {EMAIL}" + (f", password {password}" if password else ""))
    say(f"Token:    {secret}")
    say("")


def publish_shows(instance: Instance, folder: Path, *, say: Callable[[str], None]) -> bool:
    """Publish a folder of shows, and offer a newsletter for each that never had one. False where
    something could not be published."""
    if not publish_folder(instance, folder, dry_run=False, say=say):
        return False
    for show_folder in find_shows(folder):
        with instance.database.write() as session:
            show = get_show(session, show_folder.name, lock=True)
            if session.get(Newsletter, show.id) is None:
                given = NewsletterInput(is_open=True)
                change_newsletter(session, show, given, now=instance.now())
    return True


def _shipped_shows(instance: Instance) -> list[ShowAnswer]:
    """The shows of the demo, those in English first, as the rest of what is printed is."""
    slugs = {folder.name for folder in find_shows(demo_folder())}
    shows = [show for show in all_shows(instance) if show.slug in slugs]
    return sorted(shows, key=lambda show: show.language != "en")


def _account_and_token(instance: Instance) -> tuple[str | None, str, str]:
    """The password where the account is new, a token that takes the place of older ones, a link."""
    now = instance.now()
    with instance.database.write() as session:
        account, password = accounts.find_account(session, EMAIL), None
        if account is None:
            account, password = accounts.create_account(
                session, EMAIL, name="Demo", is_operator=True, now=now
            )
        for token in accounts.list_tokens(session):
            if token.account_id == account.id and token.name == _TOKEN_NAME:
                accounts.revoke_token(session, token.id, now=now)
        _, secret = accounts.create_token(session, account, name=_TOKEN_NAME, now=now)
        link = make_entry_link(session, instance.base_url, account)
    return password, secret, link
