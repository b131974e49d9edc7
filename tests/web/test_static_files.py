"""Styles and scripts: in the smallest form that the browser reads, and unchanged for a year."""

import gzip
from collections.abc import Iterator

import brotli
import pytest

from podhost.app import create_app
from podhost.instance import Instance
from podhost.web.static_files import static_files, static_path
from tests.asgi_client import Client

PATH = "site/site.css"


@pytest.fixture
def client(instance: Instance) -> Iterator[Client]:
    yield Client(create_app(instance))


@pytest.mark.parametrize(
    ("wanted", "coding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip, br;q=0", "gzip"),
        ("*", "gzip"),
        ("identity", None),
        ("br;q=0, gzip;q=0", None),
    ],
)
def test_a_file_comes_in_the_coding_that_is_wanted(
    client: Client, wanted: str, coding: str | None
) -> None:
    answer = client.get(static_path(PATH), headers={"Accept-Encoding": wanted})
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    file = static_files()[PATH]
    assert answer.content == file.body
    length = int(answer.headers["content-length"])
    if coding == "br":
        assert length == len(brotli.compress(file.body, quality=11)) < len(file.body_gzip)
    else:
        assert length == len(file.body_gzip if coding else file.body)
    known = {"Accept-Encoding": wanted, "If-None-Match": answer.headers["etag"]}
    assert client.get(static_path(PATH), headers=known).status_code == 304


def test_each_coding_has_a_tag_of_its_own(client: Client) -> None:
    answers = [
        client.get(static_path(PATH), headers={"Accept-Encoding": each})
        for each in ("identity", "gzip", "br")
    ]
    assert len({answer.headers["etag"] for answer in answers}) == 3
    assert gzip.decompress(static_files()[PATH].body_gzip) == answers[0].content
