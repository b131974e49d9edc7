"""Shows: what a host may say, and what stays true when it changes."""

import pytest
from msgspec.structs import asdict

from podhost.errors import Conflict, Gone, Invalid, NotFound
from podhost.instance import Instance
from podhost.models import Job
from podhost.people import CreditInput
from podhost.shows import (
    ShowInput,
    change_show,
    create_show,
    delete_show,
    find_show,
    first_podcast_guid,
    get_show,
    is_public,
    list_shows,
    show_warnings,
)
from tests.making import feed_body, make_show


def change(instance: Instance, show_slug: str, /, **given: object) -> bool:
    with instance.database.write() as session:
        show = get_show(session, show_slug, lock=True)
        return change_show(session, show, ShowInput(**given), now=instance.now())  # type: ignore[arg-type]


def test_a_title_is_all_that_a_show_needs(instance: Instance) -> None:
    with instance.database.write() as session:
        given = ShowInput(title="Ann & Bo talk")
        show = create_show(session, given, base_url=instance.base_url, now=instance.now())
    assert show.slug == "ann-and-bo-talk"
    with instance.database.read() as session:
        assert len(show_warnings(get_show(session, show.slug))) == 4
    assert b"<title>Ann &amp; Bo talk</title>" in feed_body(instance, show)


def test_every_wrong_field_is_named_at_once(instance: Instance) -> None:
    given = ShowInput(
        title=" \x00 ",
        language="klingon",
        link="javascript:alert(1)",
        owner_email="nobody",
        show_type="weekly",
        categories=["Sports & Recreation & Everything"],
        time_zone="../../etc/passwd",
        slug="No Slug!",
    )
    with pytest.raises(Invalid) as caught, instance.database.write() as session:
        create_show(session, given, base_url=instance.base_url, now=instance.now())
    given_names = {name for name, value in asdict(given).items() if isinstance(value, (str, list))}
    assert set(caught.value.fields) == given_names
    with instance.database.read() as session:
        assert list(list_shows(session)) == []


@pytest.mark.parametrize("slug", ["studio", "api", "audio", "healthz", "chapters"])
def test_names_that_the_program_needs_are_refused(instance: Instance, slug: str) -> None:
    with pytest.raises(Invalid, match="used by podhost itself"):
        make_show(instance, slug=slug)


def test_a_title_that_is_a_reserved_name_gets_another_slug(instance: Instance) -> None:
    assert make_show(instance, "Studio").slug == "studio-2"
    assert make_show(instance, "Studio").slug == "studio-3"


def test_a_slug_is_given_once(instance: Instance) -> None:
    make_show(instance, slug="tide")
    with pytest.raises(Conflict):
        make_show(instance, slug="tide")


def test_a_renamed_show_is_found_by_its_old_names_and_they_stay_taken(instance: Instance) -> None:
    show = make_show(instance, slug="first")
    assert change(instance, "first", slug="second")
    assert change(instance, "second", slug="third")
    with instance.database.read() as session:
        for slug in ("first", "second", "third"):
            found = find_show(session, slug)
            assert found is not None and found.id == show.id
    with pytest.raises(Conflict):
        make_show(instance, slug="first")
    assert change(instance, "third", slug="first")
    with instance.database.read() as session:
        assert get_show(session, "third").slug == "first"


def test_a_change_to_what_is_so_already_changes_nothing(instance: Instance) -> None:
    show = make_show(instance, people=[CreditInput(name="Pia Port")])
    feed_body(instance, show)
    assert not change(
        instance, show.slug, title=" Tide Tables ", people=[CreditInput(name="Pia Port")]
    )
    with instance.database.read() as session:
        assert session.query(Job).count() == 0


def test_a_deleted_show_is_gone_and_keeps_its_name(instance: Instance) -> None:
    show = make_show(instance, slug="tide")
    with instance.database.write() as session:
        delete_show(session, get_show(session, "tide", lock=True), now=instance.now())
    with pytest.raises(Gone), instance.database.read() as session:
        get_show(session, show.slug)
    with pytest.raises(Conflict):
        make_show(instance, slug="tide")


def test_an_unknown_show_is_not_found(instance: Instance) -> None:
    with pytest.raises(NotFound), instance.database.read() as session:
        get_show(session, "nothing-here")


def test_the_podcast_guid_is_of_the_first_public_address_and_stays(instance: Instance) -> None:
    show = make_show(instance, slug="tide")
    first = first_podcast_guid("https://pod.example", "tide")
    assert show.podcast_guid == first
    change(instance, "tide", slug="sea")
    with instance.database.read() as session:
        assert get_show(session, "sea").podcast_guid == first


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://pod.example", True),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
        ("http://192.168.1.5", False),
        ("http://localhost", False),
        ("http://nas.local", False),
        ("http://93.184.216.34", True),
    ],
)
def test_loopback_and_private_addresses_are_not_public(url: str, answer: bool) -> None:
    assert is_public(url) is answer
    again = first_podcast_guid(url, "show") == first_podcast_guid(url, "show")
    assert again is answer


@pytest.mark.parametrize("slug", ["a\x00b", "\ud800", "zähler"])
def test_what_can_be_no_slug_is_not_found(instance: Instance, slug: str) -> None:
    with pytest.raises(NotFound), instance.database.read() as session:
        get_show(session, slug)
