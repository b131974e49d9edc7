"""The listeners' player as a page holds it: readable without script, and safe with any text."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from podhost.formats.transcript_paragraphs import Paragraph, SpokenCue
from podhost.templating import environment
from podhost.web.static_files import static_files, static_path

HOSTILE = "</script><script>alert(1)</script> \" onload='x' {time} & “quoted”"


class Elements(HTMLParser):
    """Every element with its attributes, and the text that people read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.blocks: list[str] = []
        self._in_script = False
        self.feed(str(html))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self._in_script = True
            self.blocks.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.blocks[-1] += data
        else:
            self.text += data


def player(language: str = "en", **given: Any) -> Elements:
    """An episode of a minute with everything that one can have."""
    values: dict[str, Any] = {
        "key": "abc",
        "url": "https://pod.example/tide/episodes/low",
        "title": "Low water",
        "show_title": "Tide Tables",
        "audio_url": "/audio/abc.mp3",
        "audio_type": "audio/mpeg",
        "duration_seconds": 60.25,
        "download_url": "/audio/abc.mp3?download=1",
        "chapters": [
            {"start_seconds": 0.0, "title": "Hello", "url": None, "image": None},
            {
                "start_seconds": 12.5,
                "title": "Ebb",
                "url": "https://ebb.example",
                "image": "/a.jpg",
            },
        ],
        "paragraphs": [Paragraph(3.4, "Pia", (SpokenCue(3.4, "Good morning."),))],
        **given,
    }
    module: Any = environment(language).get_template("site/player.html").module
    return Elements(module.player(**values))


def test_without_script_there_are_audio_chapters_and_text() -> None:
    page = player()
    audio = next(attributes for tag, attributes in page.found if tag == "audio")
    assert {"controls", "src"} <= audio.keys() and audio["preload"] == "none"
    links = [attributes["href"] for tag, attributes in page.found if tag == "a"]
    assert "/audio/abc.mp3#t=12.5" in links and "/audio/abc.mp3#t=3.4" in links
    assert "https://ebb.example" in links and "/audio/abc.mp3?download=1" in links
    assert "Good morning." in page.text and "Pia:" in page.text and "Ebb" in page.text


def test_any_text_stays_text() -> None:
    page = player(
        title=HOSTILE,
        show_title=HOSTILE,
        embed_code=f'<iframe title="{HOSTILE}"></iframe>',
        chapters=[{"start_seconds": 0, "title": HOSTILE, "url": None, "image": None}],
        paragraphs=[Paragraph(1, HOSTILE, (SpokenCue(1, HOSTILE),))],
    )
    assert page.text.count(HOSTILE) == 3
    (section,) = (attributes for tag, attributes in page.found if tag == "section")
    assert section["data-title"] == HOSTILE
    assert [tag for tag, _ in page.found if tag in ("script", "iframe")] == ["script"]
    # The pages' policy allows neither.
    assert not [
        name for _, found in page.found for name in found if name.startswith(("on", "style"))
    ]


@pytest.mark.parametrize("language", ["en", "es"])
def test_scripts_say_what_they_say_in_the_language_of_the_page(language: str) -> None:
    (block,) = player(language).blocks
    words = json.loads(block)
    said = {"en": "Places found: {count}", "es": "Coincidencias: {count}"}
    assert words["found"] == said[language]
    scripts = "".join(
        file.body.decode() for path, file in static_files().items() if path.startswith("site/")
    )
    used = re.findall(r'(?:say|tell|fail)\(\s*"(\w+)"', scripts)
    assert used and {*used} <= words.keys()


def test_an_episode_with_nothing_but_audio_has_a_player() -> None:
    page = player(chapters=[], paragraphs=[])
    assert not [tag for tag, _ in page.found if tag in ("ol", "details")]
    assert "chapter" not in [found.get("value") for tag, found in page.found if tag == "option"]


def test_the_player_loads_little_and_names_all_its_modules() -> None:
    module: Any = environment("en").get_template("site/player.html").module
    head = Elements(module.player_head(static_path))
    named = {found.get("href") or found.get("src") for _, found in head.found}
    size = 0
    for path in named:
        name = str(path).split("/", 3)[3]
        size += len(static_files()[name].body_gzip)
        for other in re.findall(r'from "\./([\w.]+)"', static_files()[name].body.decode()):
            assert static_path(f"site/{other}") in named, f"{name} waits for {other}"
    assert size < 16_000
