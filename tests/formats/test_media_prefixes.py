"""Measurement in front of audio: what is taken off, and what only looks like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.formats.media_prefixes import innermost_url

CASES = [
    ("https://op3.dev/e/media.example.com/ep1.mp3", "https://media.example.com/ep1.mp3", 1),
    (
        "https://op3.dev/e,pg=917393e3-1b1e-5cef-ace4-edaa54e1f810/https://media.example.com/ep1.mp3",
        "https://media.example.com/ep1.mp3",
        1,
    ),
    (
        "https://op3.dev/e/dts.podtrac.com/redirect.mp3/chrt.fm/track/ABC12/media.example.com/a/b.mp3?x=1",
        "https://media.example.com/a/b.mp3?x=1",
        3,
    ),
    ("https://pdst.fm/e/http:/media.example.com/ep.mp3", "http://media.example.com/ep.mp3", 1),
    (
        "https://2.gum.fm/op3.dev/e/pscrb.fm/rss/p/traffic.example.net/ep.mp3",
        "https://traffic.example.net/ep.mp3",
        3,
    ),
    (
        "https://media.blubrry.com/tide/media.example.com/ep.mp3",
        "https://media.example.com/ep.mp3",
        1,
    ),
    ("https://mgln.ai/e/12/media.example.com/ep.mp3", "https://media.example.com/ep.mp3", 1),
    ("https://s.gum.fm/s-5f/media.example.com/ep.mp3", "https://media.example.com/ep.mp3", 1),
    # Hosting, not a prefix; somebody else's /e; a prefix in the middle; a folder like a file.
    ("https://media.blubrry.com/tide/ep.mp3", None, 0),
    ("https://media.blubrry.com/tide/ep.mp3/extra", None, 0),
    ("https://media.example.com/e/other.example.org/ep.mp3", None, 0),
    ("https://media.example.com/?u=https://op3.dev/e/media.example.org/ep.mp3", None, 0),
    ("https://op3.dev/e/", None, 0),
    ("", None, 0),
]


@pytest.mark.parametrize(("url", "innermost", "removed"), CASES)
def test_measurement_is_taken_off(url: str, innermost: str | None, removed: int) -> None:
    found, prefixes = innermost_url(url)
    assert found == (innermost or url)
    assert len(prefixes) == removed


def test_the_prefixes_are_named_from_the_outside() -> None:
    url = (
        "https://op3.dev/e/dts.podtrac.com/redirect.mp3/chrt.fm/track/ABC12/media.example.com/b.mp3"
    )
    expected = ("op3.dev/e", "dts.podtrac.com/redirect.mp3", "chrt.fm/track/ABC12")
    assert innermost_url(url)[1] == expected


@given(
    st.text() | st.lists(st.sampled_from(["op3.dev/e/", "pdst.fm/e/", "a.b/", "x"])).map("".join)
)
def test_any_text_has_an_innermost_address(url: str) -> None:
    assert isinstance(innermost_url(url)[0], str)
