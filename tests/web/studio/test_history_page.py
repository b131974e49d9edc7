"""The pages of what was done tell it in words."""

from pathlib import Path

import pytest

from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.history.audit import PASSING, list_entries
from podhost.instance import Instance
from podhost.shows import get_show
from podhost.translations import words
from podhost.web.api import OPERATIONS
from podhost.web.studio.history_words import action_words
from podhost.web.studio.table import ROUTES
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient, text_of

on_one_pair = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@on_one_pair
def test_a_change_of_any_field_reads_as_the_page_calls_it(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    given = EpisodeInput(
        funding=[{"url": "https://give.example/", "label": "Give"}],
        content_links=[{"href": "https://other.example/x", "text": "Elsewhere & more"}],
        license={"name": "CC-BY-4.0"},
        labels=["night", "sea"],
        soundbites=[{"start": 2.5, "duration": 7, "title": "Bell"}],
        apple_title="Lights",
        artwork_alt="A lamp",
    )
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        change_episode(session, row, given, now=instance.now())
    owner = StudioClient.visit_as(instance, "owner", show.slug)
    told = text_of(owner.get(f"/shows/{show.slug}/episodes/{episode.id}/history"))
    assert not [sign for sign in ("{", "[", "&#34;", "&quot;") if sign in told], told
    for said in (
        *("Title for Apple", "Artwork in words", "Elsewhere", "Licence", "Ways to give money"),
        *("https://give.example/, Give", "night, sea", "0:02, 7 s, Bell", "CC-BY-4.0"),
    ):
        assert said in told, told


def test_every_deed_has_words() -> None:
    doing = {route.handler.__name__ for route in ROUTES if route.method != "GET"}
    doing |= {one.handler.__name__ for one in OPERATIONS if one.method != "GET"} - PASSING
    assert doing <= set(action_words(words("en")))


@on_one_pair
def test_a_question_is_no_deed(instance: Instance) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False)
    owner = StudioClient.visit_as(instance, "owner", show.slug)
    place = f"/shows/{show.slug}"
    asked = owner.post(f"{place}/bulk", {"action": "publish", "episode": episode.id})
    assert "Publish 1 episode now?" in text_of(asked)
    assert owner.post(f"{place}/delete", {"title": "Another"}).status_code == 422
    rename = {"slug": "other", "medium": "podcast"}
    assert owner.post(f"{place}/settings/advanced", rename).status_code == 422
    with instance.database.read() as session:
        assert not [row.action for row in list_entries(session, show_id=show.id)]
