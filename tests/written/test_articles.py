"""Articles: what may be said of them, and what the world sees of them and when."""

from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from podhost.episodes import EpisodeInput, create_episode
from podhost.errors import Conflict, Gone, Invalid, NotFound, Outdated
from podhost.instance import Instance
from podhost.models import Article, Artwork, Change, Episode, Job, Person, Show
from podhost.people import CreditInput, set_credits
from podhost.shows.people import PersonInput, change_person, merge_people
from podhost.sweep import ORPHAN_AGE, remove_unneeded
from podhost.worker import run_due_jobs, run_sweep
from podhost.written.articles import ArticleInput, AuthorInput, change_article, get_article
from podhost.written.articles import set_article_picture as set_picture
from podhost.written.publishing import (
    delete_article,
    publish_article,
    restore_article,
    withdraw_article,
)
from podhost.written.reading import (
    FullArticle,
    count_published,
    find_article,
    find_category,
    list_published_categories,
    published_articles,
)
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show
from tests.written.making import make_article


def read(instance: Instance, show: Show, slug: str) -> FullArticle:
    with instance.database.read() as session:
        return find_article(session, show.id, slug)


def titles(instance: Instance, show: Show, **chosen: str) -> list[str]:
    with instance.database.read() as session:
        found = published_articles(session, show.id, limit=50, **chosen)  # type: ignore[arg-type]
        assert count_published(session, show.id, **chosen) == len(found)  # type: ignore[arg-type]
    return [card.title for card in found]


def do(instance: Instance, article: Article, what: object, **given: object) -> None:
    with instance.database.write() as session:
        row = session.get_one(Article, article.id)
        what(session, row, now=instance.now(), **given)  # type: ignore[operator]


def change(instance: Instance, show: Show, article: Article, **given: object) -> bool:
    with instance.database.write() as session:
        row = session.get_one(Article, article.id)
        said = ArticleInput(**given)  # type: ignore[arg-type]
        return change_article(session, show, row, said, now=instance.now())


def test_a_published_article_is_shown_with_all_that_belongs_to_it(instance: Instance) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False)
    make_article(
        instance,
        show,
        summary="Moon and sun.",
        text="# Tides\n\nThey *turn*. <script>alert(1)</script>",
        authors=("Ann Ocean", "Bo Bell"),
        categories=["Science", "science", "Küste"],
        episode=episode.slug,
    )
    found = read(instance, show, "why-the-tide-turns")
    assert found.text_html == "<h2>Tides</h2>\n<p>They <em>turn</em>. </p>"
    assert [author.name for author in found.card.authors] == ["Ann Ocean", "Bo Bell"]
    assert [(one.key, one.name) for one in found.card.categories] == [
        ("science", "Science"),
        ("kuste", "Küste"),
    ]
    assert found.card.minutes == 1
    # Nothing tells of an episode that is not out.
    assert found.episode is None and found.card.picture is None


def test_what_is_not_out_is_as_if_it_never_was(instance: Instance, clock: FrozenClock) -> None:
    show = make_show(instance)
    draft = make_article(instance, show, "A draft", publish=False)
    make_article(instance, show, "To come", at=clock() + timedelta(hours=1))
    change(instance, show, draft, slug="renamed")
    do(instance, make_article(instance, show, "Thrown away", publish=False), delete_article)
    said = set()
    for slug in ("a-draft", "renamed", "to-come", "thrown-away", "never-was", draft.id, "\x00"):
        with pytest.raises(NotFound) as error:
            read(instance, show, slug)
        assert not isinstance(error.value, Gone)
        said.add(error.value.message)
    assert len(said) == 1 and titles(instance, show) == []


def test_it_comes_out_at_its_time_by_its_job_and_by_the_sweep(
    instance: Instance, clock: FrozenClock
) -> None:
    show = make_show(instance)
    at = clock() + timedelta(hours=1)
    make_article(instance, show, "First", at=at)
    run_due_jobs(instance)
    assert titles(instance, show) == []
    clock.advance(hours=1)
    run_due_jobs(instance)
    assert read(instance, show, "first").card.published_at == at

    make_article(instance, show, "Second", at=clock() + timedelta(hours=1))
    with instance.database.write() as session:
        session.query(Job).delete()
    clock.advance(hours=2)
    assert run_sweep(instance)
    run_due_jobs(instance)
    assert titles(instance, show) == ["Second", "First"]


def test_what_was_withdrawn_or_deleted_is_gone_and_comes_back_with_its_date(
    instance: Instance, clock: FrozenClock
) -> None:
    show = make_show(instance)
    article = make_article(instance, show)
    date = read(instance, show, article.slug).card.published_at
    clock.advance(days=1)
    do(instance, article, withdraw_article)
    with pytest.raises(Gone):
        read(instance, show, article.slug)
    do(instance, article, publish_article)
    assert read(instance, show, article.slug).card.published_at == date
    with pytest.raises(Conflict):
        do(instance, article, publish_article, at=clock())

    do(instance, article, delete_article)
    with pytest.raises(Gone):
        read(instance, show, article.slug)
    do(instance, article, restore_article)
    assert titles(instance, show) == ["Why the tide turns"]
    do(instance, article, delete_article)
    clock.advance(days=31)
    with pytest.raises(Gone):
        do(instance, article, restore_article)


def test_what_was_scheduled_when_it_was_deleted_does_not_come_out_by_surprise(
    instance: Instance, clock: FrozenClock
) -> None:
    show = make_show(instance)
    article = make_article(instance, show, at=clock() + timedelta(hours=1))
    do(instance, article, delete_article)
    clock.advance(hours=2)
    run_due_jobs(instance)
    do(instance, article, restore_article)
    run_due_jobs(instance)
    assert titles(instance, show) == []


def test_an_old_slug_leads_to_the_article_for_ever(instance: Instance) -> None:
    show = make_show(instance)
    article = make_article(instance, show)
    change(instance, show, article, slug="tides")
    change(instance, show, article, slug="moon")
    for slug in ("why-the-tide-turns", "tides", "moon"):
        assert read(instance, show, slug).card.slug == "moon"
    other = make_article(instance, show)
    assert other.slug == "why-the-tide-turns-2"
    with pytest.raises(Conflict):
        change(instance, show, other, slug="tides")
    change(instance, show, article, slug="tides")
    assert read(instance, show, "moon").card.slug == "tides"


def test_it_lists_by_author_and_category_with_neighbours(
    instance: Instance, clock: FrozenClock
) -> None:
    show = make_show(instance)
    for number, name in enumerate(("Ann", "Bo", "Ann")):
        clock.advance(hours=1)
        named = ["Moon"] if number else ["Sun", "Moon"]
        make_article(instance, show, f"No {number}", authors=(name,), categories=named)
    with instance.database.read() as session:
        ann = session.query(Person).filter_by(slug="ann").one()
        assert find_category(session, show.id, "moon").name == "Moon"
        counted = [(one.name, n) for one, n in list_published_categories(session, show.id)]
        with pytest.raises(NotFound):
            find_category(session, show.id, "nobody")
    assert counted == [("Moon", 3), ("Sun", 1)]
    assert titles(instance, show, author_id=ann.id) == ["No 2", "No 0"]
    assert titles(instance, show, category="sun") == ["No 0"]
    middle = read(instance, show, "no-1")
    assert (middle.previous, middle.next) == (("no-0", "No 0"), ("no-2", "No 2"))


def test_another_spelling_of_an_author_is_the_same_author(instance: Instance) -> None:
    show = make_show(instance)
    make_article(instance, show, "One", authors=("Ann Ocean",))
    make_article(instance, show, "Two", authors=("A. Ocean", "Ann Ocean"))
    with instance.database.write() as session:
        people = {row.name: row for row in session.query(Person)}
        merge_people(session, people["A. Ocean"], people["Ann Ocean"], now=instance.now())
    assert [author.name for author in read(instance, show, "two").card.authors] == ["Ann Ocean"]
    ann = people["Ann Ocean"]
    assert sorted(titles(instance, show, author_id=ann.id)) == ["One", "Two"]


def test_an_author_who_is_called_otherwise_stays_the_same_author(instance: Instance) -> None:
    show = make_show(instance)
    make_article(instance, show, "One", authors=("Ann Oceen",))
    with instance.database.write() as session:
        person = session.query(Person).one()
        given = PersonInput(name="Ann Ocean", bio="Sails.")
        change_person(session, show, person, given, now=instance.now())
        assert session.query(Change).filter_by(topic="site").count() == 2
    # The name that others may still write leads to the same person.
    make_article(instance, show, "Two", authors=("Ann Oceen",))
    for slug in ("one", "two"):
        (author,) = read(instance, show, slug).card.authors
        assert (author.name, author.bio, author.slug) == ("Ann Ocean", "Sails.", "ann-oceen")
    with instance.database.write() as session:
        episode = make_draft_with_guest(session, show, instance, "Ann Ocean")
        set_credits(session, show, episode, [], guests=[CreditInput(name="Anna Ocean")])
    # A guest who is spelled otherwise is somebody else, where articles name the first one.
    assert read(instance, show, "one").card.authors[0].name == "Ann Ocean"


def make_draft_with_guest(session: Session, show: Show, instance: Instance, name: str) -> Episode:
    given = EpisodeInput(title="Low water", guests=[CreditInput(name=name)])
    return create_episode(session, session.merge(show), given, None, now=instance.now())


def test_readers_are_told_of_a_change_only_when_the_author_says_so(
    instance: Instance, clock: FrozenClock
) -> None:
    show = make_show(instance, time_zone="Europe/Madrid")
    article = make_article(instance, show)
    clock.advance(days=1)
    assert change(instance, show, article, text="Otherwise.")
    assert read(instance, show, article.slug).card.updated_at is None
    change(instance, show, article, updated_at="2026-03-06T12:00")
    updated_at = read(instance, show, article.slug).card.updated_at
    assert updated_at is not None and updated_at.isoformat() == "2026-03-06T11:00:00+00:00"
    # A date before the publication would tell readers nothing.
    change(instance, show, article, updated_at="2026-01-01T12:00")
    assert read(instance, show, article.slug).card.updated_at is None
    assert not change(instance, show, article, updated_at="2026-01-01T12:00")


def test_it_says_everything_that_is_wrong_at_once(instance: Instance) -> None:
    show = make_show(instance)
    article = make_article(instance, show)
    with pytest.raises(Invalid) as error:
        change(
            instance,
            show,
            article,
            title=" ",
            text="x" * 150_000,
            slug="Not a slug!",
            episode="nowhere",
            updated_at="yesterday",
            categories=["x"] * 21,
            authors=[AuthorInput(name="", url="nonsense")],
        )
    assert error.value.fields.keys() == {
        *("title", "text", "slug", "episode", "updated_at", "categories"),
        *("authors[0].name", "authors[0].url"),
    }
    assert read(instance, show, article.slug).card.title == "Why the tide turns"
    empty = make_article(instance, show, "Empty", text="", publish=False)
    with pytest.raises(Invalid, match="no text"):
        do(instance, empty, publish_article)


def test_who_saves_an_older_version_is_told(instance: Instance) -> None:
    show = make_show(instance)
    article = make_article(instance, show)
    change(instance, show, article, title="New")
    with instance.database.write() as session, pytest.raises(Outdated):
        row = get_article(session, show, article.id)
        given = ArticleInput(title="Newer")
        change_article(session, show, row, given, now=instance.now(), seen_version=article.version)


def test_every_change_is_told_to_serving_processes(instance: Instance) -> None:
    show = make_show(instance)
    article = make_article(instance, show)

    def noted() -> int:
        with instance.database.read() as session:
            return session.query(Change).filter_by(topic="site", key=show.id).count()

    count = noted()
    for what in (withdraw_article, publish_article, delete_article, restore_article):
        do(instance, article, what)
    assert noted() == count + 4
    assert change(instance, show, article, authors=[AuthorInput(name="Ann", bio="Sails.")])
    assert noted() == count + 5
    assert not change(instance, show, article, authors=[AuthorInput(name="Ann")])
    assert noted() == count + 5


def test_the_sweep_keeps_the_picture_of_an_article(instance: Instance, clock: FrozenClock) -> None:
    show = make_show(instance)
    article = make_article(instance, show)
    with instance.database.write() as session:
        picture = Artwork(
            id="a" * 16,
            source_sha256="1" * 64,
            mime_type="image/jpeg",
            width=300,
            height=200,
            sizes=[[300, 1]],
            created_at=instance.now(),
        )
        session.add(picture)
        session.flush()
        row = session.get_one(Article, article.id)
        assert set_picture(session, row, picture, now=instance.now())
    clock.time += 2 * ORPHAN_AGE
    remove_unneeded(instance.database, instance.storage, now=instance.now())
    assert read(instance, show, article.slug).card.picture.width == 300


def test_a_list_takes_the_same_number_of_queries_however_long_it_is(instance: Instance) -> None:
    show = make_show(instance)

    def queries() -> int:
        seen: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        with instance.database.read() as session:
            connection = session.connection()
            event.listen(connection, "before_cursor_execute", note)
            published_articles(session, show.id, limit=50)
            event.remove(connection, "before_cursor_execute", note)
        return len(seen)

    make_article(instance, show, "One", authors=("Ann",), categories=["Moon"])
    before = queries()
    for number in range(5):
        make_article(instance, show, f"No {number}", authors=(f"Ann {number}",), categories=["x"])
    assert queries() == before
