"""What public pages say of people while only drafts say otherwise; it reads and asks no tables.

The row of a person has what was said last of them, by whomever, for the studio. Where that is a
draft, `still_public` has what pages go on saying: by a field's name what it `was`, and `by` which
articles it was said, whose authors have no words of their own. Credits have theirs, which are
compared with the row when their episode comes out.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from podhost.models import Article, Credit, Episode, Person

# What a show knows of somebody beside the name.
TOLD = ("url", "bio", "image_url", "artwork_id", "links")


def public_value(person: Person | Row[Any], name: str) -> Any:
    """What a public page may say of somebody: a field of `TOLD`, of a row with `still_public`."""
    kept = (person.still_public or {}).get(name)
    return kept["was"] if kept is not None else getattr(person, name)


def is_out(source: Episode | Article | None) -> bool:
    """Whether everybody may see what it says; None is the show itself."""
    return source is None or (source.status == "published" and source.deleted_at is None)


def say(person: Person, said: Mapping[str, Any], source: Episode | Article | None) -> None:
    """Keep what `source` says of somebody, the show itself where it is None; a field without a
    value says nothing. What nobody can see yet changes nothing on public pages."""
    given = {name: said[name] for name in TOLD if said.get(name)}
    if is_out(source):
        say_in_public(person, given)
        return
    articles = [source.id] if isinstance(source, Article) else []
    kept = dict(person.still_public or {})
    for name, value in given.items():
        was, known = public_value(person, name), getattr(person, name)
        if value == was:
            kept.pop(name, None)
        elif value == known:
            kept[name] = {"was": was, "by": sorted({*kept[name]["by"], *articles})}
        else:
            kept[name] = {"was": was, "by": articles}
        setattr(person, name, value)
    person.still_public = kept or None


def say_in_public(person: Person, said: Mapping[str, Any]) -> None:
    """Say these fields of `TOLD` for everybody, also that they are empty."""
    for name, value in said.items():
        setattr(person, name, value)
    person.still_public = _without(person, said)


def publish_credit(person: Person, credit: Credit, *, is_new: bool) -> None:
    """Everybody sees the credit now; `is_new`: for the first time."""
    kept: dict[str, Any] = {}
    for name, hidden in (person.still_public or {}).items():
        value = getattr(credit, name)
        if value and value == getattr(person, name):
            continue
        # Another draft says otherwise since, and goes on waiting for its own publication.
        is_last = value and (is_new or not hidden["was"])
        kept[name] = {**hidden, "was": value} if is_last else hidden
    person.still_public = kept or None


def publish_article_words(person: Person, article_id: str) -> None:
    """Everybody may see what was said of an author in this article."""
    fields = [
        name for name, kept in (person.still_public or {}).items() if article_id in kept["by"]
    ]
    person.still_public = _without(person, fields)


def merge_words(into: Person, other: Person) -> None:
    """Complete what is known of `into`, and what is public of it, by what is so of `other`."""
    kept: dict[str, Any] = {}
    known: dict[str, Any] = {}
    for name in TOLD:
        teller = into if getattr(into, name) else other
        known[name] = getattr(teller, name)
        public = public_value(into, name) or public_value(other, name)
        if known[name] != public:
            hidden = (teller.still_public or {}).get(name, {})
            kept[name] = {"was": public, "by": hidden.get("by", [])}
    for name, value in known.items():
        setattr(into, name, value)
    into.still_public = kept or None


def _without(person: Person, names: Mapping[str, Any] | list[str]) -> dict[str, Any] | None:
    kept = {name: each for name, each in (person.still_public or {}).items() if name not in names}
    return kept or None
