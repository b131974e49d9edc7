"""Uploads in parts, as Uppy and our own page send them, on both pairs of engines."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mutagen import id3
from PIL import Image

from podhost import uploads
from podhost.accounts.accounts import create_account, create_token
from podhost.app import create_app
from podhost.chapters.rows import ChapterInput
from podhost.instance import Instance
from podhost.models import Audio, Episode, Membership, Show, Upload
from podhost.shows import delete_show, get_show
from podhost.storage.multiparts import SMALLEST_PART_BYTES
from podhost.uploads.taking import take_upload
from podhost.worker import run_due_jobs
from tests.asgi_client import Client
from tests.audio_files import lame, with_id3
from tests.making import make_episode, make_show
from tests.upload_client import MULTIPART, UPLOADS, Sender

# What knows no storage is tried on one pair of engines.
on_one_pair = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def client(instance: Instance) -> Client:
    return Client(create_app(instance))


@pytest.fixture
def show(instance: Instance) -> Show:
    return make_show(instance)


@pytest.fixture
def sender_as(instance: Instance, client: Client, show: Show) -> Callable[..., Sender]:
    """A sender with a role on the show, or with none."""

    def make(role: str | None) -> Sender:
        with instance.database.write() as session:
            email = f"{role or 'stranger'}@example.org"
            account, _ = create_account(session, email, now=instance.now())
            if role is not None:
                session.add(
                    Membership(
                        show_id=show.id,
                        account_id=account.id,
                        role=role,
                        created_at=instance.now(),
                    )
                )
            token = create_token(session, account, name="t", scope="write", now=instance.now())[1]
        return Sender(client, token)

    return make


@pytest.fixture
def alice(sender_as: Callable[..., Sender]) -> Sender:
    """An editor of the show."""
    return sender_as("editor")


def tagged(seconds: int = 10) -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (1400, 1400), "teal").save(picture, "JPEG")
    return with_id3(
        lame(seconds),
        id3.TIT2(text="Low water"),
        id3.TRCK(text="7"),
        id3.TPOS(text="2"),
        id3.TPE1(text="Pier Nine"),
        id3.COMM(lang="eng", desc="", text="Ann walks out."),
        id3.APIC(mime="image/jpeg", type=3, data=picture.getvalue()),
        id3.CTOC(element_id="toc", flags=3, child_element_ids=["a", "b"], sub_frames=[]),
        id3.CHAP(element_id="a", start_time=0, end_time=4000, sub_frames=[id3.TIT2(text="Start")]),
        id3.CHAP(
            element_id="b", start_time=4000, end_time=9000, sub_frames=[id3.TIT2(text="Middle")]
        ),
    )


def episodes(instance: Instance) -> list[Episode]:
    with instance.database.read() as session:
        return list(session.query(Episode).order_by(Episode.created_at, Episode.id))


def leftovers(instance: Instance) -> list[str]:
    """What lies in the storage for uploads that are over."""
    found = [stat.key for stat in instance.storage.list("uploads/")]
    found += [each.key for each in instance.storage.multiparts().list_open()]
    folder = instance.storage.temporary_folder()
    return found + [path.name for path in (folder.iterdir() if folder else ())]


# ---- The whole way ------------------------------------------------------------------------------


def test_a_file_in_parts_becomes_a_draft_that_says_what_its_tags_say(
    instance: Instance, alice: Sender
) -> None:
    data = tagged() + lame(100) * 7
    upload = alice.begin("talk.mp3", len(data), fingerprint="talk-1")
    assert upload["part_bytes"] == 8 * 1024 * 1024
    cut = SMALLEST_PART_BYTES
    last = alice.send(upload, 2, data[cut:])
    first = alice.send(upload, 1, data[:cut])
    listed = alice.call("GET", f"{MULTIPART}/{upload['uploadId']}").json()
    assert listed == [
        {**first, "Size": cut},
        {**last, "Size": len(data) - cut},
    ]
    done = alice.complete(upload, [first, last]).json()
    assert done["location"].endswith(f"{UPLOADS}/{upload['uploadId']}")
    assert done["upload"]["state"] == "received"
    run_due_jobs(instance)
    state = alice.state(upload)
    assert (state["state"], state["error"]) == ("ready", None)
    assert state["sha256"] == hashlib.sha256(data).hexdigest()
    found = state["found"]
    assert (found["title"], found["number"], found["season"]) == ("Low water", 7, 2)
    assert (found["chapters"], found["has_artwork"], found["artist"]) == (2, True, "Pier Nine")
    told = alice.call("GET", f"/api/v1/shows/tide-tables/episodes/{state['episode']['id']}").json()
    assert (told["title"], told["number"], told["season"]) == ("Low water", 7, 2)
    assert (told["status"], told["notes"]) == ("draft", "Ann walks out.")
    assert told["audio"]["sha256"] == state["sha256"]
    assert told["artwork_url"]
    assert leftovers(instance) == []


def test_uppy_is_answered_as_by_its_companion(instance: Instance, alice: Sender) -> None:
    """@uppy/aws-s3 5.1: no size, all metadata as text, unknown metadata too; 6.3: no quotes."""
    data = lame(10)
    begun = alice.call(
        "POST",
        MULTIPART,
        json={
            "filename": "talk.mp3",
            "type": "audio/mpeg",
            "metadata": {
                "show": "tide-tables", "name": "talk.mp3", "type": "audio/mpeg",
                "relativePath": "null",
            },
        },
    )  # fmt: skip
    upload = begun.json()
    assert upload["key"] == f"uploads/{upload['uploadId']}"
    batch = alice.call(
        "GET",
        f"{MULTIPART}/{upload['uploadId']}/batch",
        params={"key": upload["key"], "partNumbers": "1,2"},
    ).json()
    assert [*batch["presignedUrls"]] == ["1", "2"]
    target = alice.sign(upload, 1)
    assert isinstance(target["expires"], int)
    sent = alice.put(target, data)
    part = {"ETag": sent.headers["etag"].strip('"'), "PartNumber": 1}
    done = alice.complete(upload, [part])
    assert done.status_code == 200
    assert done.json()["location"]
    run_due_jobs(instance)
    assert alice.state(upload)["episode"]["title"] == "talk"


@on_one_pair
def test_completing_twice_and_working_twice_make_one_episode(
    instance: Instance, alice: Sender
) -> None:
    data = lame(10)
    upload = alice.begin("talk.mp3", len(data))
    parts = [alice.send(upload, 1, data)]
    first = alice.complete(upload, parts)
    assert alice.complete(upload, parts).json() == first.json()
    run_due_jobs(instance)
    again = alice.complete(upload, parts)
    assert again.json()["upload"]["state"] == "ready"
    take_upload(
        instance.database,
        instance.storage,
        upload["uploadId"],
        base_url=instance.base_url,
        now=instance.now,
    )
    assert len(episodes(instance)) == 1
    assert alice.state(upload)["state"] == "ready"


def test_a_part_may_be_sent_again_and_named_without_its_etag(
    instance: Instance, alice: Sender
) -> None:
    data = lame(10)
    upload = alice.begin("talk.mp3", len(data))
    alice.send(upload, 1, data)
    alice.send(upload, 1, data)
    done = alice.complete(upload, [{"PartNumber": 1}])
    assert done.status_code == 200, done.text
    run_due_jobs(instance)
    assert alice.state(upload)["sha256"] == hashlib.sha256(data).hexdigest()


# ---- What it is for -----------------------------------------------------------------------------


def test_it_replaces_the_audio_of_an_episode_that_keeps_its_guid(
    instance: Instance, alice: Sender, show: Show, mp3: Path
) -> None:
    before = make_episode(
        instance, show, mp3, chapters=[ChapterInput(start_seconds=2, title="Tide")], notes="Kept."
    )
    state = alice.upload(lame(20), episode=before.slug, offset_ms="1500")
    run_due_jobs(instance)
    state = alice.state(state)
    assert state["episode"]["id"] == before.id == state["target"]
    told = alice.call("GET", f"/api/v1/shows/tide-tables/episodes/{before.id}").json()
    assert (told["guid"], told["notes"]) == (before.guid, "Kept.")
    assert round(told["audio"]["duration_seconds"]) == 20
    chapters = alice.call("GET", f"/api/v1/shows/tide-tables/episodes/{before.id}/chapters").json()
    assert [each["startTime"] for each in chapters["chapters"]] == [3.5]


@on_one_pair
def test_a_draft_that_waits_for_its_audio_is_filled_only_where_it_is_empty(
    instance: Instance, alice: Sender, show: Show
) -> None:
    untouched = make_episode(instance, show, None, "my talk", publish=False)
    typed = make_episode(instance, show, None, "Ebb", publish=False, notes="Mine.", number=3)
    alice.upload(tagged(), "my_talk.mp3", episode=untouched.id)
    alice.upload(tagged(11), "my_talk.mp3", episode=typed.id)
    run_due_jobs(instance)
    with instance.database.read() as session:
        first = session.get_one(Episode, untouched.id)
        assert (first.title, first.notes, first.number) == ("Low water", "Ann walks out.", 7)
        assert first.artwork_id is not None
        assert len(first.chapters) == 2
        second = session.get_one(Episode, typed.id)
        assert (second.title, second.notes, second.number) == ("Ebb", "Mine.", 3)
        assert second.season == 2


@on_one_pair
def test_an_episode_that_was_deleted_meanwhile_loses_no_file(
    instance: Instance, alice: Sender, show: Show
) -> None:
    draft = make_episode(instance, show, None, publish=False)
    upload = alice.upload(lame(10), episode=draft.id)
    path = f"/api/v1/shows/tide-tables/episodes/{draft.id}"
    assert alice.call("DELETE", path).status_code == 204
    run_due_jobs(instance)
    state = alice.state(upload)
    assert state["episode"]["id"] not in (None, draft.id)
    assert "not there any more" in state["warnings"][0]


def test_the_very_file_that_an_episode_has_changes_nothing(
    instance: Instance, alice: Sender, show: Show, mp3: Path
) -> None:
    episode = make_episode(instance, show, mp3)
    replaced = alice.upload(mp3.read_bytes(), episode=episode.id)
    anew = alice.upload(mp3.read_bytes())
    run_due_jobs(instance)
    assert "this very file" in alice.state(replaced)["warnings"][0]
    assert "this very file" in alice.state(anew)["warnings"][0]
    with instance.database.read() as session:
        assert session.query(Audio).filter_by(episode_id=episode.id).count() == 1
    assert leftovers(instance) == []


@on_one_pair
def test_it_is_known_who_sent_a_file_and_who_gave_one_up(
    instance: Instance, alice: Sender, sender_as: Callable[..., Sender]
) -> None:
    sent = alice.upload(lame(10))
    alice.call("DELETE", f"{MULTIPART}/{alice.begin('ebb.mp3', 1)['uploadId']}")
    run_due_jobs(instance)
    episode = alice.state(sent)["episode"]["id"]
    path = f"/api/v1/shows/tide-tables/episodes/{episode}/history"
    assert alice.call("GET", path).json()["changes"][-1]["who"] == "editor@example.org"
    trail = sender_as("owner").call("GET", "/api/v1/shows/tide-tables/audit").json()["entries"]
    assert [(entry["action"], entry["subject"], entry["who"]) for entry in reversed(trail)] == [
        ("post_upload", "talk.mp3", "editor@example.org"),
        ("post_complete", "talk.mp3", "editor@example.org"),
        ("post_upload", "ebb.mp3", "editor@example.org"),
        ("remove_upload", "ebb.mp3", "editor@example.org"),
    ]


# ---- What is refused ----------------------------------------------------------------------------


@on_one_pair
def test_what_is_no_audio_is_refused_with_a_sentence(instance: Instance, alice: Sender) -> None:
    upload = alice.upload(b"%PDF-1.7\n" + b"x" * 5000, "talk.mp3")
    run_due_jobs(instance)
    state = alice.state(upload)
    assert state["state"] == "refused"
    assert "PDF" in state["error"]
    assert episodes(instance) == []
    assert leftovers(instance) == []


WRONG_PARTS = (
    ([{"PartNumber": 1, "ETag": '"' + "0" * 64 + '"'}], "another ETag"),
    ([{"PartNumber": 1}, {"PartNumber": 2}], "Part 2 has not arrived"),
    ([{"PartNumber": 1}, {"PartNumber": 1}], "named twice"),
    ([], "No part"),
    ([{"PartNumber": 3}, {"PartNumber": 1}], "in the order"),
    ([{"PartNumber": 1}, {"PartNumber": 3}], "Part 2 is missing"),
)


def test_parts_that_are_not_all_of_the_file_are_refused_and_it_goes_on(alice: Sender) -> None:
    upload = alice.begin("talk.mp3", 20)
    alice.send(upload, 1, b"0123456789")
    alice.send(upload, 3, b"0123456789")
    for named, sentence in WRONG_PARTS:
        refused = alice.complete(upload, named)
        assert refused.status_code == 422, refused.text
        assert sentence in refused.json()["error"]["fields"]["parts"]
    assert alice.state(upload)["state"] == "uploading"


def test_sizes_must_add_up_and_only_the_last_part_may_be_small(alice: Sender) -> None:
    upload = alice.begin("talk.mp3", 21)
    parts = [alice.send(upload, 1, b"0123456789"), alice.send(upload, 2, b"0123456789")]
    assert "5242880 or more" in alice.complete(upload, parts).text
    assert "the file has 21" in alice.complete(upload, parts[:1]).text


def test_a_part_that_was_sent_otherwise_than_hashed_is_found_out(
    instance: Instance, alice: Sender
) -> None:
    data = lame(10)
    upload = alice.begin("talk.mp3", len(data))
    part = alice.send(upload, 1, data) | {"sha256": hashlib.sha256(b"other").hexdigest()}
    assert alice.complete(upload, [part]).status_code == 200
    run_due_jobs(instance)
    state = alice.state(upload)
    assert (state["state"], state["error"]) == (
        "refused",
        "Part 1 arrived damaged; upload the file again.",
    )


TO = {"show": "tide-tables"}
WRONG_BEGINNINGS = (
    ({}, 422, "filename"),
    ({"filename": "a.mp3", "metadata": {}}, 422, "metadata.show"),
    ({"filename": "/", "metadata": TO}, 422, "filename"),
    ({"filename": "a.mp3", "size": -1, "metadata": TO}, 422, "size"),
    ({"filename": "a.mp3", "size": "1e9", "metadata": TO}, 422, "size"),
    ({"filename": "a.mp3", "metadata": TO | {"offset_ms": "5"}}, 422, "metadata.offset_ms"),
    (
        {"filename": "a.mp3", "metadata": TO | {"fingerprint": "x" * 201}},
        422,
        "metadata.fingerprint",
    ),
    ({"filename": "a.mp3", "metadata": {"show": "no-show"}}, 404, None),
    ({"filename": "a.mp3", "metadata": TO | {"episode": "no"}}, 404, None),
)


@on_one_pair
def test_a_beginning_that_makes_no_sense_is_refused(alice: Sender) -> None:
    for body, status, field in WRONG_BEGINNINGS:
        refused = alice.call("POST", MULTIPART, json=body)
        assert refused.status_code == status, refused.text
        assert field is None or field in refused.json()["error"]["fields"]


HOSTILE_NAMES = {
    "../../etc/passwd.mp3": "passwd.mp3",
    "C:\\Users\\Ann\\a\x00b.mp3": "ab.mp3",
    "\u202egnp.mp3": "gnp.mp3",
    "x" * 500 + ".mp3": "x" * 200,
    "<b>bold.mp3": "<b>bold.mp3",
}


def test_a_hostile_name_is_only_a_name(alice: Sender) -> None:
    for given, kept in HOSTILE_NAMES.items():
        upload = alice.begin(given, 1)
        state = alice.state(upload)
        assert kept in state["filename"]
        assert len(state["filename"]) <= 255
        assert upload["key"] == f"uploads/{upload['uploadId']}"


# ---- Room ---------------------------------------------------------------------------------------


def _set(instance: Instance, **settings: int) -> None:
    instance.settings = replace(instance.settings, **settings)


@on_one_pair
def test_a_file_that_is_too_large_is_refused_before_it_is_sent(
    instance: Instance, alice: Sender
) -> None:
    _set(instance, max_upload_mb=2)
    body = {"filename": "a.mp3", "size": 3_000_000, "metadata": {"show": "tide-tables"}}
    refused = alice.call("POST", MULTIPART, json=body)
    assert refused.status_code == 413
    assert "3 MB" in refused.json()["error"]["message"]
    # Who does not say the size is told at the end.
    upload = alice.begin()
    part = alice.send(upload, 1, b"x") | {"PartNumber": 1}
    assert alice.complete(upload, [part]).status_code == 200


@on_one_pair
def test_a_show_has_a_quota_over_what_is_stored_and_what_comes(
    instance: Instance, alice: Sender, show: Show, mp3: Path
) -> None:
    _set(instance, show_quota_gb=1)
    audio = make_episode(instance, show, mp3).audio
    assert audio is not None
    with instance.database.write() as session:
        session.get_one(Audio, audio.id).size_bytes = 2**29
    upload = alice.begin("a.mp3", 2**29 - 100)
    body = {"filename": "a.mp3", "size": 200, "metadata": {"show": "tide-tables"}}
    refused = alice.call("POST", MULTIPART, json=body)
    assert refused.status_code == 403
    assert "1.0 GB of its 1.0 GB" in refused.json()["error"]["message"]
    told = alice.call("GET", UPLOADS).json()
    assert (told["quota_bytes"], told["used_bytes"]) == (2**30, 2**30 - 100)
    assert told["largest_bytes"] == 2**30
    assert alice.call("DELETE", f"{MULTIPART}/{upload['uploadId']}").status_code == 200
    assert alice.call("POST", MULTIPART, json=body).status_code == 200


@on_one_pair
def test_the_quota_is_also_that_of_files_in_one_piece(
    instance: Instance, alice: Sender, show: Show, mp3: Path
) -> None:
    draft = make_episode(instance, show, None, publish=False)
    _set(instance, show_quota_gb=1)
    alice.begin("a.mp3", 2**30 - 100)
    episodes = "/api/v1/shows/tide-tables/episodes"
    whole = {"audio": ("a.mp3", mp3.read_bytes())}
    assert alice.call("POST", episodes, files=whole).status_code == 403
    path = f"{episodes}/{draft.id}/audio"
    assert alice.call("PUT", path, files=whole).status_code == 403


@on_one_pair
def test_only_so_many_uploads_may_be_open(alice: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_OPEN", 2)
    alice.begin()
    alice.begin()
    body = {"filename": "a.mp3", "metadata": {"show": "tide-tables"}}
    refused = alice.call("POST", MULTIPART, json=body)
    assert refused.status_code == 409
    assert "2 uploads" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("size_bytes", "part_bytes"), [(1, 8 << 20), (500 << 20, 8 << 20), (160 << 30, 17 << 20)]
)
def test_parts_are_small_and_never_more_than_s3_takes(size_bytes: int, part_bytes: int) -> None:
    assert uploads.part_size(size_bytes) == part_bytes
    assert -(-size_bytes // part_bytes) <= 10_000


# ---- Who may ------------------------------------------------------------------------------------


@on_one_pair
def test_strangers_and_lookers_on_cannot_upload(
    alice: Sender, sender_as: Callable[..., Sender]
) -> None:
    upload = alice.begin("talk.mp3", 1)
    stranger, analyst = sender_as(None), sender_as("analyst")
    body = {"filename": "a.mp3", "metadata": {"show": "tide-tables"}}
    path = f"{MULTIPART}/{upload['uploadId']}"
    for other, status in ((stranger, 404), (analyst, 403)):
        assert other.call("POST", MULTIPART, json=body).status_code == status
        assert other.call("GET", path).status_code == status
        assert other.call("GET", f"{path}/1").status_code == status
        assert other.call("GET", f"{path}/batch?partNumbers=1").status_code == status
        assert other.call("POST", f"{path}/complete", json={"parts": []}).status_code == status
        assert other.call("DELETE", path).status_code == status
    assert stranger.call("GET", UPLOADS).status_code == 404
    assert analyst.call("GET", UPLOADS).json()["uploads"][0]["id"] == upload["uploadId"]
    assert alice.state(upload)["state"] == "uploading"


@on_one_pair
def test_an_upload_is_found_under_its_own_show_only(
    instance: Instance, alice: Sender, show: Show
) -> None:
    other = make_show(instance, "High Tables")
    upload = alice.begin("talk.mp3", 1)
    with instance.database.write() as session:
        account = session.query(Membership).filter_by(show_id=show.id).one().account_id
        session.add(
            Membership(
                show_id=other.id, account_id=account, role="owner", created_at=instance.now()
            )
        )
    path = f"/api/v1/shows/high-tables/uploads/{upload['uploadId']}"
    assert alice.call("GET", path).status_code == 404


def test_ids_keys_and_numbers_that_no_upload_has_are_refused(alice: Sender) -> None:
    upload = alice.begin("talk.mp3", 1)
    path = f"{MULTIPART}/{upload['uploadId']}"
    for wrong in ("0" * 16, "x", "%00", "a" * 90, "..%2f..", "ünï"):
        assert alice.call("GET", f"{MULTIPART}/{wrong}/1").status_code == 404
        assert alice.call("GET", f"{path}/1?key=uploads/{wrong}").status_code == 404
        assert alice.call("DELETE", f"{path}?key=uploads/{wrong}").status_code == 404
    for number in ("0", "10001", "-1", "x", "1.5", "٣"):
        assert alice.call("GET", f"{path}/{number}").status_code in (404, 422)
        assert alice.call("GET", f"{path}/batch?partNumbers=1,{number}").status_code == 422
    assert alice.call("GET", f"{path}/batch").status_code == 422


@on_one_pair
def test_a_wrong_method_is_told_the_right_ones(alice: Sender) -> None:
    path = f"{MULTIPART}/{alice.begin('a.mp3', 1)['uploadId']}"
    for place, allowed in (("complete", "POST"), ("batch", "GET, HEAD"), ("1", "GET, HEAD")):
        refused = alice.call("PATCH", f"{path}/{place}")
        assert refused.status_code == 405
        assert ", ".join(sorted(refused.headers["allow"].split(", "))) == allowed


# ---- Going on, and giving up --------------------------------------------------------------------


def test_another_browser_finds_what_is_open_and_goes_on(
    instance: Instance, alice: Sender, sender_as: Callable[..., Sender]
) -> None:
    data = lame(10)
    alice.send(alice.begin("talk.mp3", len(data), fingerprint="talk-9"), 1, data)
    alice.upload(lame(11))
    other = sender_as("owner")
    (found,) = other.call("GET", f"{UPLOADS}?state=open").json()["uploads"]
    assert (found["filename"], found["size"]) == ("talk.mp3", len(data))
    assert (found["fingerprint"], found["show"]) == ("talk-9", "tide-tables")
    assert len(other.call("GET", UPLOADS).json()["uploads"]) == 2
    (part,) = other.call("GET", f"{MULTIPART}/{found['id']}").json()
    done = other.complete({"uploadId": found["id"], "key": found["key"]}, [part])
    assert done.status_code == 200


def test_what_is_given_up_leaves_nothing_and_says_so(instance: Instance, alice: Sender) -> None:
    upload = alice.begin("talk.mp3", 10)
    part = alice.send(upload, 1, b"0123456789")
    path = f"{MULTIPART}/{upload['uploadId']}"
    target = alice.sign(upload, 1)
    for _ in range(2):
        assert alice.call("DELETE", path).json() == {}
    assert leftovers(instance) == []
    assert alice.state(upload)["state"] == "aborted"
    assert alice.call("GET", path).status_code == 410
    assert alice.call("GET", f"{path}/1").status_code == 410
    assert alice.complete(upload, [part]).status_code == 410
    assert alice.put(target, b"late").status_code >= 400


def test_what_is_complete_takes_no_more(instance: Instance, alice: Sender) -> None:
    upload = alice.upload(lame(10))
    path = f"{MULTIPART}/{upload['upload']['id']}"
    assert alice.call("GET", f"{path}/1").status_code == 409
    assert alice.call("GET", path).status_code == 409
    assert alice.call("DELETE", path).status_code == 409
    run_due_jobs(instance)
    assert alice.call("DELETE", path).status_code == 409


def test_an_upload_that_the_storage_lost_is_to_be_begun_again(
    instance: Instance, alice: Sender
) -> None:
    upload = alice.begin("talk.mp3", 10)
    with instance.database.read() as session:
        row = session.get_one(Upload, upload["uploadId"])
    instance.storage.multiparts().abort(row.upload_key, row.multipart_id)
    lost = alice.call("GET", f"{MULTIPART}/{upload['uploadId']}")
    assert lost.status_code == 410
    assert "begin it again" in lost.json()["error"]["message"]


@on_one_pair
def test_a_show_that_is_deleted_meanwhile_refuses_the_file(
    instance: Instance, alice: Sender, show: Show
) -> None:
    upload = alice.upload(lame(10))
    with instance.database.write() as session:
        delete_show(session, get_show(session, show.slug, lock=True), now=instance.now())
    run_due_jobs(instance)
    with instance.database.read() as session:
        row = session.get_one(Upload, upload["upload"]["id"])
    assert (row.state, row.error) == ("refused", "The show was deleted meanwhile.")
    assert leftovers(instance) == []
