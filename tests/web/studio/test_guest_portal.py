"""What private links open, through the whole application, on both pairs of engines."""

import io
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image
from sqlalchemy import select

from podhost.accounts.login_limits import CLIPS_BY_LINK, require_clip_request
from podhost.config import read_settings
from podhost.episodes import EpisodeInput, change_episode
from podhost.episodes.publishing import publish_episode
from podhost.guests.clips import delete_clip
from podhost.guests.links import create_link, open_link, revoke_link
from podhost.guests.proposals import find_open
from podhost.instance import Instance
from podhost.models import Clip, Episode, GuestLink, Show
from podhost.people import CreditInput, PersonLink
from podhost.worker import run_due_jobs
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient, text_of

ANN = CreditInput(
    name="Ann Ocean", bio="Swims.", links=[PersonLink(name="Sea", url="https://sea.social/@ann")]
)
Made = tuple[Show, Episode, str]
WriteForm = Callable[..., httpx.Response]


@pytest.fixture
def visitor(instance: Instance) -> StudioClient:
    return StudioClient(instance)


@pytest.fixture
def draft(instance: Instance, mp3: Path) -> Made:
    """A draft, and the secret of Ann's link to it."""
    show = make_show(instance)
    episode = make_episode(
        instance,
        show,
        mp3,
        publish=False,
        guests=[ANN],
        notes="The **tide** is low.<script>alert(1)</script>",
    )
    return show, episode, link_to(instance, episode)


def link_to(instance: Instance, episode: Episode, **given: object) -> str:
    with instance.database.write() as session:
        row = session.get_one(Episode, episode.id)
        person_id = given.pop("person_id", row.credits[0].person_id)
        return create_link(session, row, person_id, now=instance.now(), **given)[1]  # type: ignore[arg-type]


def publish(instance: Instance, episode: Episode) -> None:
    with instance.database.write() as session:
        publish_episode(session, session.get_one(Episode, episode.id), now=instance.now())


def send(
    visitor: StudioClient, secret: str, file: bytes | None = None, **form: str
) -> httpx.Response:
    visitor.get(f"/guests/{secret}")
    files = {"picture": ("a.png", io.BytesIO(file), "image/png")}
    values = {"csrf": visitor.csrf, "name": "Ann Ocean", "bio": "Swims.", "url": "", **form}
    return visitor.request("POST", f"/guests/{secret}", data=values, files=files)


def credit(instance: Instance, secret: str) -> object:
    with instance.database.read() as session:
        return open_link(session, secret, is_preview=False, now=instance.now()).credit


def test_a_guest_hears_and_reads_what_is_not_out(
    instance: Instance, visitor: StudioClient, draft: Made, mp3: Path
) -> None:
    _, episode, secret = draft
    page = visitor.get(f"/guests/{secret}")

    assert page.status_code == 200
    assert "Low water" in text_of(page) and "The tide is low." in text_of(page)
    assert "<script>alert" not in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "noindex" in page.headers["x-robots-tag"]
    audio = visitor.get(f"/guests/{secret}/audio/1.mp3")
    if audio.status_code == 302:
        # From the bucket, by an address that is signed.
        audio = httpx.get(audio.headers["location"], timeout=30)
    assert audio.content == mp3.read_bytes()
    # Its public address knows nothing of it.
    assert visitor.client.get(f"/audio/{episode.id}/1/low-water.mp3").status_code == 404
    for wrong in ("2.mp3", "1.m4a", "1", "x"):
        assert visitor.get(f"/guests/{secret}/audio/{wrong}").status_code == 404


@pytest.fixture
def streaming(environment: dict[str, str], instance: Instance) -> Instance:
    """An instance that carries the bytes itself, also of a bucket."""
    instance.settings = read_settings({**environment, "PODHOST_AUDIO_DELIVERY": "stream"})
    return instance


def test_players_get_the_ranges_that_they_ask_for(
    streaming: Instance, draft: Made, mp3: Path
) -> None:
    path, whole = f"/guests/{draft[2]}/audio/1.mp3", mp3.read_bytes()
    visitor, size = StudioClient(streaming), len(mp3.read_bytes())
    expected = {
        "bytes=0-99": (206, f"bytes 0-99/{size}", whole[:100]),
        "bytes=1000-": (206, f"bytes 1000-{size - 1}/{size}", whole[1000:]),
        "bytes=-10": (206, f"bytes {size - 10}-{size - 1}/{size}", whole[-10:]),
        "bytes=99999999-": (416, f"bytes */{size}", b""),
        "pages=1": (200, None, whole),
    }
    for asked, (status, said, part) in expected.items():
        answer = visitor.get(path, headers={"Range": asked})
        assert (answer.status_code, answer.headers.get("content-range")) == (status, said)
        assert answer.content == part
        assert answer.headers["cache-control"] == "private, no-store"
    head = visitor.request("HEAD", path)
    assert (head.content, head.headers["content-length"]) == (b"", str(size))


def test_only_the_right_secret_opens_anything(
    instance: Instance, visitor: StudioClient, draft: Made
) -> None:
    _, episode, secret = draft
    preview = link_to(instance, episode, person_id=None)
    paths = [f"/guests/{preview}", f"/preview/{secret}", "/guests/x", "/guests/%00", "/preview/é"]
    for path in paths:
        assert visitor.get(path).status_code == 404
    assert visitor.get(f"/guests/{preview}/audio/1.mp3").status_code == 404
    assert visitor.get(f"/preview/{preview}").status_code == 200
    with instance.database.write() as session:
        link = open_link(session, secret, is_preview=False, now=instance.now()).link
        revoke_link(session, link, now=instance.now())
    for path in (f"/guests/{secret}", f"/guests/{secret}/audio/1.mp3"):
        gone = visitor.get(path)
        assert gone.status_code == 410
        assert "This link has ended." in text_of(gone)


def test_who_tries_many_secrets_is_sent_away(visitor: StudioClient) -> None:
    answers = {visitor.get(f"/guests/{n}").status_code for n in range(30)}

    assert answers == {404, 429}


def test_a_preview_can_be_heard_and_not_changed(
    instance: Instance, visitor: StudioClient, draft: Made
) -> None:
    secret = link_to(instance, draft[1], person_id=None)

    page = visitor.get(f"/preview/{secret}")

    assert "Low water" in text_of(page)
    assert f"/studio/preview/{secret}/audio/1.mp3" in page.text
    assert visitor.get(f"/preview/{secret}/audio/1.mp3").status_code in (200, 302)
    assert "<form" not in page.text
    assert visitor.post(f"/preview/{secret}").status_code == 405


def test_what_a_guest_corrects_goes_to_the_host(
    instance: Instance, visitor: StudioClient, draft: Made
) -> None:
    secret = draft[2]
    form = {
        "name": "Ann Océan",
        "bio": "Dives.",
        "url": "ann.example",
        "link-url-0": "sea.social/@a",
    }

    sent = send(visitor, secret, **form)

    page = text_of(visitor.follow(sent))
    assert "Thank you. Your host will look at it." in page
    assert "your host has not decided yet" in page
    with instance.database.read() as session:
        link = open_link(session, secret, is_preview=False, now=instance.now()).link
        proposal = find_open(session, link)
        assert proposal is not None
        assert proposal.wanted == {
            "name": "Ann Océan",
            "bio": "Dives.",
            "url": "https://ann.example",
            "links": [{"name": "sea.social", "url": "https://sea.social/@a"}],
        }


def test_what_was_typed_stays_where_something_is_wrong(visitor: StudioClient, draft: Made) -> None:
    form = {"name": "Ann <b>", "bio": "x" * 2001, "link-url-0": "javascript:alert(1)"}

    refused = send(visitor, draft[2], **form)

    assert refused.status_code == 422
    assert "It has 2001 characters; 2000 are the most." in text_of(refused)
    assert "It must be a whole address" in text_of(refused)
    assert 'value="javascript:alert(1)"' in refused.text
    assert 'value="Ann &lt;b&gt;"' in refused.text


def test_a_guest_sends_a_picture_which_is_drawn_anew(
    instance: Instance, visitor: StudioClient, draft: Made
) -> None:
    secret = draft[2]
    file = io.BytesIO()
    Image.new("RGB", (500, 400), "teal").save(file, "PNG")

    assert send(visitor, secret, file.getvalue()).status_code == 303

    with instance.database.read() as session:
        link = open_link(session, secret, is_preview=False, now=instance.now()).link
        proposal = find_open(session, link)
        assert proposal is not None and proposal.artwork_id is not None
        artwork_id = proposal.artwork_id
    stored = visitor.client.get(f"/artwork/{artwork_id}/300.jpg")
    assert stored.status_code == 200
    assert f"/artwork/{artwork_id}/" in visitor.get(f"/guests/{secret}").text


def test_files_that_are_no_pictures_are_refused(
    instance: Instance, visitor: StudioClient, draft: Made
) -> None:
    secret = draft[2]
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    large = b"\x89PNG\r\n\x1a\n" + b"\0" * 10_000_001
    before = {stat.key for stat in instance.storage.list("artwork/")}

    for file, sentence in (
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "SVG or HTML"),
        (bomb.getvalue(), "more than any app shows"),
        (large, "larger than 10 MB"),
        (b"MZ" + b"\0" * 100, "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "could not be read"),
    ):
        refused = send(visitor, secret, file)
        assert refused.status_code == 422
        assert sentence in text_of(refused)
    assert send(visitor, secret, b"MZ").status_code == 429
    assert {stat.key for stat in instance.storage.list("artwork/")} == before


def test_a_form_that_is_not_ours_changes_nothing(
    instance: Instance, visitor: StudioClient, draft: Made
) -> None:
    secret = draft[2]
    visitor.get(f"/guests/{secret}")
    for path in (f"/guests/{secret}", f"/guests/{secret}/clips"):
        files = {"picture": ("a.png", io.BytesIO())} if not path.endswith("clips") else None
        values = {"csrf": "x", "name": "Eve", "start": "0", "end": "2"}
        refused = visitor.request("POST", path, data=values, files=files)
        assert refused.status_code == 403
    assert send(visitor, "wrong").status_code == 404
    with instance.database.read() as session:
        link = open_link(session, secret, is_preview=False, now=instance.now()).link
        assert find_open(session, link) is None


def test_once_it_is_out_there_is_all_to_share(
    instance: Instance, visitor: StudioClient, draft: Made
) -> None:
    _, episode, secret = draft
    with instance.database.write() as session:
        row = session.get_one(Episode, episode.id)
        given = EpisodeInput(title='Tides & "ties"')
        change_episode(session, row, given, now=instance.now())
        row.show.artwork_id = None
    publish(instance, episode)

    page = visitor.get(f"/guests/{secret}")

    assert "https://pod.example/tide-tables/episodes/low-water" in page.text
    assert "podcast://pod.example/tide-tables" in page.text
    # As code, which a textarea shows as it is.
    assert "&lt;iframe src=&#34;https://pod.example/tide-tables/embed/low-water&#34;" in page.text
    assert "title=&#34;Tides &amp;amp; &amp;quot;ties&amp;quot;&#34;" in page.text
    assert "They are being drawn." in text_of(page)


def test_a_guest_gets_a_clip(
    instance: Instance,
    visitor: StudioClient,
    draft: Made,
    write_form: Callable[..., httpx.Response],
) -> None:
    _, episode, secret = draft
    with instance.database.write() as session:
        session.get_one(Show, episode.show_id).artwork_id = None
    publish(instance, episode)
    path = f"/guests/{secret}/clips"

    for start, end, sentence in (
        ("x", "2", "Write moments such as 1:23"),
        ("5", "2", "must end after it begins"),
        ("0", "5:00", "must end before the episode does"),
    ):
        refused = write_form(path, start=start, end=end)
        assert refused.status_code == 422
        assert sentence in text_of(refused)
        assert f'value="{start}"' in refused.text
    sent = write_form(path, start="0:01", end="0:03.5")
    assert "being cut" in text_of(visitor.follow(sent))
    run_due_jobs(instance)

    page = visitor.get(f"/guests/{secret}")
    (address,) = {
        part.split('"')[0] for part in page.text.split('src="') if "/clips/" in part[:200]
    }
    heard = visitor.get(address)
    if heard.status_code == 302:
        heard = httpx.get(heard.headers["location"], timeout=30)
    assert heard.status_code == 200 and len(heard.content) > 10_000
    clip_id = address.rpartition("/")[2].partition(".")[0]
    assert write_form(f"{path}/{clip_id}/delete").status_code == 303
    assert visitor.get(address).status_code == 404


@pytest.fixture
def write_form(visitor: StudioClient, draft: Made) -> WriteForm:
    """Sends a form of Ann's page."""

    def write(path: str, **values: str) -> httpx.Response:
        visitor.get(f"/guests/{draft[2]}")
        return visitor.post(path, values)

    return write


def test_deleting_clips_brings_no_more_of_them(
    instance: Instance, draft: Made, write_form: WriteForm
) -> None:
    _, episode, secret = draft
    publish(instance, episode)
    with instance.database.write() as session:
        (link,) = session.scalars(select(GuestLink)).all()
        for _ in range(CLIPS_BY_LINK.times - 1):
            require_clip_request(session, link.id, instance.now())
    path = f"/guests/{secret}/clips"
    assert write_form(path, start="0", end="2").status_code == 303
    with instance.database.write() as session:
        delete_clip(session, session.scalars(select(Clip)).one())
    refused = write_form(path, start="0", end="2")
    assert refused.status_code == 422 and "tried too often" in text_of(refused)


def test_one_guests_clips_are_not_anothers(
    instance: Instance,
    visitor: StudioClient,
    draft: Made,
    write_form: Callable[..., httpx.Response],
) -> None:
    _, episode, secret = draft
    with instance.database.write() as session:
        session.get_one(Show, episode.show_id).artwork_id = None
    publish(instance, episode)
    write_form(f"/guests/{secret}/clips", start="0", end="2")
    run_due_jobs(instance)
    page = visitor.get(f"/guests/{secret}")
    (address,) = {
        part.split('"')[0] for part in page.text.split('src="') if "/clips/" in part[:200]
    }
    other = link_to(instance, episode)

    assert visitor.get(address).status_code in (200, 302)
    assert visitor.get(address.replace(secret, other)).status_code == 404


def test_it_speaks_the_language_of_the_browser(visitor: StudioClient, draft: Made) -> None:
    page = visitor.get(f"/guests/{draft[2]}", headers={"Accept-Language": "es-MX,es;q=0.9"})

    assert 'lang="es"' in page.text
    assert "Este episodio todavía no se ha publicado." in text_of(page)


def test_a_page_that_is_opened_changes_nothing(
    instance: Instance, visitor: StudioClient, draft: Made
) -> None:
    def rows() -> list[object]:
        with instance.database.read() as session:
            return [vars(link).copy() for link in session.query(GuestLink)]

    def plain(found: list[object]) -> list[object]:
        return [
            {name: value for name, value in row.items() if name != "_sa_instance_state"}  # type: ignore[attr-defined]
            for row in found
        ]

    before = plain(rows())
    visitor.get(f"/guests/{draft[2]}")
    visitor.get(f"/guests/{draft[2]}/audio/1.mp3")
    assert plain(rows()) == before


def test_secrets_stand_in_no_log(
    visitor: StudioClient, draft: Made, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        visitor.get(f"/guests/{draft[2]}")
        visitor.get(f"/guests/{draft[2]}/audio/1.mp3")
        visitor.get(f"/preview/{draft[2]}")

    logged = "".join(
        str(vars(record)) for record in caplog.records if record.name.startswith("podhost")
    )
    assert "/studio/guests/..." in logged
    assert draft[2] not in logged
