"""The show that the family `studio` looks at: whatever a page can list stands in it, many times.

As in shows.py, what is stored comes from the same functions as in real life where there are few of
it, and is written as rows where there are thousands.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, cast, insert, select, update
from sqlalchemy.orm import Session

from benchmarks.shows import add_show
from podhost.accounts.accounts import create_account
from podhost.accounts.invitations import create_invitation
from podhost.accounts.sessions import start_session
from podhost.db import new_id
from podhost.guests.links import create_link
from podhost.history.audit import row_id
from podhost.instance import Instance
from podhost.models import (
    Account,
    AuditEntry,
    Credit,
    Episode,
    HistoryEntry,
    Import,
    ImportEpisode,
    Membership,
    Show,
    Transcript,
)
from podhost.shows import get_show, touch_show
from podhost.worker import run_due_jobs
from podhost.written.articles import ArticleInput, create_article
from podhost.written.pages import PageInput, create_page
from podhost.written.sponsors import SponsorInput, create_sponsor

SLUG = "tides"
_DRAFTS, _SCHEDULED, _DELETED = 12, 6, 10
_TEAM = 8
_CUES = 900
_ARTICLES, _PAGES = 60, 8
# Of the episode that is looked at; its page of them lists 30.
_CHANGES = 20


@dataclass(frozen=True, slots=True)
class Filled:
    """What addresses of pages name, and the secret of a signed-in operator."""

    secret: str
    values: dict[str, str]
    # Of an episode that is out, for changes of the feed.
    changed_id: str


def fill(instance: Instance, episodes: int) -> Filled:
    """A show with `episodes` that are out, with guests, chapters, history and, each third one, a
    transcript; besides some drafts, scheduled and deleted ones, a team, and an import."""
    others = _DRAFTS + _SCHEDULED + _DELETED
    ids = add_show(instance, SLUG, episodes=episodes + others, drafts=others)
    # One that has notes: see the faults.
    seen, now = ids[episodes // 2 + 1], instance.now()
    transcript = put_transcript(instance, seen)
    with instance.database.write() as session:
        show = get_show(session, SLUG, lock=True)
        _put_aside(session, ids[episodes:], now)
        _make_faults(session)
        held = [transcript, *(_transcript(of) for of in ids[:episodes:3] if of != seen)]
        session.execute(insert(Transcript), held)
        team = _add_team(session, instance, show, now)
        operator = team[0]
        secret = start_session(session, operator, address="127.0.0.1", device="Firefox", now=now)
        _add_history(session, show, [*ids[:episodes], *[seen] * _CHANGES], operator, now)
        person = session.scalars(
            select(Credit.person_id).where(Credit.episode_id == seen, Credit.role == "guest")
        ).first()
        episode = session.get_one(Episode, seen)
        values = {
            "show": SLUG,
            "episode": seen,
            "person": str(person),
            "member": team[1].id,
            "account": team[1].id,
            "import": _add_import(session, show, ids[:episodes], now),
            **_add_written(session, show, now),
            "guest": create_link(session, episode, person, now=now)[1],
            "preview": create_link(session, episode, None, now=now)[1],
        }
        touch_show(session, show, now=now)
    run_due_jobs(instance)
    return Filled(secret, values, ids[episodes - 1])


def _add_written(session: Session, show: Show, now: datetime) -> dict[str, str]:
    """Articles, pages and sponsors; the ids of the last of each."""
    for number in range(_ARTICLES):
        given = ArticleInput(title=f"What the tide left, {number}", text="Rope and *glass*. " * 400)
        article = create_article(session, show, given, now=now)
    for number in range(_PAGES):
        page = create_page(session, show, PageInput(title=f"Page {number}", text="Ebb."), now=now)
        named = SponsorInput(name=f"Chandlery {number}", text="Rope by the metre.")
        sponsor = create_sponsor(session, show, named, now=now)
    return {"article": article.id, "page": page.id, "sponsor": sponsor.id}


def _put_aside(session: Session, drafts: Sequence[str], now: datetime) -> None:
    """Make some of the drafts scheduled, and some deleted."""
    for number, episode_id in enumerate(drafts[_DRAFTS : _DRAFTS + _SCHEDULED], 1):
        given = {"status": "scheduled", "published_at": now + timedelta(days=7 * number)}
        session.execute(update(Episode).where(Episode.id == episode_id).values(given))
    deleted = Episode.id.in_(drafts[_DRAFTS + _SCHEDULED :])
    session.execute(update(Episode).where(deleted).values(deleted_at=now))


def _make_faults(session: Session) -> None:
    """Have the feed doctor find something in every third episode, and in every seventh."""
    title = cast(Episode.number, String).concat(": ").concat(Episode.title)
    session.execute(update(Episode).where(Episode.number % 3 == 0).values(title=title))
    without = {"notes": "", "notes_html": ""}
    session.execute(update(Episode).where(Episode.number % 7 == 0).values(without))


def put_transcript(instance: Instance, episode_id: str) -> dict[str, Any]:
    """The transcript of an hour, with its file."""
    row = _transcript(episode_id)
    cues = "".join(
        f"{_clock(4 * number)} --> {_clock(4 * number + 4)}\n<v Ann Harbour>What the sea left "
        f"on the pier, part {number}, and who came by to look for it.\n\n"
        for number in range(_CUES)
    )
    body = f"WEBVTT\n\n{cues}".encode()
    instance.storage.put_bytes(row["storage_key"], body, content_type="text/vtt")
    return {**row, "size_bytes": len(body)}


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.000"


def _transcript(episode_id: str) -> dict[str, Any]:
    identity = new_id()
    return {
        "id": identity,
        "episode_id": episode_id,
        "position": 0,
        "storage_key": f"transcripts/{identity}.vtt",
        "source_sha256": (identity * 4)[:64],
        "sha256": (identity * 4)[:64],
        "size_bytes": 60_000,
        "mime_type": "text/vtt",
        "extension": "vtt",
        "language": "en",
        "created_at": datetime.fromisoformat("2026-01-01T06:00:00Z"),
    }


def _add_team(session: Session, instance: Instance, show: Show, now: datetime) -> list[Account]:
    """An operator, who comes first, a team of the show, and some who are invited to it."""
    team = []
    for number in range(_TEAM):
        account, _ = create_account(
            session,
            f"alice{number}@pod.example",
            name=f"Alice {number}",
            is_operator=number == 0,
            now=now,
        )
        role = ("owner", "editor", "analyst")[number % 3]
        session.add(Membership(show_id=show.id, account_id=account.id, role=role, created_at=now))
        create_invitation(
            session,
            f"bob{number}@pod.example",
            role,
            show,
            base_url=instance.base_url,
            language="en",
            now=now,
        )
        team.append(account)
    return team


def _add_history(
    session: Session, show: Show, ids: Sequence[str], actor: Account, now: datetime
) -> None:
    """Two changes of each episode, the last of the day before, with what the audit trail says.

    In each, a word of every line of the notes is another one.
    """
    history, audit = [], []
    notes = session.scalars(select(Episode.notes).where(Episode.id == ids[-1])).one()
    changed = re.sub(r"(?m)^(\W*\w+) (\w+)", r"\1 ferry", notes)
    by = {"actor_id": actor.id, "actor_name": actor.name, "way": "account"}
    for number in range(2 * len(ids)):
        at = now - timedelta(days=1, minutes=2 * len(ids) - number)
        of = {"show_id": show.id, "episode_id": ids[number % len(ids)], **by}
        fields = [
            {"field": "title", "before": f"Low {number}", "after": f"Low water {number}"},
            {"field": "notes", "before": notes, "after": changed},
        ]
        made = {"began_at": at, "at": at, "action": "changed", "fields": fields}
        history.append({"id": row_id(at), **of, **made})
        said = {"at": at, "last_at": at, "times": 1, "action": "patch_episode"}
        audit.append({"id": row_id(at), **of, **said, "subject": "Low water", "details": {}})
    session.execute(insert(HistoryEntry), history)
    session.execute(insert(AuditEntry), audit)


def _add_import(session: Session, show: Show, ids: Sequence[str], now: datetime) -> str:
    """The import that the show came by, done, with a remark on each episode; its id."""
    row = Import(
        id=new_id(),
        show_id=show.id,
        source="https://old.example/feed.xml",
        source_sha256="0" * 64,
        state="done",
        feed_url="https://old.example/feed.xml",
        notes=["The show had a tag that nobody knows."],
        differences=[],
        created_at=now,
        read_at=now,
        finished_at=now,
    )
    session.add(row)
    session.flush()
    episodes = [
        {
            "id": new_id(),
            "import_id": row.id,
            "position": position,
            "guid": f"old-{position}",
            "state": "done",
            "media_url": f"https://media.old.example/{position}.mp3",
            "media_host": "media.old.example",
            "imported": {"title": f"Low water {position}"},
            "notes": ["Its picture was too small."],
            "changed_at": now,
            "episode_id": episode_id,
        }
        for position, episode_id in enumerate(ids)
    ]
    session.execute(insert(ImportEpisode), episodes)
    return row.id
