"""The slug of a draft that was made of a file follows its title, until somebody says otherwise."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from podhost.accounts.roles import Actor, act
from podhost.audio.revisions import prepare_audio_file
from podhost.episodes import EpisodeInput, change_episode, create_episode, get_episode
from podhost.episodes.publishing import publish_episode
from podhost.history.undo import list_history, undo
from podhost.instance import Instance
from podhost.models import Episode, EpisodeSlug
from podhost.shows import get_show
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def draft(instance: Instance, mp3: Path) -> Episode:
    """What becomes of a file that is dropped on the upload page."""
    return made(instance, mp3)


def made(instance: Instance, mp3: Path, **given: str) -> Episode:
    make_show(instance)
    prepared = prepare_audio_file(instance.storage, mp3)
    with instance.database.write() as session:
        show = get_show(session, "tide-tables", lock=True)
        return create_episode(session, show, EpisodeInput(**given), prepared, now=instance.now())


def change(instance: Instance, draft: Episode, **given: str) -> str:
    """The slug that it has after that."""
    with instance.database.write() as session:
        act(session, Actor("0" * 16, "alice@pod.example"))
        row = get_episode(session, get_show(session, "tide-tables", lock=True), draft.id)
        change_episode(session, row, EpisodeInput(**given), now=instance.now())
        return row.slug


def publish(instance: Instance, draft: Episode) -> None:
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, "tide-tables", lock=True), draft.id)
        publish_episode(session, row, now=instance.now())


def old_slugs(instance: Instance) -> int:
    with instance.database.read() as session:
        return session.scalar(select(func.count()).select_from(EpisodeSlug)) or 0


def test_it_follows_the_title_and_leaves_no_way_from_the_old_one(
    instance: Instance, draft: Episode
) -> None:
    assert change(instance, draft, title="High water") == "high-water"
    assert change(instance, draft, notes="Said.") == "high-water"
    assert change(instance, draft, title="High water!") == "high-water"
    with instance.database.read() as session:
        show = get_show(session, "tide-tables")
    make_episode(instance, show, None, "Ebb", publish=False)
    assert change(instance, draft, title="Ebb") == "ebb-2"
    assert change(instance, draft, title="Ebb?") == "ebb-2"
    assert old_slugs(instance) == 0


def test_what_was_published_keeps_its_slug(instance: Instance, draft: Episode) -> None:
    change(instance, draft, title="High water")
    publish(instance, draft)
    assert change(instance, draft, title="Ebb") == "high-water"


def test_a_slug_that_somebody_gave_stays(instance: Instance, draft: Episode) -> None:
    assert change(instance, draft, slug="flood") == "flood"
    assert change(instance, draft, title="High water") == "flood"


def test_a_slug_that_somebody_wants_to_stay_stays(instance: Instance, draft: Episode) -> None:
    assert change(instance, draft, slug=draft.slug, title="High water") == draft.slug
    assert change(instance, draft, title="Ebb") == draft.slug


@pytest.mark.parametrize("given", [{"title": "Low water"}, {"slug": "low-water"}])
def test_what_was_said_when_it_was_made_stays(
    instance: Instance, mp3: Path, given: dict[str, str]
) -> None:
    draft = made(instance, mp3, **given)
    assert change(instance, draft, title="High water") == "low-water"


def test_a_title_that_is_typed_bit_by_bit_is_one_change_which_is_taken_back(
    instance: Instance, draft: Episode, clock: FrozenClock
) -> None:
    for title in ("Hi", "High", "High water"):
        clock.advance(seconds=5)
        change(instance, draft, title=title)
    with instance.database.write() as session:
        show = get_show(session, "tide-tables", lock=True)
        row = get_episode(session, show, draft.id)
        newest, *_, first = list_history(session, show, row)
        assert first.action == "created" and len(list_history(session, show, row)) == 2
        assert {values["field"] for values in newest.fields} == {"title", "slug"}
        undo(session, row, newest, now=instance.now())
        assert (row.title, row.slug) == (draft.title, draft.slug)
    assert old_slugs(instance) == 0
    assert change(instance, draft, title="Ebb") == "ebb"
