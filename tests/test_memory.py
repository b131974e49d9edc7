"""Memory is bounded: by its setting for what is polled, by pieces for what is uploaded."""

import gc
import json
import random
import shutil
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from podhost.catalogue import Catalogue
from podhost.catalogue.entries import EpisodeAudio, Feed, Memory, SideFile
from podhost.config import read_settings
from podhost.feeds.formats import RSS
from podhost.instance import Instance, open_instance
from podhost.models import Show, Snapshot
from tests.audio_files import lame
from tests.running import Running, run_command
from tests.servers import S3Server

SHOWS = 20_000
POLLS = 1_500
CACHE_MB = 2
MB = 1024 * 1024
NOW = datetime(2026, 3, 5, 9, 5, tzinfo=UTC)


@pytest.fixture
def crowd(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Instance]:
    """An instance with many shows, whose feeds together are many times its memory."""
    shutil.copy(migrated_sqlite, tmp_path / "podhost.sqlite3")
    instance = open_instance(read_settings({}, data=tmp_path, memory_cache_mb=str(CACHE_MB)))
    ids = [f"{number:016x}" for number in range(SHOWS)]
    with instance.database.write() as session:
        session.execute(
            insert(Show.__table__),  # type: ignore[arg-type]
            [
                {
                    "id": key, "slug": f"show-{key}", "title": key, "description": "",
                    "language": "en", "author": "", "explicit": False, "show_type": "episodic",
                    "categories": [], "time_zone": "UTC", "podcast_guid": key, "medium": "podcast",
                    "is_locked": True, "is_blocked": False, "is_complete": False, "version": 1,
                    "created_at": NOW, "changed_at": NOW,
                }
                for key in ids
            ],
        )  # fmt: skip
        session.execute(
            insert(Snapshot.__table__),  # type: ignore[arg-type]
            [snapshot_values(key) for key in ids],
        )
    yield instance
    instance.close()


def snapshot_values(key: str) -> dict[str, Any]:
    """A small feed; what stands in it is all the same here."""
    return {
        "show_id": key, "show_version": 1, "made_with": "", "version": 1, "sha256": key * 4,
        "size_bytes": 2000, "body_gzip": key.encode() * 125, "last_modified": NOW,
        "rendered_at": NOW,
    }  # fmt: skip


def traced_growth(work: Any) -> int:
    """Bytes that Python objects take more after `work` than before."""
    # What other tests left need not be looked at: only what is made from now on is counted.
    gc.freeze()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.unfreeze()


def polled_at_random(crowd: Instance) -> tuple[int, int]:
    """What feeds of many shows took of the memory, and what was counted of it, in bytes."""
    catalogue = Catalogue(crowd)
    catalogue.catch_up()
    draw = random.Random(7)

    def poll(count: int) -> None:
        for _ in range(count):
            show = catalogue.find_show(f"show-{draw.randrange(SHOWS):016x}")
            assert show is not None
            assert catalogue.load_feed(show) is not None

    poll(10)  # What the first queries leave behind is no feed.
    before = catalogue.used_bytes
    grew = traced_growth(lambda: poll(POLLS))
    assert catalogue.used_bytes <= CACHE_MB * MB
    return grew, catalogue.used_bytes - before


def test_20000_shows_polled_at_random_stay_within_the_setting(crowd: Instance) -> None:
    for _ in range(3):
        grew, counted = polled_at_random(crowd)
        # Else threads that other tests left in this process may have taken some meanwhile.
        if grew < 1.15 * counted:
            break
    assert grew < CACHE_MB * MB
    # Half of it is for feeds.
    assert counted > CACHE_MB * MB // 3, "the memory was used"
    assert 0.7 < grew / counted < 1.15, "what is counted is what is taken"


@pytest.mark.parametrize("kind", ["feed", "unknown episode", "side file"])
def test_small_entries_are_counted_for_what_they_take(kind: str) -> None:
    memory: Memory[Any] = Memory(100 * MB)

    def make(number: int) -> Any:
        key = f"{number:016x}"
        if kind == "feed":
            path = f"/show-{key}/feed.xml"
            return Feed(Snapshot(**snapshot_values(key)), RSS, path, path.encode(), NOW)
        if kind == "unknown episode":
            return EpisodeAudio(404)
        return SideFile(
            200, body=key.encode() * 9, etag=key.encode(), last_modified=NOW,
            mime_type="text/vtt", owner_ids=(key, key),
        )  # fmt: skip

    def fill() -> None:
        for number in range(1000):
            memory.put(f"{number:032x}", make(number))

    make(0)
    assert traced_growth(fill) <= 1.05 * memory.used_bytes


UPLOAD_BYTES = 80 * MB
# Nothing like the whole file: what the server holds of it at once, and what it loads to take it.
MOST_GROWTH_BYTES = 64 * MB


@pytest.mark.parametrize("storage", ["folder", "s3"])
def test_a_long_upload_takes_little_memory(
    tmp_path: Path, storage: str, request: pytest.FixtureRequest
) -> None:
    environment = {"PODHOST_DATA": str(tmp_path / "data")}
    if storage == "s3":
        server: S3Server = request.getfixturevalue("s3_server")
        bucket = request.getfixturevalue("s3_bucket")
        environment |= {"PODHOST_STORAGE": f"s3://{bucket}/long", **server.environment()}
    made = run_command("show", "create", "Tide Tables", environment=environment)
    assert made.returncode == 0, made.stderr
    token = json.loads(run_command("token", "create", "--json", environment=environment).stdout)
    arguments = ["serve", "--port", "0", "--no-worker"]
    with Running(arguments, environment) as podhost, podhost.client() as client:
        headers = {"Authorization": f"Bearer {token['token']}"}
        path = "/api/v1/shows/tide-tables/episodes"
        draft = client.post(path, json={"title": "Low water"}, headers=headers)
        assert draft.status_code == 201, draft.text
        before = resident_bytes(podhost.process.pid, "VmRSS")
        sent = client.put(
            f"{path}/low-water/audio",
            content=long_mp3(),
            headers={**headers, "Content-Type": "audio/mpeg"},
            timeout=120,
        )
        assert sent.status_code == 200, sent.text
        assert sent.json()["audio"]["size_bytes"] >= UPLOAD_BYTES
        assert resident_bytes(podhost.process.pid, "VmHWM") - before < MOST_GROWTH_BYTES


def long_mp3() -> Iterator[bytes]:
    """One song over and over, as many frames as it takes."""
    song = lame(10) * 10
    for _ in range(UPLOAD_BYTES // len(song) + 1):
        yield song


def resident_bytes(pid: int, name: str) -> int:
    """VmRSS (now) or VmHWM (at most so far) of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))
