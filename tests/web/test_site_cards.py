"""Pictures of shared links: drawn when asked for, one at a time, kept in little memory."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from podhost.app import create_app
from podhost.artwork import storage_key
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.formats import limits
from podhost.formats import share_pictures as drawing
from podhost.instance import Instance
from podhost.models import Show
from podhost.shows import get_show
from podhost.site.cards import Cards
from tests.asgi_client import Client
from tests.making import make_episode, make_show
from tests.web.test_site import read

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
EPISODE = "/tide-tables/episodes/low-water"
CARD = "/tide-tables/cards/episodes/low-water.jpg"


@pytest.fixture
def show(instance: Instance, mp3: Path) -> Show:
    """A show whose artwork is a real picture."""
    show = make_show(instance)
    picture = io.BytesIO()
    Image.new("RGB", (600, 600), (20, 90, 160)).save(picture, "JPEG")
    assert show.artwork is not None
    key = storage_key(show.artwork.id, 3000)
    instance.storage.put_bytes(key, picture.getvalue(), content_type="image/jpeg")
    make_episode(instance, show, mp3)
    make_episode(instance, show, mp3, "Draft", publish=False)
    return show


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles that were drawn; by the same code, but in this process, which is quick."""
    titles: list[str] = []

    def here(target: str, payload: dict[str, Any], **_: object) -> Any:
        titles.append(payload["title"])
        return drawing.draw_payload(payload)

    monkeypatch.setattr(limits, "run_limited", here)
    return titles


@pytest.fixture
def client(instance: Instance, show: Show) -> Iterator[Client]:
    yield Client(create_app(instance))


def test_a_shared_link_shows_a_card_with_artwork_and_title(
    client: Client, instance: Instance
) -> None:
    meta = read(client, EPISODE).meta()
    answer = client.get(meta["og:image"].removeprefix("https://pod.example"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert "max-age" in answer.headers["cache-control"]
    assert "content-encoding" not in answer.headers
    with Image.open(io.BytesIO(answer.content)) as card:
        assert card.size == (int(meta["og:image:width"]), int(meta["og:image:height"]))
        # Artwork on one side, white letters on the other.
        assert card.crop((64, 64, 500, 500)).resize((1, 1)).tobytes()[2] > 140
        assert max(card.crop((640, 64, 1136, 566)).convert("L").tobytes()) > 200
    # It is no page, and takes no room of theirs.
    assert not [key for key in instance_pages(client) if "cards" in key]


def instance_pages(client: Client) -> list[str]:
    app: Any = client._app
    return list(app.state.catalogue.pages)


def test_a_card_is_drawn_once_and_anew_when_its_title_changes(
    client: Client, instance: Instance, drawn: list[str]
) -> None:
    before = read(client, EPISODE).meta()["og:image"]
    for _ in range(3):
        assert client.get(CARD).status_code == 200
    assert drawn == ["Low water"]
    with instance.database.write() as session:
        episode = get_episode(session, get_show(session, "tide-tables"), "low-water")
        change_episode(session, episode, EpisodeInput(title="Ebb"), now=instance.now())
    assert read(client, EPISODE).meta()["og:image"] != before


def test_a_card_that_cannot_be_drawn_now_is_the_artwork(
    client: Client, instance: Instance, show: Show, drawn: list[str]
) -> None:
    assert show.artwork is not None
    instance.storage.delete(storage_key(show.artwork.id, 3000))
    answer = client.get(CARD)
    assert answer.status_code == 302
    assert answer.headers["location"] == f"https://pod.example/artwork/{show.artwork.id}/3000.jpg"
    assert answer.headers["cache-control"] == "no-store"
    assert drawn == []


def test_what_is_not_public_has_no_card(client: Client, drawn: list[str]) -> None:
    for name in ("draft", "nothing", "low-water%00"):
        for kind in ("episodes", "articles"):
            assert client.get(f"/tide-tables/cards/{kind}/{name}.jpg").status_code == 404
    assert drawn == []


def test_whoever_asks_for_many_gets_one_at_a_time_with_rests(
    instance: Instance, show: Show, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    found = Cards(instance.storage, clock=lambda: now[0])
    run_limited = limits.run_limited

    def slow(*arguments: Any, **given: Any) -> Any:
        # Somebody else asks meanwhile.
        assert found.card_of(show.artwork, "Two", "Tide Tables") is None
        now[0] += 1.0
        return run_limited(*arguments, **given)

    monkeypatch.setattr(limits, "run_limited", slow)
    assert found.card_of(show.artwork, "One", "Tide Tables")
    assert found.card_of(show.artwork, "One", "Tide Tables")
    assert found.card_of(show.artwork, "Two", "Tide Tables") is None
    assert drawn == ["One"]
    now[0] += 1.1
    monkeypatch.setattr(limits, "run_limited", run_limited)
    assert found.card_of(show.artwork, "Two", "Tide Tables")


def test_cards_stay_within_their_memory(instance: Instance, show: Show, drawn: list[str]) -> None:
    found = Cards(instance.storage, most_bytes=60_000, clock=lambda: 0.0)
    for number in range(6):
        assert found.card_of(show.artwork, f"Number {number}", "Tide Tables")
        assert found.used_bytes <= 60_000
    assert found.card_of(show.artwork, "Number 5", "Tide Tables")
    assert drawn.count("Number 5") == 1
    assert found.card_of(show.artwork, "Number 0", "Tide Tables")
    assert drawn.count("Number 0") == 2
