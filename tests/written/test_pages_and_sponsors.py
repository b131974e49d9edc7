"""Pages and their menus; sponsors, their days, and the notes that name them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from podhost.errors import Conflict, Gone, Invalid, NotFound
from podhost.feeds.sponsors import SponsorRow, render_sponsors_html
from podhost.instance import Instance
from podhost.models import Page, Show, Sponsor
from podhost.written.pages import (
    PageInput,
    change_page,
    delete_page,
    find_page,
    read_menus,
    restore_page,
)
from podhost.written.sponsors import (
    SponsorInput,
    change_sponsor,
    delete_sponsor,
    restore_sponsor,
    running_sponsors,
)
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show
from tests.written.making import make_page, make_sponsor


def test_menus_hold_published_pages_in_order(instance: Instance) -> None:
    show = make_show(instance)
    make_page(instance, show, "Contact", menu="top", position=2)
    make_page(instance, show, "About", menu="top", position=1)
    make_page(instance, show, "Terms", menu="foot")
    make_page(instance, show, "Hidden", menu="none")
    make_page(instance, show, "Draft", menu="top", status="draft")
    with instance.database.read() as session:
        menus = read_menus(session, show.id)
    assert {name: [each.title for each in entries] for name, entries in menus.items()} == {
        "top": ["About", "Contact"],
        "foot": ["Terms"],
    }


def test_a_page_is_found_by_its_slugs_and_gone_when_it_was_deleted(instance: Instance) -> None:
    show = make_show(instance)
    page = make_page(instance, show, "About us", text="We *sail*.")
    draft = make_page(instance, show, "Draft", status="draft")
    with instance.database.write() as session:
        row = session.get_one(Page, page.id)
        assert change_page(session, row, PageInput(slug="about"), now=instance.now())
        assert not change_page(session, row, PageInput(title="About us"), now=instance.now())
    with instance.database.read() as session:
        found = find_page(session, show.id, "about-us")
        assert (found.slug, found.text_html) == ("about", "<p>We <em>sail</em>.</p>")
        for slug in ("draft", draft.id, "never"):
            with pytest.raises(NotFound) as error:
                find_page(session, show.id, slug)
            assert not isinstance(error.value, Gone)
    with instance.database.write() as session:
        delete_page(session, session.get_one(Page, page.id), now=instance.now())
    with instance.database.read() as session, pytest.raises(Gone):
        find_page(session, show.id, "about")
    with instance.database.write() as session:
        row = session.get_one(Page, page.id)
        restore_page(session, row, now=instance.now())
        with pytest.raises(Conflict):
            restore_page(session, row, now=instance.now())


def test_a_page_says_everything_that_is_wrong_at_once(instance: Instance) -> None:
    show = make_show(instance)
    with pytest.raises(Invalid) as error:
        make_page(instance, show, " ", slug="A B", status="live", menu="left", position=0)
    assert error.value.fields.keys() == {"title", "slug", "status", "menu", "position"}


def test_sponsors_run_on_their_days_in_the_zone_of_the_show(
    instance: Instance, clock: FrozenClock
) -> None:
    show = make_show(instance, time_zone="America/New_York")
    make_sponsor(instance, show, "Always", position=3)
    make_sponsor(instance, show, "Today", starts_on="2026-03-05", ends_on="2026-03-05", position=2)
    make_sponsor(instance, show, "Later", starts_on="2026-03-20", position=1)

    def running() -> tuple[list[str], datetime | None]:
        with instance.database.read() as session:
            found, until = running_sponsors(session, show, clock())
        return [each.name for each in found], until

    # It is four in the morning there; the day ends at five in the next one here.
    clock.time = datetime(2026, 3, 5, 9, tzinfo=UTC)
    assert running() == (["Today", "Always"], datetime(2026, 3, 6, 5, tzinfo=UTC))
    clock.time = datetime(2026, 3, 6, 5, tzinfo=UTC)
    # Summer time has begun meanwhile.
    assert running() == (["Always"], datetime(2026, 3, 20, 4, tzinfo=UTC))
    clock.time = datetime(2026, 3, 20, 4, tzinfo=UTC)
    assert running() == (["Later", "Always"], None)


def test_a_sponsor_says_everything_that_is_wrong_at_once(instance: Instance) -> None:
    show = make_show(instance)
    with pytest.raises(Invalid) as error:
        make_sponsor(instance, show, "", url="x", starts_on="soon", position=0)
    assert error.value.fields.keys() == {"name", "url", "starts_on", "position"}
    with pytest.raises(Invalid, match="before the first"):
        make_sponsor(instance, show, "Salt", starts_on="2026-03-05", ends_on="2026-03-04")


def change(instance: Instance, show: Show, sponsor: Sponsor, **given: object) -> None:
    with instance.database.write() as session:
        row = session.get_one(Sponsor, sponsor.id)
        said = SponsorInput(**given)  # type: ignore[arg-type]
        change_sponsor(session, session.get_one(Show, show.id), row, said, now=instance.now())


def test_the_notes_of_episodes_of_its_days_name_a_sponsor_for_ever(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    show = make_show(instance)
    clock.time = datetime(2026, 3, 5, 9, tzinfo=UTC)
    make_episode(instance, show, mp3, "Low water")
    clock.time = datetime(2026, 3, 7, 9, tzinfo=UTC)
    make_episode(instance, show, None, "A draft", publish=False)
    make_episode(instance, show, mp3, "High water")
    plain = feed_body(instance, show)
    sponsor = make_sponsor(
        instance,
        show,
        "Salt & Sons",
        url="https://salt.example/",
        starts_on="2026-03-05",
        ends_on="2026-03-05",
    )
    assert feed_body(instance, show) == plain
    change(instance, show, sponsor, in_notes=True)
    named = feed_body(instance, show)
    line = b'supported by <a href="https://salt.example/">Salt &amp; Sons</a>.</p>'
    assert named.count(line) == 2 and named.index(line) > named.index(b"<title>Low water")
    change(instance, show, sponsor, ends_on=None)
    assert feed_body(instance, show).count(line) == 4
    change(instance, show, sponsor, ends_on="2026-03-06")
    clock.advance(days=30)
    with instance.database.write() as session:
        from podhost.shows import touch_show

        touch_show(session, session.get_one(Show, show.id), now=instance.now())
    assert feed_body(instance, show).count(line) == 2
    with instance.database.write() as session:
        row, held = session.get_one(Sponsor, sponsor.id), session.get_one(Show, show.id)
        delete_sponsor(session, held, row, now=instance.now())
    assert line not in feed_body(instance, show)
    with instance.database.write() as session:
        row, held = session.get_one(Sponsor, sponsor.id), session.get_one(Show, show.id)
        restore_sponsor(session, held, row, now=instance.now())
    assert feed_body(instance, show).count(line) == 2


def test_the_line_of_the_notes_is_harmless_in_any_language() -> None:
    rows = [SponsorRow("<b>Salt", 'https://a.example/"x', "Ropes\nand <i>nets</i>.")]
    html = render_sponsors_html(rows, language="es-MX")
    assert html.startswith("<p>Este episodio cuenta con el apoyo de ")
    assert "<b>" not in html and "<i>" not in html and '"x' not in html
    assert render_sponsors_html(rows, language="eu").startswith("<p><a ")
    assert render_sponsors_html([], language="en") == ""
