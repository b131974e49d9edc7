"""Templates of the operator's in the place of podhost's, and what happens when they fail."""

import logging
from pathlib import Path

import pytest

from podhost.app import create_app
from podhost.config import read_settings
from podhost.errors import Invalid
from podhost.instance import open_instance
from tests.asgi_client import Client
from tests.conftest import FrozenClock
from tests.making import make_show

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    return folder


@pytest.fixture
def client(environment: dict[str, str], clock: FrozenClock, templates: Path) -> Client:
    values = {**environment, "PODHOST_SITE_TEMPLATES": str(templates)}
    instance = open_instance(read_settings(values), clock=clock)
    make_show(instance)
    return Client(create_app(instance))


def read(client: Client, path: str = "/tide-tables/", status: int = 200) -> str:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    return str(answer.text)


def test_a_template_of_the_same_name_takes_its_place(client: Client, templates: Path) -> None:
    base = '{% extends "podhost/base.html" %}{% block scripts %}<p>Mine: {{ show.title }}</p>'
    (templates / "base.html").write_text(base + "{% endblock %}")
    (templates / "follow.html").write_text('{% extends "site/base.html" %}')
    (templates / "error.html").write_text("Lost: {{ message }}")
    (templates / "studio").mkdir()
    home = read(client)
    assert "<p>Mine: Tide Tables</p>" in home and "Harbour talk." in home
    assert "Mine" in read(client, "/tide-tables/credits")
    assert "Overcast" not in read(client, "/tide-tables/follow")
    assert read(client, "/tide-tables/nothing", 404).startswith("Lost: ")
    assert "Mine" not in client.get("/studio/login").text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% block main %}", "home.html, line 1"),
        ("<p>\n{{ nothing.at.all }}", "home.html, line 2"),
        ("{{ show.title.x.y }}", "UndefinedError"),
        ('{% extends "site/missing.html" %}', "missing.html"),
        ('{% include "../../etc/passwd" %}', "passwd"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("\udcff", "UnicodeDecodeError"),
    ],
)
def test_a_template_that_fails_is_told_and_podhosts_own_answers(
    client: Client, templates: Path, text: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    (templates / "home.html").write_bytes(text.encode("utf-8", "surrogateescape"))
    with caplog.at_level(logging.WARNING):
        assert "Harbour talk." in read(client)
    [record] = [each for each in caplog.records if "PODHOST_SITE_TEMPLATES" in each.getMessage()]
    assert said in record.getMessage() and "site/home.html" in record.getMessage()


def test_a_folder_that_is_not_there_is_refused_at_start(environment: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="PODHOST_SITE_TEMPLATES"):
        read_settings({**environment, "PODHOST_SITE_TEMPLATES": "/nowhere/at/all"})
