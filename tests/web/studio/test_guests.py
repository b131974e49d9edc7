"""The people of a show and the guests of an episode, as hosts see them; both pairs of engines."""

import io
import re
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import insert

from podhost.db import new_id
from podhost.guests.links import open_link
from podhost.guests.proposals import Correction, propose
from podhost.instance import Instance
from podhost.models import Credit, Episode, Person, Show
from podhost.people import CreditInput, PersonLink
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient, text_of

ANN = CreditInput(name="Ann Ocean", bio="Swims.", url="https://ann.example/")


@pytest.fixture
def made(instance: Instance) -> tuple[Show, Episode]:
    show = make_show(instance)
    guests = [ANN, CreditInput(name="Bob & Co")]
    return show, make_episode(instance, show, None, publish=False, guests=guests)


@pytest.fixture
def host(instance: Instance, made: tuple[Show, Episode]) -> StudioClient:
    return StudioClient.visit_as(instance, "editor", made[0].slug)


def guests_path(episode: Episode) -> str:
    return f"/shows/tide-tables/episodes/{episode.id}/guests"


def id_of(host: StudioClient, name: str) -> str:
    page = host.get("/shows/tide-tables/guests", params={"search": name}).text
    (found,) = re.findall(r"/guests/([0-9a-f]{16})\"", page)
    return str(found)


def save(host: StudioClient, person_id: str, file: bytes = b"", **form: str) -> Any:
    host.get(f"/shows/tide-tables/guests/{person_id}")
    values = {"csrf": host.csrf, "name": "Ann Ocean", "bio": "Swims.", "url": "", **form}
    files = {"picture": ("a.png", io.BytesIO(file), "image/png")}
    path = f"/shows/tide-tables/guests/{person_id}"
    return host.request("POST", path, data=values, files=files)


def propose_something(instance: Instance, address: str, **given: Any) -> None:
    with instance.database.write() as session:
        secret = address.rpartition("/")[2]
        guest = open_link(session, secret, is_preview=False, now=instance.now())
        propose(session, guest, Correction(**given), now=instance.now())


def make_link(host: StudioClient, episode: Episode, **form: str) -> str:
    page = host.get(guests_path(episode)).text
    person = re.findall(r'<option value="([0-9a-f]{16})"', page)[0]
    made = host.post(guests_path(episode), {"person": person, **form})
    assert made.status_code == 200, text_of(made)
    (address,) = re.findall(r'value="(https://pod.example/studio/guests/[^"]+)"', made.text)
    return str(address)


def test_a_host_sees_the_address_of_a_new_link_once(
    host: StudioClient, made: tuple[Show, Episode]
) -> None:
    address = make_link(host, made[1], email="ann@example.org")

    page = host.get(guests_path(made[1]))

    assert address not in page.text
    assert "ann@example.org" in text_of(page)
    assert (
        StudioClient(host.instance, host.client)
        .get(address.removeprefix("https://pod.example"))
        .status_code
        == 200
    )
    (link_id,) = re.findall(r"/links/([0-9a-f]{16})/revoke", page.text)
    revoked = host.post(f"{guests_path(made[1])}/links/{link_id}/revoke")
    assert "revoked" in text_of(host.follow(revoked))
    assert "ann@example.org" not in text_of(host.get(guests_path(made[1])))


def test_a_host_makes_a_preview(host: StudioClient, made: tuple[Show, Episode]) -> None:
    host.get(guests_path(made[1]))

    page = host.post(guests_path(made[1]))

    (address,) = re.findall(r'value="https://pod.example(/studio/preview/[^"]+)"', page.text)
    assert "Low water" in text_of(StudioClient(host.instance, host.client).get(address))


def test_a_link_that_cannot_be_is_refused_beside_its_field(
    host: StudioClient, made: tuple[Show, Episode]
) -> None:
    path = guests_path(made[1])
    host.get(path)

    page = host.get(path).text
    person = re.findall(r'<option value="([0-9a-f]{16})"', page)[0]
    refused = host.post(path, {"person": person, "email": "nobody"})
    unknown = host.post(path, {"person": "0" * 16})

    assert refused.status_code == unknown.status_code == 422
    assert 'value="nobody"' in refused.text and 'aria-invalid="true"' in refused.text
    assert "Nobody with this id is named in the episode." in text_of(unknown)


def test_a_host_takes_over_what_is_ticked(
    instance: Instance, host: StudioClient, made: tuple[Show, Episode]
) -> None:
    address = make_link(host, made[1])
    links = [PersonLink(url="https://sea.social/@ann", name="Sea & <b")]
    propose_something(instance, address, name="Ann Océan", bio="Dives.", links=links)
    page = host.get(guests_path(made[1]))
    assert "Ann Océan" in text_of(page) and "Swims." in text_of(page)
    assert "Sea &amp; &lt;b" in page.text
    (path,) = re.findall(r'action="/studio(/[^"]+/proposals/[^"]+)"', page.text)
    assert host.post(path, {"decision": "accept"}).status_code == 409

    taken = host.post(path, {"decision": "accept", "field": ["name", "links"]})

    assert "It is in the episode now." in text_of(host.follow(taken))
    with instance.database.read() as session:
        credit = session.get_one(Episode, made[1].id).credits[0]
        assert (credit.name, credit.bio) == ("Ann Océan", "Swims.")
        assert credit.links == [{"name": "Sea & <b", "url": "https://sea.social/@ann"}]
    assert "would have it otherwise" not in text_of(host.get(guests_path(made[1])))
    assert host.post(path, {"decision": "decline"}).status_code in (303, 409)


def test_a_host_leaves_all_as_it_is(
    instance: Instance, host: StudioClient, made: tuple[Show, Episode]
) -> None:
    propose_something(instance, make_link(host, made[1]), bio="Dives.")
    page = host.get(guests_path(made[1]))
    (path,) = re.findall(r'action="/studio(/[^"]+/proposals/[^"]+)"', page.text)

    left = host.post(path, {"decision": "decline", "field": ["bio"]})

    assert "The episode stays as it is." in text_of(host.follow(left))
    with instance.database.read() as session:
        assert session.get_one(Episode, made[1].id).credits[0].bio == "Swims."


def test_people_are_found_changed_and_merged(
    instance: Instance, host: StudioClient, made: tuple[Show, Episode]
) -> None:
    listed = text_of(host.get("/shows/tide-tables/guests"))
    assert "Ann Ocean" in listed and "Bob &amp; Co" in listed
    ann, bob = id_of(host, "ann"), id_of(host, "bob")

    saved = save(host, ann, bio="Dives.", in_episodes="true", **{"link-url-0": "https://x.com/a"})

    assert "Saved, and changed in 1 episode." in text_of(host.follow(saved))
    with instance.database.read() as session:
        credit = session.get_one(Episode, made[1].id).credits[0]
        assert (credit.bio, credit.links) == (
            "Dives.",
            [{"name": "x.com", "url": "https://x.com/a"}],
        )
    merged = host.post(f"/shows/tide-tables/guests/{bob}/merge", {"into": ann})
    page = host.follow(merged)
    assert "Bob &amp; Co is Ann Ocean now." in text_of(page)
    (undo,) = re.findall(r'action="/studio(/shows/[^"]+/split)"', page.text.split("<main")[0])
    assert host.get(f"/shows/tide-tables/guests/{bob}").status_code == 303
    assert host.post(undo).status_code == 303
    assert id_of(host, "bob") == bob


def test_what_was_typed_of_a_person_stays(host: StudioClient, made: tuple[Show, Episode]) -> None:
    refused = save(host, id_of(host, "ann"), name="", url="x", bio="Typed.")

    assert refused.status_code == 422
    assert "Typed." in refused.text and 'value="x"' in refused.text
    taken = save(host, id_of(host, "ann"), name="bob & CO")
    assert taken.status_code == 422
    assert "merge the two" in text_of(taken)
    bad = save(host, id_of(host, "ann"), b"GIF89a no picture")
    assert bad.status_code == 422


def test_a_person_gets_a_picture(host: StudioClient, made: tuple[Show, Episode]) -> None:
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(file, "PNG")
    ann = id_of(host, "ann")

    page = host.follow(save(host, ann, file.getvalue()))

    assert re.search(r'src="/artwork/[0-9a-f]{16}/300.jpg"', page.text)


def test_people_of_other_shows_are_not_here(
    instance: Instance, host: StudioClient, made: tuple[Show, Episode]
) -> None:
    other = make_show(instance, "Other")
    make_episode(instance, other, None, publish=False, guests=[CreditInput(name="Eve")])
    with instance.database.read() as session:
        eve = session.query(Person).filter_by(name="Eve").one().id
    ann = id_of(host, "ann")

    assert host.get(f"/shows/tide-tables/guests/{eve}").status_code == 404
    assert host.post(f"/shows/tide-tables/guests/{ann}/merge", {"into": eve}).status_code == 404
    assert host.get("/shows/other/guests").status_code == 404


def test_a_show_with_very_many_guests_has_a_quick_list(
    instance: Instance, host: StudioClient, made: tuple[Show, Episode]
) -> None:
    show = made[0]
    with instance.database.write() as session:
        names = [f"Guest {n:04}" for n in range(2000)]
        people: list[dict[str, Any]] = [
            {
                "id": new_id(),
                "show_id": show.id,
                "slug": f"guest-{n}",
                "name": name,
                "name_key": name.lower(),
                "bio": "",
            }
            for n, name in enumerate(names)
        ]
        session.execute(insert(Person), people)
        credits = [
            {
                "id": new_id(),
                "show_id": show.id,
                "episode_id": made[1].id,
                "person_id": person["id"],
                "position": n + 10,
                "name": person["name"],
                "role": "guest",
                "group": "cast",
                "bio": "",
            }
            for n, person in enumerate(people)
        ]
        session.execute(insert(Credit), credits)
    host.get("/shows/tide-tables/guests")
    queries: list[str] = []
    from sqlalchemy import event

    engine = instance.database.engine
    event.listen(engine, "before_cursor_execute", lambda *given: queries.append(given[2]))

    page = host.get("/shows/tide-tables/guests")

    assert "Guest 0042" in page.text and "Further in the list" in text_of(page)
    # However many there are.
    assert len(queries) < 20
    assert "Guest 1999" in host.get("/shows/tide-tables/guests", params={"page": "21"}).text
