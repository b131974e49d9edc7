"""The request spool: every record once, whatever happens to the disk."""

import fcntl
import os
import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from podhost import downloads
from podhost.downloads import (
    Record,
    RequestSpool,
    mask_address,
    origin,
    preload_word,
    prune_spool,
    range_text,
    read_segment,
    seal_abandoned,
    user_agent_text,
)
from tests.waiting import wait_for

NOW = datetime(2026, 3, 5, 9, 5, tzinfo=UTC)


def spool_in(folder: Path) -> RequestSpool:
    return RequestSpool(folder, lambda: NOW)


def poll(number: int, ip: str = "203.0.113.9") -> Record:
    return Record("feed", number, "GET", 304, "show", 0, ip, "AntennaPod/3.5")


def numbers(folder: Path) -> list[int]:
    paths = sorted([*folder.glob("*.sealed"), *folder.glob("*.open")])
    return [record.t for path in paths for record in read_segment(path)]


def wait_until_written(folder: Path, count: int) -> None:
    wait_for(lambda: len(numbers(folder)), lambda written: written >= count)


def test_records_reach_the_kernel_by_themselves_and_are_sealed_at_the_end(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.start()
    for number in range(2500):
        spool.record(poll(number))
    wait_until_written(tmp_path, 2500)
    assert [path.suffix for path in tmp_path.iterdir()] == [".open"]
    spool.record(poll(2500))
    spool.stop()
    assert [path.suffix for path in tmp_path.iterdir()] == [".sealed"]
    assert numbers(tmp_path) == list(range(2501))
    assert spool.counts["feed", 304] == 2501


def test_a_record_comes_back_with_every_field(tmp_path: Path) -> None:
    record = Record(
        "audio", 1741165500123, "GET", 206, "show", 500, "2001:db8::1", "Überhör/1",
        "episode", "audio", 2, 1000, 10, 60_000, 500, "bytes=500-", "prefetch",
        "https://pod.example",
    )  # fmt: skip
    spool = spool_in(tmp_path)
    spool.record(record)
    spool.stop()
    (path,) = tmp_path.glob("*.sealed")
    assert list(read_segment(path)) == [record]


def test_no_records_leave_no_file(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.start()
    spool.stop()
    assert not list(tmp_path.iterdir())


def test_a_large_segment_is_sealed_and_a_new_one_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "SEGMENT_BYTES", 20_000)
    spool = spool_in(tmp_path)
    for number in range(2000):
        spool.record(poll(number))
    spool.flush()
    assert len(list(tmp_path.glob("*.sealed"))) >= 2
    spool.stop()
    assert sorted(numbers(tmp_path)) == list(range(2000))


def test_an_old_segment_is_sealed_even_when_nothing_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "SEGMENT_SECONDS", 0.05)
    spool = spool_in(tmp_path)
    spool.record(poll(1))
    spool.flush()
    time.sleep(0.06)
    spool.flush()
    assert [path.suffix for path in tmp_path.iterdir()] == [".sealed"]


def test_a_full_disk_loses_nothing_and_leaves_no_half_line(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.record(poll(0))
    assert spool.flush()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number in range(1, 100):
        spool.record(poll(number))
    # The kernel takes part of a batch and refuses the rest, as a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        assert not spool.flush()
        assert not spool.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert spool.failed_writes == 2
    assert numbers(tmp_path) == [0]
    assert spool.flush()
    spool.stop()
    assert sorted(numbers(tmp_path)) == list(range(100))


def test_while_the_folder_cannot_be_written_the_oldest_are_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(downloads, "PENDING_LIMIT", 50)
    folder = tmp_path / "spool"
    folder.write_text("in the way")
    spool = spool_in(folder)
    for number in range(1100):
        spool.record(poll(number))
    assert not spool.flush()
    assert not spool.flush()
    assert len(caplog.records) == 1
    folder.unlink()
    spool.stop()
    written = numbers(folder)
    # A batch that was already taken off the list is kept too.
    assert written == [*range(1000), *range(1050, 1100)]
    assert spool.dropped == 50


def test_a_folder_that_was_removed_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = spool_in(folder)
    spool.record(poll(1))
    spool.flush()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    spool.record(poll(2))
    spool.stop()
    assert numbers(folder) == [2]


WRITER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from podhost.downloads import Record, RequestSpool
spool = RequestSpool(Path(sys.argv[1]), lambda: datetime.now(UTC))
spool.start()
for number in range(100):
    spool.record(Record("feed", number, "GET", 200))
spool.flush()
print("written", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_wrote_is_sealed_by_the_next_and_a_living_one_is_left_alone(
    tmp_path: Path,
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        assert seal_abandoned(tmp_path) == []
        (path,) = tmp_path.glob("*.open")
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    with path.open("ab") as file:
        file.write(b'{"kind":"feed","t":100,"meth')
    spool = spool_in(tmp_path)
    spool.start()
    spool.stop()
    (sealed,) = tmp_path.iterdir()
    assert sealed.suffix == ".sealed"
    assert sealed.read_bytes().endswith(b"\n")
    assert numbers(tmp_path) == list(range(100))


def test_an_abandoned_file_with_half_a_line_only_is_removed(tmp_path: Path) -> None:
    (tmp_path / "20260305T090500Z-1-aa.open").write_bytes(b'{"kind":"fe')
    assert seal_abandoned(tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_addresses_are_masked_after_two_days_once_and_nothing_else_changes(
    tmp_path: Path,
) -> None:
    spool = spool_in(tmp_path)
    spool.record(poll(1, "203.0.113.9"))
    spool.record(poll(2, "2001:db8:1:2::3"))
    spool.stop()
    assert prune_spool(tmp_path, NOW + timedelta(hours=47)) == 0
    assert prune_spool(tmp_path, NOW + timedelta(hours=48)) == 1
    (path,) = tmp_path.glob("*.sealed")
    assert path.name.endswith(".masked.sealed")
    assert [record.ip for record in read_segment(path)] == ["203.0.113.0", "2001:db8:1::"]
    assert [record.t for record in read_segment(path)] == [1, 2]
    before = path.stat().st_mtime_ns
    assert prune_spool(tmp_path, NOW + timedelta(days=9)) == 0
    assert path.stat().st_mtime_ns == before
    # As after a crash between the new bytes and the new name.
    path.rename(path.with_name(path.name.replace(".masked", "")))
    assert prune_spool(tmp_path, NOW + timedelta(days=9)) == 1
    assert numbers(tmp_path) == [1, 2]


def test_two_processes_never_mask_the_same_file_at_once(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.record(poll(1, "203.0.113.9"))
    spool.stop()
    later = NOW + timedelta(days=9)
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    assert prune_spool(tmp_path, later) == 0
    os.close(other)
    assert prune_spool(tmp_path, later) == 1


def test_old_addresses_are_masked_while_it_runs(tmp_path: Path) -> None:
    old = spool_in(tmp_path)
    old.record(poll(1, "203.0.113.9"))
    old.stop()
    spool = RequestSpool(tmp_path, lambda: NOW + timedelta(days=3))
    spool.start()
    try:
        wait_for(lambda: list(tmp_path.glob("*.masked.sealed")))
    finally:
        spool.stop()


def test_the_files_are_for_us_alone(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.record(poll(1))
    spool.stop()
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.77", "192.0.2.0"),
        ("::ffff:192.0.2.77", "192.0.2.0"),
        ("2001:db8:aaaa:bbbb::1", "2001:db8:aaaa::"),
        ("fe80::1%eth0", "fe80::"),
        ("somewhere", ""),
        ("", ""),
    ],
)
def test_a_masked_address_is_its_network(address: str, expected: str) -> None:
    assert mask_address(address) == expected


def test_header_texts_are_cut_and_cleaned() -> None:
    assert user_agent_text(b" Pod\x01cast/1 \xe9 ") == "Podcast/1 é"
    assert user_agent_text(b"x" * 600) == "x" * 512
    assert range_text(b"bytes=0-1") == "bytes=0-1"
    assert preload_word(b"Prefetch;prerender") == "prefetch"
    assert preload_word(b"navigate") == ""
    assert origin(b"https://pod.example:8443/path?secret") == "https://pod.example:8443"
    assert origin(b"javascript:alert(1)") == ""
