"""The pages of episodes, calendar, history and trash, as forms and links without a script."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from podhost.episodes import EpisodeInput, change_episode
from podhost.episodes.publishing import publish_episode
from podhost.instance import Instance
from podhost.models import Episode
from podhost.people import CreditInput
from tests.history.test_recording import loaded
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient, text_of

SHOW = "/shows/tide-tables"


@pytest.fixture
def editor(instance: Instance) -> StudioClient:
    make_show(instance, time_zone="Europe/Madrid")
    return StudioClient.visit_as(instance, "editor", "tide-tables")


@pytest.fixture
def episode(instance: Instance, editor: StudioClient, mp3: Path) -> Episode:
    return make(instance, "Low water", mp3)


def make(instance: Instance, title: str, mp3: Path | None, **given) -> Episode:
    with instance.database.read() as session:
        from podhost.shows import get_show

        show = get_show(session, "tide-tables")
    return make_episode(instance, show, mp3, title, publish=False, **given)


def row(instance: Instance, episode: Episode) -> Episode:
    with instance.database.read() as session:
        return session.get_one(Episode, episode.id)


def undo_form(page: str) -> str:
    found = re.search(r'class="said".*?action="/studio([^"]+)"', page, re.DOTALL)
    assert found is not None, page
    return found[1]


def test_the_list_says_what_is_missing(instance: Instance, editor: StudioClient) -> None:
    make(instance, "Bare & dry", None, season=2, number=5)
    said = text_of(editor.get(SHOW + "/"))
    assert "Bare &amp; dry" in editor.get(SHOW + "/").text
    for words in ("Drafts 1", "Season 2 · Episode 5", "no audio", "no transcript"):
        assert words in said, said


def test_an_empty_show_leads_to_the_upload(editor: StudioClient) -> None:
    assert "There are no episodes yet." in text_of(editor.get(SHOW + "/"))


def test_a_search_that_makes_no_sense_is_no_error(editor: StudioClient, episode: Episode) -> None:
    for query in ("?page=99999", "?page=-1", "?season=%00", "?state=x&sort=y&lacks=z", "?q=%25"):
        answer = editor.get(f"{SHOW}/{query}")
        assert answer.status_code in (200, 303), query
    assert "No episode is like that." in text_of(editor.get(f"{SHOW}/?q=zebra"))


def test_the_list_takes_as_many_queries_for_two_as_for_ten(
    instance: Instance, editor: StudioClient
) -> None:
    counts = []
    for number in range(10):
        make(instance, f"Episode {number}", None, guests=[CreditInput(name=f"Ann {number}")])
        if number in (1, 9):
            counts.append(queries(instance, editor))
    assert counts[0] == counts[1]


def queries(instance: Instance, visitor: StudioClient) -> int:
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    event.listen(instance.database.engine, "before_cursor_execute", note)
    assert visitor.get(SHOW + "/").status_code == 200
    event.remove(instance.database.engine, "before_cursor_execute", note)
    return count


def test_several_are_published_after_one_question_and_taken_back(
    instance: Instance, editor: StudioClient, episode: Episode, mp3: Path
) -> None:
    other = make(instance, "High water", mp3)
    form = {"episode": [episode.id, other.id], "action": "publish", "back": SHOW + "/"}
    asked = editor.post(SHOW + "/bulk", form)
    assert "Publish 2 episodes now?" in text_of(asked)
    assert row(instance, episode).status == "draft"
    done = editor.follow(editor.post(SHOW + "/bulk", {**form, "sure": "yes"}))
    assert "Done for 2 episodes." in text_of(done)
    assert row(instance, other).status == "published"
    undone = editor.follow(editor.post(undo_form(done.text)))
    assert "Done for 2 episodes." in text_of(undone)
    assert {row(instance, one).status for one in (episode, other)} == {"withdrawn"}


def test_what_could_not_be_done_is_told_for_each(
    instance: Instance, editor: StudioClient, episode: Episode
) -> None:
    bare = make(instance, "Bare", None)
    form = {"episode": [episode.id, bare.id], "action": "publish", "sure": "yes"}
    answer = text_of(editor.post(SHOW + "/bulk", form))
    assert "Done for 1 episode." in answer
    assert "Bare : The episode has no audio yet" in answer


def test_a_wrong_season_is_told_beside_its_field(
    instance: Instance, editor: StudioClient, episode: Episode
) -> None:
    form = {"episode": episode.id, "action": "season", "sure": "yes", "season": "two"}
    answer = editor.post(SHOW + "/bulk", form)
    assert answer.status_code == 422
    assert 'value="two"' in answer.text and "It must be a whole number from 1 up." in answer.text
    editor.post(SHOW + "/bulk", {**form, "season": "2"})
    assert row(instance, episode).season == 2


def test_nothing_chosen_and_nonsense_are_no_error(editor: StudioClient, episode: Episode) -> None:
    nothing = editor.follow(editor.post(SHOW + "/bulk", {"action": "publish"}))
    assert "Choose at least one episode first." in text_of(nothing)
    form = {"episode": episode.id, "action": "burn"}
    assert editor.post(SHOW + "/bulk", form).status_code == 422
    away = {"episode": episode.id, "action": "season", "sure": "1", "back": "//evil.example/"}
    answer = editor.post(SHOW + "/bulk", away)
    assert answer.headers["location"] == f"/studio{SHOW}/"


def test_what_is_deleted_comes_back_from_the_trash(
    instance: Instance, editor: StudioClient, episode: Episode
) -> None:
    form = {"episode": episode.id, "action": "delete", "sure": "yes"}
    editor.post(SHOW + "/bulk", form)
    trash = text_of(editor.get(SHOW + "/trash"))
    assert "Low water" in trash and "Stays until 4 Apr 2026" in trash
    back = editor.follow(editor.post(f"{SHOW}/trash/{episode.id}/restore"))
    assert "“Low water” is back." in text_of(back)
    assert row(instance, episode).deleted_at is None


def test_an_episode_is_moved_in_the_calendar_and_back(
    instance: Instance, editor: StudioClient, episode: Episode
) -> None:
    page = editor.get(f"{SHOW}/calendar?month=2026-03&move={episode.id}")
    assert "When does “Low water” come out?" in text_of(page)
    path = f"{SHOW}/episodes/{episode.id}/plan"
    refused = editor.post(path, {"day": "2026-03-01", "time": "09:00", "month": "2026-03"})
    assert refused.status_code == 422
    assert "This time has passed" in refused.text and 'value="2026-03-01"' in refused.text
    moved = editor.follow(editor.post(path, {"day": "2026-03-31", "time": "23:30"}))
    assert "comes out on 31 March 2026 at 23:30 (Madrid)" in text_of(moved)
    assert re.search(r'data-day="2026-03-31"(?:(?!</li>).)*23:30', moved.text, re.DOTALL)
    assert "23:30" not in editor.get(f"{SHOW}/calendar?month=2026-04").text
    editor.post(undo_form(moved.text))
    assert row(instance, episode).status == "draft"


MONTHS = re.compile(r'rel="(prev|next)" href="\?month=([\d-]+)"')


def test_the_calendar_goes_from_the_first_episode_to_two_years_ahead(
    instance: Instance, editor: StudioClient, episode: Episode, mp3: Path
) -> None:
    def ways(month: str) -> dict[str, str]:
        page = editor.get(f"{SHOW}/calendar?month={month}").text
        return dict(MONTHS.findall(page))

    assert ways("2026-03") == {"next": "2026-04"}
    assert ways("2028-03") == {"prev": "2028-02"}
    with instance.database.write() as session:
        # In Madrid it was February already.
        at = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
        publish_episode(session, loaded(session, episode), now=instance.now(), at=at)
    assert ways("2026-02") == {"next": "2026-03"}
    path = f"{SHOW}/episodes/{make(instance, 'Far away', mp3).id}/plan"
    far = editor.follow(editor.post(path, {"day": "2031-05-01", "time": "09:00"}))
    assert dict(MONTHS.findall(far.text)) == {"prev": "2031-04"}
    assert ways("2028-03") == {"prev": "2028-02", "next": "2028-04"}


@pytest.mark.parametrize(
    "month", ["2026-13", "x", "0001-01", "9999-12", "%00", "2026-02", "2028-04"]
)
def test_a_month_that_is_none_is_this_one(editor: StudioClient, month: str) -> None:
    assert "March 2026" in text_of(editor.get(f"{SHOW}/calendar?month={month}"))


def test_a_change_is_shown_in_words_and_taken_back(
    instance: Instance, editor: StudioClient, episode: Episode
) -> None:
    with instance.database.write() as session:
        given = EpisodeInput(title="<i>High</i>", notes="Said & done.", explicit=True)
        change_episode(session, loaded(session, episode), given, now=instance.now())
    page = editor.get(f"{SHOW}/episodes/{episode.id}/history")
    assert "<ins>Said &amp; done.</ins>" in page.text and "<i>High" not in page.text
    assert "Explicit" in text_of(page)
    path = re.findall(r'action="/studio([^"]+/undo)"', page.text)[0]
    done = editor.follow(editor.post(path))
    assert "It is as it was before." in text_of(done)
    assert row(instance, episode).title == "Low water"
    assert "Changed again since: Title, Notes, Explicit." in text_of(done)
    refused = editor.post(path)
    assert refused.status_code == 409
    editor.post(path, {"anyway": "yes"})
    assert row(instance, episode).title == "Low water"


def test_an_owner_sees_who_did_what(instance: Instance, editor: StudioClient) -> None:
    make(instance, "Low water", None)
    with instance.database.read() as session:
        key = session.query(Episode).one().id
    editor.post(SHOW + "/bulk", {"episode": key, "action": "season", "season": "3", "sure": "1"})
    owner = StudioClient.visit_as(instance, "owner", "tide-tables", client=editor.client)
    said = text_of(owner.get(SHOW + "/activity"))
    assert "Editor changed several episodes: Low water Season" in said, said
    operator = StudioClient.visit_as(instance, "operator", client=editor.client)
    assert "Low water" in text_of(operator.get("/activity"))


def test_the_pages_speak_spanish(instance: Instance, editor: StudioClient) -> None:
    bare = make(instance, "Marea baja", None)
    spanish = {"Accept-Language": "es-ES,es;q=0.9"}
    said = text_of(editor.get(SHOW + "/", headers=spanish))
    assert "Borradores 1" in said and "sin transcripción" in said
    assert "Marzo de 2026" in text_of(editor.get(SHOW + "/calendar", headers=spanish))
    form = {"episode": bare.id, "action": "publish", "sure": "yes"}
    refused = text_of(editor.post(SHOW + "/bulk", form, headers=spanish))
    assert "El episodio todavía no tiene audio" in refused
