"""The API's calls for waveforms, for transcripts that are read and edited, and for cut pictures."""

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from podhost.accounts.accounts import create_account, create_token
from podhost.app import create_app
from podhost.formats.waveforms import LOUDEST
from podhost.instance import Instance
from podhost.models import Episode
from podhost.worker import run_next_beside
from tests.asgi_client import Client
from tests.making import make_episode, make_show

VTT = b"WEBVTT\n\n00:00.000 --> 00:02.000\n<v Ann>The tide is low.\n"
GERMAN = b"WEBVTT\n\n00:00.000 --> 00:02.000\n<v Ann>Es ist Ebbe.\n"
PATH = "/api/v1/shows/tide-tables/episodes/low-water"


class Program:
    """A program that uses the API with a token."""

    def __init__(self, instance: Instance) -> None:
        self.client = Client(create_app(instance))
        with instance.database.write() as session:
            account, _ = create_account(
                session,
                "alice@example.org",
                password="long enough",
                is_operator=True,
                now=instance.now(),
            )
            _, token = create_token(
                session, account, name="test", scope="write", now=instance.now()
            )
        self.headers = {"Authorization": f"Bearer {token}"}

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)


@pytest.fixture
def alice(instance: Instance) -> Program:
    return Program(instance)


@pytest.fixture
def episode(instance: Instance, mp3: Path) -> Episode:
    """A draft."""
    return make_episode(instance, make_show(instance), mp3, publish=False)


def give_transcript(alice: Program, body: bytes, **query: str) -> httpx.Response:
    return alice.send(
        "PUT",
        f"{PATH}/transcript",
        content=body,
        params=query,
        headers={"Content-Type": "text/vtt"},
    )


def test_a_waveform_is_made_when_somebody_asks_for_it(
    alice: Program, episode: Episode, instance: Instance
) -> None:
    before = alice.send("GET", f"{PATH}/waveform")
    assert (before.status_code, before.json()["state"]) == (200, "missing")
    # Reading writes nothing.
    assert not run_next_beside(instance, owner="worker")
    asked = alice.send("POST", f"{PATH}/waveform")
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
    assert alice.send("GET", f"{PATH}/waveform").json()["state"] == "waiting"
    assert run_next_beside(instance, owner="worker")
    made = alice.send("GET", f"{PATH}/waveform").json()
    assert made["state"] == "ready"
    assert made["duration_ms"] // 10 == len(made["peaks"])
    assert max(made["peaks"]) == LOUDEST
    assert alice.send("POST", f"{PATH}/waveform").json()["state"] == "ready"
    assert not run_next_beside(instance, owner="worker")


def test_audio_that_arrives_gets_its_waveform_without_being_asked(
    alice: Program, episode: Episode, instance: Instance, mp3: Path
) -> None:
    content = mp3.read_bytes() * 2
    assert alice.send("PUT", f"{PATH}/audio", content=content).status_code == 200
    assert alice.send("GET", f"{PATH}/waveform").json()["state"] == "waiting"


def test_an_episode_without_audio_has_no_waveform(alice: Program, instance: Instance) -> None:
    make_episode(instance, make_show(instance), None, publish=False)
    assert alice.send("GET", f"{PATH}/waveform").status_code == 404
    refused = alice.send("POST", f"{PATH}/waveform")
    assert refused.status_code == 404
    assert "no audio yet" in refused.json()["error"]["message"]


def test_the_transcript_of_a_draft_can_be_read_in_every_form(
    alice: Program, episode: Episode
) -> None:
    assert alice.send("GET", f"{PATH}/transcript").status_code == 404
    assert give_transcript(alice, VTT, language="en").status_code == 200
    given = alice.send("GET", f"{PATH}/transcript")
    assert given.content == VTT
    assert given.headers["content-type"] == "text/vtt; charset=utf-8"
    assert given.headers["content-language"] == "en"
    for ending, word in (("srt", b"Ann: The"), ("json", b'"speaker"'), ("txt", b"Ann: The tide")):
        form = alice.send("GET", f"{PATH}/transcript?format={ending}")
        assert form.status_code == 200
        assert word in form.content
    wrong = alice.send("GET", f"{PATH}/transcript?format=pdf")
    assert wrong.status_code == 422
    assert "format" in wrong.json()["error"]["fields"]


def test_who_edits_a_transcript_overwrites_nobody(alice: Program, episode: Episode) -> None:
    give_transcript(alice, VTT, language="en")
    seen = alice.send("GET", f"{PATH}/transcript").headers["etag"]
    edited = VTT.replace(b"low", b"very low")
    assert give_transcript(alice, edited, language="en", replaces=seen).status_code == 200
    late = give_transcript(alice, VTT.replace(b"low", b"high"), language="en", replaces=seen)
    assert late.status_code == 409
    assert "Somebody else changed the transcript" in late.json()["error"]["message"]
    assert alice.send("GET", f"{PATH}/transcript").content == edited


def test_editing_one_language_leaves_the_other(
    alice: Program, episode: Episode, instance: Instance
) -> None:
    from podhost.transcripts import set_transcripts
    from podhost.uploads.intake import Intake

    with Intake(instance.database, instance.storage) as intake:
        english, _ = intake.transcripts(VTT, "a.vtt", language="en")
        german, _ = intake.transcripts(GERMAN, "a.vtt", language="de")
        with instance.database.write() as session:
            row = session.get_one(Episode, episode.id)
            set_transcripts(session, row, [*english, *german], now=instance.now())
    seen = alice.send("GET", f"{PATH}/transcript?language=de")
    assert seen.content == GERMAN
    edited = GERMAN.replace(b"Ebbe", b"Flut")
    give_transcript(alice, edited, language="de", replaces=seen.headers["etag"])
    assert alice.send("GET", f"{PATH}/transcript?language=de").content == edited
    assert alice.send("GET", f"{PATH}/transcript?language=en").content == VTT


def picture() -> bytes:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (2800, 1400), "red")
    image.paste("blue", (1400, 0, 2800, 1400))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def colour(instance: Instance, url: str) -> str:
    key = url.removeprefix("https://pod.example/")
    with instance.storage.open(key) as source:
        red, _, blue = Image.open(io.BytesIO(source.readall())).getpixel((5, 5))
    return "red" if red > blue else "blue"


@pytest.mark.parametrize("path", ["/api/v1/shows/tide-tables", PATH])
def test_a_square_is_cut_out_of_a_wide_picture(
    alice: Program, episode: Episode, instance: Instance, path: str
) -> None:
    files = {"artwork": ("wide.png", picture())}
    assert alice.send("PUT", f"{path}/artwork", files=files).status_code == 422
    right = alice.send(
        "PUT", f"{path}/artwork", files=files, data={"x": "1400", "y": "0", "side": "1400"}
    )
    assert right.status_code == 200
    assert colour(instance, right.json()["artwork_url"]) == "blue"
    # Another part of the same file is another picture; and a bare file says it in the query.
    left = alice.send("PUT", f"{path}/artwork?x=0&y=0&side=1400", content=picture())
    assert colour(instance, left.json()["artwork_url"]) == "red"
    again = alice.send("PUT", f"{path}/artwork?x=1400&y=0&side=1400", content=picture())
    assert again.json()["artwork_url"] == right.json()["artwork_url"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("x=0&y=0", {"side"}),
        ("side=1400", {"x", "y"}),
        ("x=-1&y=0&side=1400", {"x"}),
        ("x=a&y=0&side=1400", {"x"}),
        ("x=1401&y=0&side=1400", {"artwork"}),
    ],
)
def test_a_part_that_is_none_is_named(
    alice: Program, episode: Episode, query: str, names: set[str]
) -> None:
    refused = alice.send("PUT", f"{PATH}/artwork?{query}", content=picture())
    assert refused.status_code == 422
    assert refused.json()["error"]["fields"].keys() == names
