"""The pages that work on an episode's sound and pictures, without a browser."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from podhost.instance import Instance
from podhost.models import Episode, Show
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient, text_of

VTT = b"WEBVTT\n\n00:00.000 --> 00:02.000\n<v Ann>The tide is low.\n"
# What a browser sends of a file field in which nothing was chosen.
NOTHING = ("", b"", "application/octet-stream")
GERMAN = b"WEBVTT\n\n00:00.000 --> 00:02.000\n<v Ann>Es ist Ebbe.\n"


@pytest.fixture
def show(instance: Instance) -> Show:
    return make_show(instance)


@pytest.fixture
def episode(instance: Instance, show: Show, mp3: Path) -> Episode:
    """A draft of ten seconds."""
    return make_episode(instance, show, mp3, publish=False)


@pytest.fixture
def path(episode: Episode) -> str:
    return f"/shows/{episode.show.slug}/episodes/{episode.id}"


@pytest.fixture
def editor(instance: Instance, episode: Episode) -> StudioClient:
    return StudioClient.visit_as(instance, "editor", episode.show.slug)


def seen(editor: StudioClient, page: str) -> str:
    text = editor.get(page).text
    return text.split('name="seen" value="')[1].split('"')[0]


# Chapters


def rows(*given: tuple[str, ...]) -> dict[str, list[str]]:
    names = ("start", "title", "url", "image_url", "hidden")
    filled = [(*row, *[""] * (len(names) - len(row))) for row in given]
    return {name: [row[place] for row in filled] for place, name in enumerate(names)}


def test_chapters_are_saved_row_by_row(editor: StudioClient, path: str) -> None:
    form = rows(
        ("0:05.5", "Second", "https://a.example/"), ("0", "First"), ("", ""), ("8", "", "", "", "1")
    )
    saved = editor.post(f"{path}/chapters", {**form, "seen": seen(editor, f"{path}/chapters")})
    page = editor.follow(saved)
    assert "3 chapters are saved." in text_of(page)
    chapters = editor.call("GET", f"{path}/chapters").json()["chapters"]
    assert [(entry["startTime"], entry.get("title")) for entry in chapters] == [
        (0, "First"),
        (5.5, "Second"),
        (8, None),
    ]
    assert 'value="0:00:05.5"' in page.text


def test_wrong_rows_are_told_beside_them_and_nothing_is_lost(
    editor: StudioClient, path: str
) -> None:
    form = rows(("soon", "When"), ("0:02", ""), ("0:30", "Late", "javascript:alert(1)"))
    refused = editor.post(f"{path}/chapters", {**form, "seen": seen(editor, f"{path}/chapters")})
    assert refused.status_code == 422
    for sentence in (
        "Write a time such as 1:02:03",
        "Give it a title, or hide it.",
        "It is after the end of the audio.",
        "It must be an address that begins with https://.",
    ):
        assert sentence in text_of(refused)
    assert 'value="soon"' in refused.text
    assert 'value="javascript:alert(1)"' in refused.text
    assert editor.call("GET", f"{path}/chapters").json()["chapters"] == []


def test_chapters_that_somebody_else_changed_are_not_overwritten_unseen(
    editor: StudioClient, path: str
) -> None:
    before = seen(editor, f"{path}/chapters")
    assert editor.post(f"{path}/chapters", {**rows(("0", "Theirs")), "seen": before}).is_redirect
    late = editor.post(f"{path}/chapters", {**rows(("0", "Mine")), "seen": before})
    assert late.status_code == 409
    assert "Somebody else changed the chapters" in text_of(late)
    assert 'value="Mine"' in late.text
    assert "Theirs" in editor.call("GET", f"{path}/chapters").text
    again = late.text.split('name="seen" value="')[1].split('"')[0]
    assert editor.post(f"{path}/chapters", {**rows(("0", "Mine")), "seen": again}).is_redirect
    assert "Mine" in editor.call("GET", f"{path}/chapters").text


def test_pasted_chapters_become_rows_that_are_not_saved(editor: StudioClient, path: str) -> None:
    pasted = "00:00 Begin\n00:03 The question\n00:59 Beyond"
    read = editor.post(f"{path}/chapters/read", {"pasted": pasted}, files={"chapters": NOTHING})
    assert read.status_code == 200
    assert 'value="The question"' in read.text
    assert "after the end of the audio" in text_of(read)
    assert editor.call("GET", f"{path}/chapters").json()["chapters"] == []
    file = {"chapters": ("a.txt", b"00:00 Begin\n00:04 From a file")}
    assert 'value="From a file"' in editor.post(f"{path}/chapters/read", {}, files=file).text


def test_what_is_no_chapters_is_told_and_kept(editor: StudioClient, path: str) -> None:
    nothing = {"chapters": NOTHING}
    read = editor.post(f"{path}/chapters/read", {"pasted": "no times"}, files=nothing)
    assert read.status_code == 422
    assert "no times" in read.text
    assert "holds no chapters" in text_of(read)
    large = {"chapters": ("a.json", bytes(1_000_001))}
    assert editor.post(f"{path}/chapters/read", {}, files=large).status_code == 422


# Soundbites


def test_soundbites_are_saved_in_their_order(editor: StudioClient, path: str) -> None:
    form = {
        "start": ["0:05", "0:01.5", ""],
        "duration": ["0:03", "2", ""],
        "title": ["Last words", "", ""],
        "seen": seen(editor, f"{path}/soundbites"),
    }
    page = editor.follow(editor.post(f"{path}/soundbites", form))
    assert "2 soundbites are saved." in text_of(page)
    assert editor.call("GET", path).json()["soundbites"] == [
        {"start": 5.0, "duration": 3.0, "title": "Last words"},
        {"start": 1.5, "duration": 2.0},
    ]
    late = editor.post(f"{path}/soundbites", form)
    assert late.status_code == 409
    assert 'value="Last words"' in late.text


@pytest.mark.parametrize(
    ("start", "duration", "sentence"),
    [
        ("x", "3", "Write a time"),
        ("3", "", "Say how long it is"),
        ("3", "0", "Say how long it is"),
        ("8", "3", "It ends after the audio does."),
    ],
)
def test_a_soundbite_that_cannot_be_is_told(
    editor: StudioClient, path: str, start: str, duration: str, sentence: str
) -> None:
    form = {"start": start, "duration": duration, "title": "Kept"}
    refused = editor.post(
        f"{path}/soundbites", {**form, "seen": seen(editor, f"{path}/soundbites")}
    )
    assert refused.status_code == 422
    assert sentence in text_of(refused)
    assert 'value="Kept"' in refused.text


# Transcripts


def upload(editor: StudioClient, path: str, data: bytes, language: str = "") -> str:
    answer = editor.post(
        f"{path}/transcript/upload",
        {"language": language, "pasted": ""},
        files={"transcript": ("low.vtt", data)},
    )
    return text_of(editor.follow(answer))


def test_a_transcript_is_given_edited_as_text_and_taken_away(
    editor: StudioClient, path: str
) -> None:
    assert "The transcript is saved." in upload(editor, path, VTT)
    editing = editor.get(f"{path}/transcript")
    assert "data-cues" in editing.text
    plain = editor.get(f"{path}/transcript?plain=1")
    assert "The tide is low." in text_of(plain)
    replaces = plain.text.split('name="replaces" value="')[1].split('"')[0]
    text = VTT.decode().replace("low", "high")
    assert editor.post(f"{path}/transcript", {"text": text, "replaces": replaces}).is_redirect
    assert "high" in editor.call("GET", f"{path}/transcript?format=txt").text
    late = editor.post(f"{path}/transcript", {"text": "WEBVTT\n\nmine", "replaces": replaces})
    assert late.status_code in (409, 422)
    assert "mine" in late.text
    page = editor.get(f"{path}/transcript")
    replaces = page.text.split('data-replaces="')[1].split('"')[0]
    assert editor.post(f"{path}/transcript/remove", {"replaces": replaces}).is_redirect
    assert editor.call("GET", f"{path}/transcript").status_code == 404


def test_a_second_language_stands_beside_the_first(editor: StudioClient, path: str) -> None:
    upload(editor, path, VTT)
    upload(editor, path, GERMAN, "de")
    assert "Ebbe" in editor.call("GET", f"{path}/transcript?language=de").text
    assert editor.call("GET", f"{path}/transcript?language=en").status_code == 404
    upload(editor, path, VTT.replace(b"low", b"high"), "en")
    assert "high" in editor.call("GET", f"{path}/transcript?language=en").text
    assert "Ebbe" in editor.call("GET", f"{path}/transcript?language=de").text
    page = editor.get(f"{path}/transcript?language=de")
    assert 'data-language="de"' in page.text


def test_a_text_without_times_is_edited_as_text(editor: StudioClient, path: str) -> None:
    answer = editor.post(
        f"{path}/transcript/upload",
        {"pasted": "Ann: The tide is low.", "language": ""},
        files={"transcript": NOTHING},
    )
    page = editor.follow(answer)
    assert "data-cues" not in page.text
    assert "Ann: The tide is low." in text_of(page)


def test_what_is_no_transcript_is_told(editor: StudioClient, path: str) -> None:
    files = {"transcript": ("a.vtt", b"%PDF-1.7")}
    refused = editor.post(f"{path}/transcript/upload", {"pasted": ""}, files=files)
    assert refused.status_code == 422
    assert "a PDF" in text_of(refused)
    empty = editor.post(f"{path}/transcript/upload", {"pasted": ""}, files={"transcript": NOTHING})
    assert "Choose a file, or paste the transcript." in text_of(empty)


# Artwork


def picture(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


def test_a_square_is_cut_out_for_an_episode_and_given_back(editor: StudioClient, path: str) -> None:
    files = {"artwork": ("a.png", picture(2000, 1500))}
    crop = {"x": "300", "y": "50", "side": "1400"}
    page = editor.follow(editor.post(f"{path}/artwork", crop, files=files))
    assert "1400 by 1400 pixels." in text_of(page)
    given = editor.call("GET", path).json()["artwork_url"]
    editor.post(f"{path}/artwork", crop, files=files)
    assert editor.call("GET", path).json()["artwork_url"] == given
    page = editor.follow(editor.post(f"{path}/artwork/remove"))
    assert "apps show the show's" in page.text.replace("&#39;", "'")
    assert editor.call("GET", path).json()["artwork_url"] is None


def test_a_picture_that_cannot_be_artwork_is_told(editor: StudioClient, path: str) -> None:
    for name, data, word in (
        ("a.png", picture(2000, 1500), "must be square"),
        ("a.png", picture(800, 800), "at least 1400"),
        ("a.pdf", b"%PDF-1.7", "a PDF"),
        (NOTHING[0], b"", "Choose a picture first."),
    ):
        refused = editor.post(
            f"{path}/artwork", {}, files={"artwork": (name, data, "application/octet-stream")}
        )
        assert refused.status_code == 422
        assert word in text_of(refused)


def test_the_artwork_of_a_show_is_its_owners_matter(
    instance: Instance, editor: StudioClient, show: Show
) -> None:
    assert editor.get(f"/shows/{show.slug}/artwork").status_code == 403
    owner = StudioClient.visit_as(instance, "owner", show.slug, client=editor.client)
    files = {"artwork": ("a.png", picture(1500, 1400))}
    crop = {"x": "100", "y": "0", "side": "1400"}
    page = owner.follow(owner.post(f"/shows/{show.slug}/artwork", crop, files=files))
    assert "1400 by 1400 pixels." in text_of(page)


# Listening


def test_the_sound_of_a_draft_is_heard_in_ranges_and_not_counted(
    editor: StudioClient, path: str, mp3: Path, instance: Instance
) -> None:
    page = editor.get(f"{path}/chapters").text
    address = page.split('<audio controls preload="metadata" src="')[1].split('"')[0]
    whole = editor.get(address)
    if whole.status_code == 302:
        # A bucket's own address, which gives ranges by itself.
        assert instance.storage.local_path("audio/x") is None
        assert "audio/" in whole.headers["location"]
    else:
        assert whole.content == mp3.read_bytes()
        part = editor.get(address, headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, mp3.read_bytes()[100:200])
    # Where only podhost reaches the bucket, it brings the bytes itself.
    instance.settings = replace(instance.settings, audio_delivery="stream")
    part = editor.get(address, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, mp3.read_bytes()[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{mp3.stat().st_size}"
    assert editor.get(address).content == mp3.read_bytes()
    assert editor.get(address, headers={"Range": "bytes=99999999-"}).status_code == 416
    wrong = editor.get(address.rpartition("/")[0] + "/0000")
    assert wrong.status_code == 404


def test_pages_of_an_episode_without_audio_say_so(instance: Instance, show: Show) -> None:
    silent = make_episode(instance, show, None, "Silent", publish=False)
    editor = StudioClient.visit_as(instance, "editor", show.slug)
    for part in ("chapters", "soundbites", "transcript", "artwork"):
        page = editor.get(f"/shows/{show.slug}/episodes/{silent.id}/{part}")
        assert page.status_code == 200
    assert "no audio yet" in text_of(
        editor.get(f"/shows/{show.slug}/episodes/{silent.id}/chapters")
    )
