"""Search finds what is published and nothing else, and the same on both databases."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from podhost.audio.revisions import PreparedAudio, prepare_audio_file
from podhost.chapters.rows import ChapterInput
from podhost.db import new_id
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.episodes.publishing import delete_episode, publish_episode, withdraw_episode
from podhost.errors import Invalid
from podhost.history.trash import restore
from podhost.instance import Instance
from podhost.models import Credit, Episode, Job, Person, SearchEntry, SearchState, Show
from podhost.people import CreditInput
from podhost.search import Hit, Results, search
from podhost.search.index import stale_show_ids
from podhost.search.sources import Document, list_documents
from podhost.search.words import Marked
from podhost.shows import delete_show, get_show
from podhost.shows.people import PersonInput, change_person, merge_people
from podhost.storage import open_storage
from podhost.transcripts import prepare_transcripts, set_transcripts
from podhost.worker import run_due_jobs, run_sweep
from podhost.written.articles import ArticleInput, change_article, get_article
from podhost.written.publishing import (
    delete_article,
    get_deleted_article,
    publish_article,
    restore_article,
    withdraw_article,
)
from tests.making import make_episode, make_show
from tests.written.making import make_article

# Only what the databases do by themselves is tried on both.
ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
DAY = datetime(2026, 2, 1, 12, tzinfo=UTC)


def vtt(*cues: tuple[int, str]) -> bytes:
    blocks = [
        f"{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}.000 --> "
        f"{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}.900\n{words}"
        for at, words in cues
    ]
    return "\n\n".join(["WEBVTT", *blocks]).encode()


def give(instance: Instance, episode: Episode, data: bytes, name: str = "a.vtt") -> None:
    given = name.rpartition(".")[2]
    others = {"vtt", "srt", "json", "html", "txt"} - {given}
    prepared, _ = prepare_transcripts(instance.storage, data, name, without=others)
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, episode.show.slug, lock=True), episode.id)
        set_transcripts(session, row, prepared, now=instance.now())


def look(instance: Instance, show: Show, words: str, **more: object) -> Results:
    with instance.database.read() as session:
        return search(session, session.get_one(Show, show.id), words, **more)  # type: ignore[arg-type]


def plain(marked: Marked) -> str:
    """With its hits in brackets."""
    return "".join(f"[{piece}]" if is_hit else piece for piece, is_hit in marked)


def named(hits: Sequence[Hit]) -> list[str]:
    """Each hit in short: its kind, slug, and its time in seconds."""
    return [
        f"{hit.kind} {hit.slug}" + (f" {hit.time_ms // 1000}" if hit.time_ms is not None else "")
        for hit in hits
    ]


@pytest.fixture(scope="module")
def audio(mp3: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedAudio:
    """What is known of a file; nobody reads it, so it is probed once and lies nowhere."""
    storage = open_storage(f"file://{tmp_path_factory.mktemp('audio')}")
    return prepare_audio_file(storage, mp3)


def publish(
    instance: Instance,
    show: Show,
    audio: PreparedAudio,
    title: str = "Low water",
    day: int = 0,
    **given: object,
) -> Episode:
    """An episode that came out at noon of a day."""
    id_ = new_id()
    copy = replace(audio, id=id_, storage_key=f"audio/{id_}.mp3")
    return make_episode(instance, show, copy, title, at=DAY + timedelta(days=day), **given)


@pytest.fixture
def shore(instance: Instance, audio: PreparedAudio) -> Show:
    """A show with something of every kind."""
    show = make_show(instance, "Tide Tables", people=[CreditInput(name="Ana Ortiz")])
    wave = CreditInput(name="José Álvarez", bio="He measures the sea at Cádiz.")
    first = publish(
        instance,
        show,
        audio,
        "Low water",
        1,
        notes="On **carbon** taxes and the harbour.",
        chapters=[ChapterInput(start_seconds=0, title="The moorings")],
        guests=[wave],
    )
    give(
        instance,
        first,
        vtt(
            (0, "<v Ana>Welcome to the harbour."),
            (5, "We speak of the carbon"),
            (9, "tax that nobody loves."),
            (400, "東京都の話 and the sea."),
            (900, "At the end, the harbour again."),
        ),
    )
    publish(instance, show, audio, "The harbour tax", 2, notes="A second look at carbon.")
    publish(
        instance,
        show,
        audio,
        "Straße Łódź",
        3,
        notes="José calls in. กรุงเทพ",
        author="Carbon Ltd",
    )
    draft = make_episode(
        instance,
        show,
        audio,
        "Secret harbour",
        publish=False,
        guests=[CreditInput(name="Nobody Yet")],
    )
    give(instance, draft, vtt((0, "The harbour nobody may know.")))
    publish(instance, show, audio, "Harbour of tomorrow", 365)
    other = make_show(instance, "Other harbour", slug="other")
    publish(instance, other, audio, "Harbour elsewhere", 4, notes="carbon tax")
    run_due_jobs(instance)
    return show


# What is asked, and all that is found, in order.
ASKED = {
    # In titles first, then in texts, the newest first; transcripts after them, by time.
    "harbour": [
        "episode the-harbour-tax",
        "episode low-water",
        "transcript low-water 0",
        "transcript low-water 900",
    ],
    "HARBOUR,": [
        "episode the-harbour-tax",
        "episode low-water",
        "transcript low-water 0",
        "transcript low-water 900",
    ],
    # Half typed.
    "harb": [
        "episode the-harbour-tax",
        "episode low-water",
        "transcript low-water 0",
        "transcript low-water 900",
    ],
    # Only the last word may be.
    "harb water": [],
    "water harb": ["episode low-water"],
    # People come before text, and spelling does not matter.
    "carbon": [
        "episode strasse-lodz",
        "episode the-harbour-tax",
        "episode low-water",
        "transcript low-water 5",
    ],
    "jose alv": ["person jose-alvarez", "episode low-water"],
    "JOSÉ": ["person jose-alvarez", "episode low-water", "episode strasse-lodz"],
    "cadiz": ["person jose-alvarez"],
    "ana": ["person ana-ortiz"],
    "strasse lodz": ["episode strasse-lodz"],
    # All words must be there: in the title and the text together, or within minutes of talk.
    "harbour carbon": [
        "episode the-harbour-tax",
        "episode low-water",
        "transcript low-water 0",
    ],
    "carbon tax nobody": ["transcript low-water 5"],
    "welcome end": [],
    "東京": ["transcript low-water 400"],
    "都": ["transcript low-water 400"],
    "京東": [],
    "กรุง": ["episode strasse-lodz"],
    "mooring": ["episode low-water"],
    # What somebody says is not their name.
    "ana welcome": [],
    # Not out, or of another show.
    "secret": [],
    "tomorrow": [],
    "elsewhere": [],
    "nobody yet": [],
    # Nothing has a meaning but words.
    '"harbour tax"': ["episode the-harbour-tax", "episode low-water", "transcript low-water 0"],
    "harbour OR carbon": [],
    "-harbour tax": ["episode the-harbour-tax", "episode low-water", "transcript low-water 0"],
    "harbour* tax": ["episode the-harbour-tax", "episode low-water", "transcript low-water 0"],
    "words:harbour": [],
    "": [],
    " ": [],
    "!!! ' \" \\ \x00 :* <-> & | ( ) *": [],
    "🦀": [],
    "\u202eharbour": [
        "episode the-harbour-tax",
        "episode low-water",
        "transcript low-water 0",
        "transcript low-water 900",
    ],
    "\ud800": [],
    "\ue000harbour\ue001": [
        "episode the-harbour-tax",
        "episode low-water",
        "transcript low-water 0",
        "transcript low-water 900",
    ],
    "x" * 10_000: [],
    "' " * 10_000: [],
}


def test_both_databases_find_the_same(instance: Instance, shore: Show) -> None:
    for words, expected in ASKED.items():
        results = look(instance, shore, words)
        assert named(results.hits) == expected, words[:50]
        assert sum(results.counts.values()) == results.total == len(expected), words[:50]


def test_pages_are_parts_of_the_whole(instance: Instance, shore: Show) -> None:
    whole = named(look(instance, shore, "harbour").hits)
    for limit in (1, 2, 3):
        pages = [
            named(look(instance, shore, "harbour", limit=limit, offset=offset).hits)
            for offset in range(0, 6, limit)
        ]
        assert [hit for page in pages for hit in page] == whole
    assert look(instance, shore, "harbour", offset=10**30).hits == []


@ON_ONE_ENGINE
def test_one_kind_can_be_asked_for(instance: Instance, shore: Show) -> None:
    counts = {"episode": 2, "person": 0, "article": 0, "transcript": 2}
    for kind, count in counts.items():
        results = look(instance, shore, "harbour", kind=kind)
        assert [hit.kind for hit in results.hits] == [kind] * count
        assert results.counts == counts and results.total == count
    with pytest.raises(Invalid, match="episode, person"):
        look(instance, shore, "harbour", kind="'; --")


@ON_ONE_ENGINE
def test_a_hit_says_where_it_is_and_what_is_said_there(instance: Instance, shore: Show) -> None:
    (hit,) = look(instance, shore, "carbon nobody").hits
    assert (hit.time_ms, hit.slug, hit.speaker) == (5000, "low-water", None)
    assert plain(hit.snippet) == "We speak of the [carbon] tax that [nobody] loves."
    assert hit.published_at == DAY + timedelta(days=1)
    assert hit.artwork is not None
    (hit,) = look(instance, shore, "welcome").hits
    assert (hit.time_ms, hit.speaker) == (0, "Ana")
    titled = look(instance, shore, "harb").hits[0]
    assert plain(titled.title) == "The [harbour] tax"
    assert plain(titled.snippet) == "A second look at carbon."
    (episode, *_) = look(instance, shore, "taxes").hits
    assert plain(episode.snippet) == "On carbon [taxes] and the harbour. The moorings"
    (person,) = look(instance, shore, "cadiz").hits
    assert plain(person.snippet) == "He measures the sea at [Cádiz]."


@ON_ONE_ENGINE
def test_words_that_were_given_in_two_forms_are_found_once(
    instance: Instance, audio: PreparedAudio
) -> None:
    show = make_show(instance)
    episode = publish(instance, show, audio)
    words = vtt((3, "The causeway is dry."))
    forms = [
        prepare_transcripts(instance.storage, data, name)[0]
        for data, name in (
            (words, "a.vtt"),
            (b"1\n00:00:03,000 --> 00:00:03,900\nThe causeway is dry.\n", "a.srt"),
        )
    ]
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        set_transcripts(session, row, [*forms[0], *forms[1]], now=instance.now())
    run_due_jobs(instance)
    assert named(look(instance, show, "causeway").hits) == ["transcript low-water 3"]


@ON_ONE_ENGINE
def test_a_long_text_is_shown_where_most_words_stand(
    instance: Instance, audio: PreparedAudio
) -> None:
    show = make_show(instance)
    words = "filling words of no importance at all " * 20
    notes = f"anchor {words} an anchor and its chain {words}"
    publish(instance, show, audio, notes=notes)
    run_due_jobs(instance)
    (hit,) = look(instance, show, "chain anchor").hits
    shown = plain(hit.snippet)
    assert "an [anchor] and its [chain]" in shown
    assert shown.startswith("…") and shown.endswith("…") and len(shown) < 240


def test_what_is_withdrawn_or_deleted_is_gone_at_once(instance: Instance, shore: Show) -> None:
    with instance.database.write() as session:
        show = get_show(session, shore.slug, lock=True)
        withdraw_episode(session, get_episode(session, show, "low-water"), now=instance.now())
        delete_episode(session, get_episode(session, show, "the-harbour-tax"), now=instance.now())
    results = look(instance, shore, "harbour")
    assert results.hits == [] and results.total == 0
    # Who was heard in nothing else is no more a guest; the index follows.
    assert look(instance, shore, "jose").hits[-1].slug == "strasse-lodz"
    assert "jose-alvarez" not in [hit.slug for hit in look(instance, shore, "jose").hits]
    run_due_jobs(instance)
    assert look(instance, shore, "jose").counts["person"] == 0
    with instance.database.write() as session:
        show = get_show(session, shore.slug, lock=True)
        publish_episode(session, get_episode(session, show, "low-water"), now=instance.now())
        deleted = session.scalars(select(Episode).where(Episode.deleted_at.is_not(None))).one()
        restore(session, deleted, now=instance.now())
    run_due_jobs(instance)
    assert named(look(instance, shore, "harbour").hits) == ASKED["harbour"]


@ON_ONE_ENGINE
def test_what_left_the_air_by_another_way_is_not_shown(instance: Instance, shore: Show) -> None:
    with instance.database.write() as session:
        session.execute(update(Episode).values(status="draft"))
    assert [hit.kind for hit in look(instance, shore, "harbour").hits] == []


@ON_ONE_ENGINE
def test_an_edit_is_found_and_what_it_replaced_is_not(instance: Instance, shore: Show) -> None:
    with instance.database.write() as session:
        show = get_show(session, shore.slug, lock=True)
        episode = get_episode(session, show, "low-water")
        given = EpisodeInput(title="High tide", guests=[CreditInput(name="Zoë Quay")])
        change_episode(session, episode, given, now=instance.now())
        kept = episode.id
    give(instance, episode, b"<p>Only a page without any times: lighthouse</p>", "a.html")
    run_due_jobs(instance)
    assert named(look(instance, shore, "high tide").hits) == ["episode low-water"]
    assert named(look(instance, shore, "zoe").hits) == ["person zoe-quay", "episode low-water"]
    (hit,) = look(instance, shore, "lighthouse").hits
    assert (hit.kind, hit.subject_id, hit.time_ms) == ("transcript", kept, None)
    for gone in ("welcome", "cadiz", "東京"):
        assert look(instance, shore, gone).total == 0


@ON_ONE_ENGINE
def test_people_who_are_renamed_or_merged_are_found(instance: Instance, shore: Show) -> None:
    with instance.database.write() as session:
        show = get_show(session, shore.slug, lock=True)
        people = {row.slug: row for row in session.scalars(select(Person))}
        given = PersonInput(name="Anna Otter")
        change_person(session, show, people["ana-ortiz"], given, now=instance.now())
    run_due_jobs(instance)
    assert named(look(instance, shore, "otter").hits) == ["person ana-ortiz"]
    with instance.database.write() as session:
        people = {row.slug: row for row in session.scalars(select(Person))}
        other, into = people["jose-alvarez"], people["ana-ortiz"]
        merge_people(session, other, into, now=instance.now())
    run_due_jobs(instance)
    found = named(look(instance, shore, "alvarez", kind="person").hits)
    assert found == ["person ana-ortiz"], "found by the other spelling"


def test_indexing_twice_changes_nothing(instance: Instance, shore: Show) -> None:
    with instance.database.read() as session:
        before = session.scalars(select(SearchEntry.id).order_by(SearchEntry.id)).all()
    run_sweep(instance)
    with instance.database.write() as session:
        session.execute(update(SearchState).values(state="older"))
    assert run_sweep(instance) == 2
    run_due_jobs(instance)
    assert run_sweep(instance) == 0
    with instance.database.read() as session:
        assert session.scalars(select(SearchEntry.id).order_by(SearchEntry.id)).all() == before
        assert session.scalar(text("SELECT count(*) FROM search_words")) == len(before)


@pytest.fixture
def press(instance: Instance) -> Show:
    """A show with nothing but articles, in every state that they can be in."""
    show = make_show(instance, "Tide Tables")
    tax = {"summary": "Who pays for the quay.", "categories": ["Analysis", "Harbours"]}
    make_article(instance, show, "Low water", authors=("José Álvarez",), at=DAY, **tax)
    later = DAY + timedelta(days=1)
    make_article(instance, show, "The low quay", at=later, text="Of **carbon** and stone.")
    make_article(instance, show, "Low draft", publish=False)
    make_article(instance, show, "Low in a year", at=DAY + timedelta(days=365))
    make_article(instance, make_show(instance, slug="other"), "Low elsewhere", at=DAY)
    run_due_jobs(instance)
    return show


def test_articles_are_found_when_they_are_out(instance: Instance, press: Show) -> None:
    asked = {
        "low": ["article the-low-quay", "article low-water"],
        # In the title first.
        "quay": ["article the-low-quay", "article low-water"],
        "jose": ["article low-water"],
        "harbours analysis": ["article low-water"],
        "carb": ["article the-low-quay"],
        "draft": [],
        "year": [],
    }
    for words, expected in asked.items():
        results = look(instance, press, words)
        assert named(results.hits) == expected, words
        assert results.counts["article"] == results.total == len(expected), words
    (hit,) = look(instance, press, "carbon", kind="article").hits
    assert plain(hit.snippet) == "Of [carbon] and stone."
    assert hit.published_at == DAY + timedelta(days=1)


@ON_ONE_ENGINE
def test_an_article_that_is_withdrawn_or_deleted_is_gone_at_once(
    instance: Instance, press: Show
) -> None:
    with instance.database.write() as session:
        show = get_show(session, press.slug, lock=True)
        withdraw_article(session, get_article(session, show, "low-water"), now=instance.now())
        delete_article(session, get_article(session, show, "the-low-quay"), now=instance.now())
    assert look(instance, press, "low").total == 0
    run_due_jobs(instance)
    assert look(instance, press, "low").total == 0
    with instance.database.write() as session:
        show = get_show(session, press.slug, lock=True)
        publish_article(session, get_article(session, show, "low-water"), now=instance.now())
        deleted = get_deleted_article(session, show, "the-low-quay")
        restore_article(session, deleted, now=instance.now())
    run_due_jobs(instance)
    assert named(look(instance, press, "low").hits) == [
        "article the-low-quay",
        "article low-water",
    ]


@ON_ONE_ENGINE
def test_an_article_is_found_as_it_was_changed(instance: Instance, press: Show) -> None:
    with instance.database.write() as session:
        show = get_show(session, press.slug, lock=True)
        article = get_article(session, show, "low-water")
        change_article(session, show, article, ArticleInput(title="Ebb"), now=instance.now())
        author = session.scalars(select(Person)).one()
        change_person(session, show, author, PersonInput(name="Ana Ortiz"), now=instance.now())
    run_due_jobs(instance)
    assert named(look(instance, press, "ebb ana").hits) == ["article low-water"]
    assert look(instance, press, "jose").total == 0


@ON_ONE_ENGINE
def test_an_article_whose_job_was_lost_is_found_again(instance: Instance, press: Show) -> None:
    make_article(instance, press, "Spring tide", at=DAY)
    with instance.database.write() as session:
        session.query(Job).delete()
        assert stale_show_ids(session) == [press.id]
    run_sweep(instance)
    run_due_jobs(instance)
    assert look(instance, press, "spring").total == 1
    with instance.database.read() as session:
        assert stale_show_ids(session) == []


@ON_ONE_ENGINE
def test_a_lost_job_is_found_again(instance: Instance, audio: PreparedAudio) -> None:
    show = make_show(instance)
    publish(instance, show, audio, "Low water")
    with instance.database.write() as session:
        session.query(Job).delete()
    run_sweep(instance)
    run_due_jobs(instance)
    assert look(instance, show, "low").total == 1


def test_a_show_that_goes_takes_its_words_along(instance: Instance, shore: Show) -> None:
    with instance.database.write() as session:
        for table, column in ((Credit, Credit.show_id), (Show, Show.id)):
            session.execute(delete(table).where(column == shore.id))
        left = session.scalar(select(func.count()).select_from(SearchEntry))
        assert session.scalar(text("SELECT count(*) FROM search_words")) == left == 1


@ON_ONE_ENGINE
def test_a_deleted_show_leaves_the_index_and_comes_back(instance: Instance, shore: Show) -> None:
    with instance.database.write() as session:
        delete_show(session, get_show(session, shore.slug, lock=True), now=instance.now())
    assert look(instance, shore, "harbour").total == 0
    run_due_jobs(instance)
    with instance.database.write() as session:
        assert session.scalar(select(func.count()).select_from(SearchEntry)) == 1
        restore(session, session.get_one(Show, shore.id), now=instance.now())
    run_due_jobs(instance)
    assert named(look(instance, shore, "harbour").hits) == ASKED["harbour"]


@ON_ONE_ENGINE
def test_a_large_show_is_indexed_bit_by_bit(
    instance: Instance, audio: PreparedAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from podhost.search import index

    monkeypatch.setattr(index, "_AT_ONCE", 2)
    monkeypatch.setattr(index, "_SECONDS_AT_ONCE", 0)
    show = make_show(instance)
    for number in range(5):
        publish(instance, show, audio, f"Tide {number}", number)
    run_due_jobs(instance)
    assert look(instance, show, "tide").total == 5
    with instance.database.read() as session:
        assert stale_show_ids(session) == []


@ON_ONE_ENGINE
def test_to_find_out_what_is_new_takes_no_more_than_half_of_the_time(
    instance: Instance, audio: PreparedAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from podhost.search import index

    show = make_show(instance)
    for number in range(9):
        publish(instance, show, audio, f"Tide {number}", number)
    now, listed = [0.0], []

    def slow(session: Session, found: Show) -> Iterator[Document]:
        now[0] += 10
        listed.append(found.id)
        return list_documents(session, found)

    def one_second(*arguments: Any) -> None:
        now[0] += 1
        add_some(*arguments)

    add_some = index._index
    monkeypatch.setattr(index, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(index, "list_documents", slow)
    monkeypatch.setattr(index, "_index", one_second)
    monkeypatch.setattr(index, "_AT_ONCE", 1)
    run_due_jobs(instance)
    assert look(instance, show, "tide").total == 9
    assert listed == [show.id]


@ON_ONE_ENGINE
def test_a_file_that_is_gone_keeps_nothing_else_from_being_found(
    instance: Instance, audio: PreparedAudio
) -> None:
    show = make_show(instance)
    episode = publish(instance, show, audio, "Low water")
    give(instance, episode, vtt((0, "Welcome.")))
    with instance.database.read() as session:
        for row in session.get_one(Episode, episode.id).transcripts:
            instance.storage.delete(row.storage_key)
    run_due_jobs(instance)
    assert look(instance, show, "low").total == 1
    assert look(instance, show, "welcome").total == 0


def test_long_and_odd_texts_are_indexed(instance: Instance, audio: PreparedAudio) -> None:
    show = make_show(instance)
    many = " ".join(f"{chr(0x4E00 + number % 500)}x{number}" for number in range(3000))
    long = "𝒜" * 300 + "ö" * 3000
    episode = publish(instance, show, audio, "Odd ' \\ \" words", notes=f"{many} {long}")
    give(instance, episode, vtt((0, "'\"\\ :* & | ! \u202e\u0301"), (200, "plain")))
    run_due_jobs(instance)
    assert look(instance, show, "odd words").total == 1
    assert look(instance, show, "x29").total == 1
    assert look(instance, show, "plain").hits[0].time_ms == 200_000
