"""What a request says of its host stands in no page."""

import pytest

from podhost.app import create_app
from podhost.instance import Instance
from podhost.site.settings import SiteInput, change_site
from tests.asgi_client import Client
from tests.making import make_show


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_no_address_comes_from_the_host_that_was_asked(instance: Instance) -> None:
    show = make_show(instance)
    with instance.database.write() as session:
        change_site(session, show, SiteInput(domain="tides.example"), now=instance.now())
    app = create_app(instance)
    app.state.catalogue.catch_up()
    client = Client(app)
    for host in ("evil.example", "tides.example.evil.example", "evil.example:80@tides.example"):
        for path in ("/tide-tables/", "/", "/sitemap.xml", "/robots.txt", "/tide-tables/nothing"):
            answer = client.get(path, headers={"Host": host, "X-Forwarded-Host": "evil.example"})
            assert "evil" not in answer.text + str(answer.headers), (host, path)
        # And it opens no show's root.
        assert client.get("/follow", headers={"Host": host}).status_code == 404
    own = client.get("/", headers={"Host": "TIDES.example:8443"})
    assert '<link rel="canonical" href="https://tides.example/">' in own.text
    assert "8443" not in own.text
