"""The page on which files are dropped, as browsers without scripts use it."""

from dataclasses import replace
from typing import Any

import mutagen.id3
import pytest

from podhost.instance import Instance
from podhost.shows import ShowInput, create_show
from tests.audio_files import lame, with_id3
from tests.studio_client import StudioClient, text_of

PATH = "/shows/tides/upload"


@pytest.fixture
def editor(instance: Instance) -> StudioClient:
    with instance.database.write() as session:
        given = ShowInput(title="Tides", slug="tides")
        create_show(session, given, base_url=instance.base_url, now=instance.now())
    return StudioClient.visit_as(instance, "editor", "tides")


def audio(content: bytes, name: str = "low_water.mp3") -> dict[str, Any]:
    return {"audio": (name, content, "audio/mpeg")}


def episodes(editor: StudioClient) -> list[dict[str, Any]]:
    return list(editor.call("GET", "/shows/tides/episodes").json()["episodes"])


def test_a_file_becomes_a_draft_and_the_host_goes_on_to_edit_it(editor: StudioClient) -> None:
    editor.get(PATH)
    tags = mutagen.id3.TIT2(text="Low water"), mutagen.id3.TRCK(text="4")
    answer = editor.post(PATH, {"title": ""}, files=audio(with_id3(lame(2), *tags)))
    (episode,) = episodes(editor)
    assert (episode["title"], episode["number"], episode["status"]) == ("Low water", 4, "draft")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/studio/shows/tides/episodes/{episode['id']}"


def test_a_title_that_was_typed_is_the_title(editor: StudioClient) -> None:
    editor.get(PATH)
    editor.post(PATH, {"title": "By hand"}, files=audio(lame(2)))
    (episode,) = episodes(editor)
    assert (episode["title"], episode["slug"]) == ("By hand", "by-hand")
    path = f"/shows/tides/episodes/{episode['id']}/edit"
    saved = editor.call("PATCH", path, json={"version": 1, "values": {"title": "By foot"}})
    assert saved.json()["values"]["slug"] == "by-foot"
    given = {"version": 2, "values": {"title": "By boat", "slug": "boat"}}
    assert editor.call("PATCH", path, json=given).json()["values"]["slug"] == "boat"
    given = {"version": 3, "values": {"title": "By kite"}}
    assert editor.call("PATCH", path, json=given).json()["values"]["slug"] == "boat"


def test_the_quota_of_the_show_is_also_that_of_the_form(
    editor: StudioClient, instance: Instance
) -> None:
    instance.settings = replace(instance.settings, show_quota_gb=1, max_upload_mb=2048)
    coming = {"filename": "long.mp3", "size": 2**30 - 100, "metadata": {"show": "tides"}}
    assert editor.call("POST", "/s3/multipart", json=coming).status_code == 200
    editor.get(PATH)
    answer = editor.post(PATH, {"title": "Low water"}, files=audio(lame(2)))
    assert answer.status_code == 422
    assert "Ask who runs this podhost for more room." in text_of(answer)
    assert "Low water" in answer.text and episodes(editor) == []


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"audio": ("", b"", "application/octet-stream")}, "Choose an audio file first."),
        (audio(b"%PDF-1.7\n" + bytes(3000)), "the content is a PDF"),
    ],
)
def test_what_cannot_be_taken_is_said_and_what_was_typed_is_kept(
    editor: StudioClient, files: dict[str, Any], sentence: str
) -> None:
    editor.get(PATH)
    answer = editor.post(PATH, {"title": "Low & <high> water"}, files=files)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert 'value="Low &amp; &lt;high&gt; water"' in answer.text
    assert episodes(editor) == []


def test_it_speaks_spanish(editor: StudioClient) -> None:
    page = editor.get(PATH, headers={"Accept-Language": "es"})
    assert "Suelta aquí archivos de audio" in text_of(page)
    assert "Drop" not in text_of(page)
