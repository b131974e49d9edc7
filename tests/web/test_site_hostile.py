"""What nobody types: signs that no page may hold, in all places where a reader can ask."""

import pytest

from podhost.app import create_app
from podhost.instance import Instance
from tests.asgi_client import Client
from tests.making import make_show

SHOW = "/tide-tables"


@pytest.fixture
def client(instance: Instance) -> Client:
    make_show(instance)
    return Client(create_app(instance), raises=False)


@pytest.mark.parametrize("sign", ["%00", "%ED%A0%80", "%ff", "%0d%0a", "%C2%B2", "%E2%80%AE"])
def test_signs_that_nobody_types_find_nothing(client: Client, sign: str) -> None:
    for path in (
        f"{SHOW}/articles?category={sign}",
        f"{SHOW}/episodes?label={sign}",
        f"{SHOW}/episodes?page={sign}",
        f"{SHOW}/search?q=a&kind={sign}",
        f"{SHOW}/people/a{sign}",
        f"{SHOW}/articles/a{sign}",
        f"{SHOW}/pages/a{sign}",
        f"{SHOW}/embed/a{sign}",
        f"{SHOW}/sitemap-{sign}.xml",
        f"{SHOW}/newsletter/confirm/{sign}",
        f"/a{sign}/",
        f"/oembed?url=https://a{sign}.example/episodes/low-water",
        f"/oembed?url=https://pod.example{SHOW}/episodes/a{sign}",
        f"/oembed?url=https://pod.example/a{sign}/episodes/low-water",
    ):
        assert client.get(path).status_code == 404, path
    for path in (
        f"{SHOW}/search?q={sign}a",
        f"{SHOW}/search.json?q={sign}",
        f"{SHOW}/guests?q={sign}",
    ):
        assert client.get(path).status_code == 200, path
