"""The API's calls for guests, through the whole application, on both pairs of engines."""

import io
from typing import Any

import pytest
from PIL import Image

from podhost.guests.links import open_link
from podhost.guests.proposals import Correction, propose
from podhost.instance import Instance
from podhost.people import CreditInput
from tests.api_client import Ask, calls_by_role
from tests.making import make_episode, make_show

SHOW = "/api/v1/shows/tide-tables"
EPISODE = SHOW + "/episodes/low-water"


@pytest.fixture
def ask(instance: Instance) -> Ask:
    """Calls in the name of an editor, or of whoever has another `role` on Alice's show."""
    show = make_show(instance)
    guests = [CreditInput(name="Ann Ocean", bio="Swims."), CreditInput(name="Bob")]
    make_episode(instance, show, None, publish=False, guests=guests)
    return calls_by_role(instance, show, "editor")


def person_id(ask: Ask, name: str) -> str:
    (found,) = ask("GET", f"{SHOW}/guests", params={"search": name}).json()["people"]
    return str(found["id"])


def correct(instance: Instance, address: str, **given: Any) -> None:
    """What the guest of this link would have otherwise."""
    secret = address.rpartition("/")[2]
    with instance.database.write() as session:
        guest = open_link(session, secret, is_preview=False, now=instance.now())
        propose(session, guest, Correction(**given), now=instance.now())


def test_it_tells_the_address_of_a_link_once(ask: Ask) -> None:
    given = {"person": person_id(ask, "Ann"), "email": "ann@example.org"}
    made = ask("POST", f"{EPISODE}/guest-links", json=given)
    assert made.status_code == 201, made.text
    link = made.json()
    assert link["url"].startswith("https://pod.example/studio/guests/")
    preview = ask("POST", f"{EPISODE}/guest-links", json={}).json()
    assert preview["url"].startswith("https://pod.example/studio/preview/")
    assert preview["name"] is None

    told = ask("GET", made.headers["location"].removeprefix("https://pod.example")).json()
    assert (told["url"], told["name"], told["email"]) == (None, "Ann Ocean", "ann@example.org")
    listed = ask("GET", f"{EPISODE}/guest-links").json()["links"]
    assert {each["id"] for each in listed} == {link["id"], preview["id"]}
    assert ask("DELETE", f"{EPISODE}/guest-links/{link['id']}").status_code == 204
    assert len(ask("GET", f"{EPISODE}/guest-links").json()["links"]) == 1


def test_it_refuses_a_link_that_cannot_be(ask: Ask) -> None:
    refusals: tuple[tuple[dict[str, Any], int], ...] = (
        ({"person": "0000000000000000"}, 404),
        ({"person": "\x00"}, 404),
        ({"email": "x"}, 422),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"expires_at": "2090-01-01T00:00:00"}, 422),
        ({"may_change": "perhaps"}, 422),
    )
    for given, status in refusals:
        refused = ask("POST", f"{EPISODE}/guest-links", json=given)
        assert refused.status_code == status, refused.text
        assert refused.json()["error"]["message"]


def test_only_who_may_edit_the_show_sees_links(ask: Ask) -> None:
    for role, status in (("owner", 200), ("analyst", 403), ("stranger", 404)):
        assert ask("GET", f"{EPISODE}/guest-links", role=role).status_code == status
    for role, status in (("owner", 201), ("analyst", 403), ("stranger", 404)):
        assert ask("POST", f"{EPISODE}/guest-links", role=role, json={}).status_code == status
    for role, status in (("analyst", 200), ("stranger", 404)):
        assert ask("GET", f"{SHOW}/guests", role=role).status_code == status


def test_a_proposal_is_accepted_in_parts(instance: Instance, ask: Ask) -> None:
    given = {"person": person_id(ask, "Ann")}
    url = ask("POST", f"{EPISODE}/guest-links", json=given).json()["url"]
    correct(instance, url, bio="Dives.", url="https://ann.example/")

    (proposal,) = ask("GET", f"{EPISODE}/proposals").json()["proposals"]
    assert proposal["changes"] == [
        {"field": "bio", "now": "Swims.", "wanted": "Dives."},
        {"field": "url", "now": None, "wanted": "https://ann.example/"},
    ]
    path = f"{EPISODE}/proposals/{proposal['id']}"
    assert ask("POST", f"{path}/accept", role="analyst").status_code == 403
    assert ask("POST", f"{path}/accept", json={"fields": ["bio"]}).json()["status"] == "open"
    assert ask("POST", f"{path}/decline").json()["status"] == "declined"
    assert ask("POST", f"{path}/accept").status_code == 409
    assert ask("POST", f"{EPISODE}/proposals/0000/accept").status_code == 404
    ann = ask("GET", EPISODE).json()["people"][0]
    assert (ann["bio"], ann["url"]) == ("Dives.", None)


def test_people_are_changed_merged_and_parted(ask: Ask) -> None:
    ann, bob = person_id(ask, "Ann"), person_id(ask, "Bob")
    links = [{"url": "https://sea.social/@ann"}]
    given = {"bio": "Dives.", "links": links, "in_episodes": True}

    changed = ask("PATCH", f"{SHOW}/guests/{ann}", json=given).json()
    assert (changed["bio"], changed["links"][0]["name"]) == ("Dives.", "sea.social")
    assert ask("GET", EPISODE).json()["people"][0]["links"] == changed["links"]
    assert ask("PATCH", f"{SHOW}/guests/{ann}", json={"name": "bob"}).status_code == 409
    assert ask("PATCH", f"{SHOW}/guests/{ann}", json={"url": "x"}).status_code == 422
    merged = ask("POST", f"{SHOW}/guests/{bob}/merge", json={"into": ann}).json()
    assert [each["id"] for each in merged["spellings"]] == [bob]
    assert ask("POST", f"{SHOW}/guests/{bob}/merge", json={"into": ann}).status_code == 409
    assert ask("POST", f"{SHOW}/guests/{bob}/split").json()["name"] == "Bob"
    assert ask("GET", f"{SHOW}/guests/{bob}").json()["spellings"] == []


def test_a_person_gets_a_picture(ask: Ask) -> None:
    ann = person_id(ask, "Ann")
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(file, "PNG")

    sent = ask("PUT", f"{SHOW}/guests/{ann}/picture", files={"picture": ("a.png", file.getvalue())})
    assert sent.status_code == 200, sent.text
    assert sent.json()["image_url"].startswith("https://pod.example/artwork/")
    for wrong in (b"", b"no picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        refused = ask("PUT", f"{SHOW}/guests/{ann}/picture", files={"picture": ("a.png", wrong)})
        assert refused.status_code == 422
