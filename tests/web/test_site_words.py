"""What only drafts say of somebody stands on no page: before, while and after they say it."""

from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from podhost.app import create_app
from podhost.db import migrate
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.episodes.publishing import publish_episode
from podhost.instance import Instance
from podhost.models import Artwork, Person
from podhost.people import CreditInput, PersonLink, find_person
from podhost.shows import ShowInput, change_show, get_show
from podhost.shows.people import PersonInput, change_person, merge_people, split_person
from podhost.sweep import remove_unneeded
from podhost.written.articles import ArticleInput, AuthorInput, change_article, get_article
from podhost.written.publishing import publish_article
from tests.asgi_client import Client
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show, run_due_jobs
from tests.written.making import make_article

SECRET = "Minister, from May."
KNOWN = "Keeps the harbour."
PAGES = ("people/ann", "guests", "search?q=minister", "articles/why-the-tide-turns", "articles.xml")
pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


def ann(**said: object) -> CreditInput:
    # Fields by their names, of which the checker knows no types.
    return CreditInput(**{"name": "Ann", **said})  # type: ignore[arg-type]


class Desk:
    """Where somebody works at a show; an episode and an article are out and name Ann."""

    def __init__(self, instance: Instance, mp3: Path) -> None:
        self.instance, self.mp3 = instance, mp3
        self.made = make_show(instance)
        self.draft("Low water", ann())
        self.publish("low-water")
        self.article("Why the tide turns", AuthorInput(name="Ann"))
        self.publish_article("why-the-tide-turns")

    @contextmanager
    def work(self):
        with self.instance.database.write() as session:
            yield session, get_show(session, "tide-tables", lock=True)

    def draft(self, title: str, *guests: CreditInput) -> None:
        make_episode(self.instance, self.made, self.mp3, title, publish=False, guests=[*guests])

    def credit(self, slug: str, *guests: CreditInput) -> None:
        with self.work() as (session, show):
            episode, given = get_episode(session, show, slug), EpisodeInput(guests=[*guests])
            change_episode(session, episode, given, now=self.instance.now())

    def publish(self, slug: str, **at: object) -> None:
        with self.work() as (session, show):
            episode = get_episode(session, show, slug)
            # Fields by their names, of which the checker knows no types.
            publish_episode(session, episode, now=self.instance.now(), **at)  # type: ignore[arg-type]

    def purge(self, slug: str) -> None:
        with self.work() as (session, show):
            session.delete(get_episode(session, show, slug))

    def article(self, title: str, *authors: AuthorInput) -> None:
        make_article(self.instance, self.made, title, publish=False, authors=())
        slug = title.lower().replace(" ", "-")
        self.change_article(slug, *authors)

    def change_article(self, slug: str, *authors: AuthorInput) -> bool:
        with self.work() as (session, show):
            article, given = get_article(session, show, slug), ArticleInput(authors=[*authors])
            return change_article(session, show, article, given, now=self.instance.now())

    def publish_article(self, slug: str, **at: object) -> None:
        with self.work() as (session, show):
            article = get_article(session, show, slug)
            # Fields by their names, of which the checker knows no types.
            publish_article(session, article, now=self.instance.now(), **at)  # type: ignore[arg-type]

    def person(self, session, show, key: str = "ann") -> Person:
        found = find_person(session, show, key)
        assert found is not None
        return found

    def say(self, **given: object) -> None:
        """As the owner, of Ann herself."""
        with self.work() as (session, show):
            # Fields by their names, of which the checker knows no types.
            said = PersonInput(**given)  # type: ignore[arg-type]
            change_person(session, show, self.person(session, show), said, now=self.instance.now())

    def read(self, path: str = "people/ann") -> str:
        """A page after all that waits is done, by a server that has just started."""
        run_due_jobs(self.instance)
        with Client(create_app(self.instance)) as client:
            answer = client.get(f"/tide-tables/{path}")
        assert answer.status_code == 200, path
        return answer.text


@pytest.fixture
def desk(instance: Instance, mp3: Path) -> Desk:
    return Desk(instance, mp3)


TAKEN_BACK: dict[str, Callable[[Desk], None]] = {
    "emptied": lambda desk: desk.credit("soon", ann()),
    "taken out": lambda desk: desk.credit("soon"),
    "purged": lambda desk: desk.purge("soon"),
}


@pytest.mark.parametrize("how", TAKEN_BACK)
def test_what_a_draft_says_no_more_is_not_told(desk: Desk, how: str) -> None:
    desk.draft("Soon", ann(bio=SECRET))
    TAKEN_BACK[how](desk)
    for path in PAGES:
        assert SECRET not in desk.read(path), path
    if how != "purged":
        desk.publish("soon")
        assert SECRET not in desk.read(), "It came out without these words."


def test_what_the_draft_of_an_article_says_is_told_once_it_is_out(
    desk: Desk, clock: FrozenClock
) -> None:
    desk.say(bio=KNOWN)
    desk.article("Salt", AuthorInput(name="Ann", bio=SECRET, url="https://minister.example/"))
    for path in PAGES:
        assert SECRET not in desk.read(path), path
    page = desk.read()
    assert KNOWN in page and "minister.example" not in page
    desk.publish_article("salt", at=clock() + timedelta(hours=1))
    assert SECRET not in desk.read()
    clock.advance(hours=2)
    page = desk.read()
    assert SECRET in page and "minister.example" in page and KNOWN not in page
    assert "/people/ann" in desk.read("search?q=minister")


def test_an_article_without_its_author_comes_out_without_what_it_said_of_them(desk: Desk) -> None:
    desk.article("Salt", AuthorInput(name="Ann", bio=SECRET))
    desk.change_article("salt", AuthorInput(name="Ben"))
    desk.publish_article("salt")
    assert SECRET not in desk.read()


def test_somebody_new_in_a_draft_is_named_elsewhere_without_its_words(desk: Desk) -> None:
    desk.draft(
        "Soon", CreditInput(name="BEN", bio=SECRET, links=[PersonLink(url="https://x.example")])
    )
    desk.credit("low-water", CreditInput(name="Ben"))
    for path in ("people/ben", "guests", "search?q=ben", "episodes/low-water", "credits"):
        page = desk.read(path)
        assert SECRET not in page and "x.example" not in page and "BEN" not in page, path
    assert "Ben" in desk.read("people/ben")
    desk.publish("soon")
    page = desk.read("people/ben")
    assert SECRET in page and "x.example" in page


def test_of_two_drafts_each_is_told_with_its_own_publication(desk: Desk) -> None:
    desk.draft("First", ann(bio="Was a pilot."))
    desk.draft("Second", ann(bio=SECRET))
    desk.draft("Third", ann(bio=SECRET))
    desk.publish("first")
    page = desk.read()
    assert "Was a pilot." in page and SECRET not in page
    desk.publish("third")
    page = desk.read()
    assert SECRET in page and "Was a pilot." not in page
    desk.credit("second", ann(bio="Was never heard of."))
    desk.credit("first", ann(bio=KNOWN))
    assert KNOWN in desk.read()


def test_what_something_public_says_is_told_though_a_draft_said_it_first(desk: Desk) -> None:
    desk.draft("Soon", ann(bio=SECRET))
    assert desk.change_article("why-the-tide-turns", AuthorInput(name="Ann", bio=SECRET))
    assert SECRET in desk.read()
    desk.credit("soon", ann(bio="In secret."))
    with desk.work() as (session, show):
        given = ShowInput(people=[ann(role="host", bio=KNOWN)])
        change_show(session, show, given, now=desk.instance.now())
    page = desk.read()
    assert KNOWN in page and SECRET not in page


def test_an_owner_who_saves_another_field_tells_nothing_of_a_draft(desk: Desk) -> None:
    desk.draft("Soon", ann(bio=SECRET))
    desk.say(bio=SECRET, url="https://ann.example/")
    page = desk.read()
    assert SECRET not in page and "https://ann.example/" in page
    desk.say(bio=KNOWN)
    assert KNOWN in desk.read()
    desk.credit("soon", ann(bio=SECRET))
    desk.say(bio=SECRET, in_episodes=True)
    assert SECRET in desk.read()


def test_a_draft_spells_nobody_otherwise_before_it_is_out(desk: Desk) -> None:
    desk.draft("Soon", ann(name="ANN"))
    desk.article("Salt", AuthorInput(name="aNN"))
    for path in (*PAGES, "", "people/ann"):
        page = desk.read(path)
        assert "ANN" not in page and "aNN" not in page, path
    desk.publish("soon")
    assert "ANN" in desk.read()
    # Whom only drafts name is spelled better there.
    desk.draft("Later", CreditInput(name="ben"))
    desk.credit("later", CreditInput(name="Ben"))
    with desk.work() as (session, show):
        assert desk.person(session, show, "ben").name == "Ben"


def test_what_is_told_of_one_person_made_of_two_is_public_of_one_of_them(desk: Desk) -> None:
    desk.draft("Soon", ann(name="A. Guest", bio=SECRET))
    desk.draft("Out", ann(name="A. Guest"))
    desk.publish("out")
    with desk.work() as (session, show):
        other, into = (desk.person(session, show, key) for key in ("a. guest", "ann"))
        merge_people(session, other, into, now=desk.instance.now())
    for path in PAGES:
        assert SECRET not in desk.read(path), path
    desk.publish("soon")
    assert SECRET in desk.read()
    with desk.work() as (session, show):
        spelling = session.query(Person).filter(Person.merged_into_id.is_not(None)).one()
        split_person(session, spelling, now=desk.instance.now())
    assert SECRET in desk.read("people/a-guest"), "It came out while they were one."


def test_the_picture_that_pages_go_on_showing_stays(desk: Desk, clock: FrozenClock) -> None:
    known, secret = "a" * 16, "b" * 16
    with desk.work() as (session, _):
        for id_ in (known, secret):
            session.add(
                Artwork(
                    id=id_,
                    source_sha256=4 * id_,
                    mime_type="image/jpeg",
                    width=300,
                    height=300,
                    sizes=[[300, 1]],
                    created_at=clock(),
                )
            )
    desk.draft("Out", ann(artwork_id=known))
    desk.publish("out")
    desk.draft("Soon", ann(artwork_id=secret))
    desk.credit("out")
    clock.advance(days=2)
    remove_unneeded(desk.instance.database, desk.instance.storage, now=clock())
    for path in ("people/ann", "guests", "", "search?q=ann"):
        page = desk.read(path)
        assert secret not in page, path
        assert known in page, path
    desk.publish("soon")
    assert secret in desk.read()


def test_an_upgrade_tells_nothing_that_was_hidden(desk: Desk) -> None:
    desk.draft("Out", ann(bio=KNOWN))
    desk.publish("out")
    desk.draft("Soon", ann(bio=SECRET, links=[PersonLink(url="https://x.example")]))
    desk.draft("Later", CreditInput(name="Ben", bio=SECRET))
    desk.credit("low-water", CreditInput(name="Ann"), CreditInput(name="Ben"))
    with desk.instance.database.write() as session:
        before = {row.name: row.still_public for row in session.query(Person)}
        session.execute(text("ALTER TABLE people DROP COLUMN still_public"))
        session.execute(text("UPDATE alembic_version SET version_num = '0027_since_0001'"))
    assert migrate(desk.instance.database)
    with desk.instance.database.read() as session:
        assert before == {row.name: row.still_public for row in session.query(Person)}
    assert before["Ann"] is not None and before["Ann"].keys() == {"bio", "links"}
    page = desk.read()
    assert KNOWN in page and SECRET not in page and "x.example" not in page
    desk.publish("soon")
    page = desk.read()
    assert SECRET in page and "x.example" in page and KNOWN not in page
