"""The episode page without scripts: every button sends the form, and nothing typed is lost."""

import html
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from podhost.episodes import get_episode
from podhost.instance import Instance
from podhost.models import Episode
from podhost.shows import get_show
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient, text_of
from tests.web.studio.sent_forms import pairs_of

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)> "quoted" {{7*7}}'
PERSON = ("name", "role", "url", "bio", "image_url", "artwork_id", "links")


class Desk:
    """Somebody with the page of one episode open, who sends what it holds."""

    def __init__(self, visitor: StudioClient, episode: Episode) -> None:
        self.visitor = visitor
        self.path = f"/shows/{episode.show.slug}/episodes/{episode.id}"
        self.form: dict[str, Any] = {}
        self.open()

    def open(self) -> httpx.Response:
        return self._take(self.visitor.get(self.path))

    def send(self, do: str = "save", **typed: Any) -> httpx.Response:
        """Press a button of the page that is open, with these fields typed over."""
        answer = self.visitor.post(self.path, {**self.form, **typed, "do": do})
        if answer.status_code == 303:
            return self._take(self.visitor.follow(answer))
        return self._take(answer)

    def _take(self, answer: httpx.Response) -> httpx.Response:
        if 'id="episode-form"' in answer.text:
            self.form = fields_of(answer.text, f"/studio{self.path}")
        return answer


def fields_of(page: str, action: str) -> dict[str, Any]:
    """What a browser would send of the form as it stands."""
    found: dict[str, Any] = {}
    for name, value in pairs_of(page, action):
        if name.startswith("person_"):
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


@pytest.fixture
def draft(instance: Instance) -> Episode:
    return make_episode(instance, make_show(instance), None, publish=False, notes="The *tide*.")


@pytest.fixture
def published(instance: Instance, mp3: Path) -> Episode:
    return make_episode(instance, make_show(instance), mp3, notes="The *tide*.")


def desk(instance: Instance, episode: Episode, role: str = "editor") -> Desk:
    return Desk(StudioClient.visit_as(instance, role, episode.show.slug), episode)


def stored(instance: Instance, episode: Episode) -> Episode:
    with instance.database.read() as session:
        found = get_episode(session, get_show(session, episode.show.slug), episode.id)
        # Loaded while the session is there.
        assert len(found.credits) >= 0
        return found


def test_a_page_that_is_sent_as_it_is_changes_nothing(instance: Instance, draft: Episode) -> None:
    at = desk(instance, draft)
    assert "Saved." in at.send().text
    assert stored(instance, draft).edit_version == 1


def test_every_field_of_a_draft_is_kept(instance: Instance, draft: Episode) -> None:
    at = desk(instance, draft)
    typed = {
        "title": "High water",
        "notes": "**Flood**\r\n\r\n- one",
        "season": "2",
        "number": "7",
        "episode_type": "bonus",
        "explicit": "no",
        "blocked": "yes",
        "slug": "flood",
        "link": "https://tide.example/",
        "author": "Pier Ten",
        "season_name": "Winter",
        "apple_title": "Flood",
        "decimal_number": "7.5",
        "episode_display": "VII",
        "artwork_alt": "A gauge",
        "labels": "tides, gauges",
        "license": "Our own https://tide.example/terms",
        "funding": "https://give.example/ Give\nhttps://more.example/",
        "content_links": "https://video.example/7 Watch it",
    }
    people = {f"person_{name}": ["", ""] for name in PERSON} | {
        "person_name": ["Ann Bell", "Bo"],
        "person_role": ["cast/guest", "audio post-production/composer"],
        "person_bio": ["Harbour\r\nmaster", ""],
        "person_links": ["https://social.example/@ann Fediverse", ""],
    }
    page = at.send(**typed, **people)
    assert "Saved." in text_of(page), text_of(page)[:3000]
    sent = {name: value.replace("\r", "") for name, value in typed.items()}
    assert {name: at.form[name] for name in typed} == sent
    episode = stored(instance, draft)
    assert (episode.season, episode.explicit, episode.is_blocked) == (2, False, True)
    assert [(c.name, c.role, c.bio) for c in episode.credits] == [
        ("Ann Bell", "guest", "Harbour\nmaster"),
        ("Bo", "composer", ""),
    ]
    ann = {"url": "https://social.example/@ann", "name": "Fediverse"}
    assert episode.credits[0].links == [ann]
    at.send("down:0")
    assert [c.name for c in stored(instance, draft).credits] == ["Bo", "Ann Bell"]
    at.send("remove:0")
    assert stored(instance, draft).credits[0].links == [ann]
    assert [c.name for c in stored(instance, draft).credits] == ["Ann Bell"]
    assert stored(instance, draft).is_blocked
    del at.form["blocked"]
    at.send()
    assert not stored(instance, draft).is_blocked


def test_what_is_wrong_stands_beside_the_field_and_stays_typed(
    instance: Instance, draft: Episode
) -> None:
    at = desk(instance, draft)
    answer = at.send(title="", number="seven", link="x", notes="kept")
    assert answer.status_code == 422
    assert (at.form["title"], at.form["number"], at.form["link"]) == ("", "seven", "x")
    for name in ("title", "number", "link"):
        assert re.search(rf'id="{name}-error" data-error>[^<]+</p>', answer.text), name
    assert stored(instance, draft).notes == "kept"
    # It is still there for whoever comes back later; only what is no number at all is gone.
    at.open()
    assert (at.form["title"], at.form["link"]) == ("", "x")
    assert at.send("publish").status_code == 422
    # Who gives it up has the episode as it was.
    assert "discarded" in at.send("discard").text
    assert at.form["title"] == "Low water"


def test_nothing_typed_runs_as_a_script(instance: Instance, draft: Episode) -> None:
    at = desk(instance, draft)
    people = {f"person_{name}": [HOSTILE if name == "name" else ""] for name in PERSON}
    page = at.send(title=HOSTILE, notes=f"{HOSTILE}\n\n[x](javascript:alert(3))", **people)
    assert "Saved." in page.text
    assert "<script>alert" not in page.text
    assert "onerror" not in page.text.partition("data-preview>")[2].partition("</div>")[0]
    assert 'href="javascript' not in page.text
    assert "49" not in at.form["title"]


def test_a_published_episode_changes_when_it_is_updated(
    instance: Instance, published: Episode
) -> None:
    at = desk(instance, published)
    page = at.send(title="High water")
    assert "Saved for you" in page.text
    assert at.form["title"] == "High water"
    assert stored(instance, published).title == "Low water"
    assert "updated" in at.send("update").text
    assert stored(instance, published).title == "High water"
    at.send(title="Ebb")
    assert "discarded" in at.send("discard").text
    assert (at.form["title"], stored(instance, published).title) == ("High water", "High water")


def test_both_texts_are_shown_where_two_people_changed_the_same(
    instance: Instance, published: Episode
) -> None:
    alice, bob = desk(instance, published, "owner"), desk(instance, published)
    alice.send(title="Alice's", notes="Alice's notes.")
    alice.send("update")
    answer = bob.send("update", title="Bob's", link="https://bob.example/")
    assert answer.status_code == 409
    assert "Owner changed this while you did" in text_of(answer)
    assert ("Alice&#39;s" in answer.text) and bob.form["title"] == "Bob's"
    assert bob.form["notes"] == "Alice's notes."
    # Sent again without a decision, it is still not taken.
    assert bob.send("update", title="Bob's own").status_code == 409
    assert "Saved for you" in bob.send("mine:title").text
    bob.send("update")
    episode = stored(instance, published)
    assert (episode.title, episode.notes, episode.link) == (
        "Bob's own",
        "Alice's notes.",
        "https://bob.example/",
    )
    alice.send("update", title="Alice again")
    alice.send("theirs:title")
    assert alice.form["title"] == "Bob's own"


def test_it_is_published_scheduled_withdrawn_and_deleted(instance: Instance, mp3: Path) -> None:
    show = make_show(instance, time_zone="America/New_York")
    episode = make_episode(instance, show, mp3, publish=False)
    at = desk(instance, episode)
    assert at.send("schedule").status_code == 422
    assert at.send("schedule", at="soon").status_code == 422
    page = at.send("schedule", at="2026-03-08T02:30", title="At night")
    assert "There is no 02:30" in html.unescape(page.text)
    assert at.form["at"] == "2026-03-08T03:30"
    assert "New York" in page.text
    row = stored(instance, episode)
    assert (row.status, row.title) == ("scheduled", "At night")
    assert "draft again" in at.send("withdraw").text
    assert "is published" in at.send("publish").text
    assert "withdrawn" in at.send("withdraw").text
    assert "Publish again" in at.open().text
    at.send("publish")
    assert stored(instance, episode).status == "published"
    answer = at.visitor.post(at.path, {**at.form, "do": "delete"})
    assert answer.headers["location"] == f"/studio/shows/{show.slug}/"
    assert at.visitor.get(at.path).status_code == 410


def test_it_says_what_is_missing_before_publishing(instance: Instance, draft: Episode) -> None:
    at = desk(instance, draft)
    assert "no audio yet" in text_of(at.open())
    answer = at.send("publish", title="Typed before")
    assert answer.status_code == 422
    assert stored(instance, draft).title == "Typed before"


def test_a_form_from_anywhere_is_read_or_refused(instance: Instance, draft: Episode) -> None:
    at = desk(instance, draft)
    for typed in (
        {"version": "99999999999"},
        {"version": "x", "was": "[]"},
        {"was": "{", "season": "9" * 50},
        {"do": "mine:nothing"},
        {"do": "up:99999"},
        {"do": "theirs:guid"},
        {"episode_type": "x" * 1000},
        {"title": "\x00\ud7ff" * 600},
        {"person_name": ["a"] * 300, "person_role": ["x/y"] * 300},
    ):
        answer = at.visitor.post(at.path, {**at.form, "do": "save", **typed})
        assert answer.status_code in (303, 409, 422), (typed, answer.status_code)
    before = stored(instance, draft).edit_version
    at.visitor.post(at.path, {})
    assert stored(instance, draft).edit_version == before


def test_it_speaks_spanish(instance: Instance, draft: Episode) -> None:
    at = desk(instance, draft)
    page = at.visitor.get(at.path, headers={"Accept-Language": "es"})
    assert "Título" in page.text
    assert "Publicar ahora" in page.text


def test_it_asks_as_much_of_the_database_with_many_episodes(instance: Instance) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False)
    at = desk(instance, episode)
    before = queries(instance, at)
    for number in range(20):
        make_episode(instance, show, None, f"E{number}", publish=False)
    assert queries(instance, at) == before


def queries(instance: Instance, at: Desk) -> int:
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    engine = instance.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        at.open()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return count
