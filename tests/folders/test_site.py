"""The table [site] of a show.toml: published, and written by an export."""

from pathlib import Path

import pytest

from podhost.commands import publish_folder
from podhost.folders.plan import plan_show
from podhost.instance import Instance
from podhost.models import Show
from podhost.shows import get_show
from podhost.site.answers import SiteAnswer, site_answer
from podhost.site.editions import link_editions
from podhost.site.settings import SiteInput, SiteLink, change_site
from tests.conftest import FrozenClock
from tests.making import another_podhost, export_of, make_show

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)

SITE = """title = "Tide Tables"

[site]
domain = "tides.example"
accent = "#0B57B0"
css = "looks/site.css"
indexed = false
links = ["https://t.me/tides", {name = "Shop", url = "https://shop.example", icon = "support"}]
editions = ["mareas"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "tide-tables"
    (root / "looks").mkdir(parents=True)
    (root / "looks" / "site.css").write_bytes(b"h1 {}\r\np {}\r\n")
    (root / "show.toml").write_text(SITE)
    return root


def publish(instance: Instance, folder: Path) -> str:
    """Publish it, and say what was done; a second time nothing is left to do."""
    said: list[str] = []
    assert publish_folder(instance, folder, dry_run=False, say=said.append), said
    plan = plan_show(instance.database, folder, base_url=instance.base_url, now=instance.now())
    assert not plan.has_work
    return "\n".join(said)


def told(instance: Instance, slug: str = "tide-tables") -> SiteAnswer:
    with instance.database.read() as session:
        return site_answer(session, get_show(session, slug), instance.base_url)


def test_it_is_published_and_only_what_changed_changes(instance: Instance, folder: Path) -> None:
    said = publish(instance, folder)
    assert "site changed" in said and "The show 'mareas' is not here yet" in said
    site = told(instance)
    assert (site.domain, site.accent, site.css) == ("tides.example", "#0b57b0", "h1 {}\np {}")
    assert [(link.name, link.icon) for link in site.links] == [
        ("Telegram", "talk"),
        ("Shop", "support"),
    ]
    assert not site.is_indexed and site.editions == []

    make_show(instance, "Mareas", language="es")
    publish(instance, folder)
    assert [each.show for each in told(instance).editions] == ["mareas"]
    assert [each.show for each in told(instance, "mareas").editions] == ["tide-tables"]

    (folder / "show.toml").write_text('title = "Tide Tables"\n[site]\ncss = "p {\\n}"\n')
    publish(instance, folder)
    site = told(instance)
    assert (site.domain, site.links, site.css, site.is_indexed) == (None, [], "p {\n}", True)
    assert [each.show for each in site.editions] == ["mareas"]
    # Without the table, what was said elsewhere stays.
    (folder / "show.toml").write_text('title = "Tide Tables"\n')
    publish(instance, folder)
    assert told(instance) == site


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('domain = "localhost"', "This is not a domain"),
        ('accent = "red"', "six digits"),
        ('css = "@import x"', "must not load anything"),
        ('css = "../site.css"', "css"),
        ('css = "missing.css"', "missing.css"),
        ('links = ["nowhere"]', "web address"),
        ('links = [{name = "x"}]', "url"),
        ('links = [{url = "https://a.example", icon = "x"}]', "must be one of"),
        ('editions = ["tide-tables"]', "not the show itself"),
        ('colour = "#000000"', "write “accent”"),
        ("site = 3", "site"),
    ],
)
def test_what_cannot_be_used_is_said(
    instance: Instance, folder: Path, table: str, words: str
) -> None:
    make_show(instance)
    (folder / "show.toml").write_text(f'title = "Tide Tables"\n[site]\n{table}\n')
    said: list[str] = []
    assert not publish_folder(instance, folder, dry_run=False, say=said.append)
    assert words in "\n".join(said)


def test_podhosts_own_domain_and_one_language_are_refused(instance: Instance, folder: Path) -> None:
    make_show(instance, "Other")
    for table, words in (
        ('domain = "pod.example"', "Podhost itself"),
        ('editions = ["other"]', "both in the language en"),
    ):
        (folder / "show.toml").write_text(f'title = "Tide Tables"\n[site]\n{table}\n')
        said: list[str] = []
        assert not publish_folder(instance, folder, dry_run=False, say=said.append)
        assert words in "\n".join(said)


def test_an_export_published_elsewhere_says_all_the_same(
    instance: Instance, clock: FrozenClock, tmp_path: Path, migrated_sqlite: Path
) -> None:
    show = make_show(instance)
    mareas = make_show(instance, "Mareas", language="es")
    given = SiteInput(
        domain="tides.example",
        accent="#0b57b0",
        css='h1::after {\n  content: "→ \'";\n}',
        links=(
            SiteLink("“Shop” & more", "https://shop.example/?a=1&b=2"),
            SiteLink("", "https://t.me/tides", "web"),
        ),
        is_indexed=False,
    )
    with instance.database.write() as session:
        for each in (show, mareas):
            session.get_one(Show, each.id).artwork_id = None
        change_site(session, get_show(session, show.slug), given, now=instance.now())
        shows = [get_show(session, each.slug) for each in (show, mareas)]
        link_editions(session, shows[0], shows[1], now=instance.now())
    root = tmp_path / "out"
    for each in (show, mareas):
        export_of(instance, each.slug, root / each.slug)
    with another_podhost(instance, tmp_path / "elsewhere", migrated_sqlite, clock) as other:
        publish(other, root)
        for each in (show, mareas):
            assert told(other, each.slug) == told(instance, each.slug)
