"""Moving out: the new feed is read, the old addresses lead there, and nobody goes in a circle."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from podhost.audio.revisions import PreparedAudio, prepare_audio_file
from podhost.changes import changes_since, last_change
from podhost.checks import check_instance
from podhost.cli import podhost
from podhost.errors import Conflict
from podhost.feeds.formats import JSON
from podhost.feeds.rendering import snapshot_body
from podhost.fetching import Fetcher
from podhost.instance import Instance
from podhost.models import Episode, JsonSnapshot, Show
from podhost.moves import MoveReport, read_again, report_of
from podhost.shows import ShowInput, change_show, delete_show, get_show, path_here, show_warnings
from podhost.storage import LocalStorage
from podhost.worker import run_due_jobs, run_next_move
from tests.conftest import FrozenClock
from tests.importing.test_imports import OldHost, item, old_host
from tests.making import feed_body, make_episode, make_show

__all__ = ["old_host"]

# Where the other engine makes no difference.
ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
GUIDS = ("g1", "g2", "g3")


@pytest.fixture(scope="module")
def probed(mp3: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedAudio:
    """Audio that was probed once; its file lies in no storage that is looked at here."""
    return prepare_audio_file(LocalStorage(tmp_path_factory.mktemp("probed")), mp3)


@pytest.fixture
def show(instance: Instance, probed: PreparedAudio, clock: FrozenClock) -> Show:
    """Three episodes, under the guids that the items of the new feed have."""
    made = make_show(instance)
    for number, guid in enumerate(GUIDS, 1):
        audio = replace(probed, id=f"{number:016x}", storage_key=f"audio/{number}.mp3")
        make_episode(instance, made, audio, f"Number {number}", guid=guid)
        clock.advance(minutes=1)
    make_episode(instance, made, None, "A draft", publish=False)
    return made


@pytest.fixture
def move(instance: Instance, old_host: OldHost) -> Iterator[Callable[..., Show]]:
    """Ask for a move and have the new feed read; the show's row after that."""
    with Fetcher(allowed=(old_host.address,), user_agent="podhost tests") as fetcher:

        def run(*, anyway: bool = False, **given: Any) -> Show:
            with instance.database.write() as session:
                found = get_show(session, "tide-tables", lock=True)
                change_show(session, found, ShowInput(**given), now=instance.now())
                if anyway:
                    read_again(session, found, anyway=True, now=instance.now())
            while run_next_move(instance, fetcher, owner="alice"):
                pass
            return row(instance)

        yield run


def row(instance: Instance) -> Show:
    with instance.database.read() as session:
        return get_show(session, "tide-tables")


def audio_urls(instance: Instance) -> dict[str, str | None]:
    with instance.database.read() as session:
        return {
            episode.guid: episode.moved_audio_url
            for episode in session.query(Episode).where(Episode.status == "published")
        }


def new_feed(host: OldHost, show: Show, *items: str, channel: str = "") -> str:
    guid = f"<podcast:guid>{show.podcast_guid}</podcast:guid>"
    host.feed("/new.xml", *(items or map(item, (3, 2, 1))), channel=guid + channel)
    for number in (1, 2, 3):
        host.answers[f"/{number}.mp3"] = (200, {"Content-Type": "audio/mpeg"}, b"123456789")
    return f"{host.url}/new.xml"


def test_apps_are_sent_to_a_feed_that_has_everything(
    instance: Instance, show: Show, old_host: OldHost, move: Callable[..., Show]
) -> None:
    url = new_feed(old_host, show)
    before = last(instance)
    moved = move(moved_to=url, moved_audio=True)
    assert (moved.redirect_to, moved.moved_to) == (url, url)
    assert audio_urls(instance) == {f"g{n}": f"{old_host.url}/{n}.mp3" for n in (1, 2, 3)}
    found = report_of(moved)
    assert (found.episodes, found.found, found.audio, found.podcast_guid) == (3, 3, 3, "same")
    assert (found.problems, found.on_since) == ([], instance.now())
    # Whoever gets the old bytes is told the same, by one setting.
    assert f"<itunes:new-feed-url>{url}<".encode() in feed_body(instance, show)
    with instance.database.read() as session:
        snapshot = session.get_one(JsonSnapshot, show.id)
        said = json.loads(snapshot_body(snapshot))
        topics = {change.topic for change in changes_since(session, before)}
    assert said["expired"] is True and said["_podcast"]["new_feed_url"] == url
    assert JSON.path("x") == "/x/feed.json" and topics >= {"show", "episode", "feed"}
    assert any(url in warning for warning in show_warnings(row(instance)))
    # A second look finds the same and changes nothing that apps could see.
    version = row(instance).version
    assert move(anyway=True).redirect_to == url
    assert row(instance).version == version
    assert report_of(row(instance)).on_since == found.on_since


def last(instance: Instance) -> int:
    with instance.database.read() as session:
        return last_change(session)


def test_the_way_back_is_open(
    instance: Instance, show: Show, old_host: OldHost, move: Callable[..., Show]
) -> None:
    plain = feed_body(instance, show)
    move(moved_to=new_feed(old_host, show), moved_audio=True)
    feed_body(instance, show)
    # The audio alone comes back although the new host is away.
    old_host.answers.clear()
    back = move(moved_audio=False)
    assert set(audio_urls(instance).values()) == {None}
    assert back.redirect_to is not None
    assert "cannot be read" in report_of(back).problems[0]
    back = move(moved_to=None)
    assert (back.redirect_to, back.moved_to, back.move_report) == (None, None, None)
    assert b"new-feed-url" not in feed_body(instance, show)
    assert [line for line in feed_body(instance, show).splitlines() if b"Date" not in line] == [
        line for line in plain.splitlines() if b"Date" not in line
    ]


@ON_ONE_ENGINE
def test_a_feed_that_lacks_something_is_refused_with_what_it_lacks(
    instance: Instance, show: Show, old_host: OldHost, move: Callable[..., Show]
) -> None:
    url = new_feed(old_host, show, item(3), item(2).replace("g2", "G2"))
    refused = move(moved_to=url, moved_audio=True)
    assert refused.redirect_to is None
    [sentence] = report_of(refused).problems
    assert sentence.startswith("2 of 3 episodes are not in the new feed")
    assert "“Number 2” (g2), “Number 1” (g1)" in sentence
    assert set(audio_urls(instance).values()) == {None}
    run_due_jobs(instance)
    problems, _ = check_instance(instance, progress=lambda done, total: None)
    assert any("apps are not sent there. 2 of 3 episodes" in problem for problem in problems)
    # Said to be wanted all the same: what has no match goes on being served here.
    moved = move(anyway=True)
    assert moved.redirect_to == url
    assert audio_urls(instance) == {"g1": None, "g2": None, "g3": f"{old_host.url}/3.mp3"}
    run_due_jobs(instance)
    problems, sentence = check_instance(instance, progress=lambda done, total: None)
    assert not any("move" in problem for problem in problems)
    assert f"'tide-tables' leads to {url}." in sentence


@ON_ONE_ENGINE
def test_another_show_another_place_and_silent_audio_are_problems(
    instance: Instance, show: Show, old_host: OldHost, move: Callable[..., Show]
) -> None:
    other = "<podcast:guid>917393e3-1b1e-5cef-ace4-edaa54e1f810</podcast:guid>"
    old_host.feed("/other", *map(item, (1, 2, 3)), channel=other)
    url = new_feed(old_host, show)
    old_host.answers["/moved"] = (301, {"Location": url}, b"")
    old_host.answers["/1.mp3"] = (404, {}, b"")
    said = {
        "/other": "another podcast:guid",
        "/moved": "has moved itself (301)",
        "/nothing": "cannot be read: 127.0.0.1 has no feed at this address (404).",
        "/new.xml": "The audio of “Number 1” at the new host cannot be read: 127.0.0.1 answers 404",
    }
    for path, words in said.items():
        refused = move(moved_to=old_host.url + path, moved_audio=True)
        assert refused.redirect_to is None
        assert any(words in problem for problem in report_of(refused).problems), path
    # Who does not send listeners to the audio there is not asked about it.
    assert move(moved_to=url, moved_audio=False).redirect_to == url
    # A feed without a podcast:guid is known by its episodes.
    old_host.feed("/plain", *map(item, (1, 2, 3)))
    assert move(moved_to=f"{old_host.url}/plain").redirect_to == f"{old_host.url}/plain"
    assert report_of(row(instance)).podcast_guid == "none"


@ON_ONE_ENGINE
def test_while_another_place_is_looked_at_apps_go_where_they_went(
    instance: Instance, show: Show, old_host: OldHost, move: Callable[..., Show]
) -> None:
    url = new_feed(old_host, show)
    move(moved_to=url, moved_audio=True)
    elsewhere = move(moved_to=f"{old_host.url}/nothing")
    assert (elsewhere.redirect_to, elsewhere.moved_to) == (url, f"{old_host.url}/nothing")
    assert None not in audio_urls(instance).values()


@ON_ONE_ENGINE
def test_nobody_is_sent_in_a_circle(
    instance: Instance, show: Show, old_host: OldHost, move: Callable[..., Show]
) -> None:
    own = f"{instance.base_url}/tide-tables/feed.xml"
    assert "show's own address" in report_of(move(moved_to=own)).loops[0]
    with instance.database.write() as session:
        found = get_show(session, "tide-tables", lock=True)
        change_show(session, found, ShowInput(slug="tides"), now=instance.now())
        change_show(session, found, ShowInput(slug="tide-tables"), now=instance.now())
    for address in (own.replace("https", "http"), own.replace("/tide-tables/", "/tides/")):
        refused = move(moved_to=address, anyway=True)
        assert refused.redirect_to is None and report_of(refused).loops, address
    # Its audio is still ours, plainly and behind a service that measures.
    with instance.database.read() as session:
        ids = [session.query(Episode.id).where(Episode.guid == guid).scalar() for guid in GUIDS]
    ours = [f"{instance.base_url}/audio/{id_}/1/a.mp3" for id_ in ids]
    measured = ours[1].replace("https://", "https://op3.dev/e/")
    items = [
        item(1).replace("{url}/1.mp3", ours[0]),
        item(2).replace("{url}/2.mp3", measured),
        item(3),
    ]
    moved = move(moved_to=new_feed(old_host, show, *items), moved_audio=True)
    assert moved.redirect_to is not None and report_of(moved).audio == 1
    assert audio_urls(instance) == {"g1": None, "g2": None, "g3": f"{old_host.url}/3.mp3"}
    # The new feed says that the show went back.
    back = f"<itunes:new-feed-url>{own}</itunes:new-feed-url>"
    old_host.feed("/back", *map(item, (1, 2, 3)), channel=back)
    assert "moved back here" in report_of(move(moved_to=f"{old_host.url}/back")).problems[0]


@ON_ONE_ENGINE
def test_a_redirect_that_leads_back_is_a_circle(
    instance: Instance, show: Show, old_host: OldHost, move: Callable[..., Show]
) -> None:
    instance.base_url = old_host.url
    own = "/tide-tables/feed.xml"
    old_host.feed(own, *map(item, (1, 2, 3)))
    old_host.answers["/round"] = (302, {"Location": own}, b"")
    refused = move(moved_to=f"{old_host.url}/round", anyway=True)
    assert refused.redirect_to is None
    assert report_of(refused).loops == [
        "The new address leads back to this show's feed here: apps would go in a circle."
    ]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://pod.example/tide/feed.xml", "/tide/feed.xml"),
        ("http://POD.example.:80/tide/feed.xml", "/tide/feed.xml"),
        ("https://pod.example:8443/tide/feed.xml", None),
        ("https://pod.example", None),
        ("https://other.example/tide/feed.xml", None),
    ],
)
def test_our_own_addresses_are_recognised(url: str, path: str | None) -> None:
    assert path_here(url, "https://pod.example") == path


@ON_ONE_ENGINE
def test_what_changed_while_the_feed_was_read_counts(
    instance: Instance, show: Show, old_host: OldHost, move: Callable[..., Show]
) -> None:
    url = new_feed(old_host, show)
    answer = old_host.answers["/new.xml"]

    def taken_back() -> Any:
        with instance.database.write() as session:
            found = get_show(session, "tide-tables", lock=True)
            change_show(session, found, ShowInput(moved_to=None), now=instance.now())
        return answer

    old_host.answers["/new.xml"] = taken_back
    assert move(moved_to=url, moved_audio=True).redirect_to is None
    assert set(audio_urls(instance).values()) == {None}


@ON_ONE_ENGINE
def test_a_deleted_show_keeps_leading_away(
    instance: Instance, show: Show, old_host: OldHost, move: Callable[..., Show]
) -> None:
    move(moved_to=new_feed(old_host, show), moved_audio=True)
    with instance.database.write() as session:
        delete_show(session, get_show(session, "tide-tables", lock=True), now=instance.now())
    with instance.database.read() as session:
        assert session.get_one(Show, show.id).redirect_to is not None
    assert None not in audio_urls(instance).values()


@ON_ONE_ENGINE
def test_a_show_that_goes_nowhere_has_no_feed_to_read_again(instance: Instance, show: Show) -> None:
    assert report_of(row(instance)) == MoveReport()
    with pytest.raises(Conflict, match="no moved_to"), instance.database.write() as session:
        read_again(session, get_show(session, "tide-tables"), now=instance.now())


# The command


@pytest.fixture
def run(
    instance: Instance, show: Show, old_host: OldHost, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    run_due_jobs(instance)
    monkeypatch.setenv("PODHOST_DATA", str(instance.settings.data))
    monkeypatch.setenv("PODHOST_BASE_URL", "https://127.0.0.1:1")
    monkeypatch.setenv("PODHOST_FETCH_ALLOWED", old_host.address)

    def invoke(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(podhost, ["move-out", "tide-tables", *arguments])
        assert result.exit_code == status, result.output
        return result

    return invoke


@ON_ONE_ENGINE
def test_the_command_moves_lists_and_takes_back(
    run: Callable[..., Result],
    instance: Instance,
    show: Show,
    old_host: OldHost,
    clock: FrozenClock,
) -> None:
    def steps(*arguments: str, status: int = 0) -> dict[str, bool | None]:
        found = json.loads(run(*arguments, "--json", status=status).stdout)
        return {step["step"]: step["done"] for step in found["steps"]}

    first = steps()
    assert [*first][:3] == ["export", "unlock", "import"]
    assert [*first][-2:] == ["keep-redirect", "keep-audio"]
    assert True not in first.values()
    url = new_feed(old_host, show)
    looked = steps("--to", url, "--dry-run")
    done = {step for step, is_done in looked.items() if is_done}
    assert done == {"new-feed", "podcast-guid", "guids", "audio"}
    assert row(instance).moved_to is None
    printed = run("--to", url, "--enclosures").stdout
    assert "[x]  8. The feed" not in printed and "301 to the new one." in printed
    assert "3 of 3 lead to the new host" in printed
    assert row(instance).redirect_to == url
    done = {step for step, is_done in steps().items() if is_done}
    assert done == {"new-feed", "podcast-guid", "guids", "audio", "redirect", "tag", "keep-audio"}
    assert f"<itunes:new-feed-url>{url}<".encode() in feed_body(instance, show)
    run("--back")
    assert row(instance).redirect_to is None and set(audio_urls(instance).values()) == {None}


@ON_ONE_ENGINE
def test_the_command_refuses_in_sentences(
    run: Callable[..., Result], instance: Instance, show: Show, old_host: OldHost
) -> None:
    url = new_feed(old_host, show, item(1))
    result = run("--to", url, status=1)
    assert "Problem: 2 of 3 episodes are not in the new feed" in result.stderr
    assert "The redirect is not on. Mend this, or add --anyway." in result.stderr
    assert "Problem: 2 of 3" in run(status=1).stderr, "it looks again"
    assert "Problem: 2 of 3" in run("--to", url, "--anyway").stderr
    assert row(instance).redirect_to == url
    assert "whole address" in run("--to", "new.example", status=1).stderr
    for wrong in (("--back", "--to", url), ("--anyway",), ("--enclosures",)):
        run(*wrong, status=2)


@ON_ONE_ENGINE
def test_a_live_check_sees_what_became_of_the_new_feed(
    run: Callable[..., Result], instance: Instance, show: Show, old_host: OldHost
) -> None:
    def look() -> str:
        live = ["check", "--show", "tide-tables", "--live", "--newest", "0"]
        return CliRunner().invoke(podhost, live).stderr

    run("--to", new_feed(old_host, show))
    assert "sent on" not in look()
    new_feed(old_host, show, item(3), item(2))
    assert "Apps of 'tide-tables' are sent on: 1 of 3 episodes are not in the new feed" in look()
    run("--to", f"{old_host.url}/new.xml", "--anyway")
    assert "sent on" not in look()


@ON_ONE_ENGINE
def test_four_weeks_are_counted(
    instance: Instance,
    show: Show,
    old_host: OldHost,
    move: Callable[..., Show],
    clock: FrozenClock,
) -> None:
    from podhost.moves.cut_over import cut_over

    moved = move(moved_to=new_feed(old_host, show))
    for days, is_done in ((27, False), (28, True)):
        now = instance.now() + timedelta(days=days)
        listed = cut_over(moved, instance.base_url, [], now=now)
        [step] = [step for step in listed.steps if step.step == "keep-redirect"]
        assert (step.done, step.note) == (is_done, f"It is on for {days} days.")
