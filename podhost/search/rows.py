"""The rows of the index and the questions put to it, on SQLite (FTS5) and PostgreSQL (tsvector).

A row of `search_words` is a set of words: of an episode, a person, an article, or some minutes of a
transcript. Both engines only say in which rows words are; what a word is, which rows come first and
what is shown of them is ours, so both give the same answers. Nothing that somebody typed reaches an
engine's own syntax: words have letters, digits and marks only.

Words begin with a letter that no word has (private use), which says where they count: U+E001 in the
title, U+E002 in title and people, U+E003 anywhere in an episode, person or article. Those of
transcripts begin with none. U+E000 and a show's id is what a row is about.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Select,
    TextualSelect,
    column,
    delete,
    insert,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.orm import Session

from podhost.models import SearchEntry, SearchSubject
from podhost.search.words import Term

INDEX_SHOW = "index_show"
TRANSCRIPT = "transcript"
# What an episode, a person and an article are found by themselves; their place is their number.
SUBJECTS = ("episode", "person", "article")
KINDS = (*SUBJECTS, TRANSCRIPT)
# PostgreSQL takes a megabyte of words in a row; so many of the longest fit in.
MOST_WORDS = 5_000

_SCOPE, _TITLE, _NAMED, _ANYWHERE = "\ue000", "\ue001", "\ue002", "\ue003"
_OF_SUBJECTS = "subjects"
# An id is 63 bits: seconds since 1970, kind, part of the subject's own id, number of the part.
_KIND_BITS, _SALT_BITS, _PART_BITS = 2, 15, 12
_LATEST_SECONDS = 2**34 - 1
MOST_PARTS = 2**_PART_BITS
_KIND_SHIFT = _SALT_BITS + _PART_BITS


class Words(NamedTuple):
    """The words of one entry, by where they stand; transcripts have only `text`."""

    title: Collection[str]
    people: Collection[str]
    text: Collection[str]


class NewEntry(NamedTuple):
    """An entry that is to be written: its words, and what is shown of it."""

    kind: str
    words: Words
    body: list[Any]


def entry_ids(
    session: Session, kind: str, subject_id: str, dated_at: datetime, count: int
) -> list[int]:
    """Ids for the parts of a subject, free ones: what is to come first has the highest.

    So results are in order where ids are: the newest first, and of one transcript the beginning.
    """
    seconds = min(max(int(dated_at.astimezone(UTC).timestamp()), 0), _LATEST_SECONDS)
    second = (seconds << _KIND_BITS | KINDS.index(kind)) << _SALT_BITS
    salt = int(subject_id, 16) if _is_hexadecimal(subject_id) else 0
    for step in range(2**_SALT_BITS):
        first = (second | (salt + step) % 2**_SALT_BITS) << _PART_BITS
        last = first + MOST_PARTS - 1
        taken = select(SearchEntry.id).where(SearchEntry.id.between(first, last)).limit(1)
        if session.scalar(taken) is None:
            return [last - number for number in range(count)]
    raise AssertionError("thirty thousand of a kind within one second")


def _is_hexadecimal(value: str) -> bool:
    return bool(value) and all(letter in "0123456789abcdef" for letter in value)


def forget_subject(session: Session, kind: str, subject_id: str) -> None:
    """Nothing of it is found from now on; it may be indexed again."""
    kinds = (kind, TRANSCRIPT) if kind == "episode" else (kind,)
    session.execute(
        delete(SearchEntry).where(
            SearchEntry.subject_id == subject_id, SearchEntry.kind.in_(kinds)
        ),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        delete(SearchSubject).where(
            SearchSubject.subject_id == subject_id, SearchSubject.kind == kind
        ),
        execution_options={"synchronize_session": False},
    )


def add_entries(
    session: Session,
    show_id: str,
    subject_id: str,
    dated_at: datetime,
    entries: Sequence[NewEntry],
) -> None:
    """Write entries of one subject, of which there are none; those of one kind in their order."""
    for kind in KINDS:
        of_kind = [entry for entry in entries if entry.kind == kind][:MOST_PARTS]
        if not of_kind:
            continue
        ids = entry_ids(session, kind, subject_id, dated_at, len(of_kind))
        session.execute(
            insert(SearchEntry),
            [
                {
                    "id": id_,
                    "show_id": show_id,
                    "kind": kind,
                    "subject_id": subject_id,
                    "body": entry.body,
                }
                for id_, entry in zip(ids, of_kind, strict=True)
            ],
        )
        words = [_row_words(show_id, kind, entry.words) for entry in of_kind]
        if _is_sqlite(session):
            statement = "INSERT INTO search_words (rowid, words) VALUES (:id, :words)"
            rows: list[dict[str, Any]] = [{"words": " ".join(each)} for each in words]
        else:
            statement = "INSERT INTO search_words VALUES (:id, array_to_tsvector(:words))"
            rows = [{"words": each} for each in words]
        for id_, row in zip(ids, rows, strict=True):
            row["id"] = id_
        session.execute(text(statement), rows)


def _row_words(show_id: str, kind: str, words: Words) -> list[str]:
    if kind == TRANSCRIPT:
        return [f"{_SCOPE}{show_id}{TRANSCRIPT}", *_some(words.text)]
    named = {*words.title, *words.people}
    return [
        f"{_SCOPE}{show_id}{_OF_SUBJECTS}",
        *_some(words.title, _TITLE),
        *_some(named, _NAMED),
        *_some({*named, *words.text}, _ANYWHERE),
    ]


def _some(words: Collection[str], mark: str = "") -> list[str]:
    """In an order of their own, so that both engines leave out the same ones."""
    return [mark + word for word in sorted(words)[:MOST_WORDS]]


# Questions


class FoundSubject(NamedTuple):
    """An episode, a person or an article that is found; of a lower `tier`, it comes first."""

    tier: int
    id: int

    @property
    def kind(self) -> str:
        """Of what kind it is, which its id says."""
        return KINDS[(self.id >> _KIND_SHIFT) & (2**_KIND_BITS - 1)]


def find_subjects(session: Session, show_id: str, terms: Sequence[Term]) -> list[FoundSubject]:
    """All episodes, people and articles that have all these words: in the title first, then in
    title and people, then anywhere; of these, the newest first."""
    query = _Query(session, show_id)
    titled, named, anywhere = (
        query.all_of(_OF_SUBJECTS, terms, mark) for mark in (_TITLE, _NAMED, _ANYWHERE)
    )
    tiers = (titled, query.without(named, titled), query.without(anywhere, named))
    matching = [query.matching(f"q{number}", each) for number, each in enumerate(tiers)]
    found = union_all(
        *(
            select(literal(number).label("tier"), each.subquery().c.id)
            for number, each in enumerate(matching)
        )
    ).subquery()
    rows = query.ask(select(found.c.tier, found.c.id).order_by(found.c.tier, found.c.id.desc()))
    return [FoundSubject(tier, id_) for tier, id_ in rows]


def find_passages(
    session: Session, show_id: str, terms: Sequence[Term], *, limit: int
) -> list[int]:
    """Ids of minutes of transcripts that have all these words, those of newest episodes first."""
    query = _Query(session, show_id)
    matching = query.matching("q", query.all_of(TRANSCRIPT, terms))
    found = matching.subquery()
    page = select(found.c.id).order_by(found.c.id.desc()).limit(limit)
    return [id_ for (id_,) in query.ask(page)]


class _Query:
    """Says the same to either engine: which rows have all of some words."""

    def __init__(self, session: Session, show_id: str) -> None:
        self.session = session
        self.show_id = show_id
        self.is_sqlite = _is_sqlite(session)

    def all_of(self, scope: str, terms: Iterable[Term], mark: str = "") -> str:
        """Rows about this with all of these words, which stand where the mark says."""
        words = [Term(f"{_SCOPE}{self.show_id}{scope}", is_beginning=False)]
        words += [Term(mark + term.word, term.is_beginning) for term in terms]
        if self.is_sqlite:
            return " AND ".join(f'"{word}"{" *" if begins else ""}' for word, begins in words)
        return " & ".join(f"'{word}'{':*' if begins else ''}" for word, begins in words)

    def without(self, query: str, other: str) -> str:
        """Rows that are found by one and not by the other."""
        return f"({query}) NOT ({other})" if self.is_sqlite else f"({query}) & !({other})"

    def matching(self, name: str, query: str) -> TextualSelect:
        """The ids of rows that are found; `name` is that of the parameter."""
        sql = _MATCHING_SQLITE if self.is_sqlite else _MATCHING_POSTGRESQL
        statement = text(sql.replace(":q", f":{name}")).bindparams(**{name: query})
        return statement.columns(column("id", BigInteger))

    def ask(self, statement: Select[Any]) -> Sequence[Any]:
        """The rows. PostgreSQL is to use its index: it does not know that the words lie outside
        of the rows, and so how long it takes to go through all of them."""
        if self.is_sqlite:
            return self.session.execute(statement).all()
        self.session.execute(text("SET LOCAL enable_seqscan = off"))
        found = self.session.execute(statement).all()
        self.session.execute(text("SET LOCAL enable_seqscan = on"))
        return found


_MATCHING_SQLITE = "SELECT rowid AS id FROM search_words WHERE search_words MATCH :q"
# Without the offset it would go through the primary key, and look into every row, where it takes
# words for common and only some ids are asked for.
_MATCHING_POSTGRESQL = "SELECT id FROM search_words WHERE words @@ CAST(:q AS tsquery) OFFSET 0"


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
