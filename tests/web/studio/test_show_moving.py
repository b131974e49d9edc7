"""The pages on which shows are made, submitted, moved in and moved out."""

import re
from collections.abc import Iterator

import pytest

from podhost.config import read_settings
from podhost.fetching import Fetcher
from podhost.formats.categories import categories
from podhost.instance import Instance, open_instance
from podhost.shows import ShowInput, change_show, get_show
from podhost.shows.directories import DIRECTORIES
from podhost.translations import words
from podhost.web.studio.pickers import category_choices
from podhost.worker import run_due_jobs
from tests.conftest import FrozenClock
from tests.importing.test_runs import with_audio
from tests.making import make_show
from tests.old_host import OldHost, item, old_host
from tests.studio_client import StudioClient, text_of
from tests.web.studio.sent_forms import inputs_of
from tests.web.test_api_imports import work

ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
NEW = "/imports/new"


@pytest.fixture
def host() -> Iterator[OldHost]:
    with old_host() as running:
        yield running


@pytest.fixture
def instance(environment: dict[str, str], clock: FrozenClock, host: OldHost) -> Iterator[Instance]:
    settings = read_settings(environment | {"PODHOST_FETCH_ALLOWED": host.address})
    opened = open_instance(settings, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def operator(instance: Instance) -> StudioClient:
    return StudioClient.visit_as(instance, "operator")


@ON_ONE_ENGINE
def test_the_steps_of_a_move_are_said_in_one_language(
    instance: Instance, operator: StudioClient
) -> None:
    show = make_show(instance)
    page = operator.get(f"/shows/{show.slug}/move", headers={"Accept-Language": "es"})
    assert "Step" not in text_of(page)
    assert "the new address" not in text_of(page)
    assert "el pódcast, ajustes de RSS." in text_of(page)


@ON_ONE_ENGINE
def test_a_show_is_moved_in_after_a_look_at_what_would_come(
    instance: Instance, operator: StudioClient, host: OldHost
) -> None:
    with_audio(host, 1)
    feed = host.feed(item(2), item(1, more="<description>&lt;script&gt;</description>"))
    looked = operator.post(NEW, {"step": "look", "source": feed}, files={"feed": ("none.xml", b"")})
    assert looked.status_code == 200, text_of(looked)
    assert "Tide Tables" in text_of(looked)
    inputs = inputs_of(looked.text, "/studio/imports/new")
    assert (inputs["step"], inputs["source"]) == ("begin", feed)
    begun = operator.post(NEW, inputs, files={"feed": ("none.xml", b"")})
    place = begun.headers["location"]
    page = operator.get(place)
    assert re.search(r'data-import="\w+"', page.text)
    work(instance, host)
    page = operator.get(place)
    assert "1 of 2" in text_of(page)
    assert "404" in text_of(page)
    assert "Try these again" in text_of(page)
    with_audio(host, 2)
    operator.post(f"{place}/retry")
    work(instance, host)
    page = operator.get(place)
    assert "2 of 2" in text_of(page)
    assert "Try these again" not in text_of(page)
    assert re.search(r"[0-9a-f]{64}", page.text)
    host.feed(item(3), item(2), item(1))
    with_audio(host, 3)
    operator.post(f"{place}/sync")
    work(instance, host)
    assert "3 of 3" in text_of(operator.get(place))
    assert "Tide Tables" in text_of(operator.get("/imports"))


def test_a_feed_is_moved_in_from_a_file(
    instance: Instance, operator: StudioClient, host: OldHost
) -> None:
    with_audio(host, 1)
    host.feed(item(1), channel="<podcast:locked>yes</podcast:locked>")
    body = host.answers.pop("/feed.xml").body
    files = {"feed": ("old.xml", body, "text/xml")}
    locked = operator.post(NEW, {"step": "look", "source": ""}, files=files)
    assert "locked" in text_of(locked)
    inputs = inputs_of(locked.text, "/studio/imports/new")
    assert inputs["step"] == "look"
    looked = operator.post(NEW, inputs, files={"feed": ("none.xml", b"")})
    begun = operator.post(
        NEW, inputs_of(looked.text, "/studio/imports/new"), files={"feed": ("none.xml", b"")}
    )
    work(instance, host)
    page = operator.get(begun.headers["location"])
    assert "1 of 1" in text_of(page)
    assert "old.xml" in text_of(page)
    assert "Bring what is new there" not in text_of(page)


@ON_ONE_ENGINE
@pytest.mark.parametrize(
    ("source", "body"),
    [("", b""), ("/etc/passwd", b""), ("<script>", b""), ("", b"no feed"), ("upload:0", b"")],
)
def test_what_cannot_be_moved_in_is_said_and_kept(
    operator: StudioClient, source: str, body: bytes
) -> None:
    files = {"feed": ("<script>.xml", body)}
    answer = operator.post(NEW, {"step": "look", "source": source}, files=files)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "<script>" not in answer.text.replace('<script type="module"', "")
    assert "Traceback" not in answer.text


@ON_ONE_ENGINE
def test_a_show_moves_out_and_comes_back(instance: Instance, host: OldHost) -> None:
    show = make_show(instance)
    owner = StudioClient.visit_as(instance, "owner", show.slug)
    page = owner.get(f"/shows/{show.slug}/move")
    assert "Unlock the feed" in text_of(page)
    owner.post(f"/shows/{show.slug}/move/unlock")
    wrong = owner.post(f"/shows/{show.slug}/move", {"moved_to": "nowhere"})
    assert wrong.status_code == 422
    assert 'value="nowhere"' in wrong.text
    assert owner.post(f"/shows/{show.slug}/move", {"moved_to": ""}).status_code == 422
    new_feed = host.feed(channel=f"<podcast:guid>{show.podcast_guid}</podcast:guid>")
    begun = owner.post(f"/shows/{show.slug}/move", {"moved_to": new_feed, "moved_audio": "on"})
    assert begun.status_code == 303
    assert 'data-move="tide-tables"' in owner.get(f"/shows/{show.slug}/move").text
    _move(instance, host)
    with instance.database.read() as session:
        assert get_show(session, show.slug).redirect_to == new_feed
    page = owner.get(f"/shows/{show.slug}/move")
    assert "The feed leads to its new address." in text_of(page)
    owner.post(f"/shows/{show.slug}/move/back")
    with instance.database.read() as session:
        found = get_show(session, show.slug)
        assert (found.redirect_to, found.moved_to, found.moved_audio) == (None, None, False)


def _move(instance: Instance, host: OldHost) -> None:
    from podhost.worker import run_next_move

    with Fetcher(allowed=(host.address,), user_agent="podhost tests") as fetcher:
        while run_next_move(instance, fetcher, owner="tests"):
            run_due_jobs(instance)


def test_the_page_of_directories_keeps_what_was_noted(instance: Instance) -> None:
    show = make_show(instance)
    owner = StudioClient.visit_as(instance, "owner", show.slug)
    path = f"/shows/{show.slug}/submit"
    page = owner.get(path)
    assert 'value="https://pod.example/tide-tables/feed.xml"' in page.text
    assert "there is none" in text_of(page)
    for directory in DIRECTORIES:
        assert f'href="{directory.url}"' in page.text
    noted = {"directory": "spotify", "submitted_on": "2026-03-01", "note": "<b>Code</b> came"}
    assert owner.post(path, noted).status_code == 303
    assert owner.post(path, {"directory": "deezer", "today": "on"}).status_code == 303
    page = owner.get(path)
    assert page.text.count('value="2026-03-01"') == 1
    assert "1 Mar 2026" in text_of(page)
    assert page.text.count('value="2026-03-05"') == 1
    assert "&lt;b&gt;Code&lt;/b&gt; came" in page.text
    wrong = owner.post(path, {"directory": "apple", "listed_url": "javascript:alert(1)"})
    assert wrong.status_code == 422
    assert 'id="apple-listed_url-error"' in wrong.text
    assert 'href="javascript' not in wrong.text
    assert owner.post(path, {"directory": "nothing"}).status_code == 404
    with instance.database.write() as session:
        given = ShowInput(owner_email="pia@tide.example")
        change_show(session, get_show(session, show.slug), given, now=instance.now())
    assert "pia@tide.example" in text_of(owner.get(path))
    analyst = StudioClient.visit_as(instance, "analyst", show.slug, client=owner.client)
    page = analyst.get(path)
    assert page.status_code == 200
    assert 'name="listed_url"' not in page.text
    assert analyst.post(path, noted).status_code == 403


def test_directories_and_categories_are_there_in_spanish() -> None:
    spoken = words("es")
    for parent, children in categories().items():
        for name in (parent, *children):
            assert name in spoken._catalogue, name
    assert category_choices(spoken.find)["Historia"] == [("History", "Historia")]
    for directory in DIRECTORIES:
        for sentence in filter(None, (directory.takes, directory.note)):
            assert spoken.find(sentence) != sentence
