"""The table [newsletter] of a show.toml: published, and written by an export."""

from pathlib import Path

import pytest

from podhost.commands import publish_folder
from podhost.folders.plan import plan_show
from podhost.instance import Instance
from podhost.models import Newsletter, Show
from podhost.newsletter.settings import NewsletterInput, change_newsletter, find_newsletter
from podhost.shows import get_show
from tests.conftest import FrozenClock
from tests.making import another_podhost, export_of, make_show

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
_SAID = ("is_open", "sends_episodes", "sends_digest", "digest_weekday", "digest_hour", "contact")


def write(folder: Path, table: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "show.toml").write_text(f'title = "Tide Tables"\n{table}')


def publish(instance: Instance, folder: Path) -> str:
    """Publish it, and say what was done; a second time nothing is left to do."""
    said: list[str] = []
    assert publish_folder(instance, folder, dry_run=False, say=said.append), said
    plan = plan_show(instance.database, folder, base_url=instance.base_url, now=instance.now())
    assert not plan.has_work
    return "\n".join(said)


def kept(instance: Instance) -> Newsletter:
    with instance.database.read() as session:
        return find_newsletter(session, get_show(session, "tide-tables"))


def told(instance: Instance) -> tuple[object, ...]:
    row = kept(instance)
    return tuple(getattr(row, name) for name in _SAID)


def test_it_is_set_as_the_table_says(instance: Instance, tmp_path: Path) -> None:
    folder = tmp_path / "tide-tables"
    write(folder, '[newsletter]\nopen = "yes"\nepisodes = false\nweekday = "Monday"\nhour = 0\n')
    assert "newsletter changed" in publish(instance, folder)
    assert told(instance) == (True, False, True, 0, 0, "")
    # What was published before it was switched on is no news.
    assert kept(instance).opened_at is not None
    write(folder, '[newsletter]\nopen = true\ncontact = """\nPier 9\nLisbon"""\n')
    assert "newsletter changed" in publish(instance, folder)
    assert told(instance) == (True, True, True, 4, 9, "Pier 9\nLisbon")
    # Without the table, what was said elsewhere stays.
    write(folder, "")
    publish(instance, folder)
    assert told(instance) == (True, True, True, 4, 9, "Pier 9\nLisbon")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("hour = 24", "whole number from 0 to 23"),
        ("hour = true", "whole number from 0 to 23"),
        ('weekday = "someday"', "monday"),
        ("open = 3", "true or false"),
        ("open = true\nepisodes = false\ndigest = false", "at least one kind of mail"),
        ('contact = "' + "x" * 501 + '"', "500 are the most"),
        ("is_open = true", "write “open”"),
        ('readers = ["ann@example.org"]', "readers"),
    ],
)
def test_what_cannot_be_used_is_said(
    instance: Instance, tmp_path: Path, table: str, words: str
) -> None:
    make_show(instance)
    write(tmp_path / "tide-tables", f"[newsletter]\n{table}\n")
    said: list[str] = []
    folder = tmp_path / "tide-tables"
    assert not publish_folder(instance, folder, dry_run=False, say=said.append)
    assert words in "\n".join(said)
    assert told(instance)[0] is False


def test_an_export_published_elsewhere_is_set_the_same(
    instance: Instance, clock: FrozenClock, tmp_path: Path, migrated_sqlite: Path
) -> None:
    make_show(instance)
    given = NewsletterInput(
        is_open=True, sends_digest=False, weekday="sunday", hour=23, contact='Pier "9"\nLisbon'
    )
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        session.get_one(Show, show.id).artwork_id = None
        change_newsletter(session, show, given, now=instance.now())
    out = tmp_path / "out" / "tide-tables"
    export_of(instance, "tide-tables", out)
    with another_podhost(instance, tmp_path / "elsewhere", migrated_sqlite, clock) as other:
        publish(other, out)
        assert told(other) == told(instance) == (True, True, False, 6, 23, 'Pier "9"\nLisbon')
