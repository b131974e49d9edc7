"""A transcript is stored in every form that can be made of it; old ones get theirs later."""

from pathlib import Path

import pytest
from sqlalchemy import select

from podhost.catalogue.side_files import read_side_file
from podhost.episodes import get_episode
from podhost.instance import Instance
from podhost.models import Episode, Job, Transcript
from podhost.shows import get_show
from podhost.transcripts import prepare_transcripts, set_transcripts, transcript_path
from podhost.transcripts.forms import CONVERT_TRANSCRIPTS, enqueue_incomplete
from podhost.worker import run_due_jobs
from tests.making import feed_body, make_episode, make_show

SRT = b"1\n00:00:00,000 --> 00:00:02,000\nLow & wide.\n"


def give(
    instance: Instance,
    episode: Episode,
    *files: tuple[bytes, str],
    kept: tuple[str, ...] = ("vtt", "srt", "json", "html", "txt"),
) -> None:
    """Give the episode transcripts; `kept` are the forms of which rows are written."""
    prepared = []
    for data, name in files:
        found, _ = prepare_transcripts(instance.storage, data, name)
        prepared += [form for form in found if form.extension in kept]
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, episode.show.slug, lock=True), episode.id)
        set_transcripts(session, row, prepared, now=instance.now())


def rows(instance: Instance, episode: Episode) -> list[Transcript]:
    with instance.database.read() as session:
        return [*session.get_one(Episode, episode.id).transcripts]


def named(instance: Instance, episode: Episode) -> list[str]:
    """The transcripts that the feed names, by their endings and types."""
    feed = feed_body(instance, episode.show).decode()
    lines = [line for line in feed.splitlines() if "<podcast:transcript" in line]
    return [line.split('url="')[1].split('"')[0].rpartition(".")[2] for line in lines]


@pytest.mark.parametrize(
    ("data", "name", "in_feed", "made"),
    [
        (SRT, "a.srt", ["vtt", "srt", "json"], {"vtt", "srt", "json", "html", "txt"}),
        (b"<p>Low & wide.</p>", "a.html", ["html"], {"html", "txt"}),
    ],
)
def test_every_form_is_served_and_the_feed_names_what_apps_use(
    instance: Instance, mp3: Path, data: bytes, name: str, in_feed: list[str], made: set[str]
) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    give(instance, episode, (data, name))
    assert named(instance, episode) == in_feed
    found = rows(instance, episode)
    assert {row.extension for row in found} == made
    assert found[-1].extension == name[2:], "what was given stands last"
    for row in found:
        answer = read_side_file(instance, transcript_path(row))
        assert answer.status == 200 and b"Low" in answer.body
        assert row.mime_type.encode() in dict(answer.block.headers)[b"content-type"]


def test_what_an_older_version_took_gets_its_forms_from_the_worker(
    instance: Instance, mp3: Path
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    give(instance, episode, (SRT, "a.srt"), (b"Words.", "b.txt"), kept=("vtt", "srt"))
    give(instance, episode, (SRT, "a.srt"), kept=("vtt", "srt"))
    assert named(instance, episode) == ["vtt", "srt"]
    before = rows(instance, episode)
    assert enqueue_incomplete(instance.database, now=instance.now()) == 1
    assert named(instance, episode) == ["vtt", "srt", "json"]
    after = rows(instance, episode)
    assert [row.extension for row in after] == ["vtt", "json", "html", "txt", "srt"]
    assert [after[0].id, after[-1].id] == [row.id for row in before], "addresses stay"
    for row in after:
        assert read_side_file(instance, transcript_path(row)).status == 200
    assert enqueue_incomplete(instance.database, now=instance.now()) == 0


def test_of_two_given_in_one_language_no_form_is_made_twice(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    vtt = b"WEBVTT\n\n00:00.000 --> 00:02.000\nLow.\n"
    give(instance, episode, (vtt, "a.vtt"), (SRT, "a.srt"), kept=())
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, episode.show.slug, lock=True), episode.id)
        two = []
        for data, name in ((vtt, "a.vtt"), (SRT, "a.srt")):
            found, _ = prepare_transcripts(instance.storage, data, name)
            two.append(found[-1])
        set_transcripts(session, row, two, now=instance.now())
    enqueue_incomplete(instance.database, now=instance.now())
    run_due_jobs(instance)
    found = [row.extension for row in rows(instance, episode)]
    assert found == ["json", "html", "txt", "vtt", "srt"]


def test_a_transcript_that_is_missing_is_left_alone(
    instance: Instance, mp3: Path, caplog: pytest.LogCaptureFixture
) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    give(instance, episode, (SRT, "a.srt"), kept=("srt",))
    (row,) = rows(instance, episode)
    instance.storage.delete(row.storage_key)
    enqueue_incomplete(instance.database, now=instance.now())
    run_due_jobs(instance)
    assert "cannot be converted" in caplog.text
    assert [found.id for found in rows(instance, episode)] == [row.id]
    with instance.database.read() as session:
        kinds = session.scalars(select(Job.kind)).all()
    assert CONVERT_TRANSCRIPTS not in kinds
