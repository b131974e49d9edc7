"""What a search costs in a show of 300 episodes with an hour of transcript each, on both databases.

Words are as common as in any language: the most common one stands in every minute, the rarest once.
What is asked are such words, alone, together and half typed, as somebody types; the slowest of
them counts, each at its median. The floor is one look at a row by its primary key, with the same
session in the same process: what any answer from a database pays. Rows of the index grow with the
hours, and so does what is beyond the fixed part of a search.
"""

import itertools
import random
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.lab import Lab
from benchmarks.shows import open_new
from benchmarks.table import Result, Row, at_most
from podhost.db import new_id
from podhost.instance import Instance
from podhost.models import Episode, Show
from podhost.search import search
from podhost.search.index import index_show, stale_show_ids
from podhost.transcripts import PreparedTranscript, prepare_transcripts, transcript_row
from tests.making import make_show

HOURS = 300
_WORDS_OF_AN_HOUR = 9000
_WORDS_OF_A_CUE = 9
_CUE_SECONDS = 3.6
_VOCABULARY = 30_000
_SYLLABLES = (
    *("ka", "ro", "mi", "ten", "sal", "vor", "ing", "est"),
    *("qu", "pla", "ber", "un", "con", "de", "th", "ar"),
)
_FIRST_AT = datetime(2016, 1, 4, 6, tzinfo=UTC)
# By rank: the most common word, two common ones, a usual, a rare one with a common one, and
# what is typed before them.
_ASKED = ((0,), (1, 2), (20, 30, 40), (300,), (5000,), (29_000, 100))
_BEGINNINGS = (2, 3)

SQLITE = Row(
    "search-sqlite",
    "search in 300 hours of transcripts, the slowest, SQLite; floor: one row by its key",
    "ms",
    at_most(50, "ms"),
)
POSTGRES = Row(
    "search-postgres",
    "search in 300 hours of transcripts, the slowest, PostgreSQL; floor: one row by its key",
    "ms",
    at_most(50, "ms"),
)
ROWS = (SQLITE, POSTGRES)


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """Each database with the same words."""
    for row in ROWS:
        if row.name in wanted:
            environment = lab.on_sqlite() if row is SQLITE else lab.on_postgres()
            yield _measured(lab, row, environment)


def _measured(lab: Lab, row: Row, environment: Mapping[str, str]) -> Result:
    instance = open_new(environment)
    choose = random.Random(1957)
    words = _vocabulary(choose)
    hours = lab.of(HOURS, 20)
    show = _talkative_show(instance, choose, words, hours)
    began_at = time.perf_counter()
    _index(instance, show.id)
    indexing_ms = (time.perf_counter() - began_at) * 1000 / hours
    asked = [" ".join(words[rank] for rank in ranks) for ranks in _ASKED]
    asked += [words[0][:length] for length in _BEGINNINGS]
    with instance.database.read() as session:
        kept = session.get_one(Show, show.id)
        times = {each: _median_ms(lab, partial(search, session, kept, each)) for each in asked}
        floor = _median_ms(lab, lambda: _look(session, show.id))
        places = [search(session, kept, each).counts["transcript"] for each in asked]
    instance.close()
    slowest = max(times.values())
    return Result(
        row,
        podhost=slowest,
        floor=floor,
        ratio=slowest / floor,
        note=(
            f"median of {len(asked)} searches {statistics.median(times.values()):.1f} ms, "
            f"{min(places)} to {max(places)} places; an hour is indexed in {indexing_ms:.0f} ms"
        ),
    )


def _index(instance: Instance, show_id: str) -> None:
    """As its jobs do, one after the other."""
    while True:
        index_show(instance.database, instance.storage, show_id, now=instance.now())
        with instance.database.read() as session:
            if show_id not in stale_show_ids(session):
                return


def _look(session: Session, show_id: str) -> None:
    session.execute(text("SELECT title FROM shows WHERE id = :id"), {"id": show_id}).all()


def _median_ms(lab: Lab, work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(lab.of(15, 3)):
        began_at = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began_at) * 1000)
    return statistics.median(taken)


# The show


def _vocabulary(choose: random.Random) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < _VOCABULARY:
        found["".join(choose.choices(_SYLLABLES, k=choose.choice((1, 2, 2, 3, 3, 4))))] = None
    return [*found]


def _talkative_show(
    instance: Instance, choose: random.Random, words: list[str], hours: int
) -> Show:
    show = make_show(instance, "Talk")
    # As often as words of that rank are in any language (Zipf, Mandelbrot).
    often = [*itertools.accumulate(1 / (rank + 2.7) for rank in range(len(words)))]
    for number in range(hours):
        said = choose.choices(words, cum_weights=often, k=_WORDS_OF_AN_HOUR)
        body = _vtt(said)
        forms, _ = prepare_transcripts(
            instance.storage, body, "talk.vtt", without=("srt", "json", "html", "txt")
        )
        with instance.database.write() as session:
            session.add(_episode(show, number, " ".join(said[:6]), " ".join(said[-200:]), forms))
    return show


def _episode(
    show: Show, number: int, title: str, notes: str, forms: list[PreparedTranscript]
) -> Episode:
    id_ = new_id()
    return Episode(
        id=id_,
        show_id=show.id,
        guid=id_,
        slug=f"talk-{number}",
        title=title,
        notes=notes,
        notes_html=f"<p>{notes}</p>",
        status="published",
        published_at=_FIRST_AT + timedelta(days=number),
        created_at=_FIRST_AT,
        changed_at=_FIRST_AT,
        transcripts=[transcript_row(form, at, now=_FIRST_AT) for at, form in enumerate(forms)],
    )


def _vtt(said: list[str]) -> bytes:
    cues = ["WEBVTT"]
    for number in range(0, len(said), _WORDS_OF_A_CUE):
        start = number // _WORDS_OF_A_CUE * _CUE_SECONDS
        line = " ".join(said[number : number + _WORDS_OF_A_CUE])
        cues.append(f"{_time(start)} --> {_time(start + _CUE_SECONDS)}\n{line}")
    return "\n\n".join(cues).encode()


def _time(seconds: float) -> str:
    whole, ms = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{ms:03}"
