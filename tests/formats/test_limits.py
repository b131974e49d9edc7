import os
import resource
import signal
import time
from pathlib import Path

import pytest

from podhost.errors import Invalid
from podhost.formats import limits
from podhost.formats.limits import run_limited

# What the children run: they import this module by name.
HERE = "tests.formats.test_limits"


def answer_with_payload(payload):
    return {"got": payload}


def tell_circumstances(payload):
    return {
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
        "cpu": resource.getrlimit(resource.RLIMIT_CPU)[0],
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "names": sorted(os.environ),
        "priority": os.getpriority(os.PRIO_PROCESS, 0),
        "session": os.getsid(0),
    }


def tell_length(payload):
    return [payload["path"].encode("ascii", "backslashreplace").decode(), len(payload["path"])]


def refuse(payload):
    raise Invalid("Record it again, please.", {"audio": "Too quiet."})


def take_memory(payload):
    return len(b"x" * 10**9)


def recurse(payload):
    return recurse(payload)


def spin(payload):
    while True:
        pass


def sleep(payload):
    time.sleep(60)


def die(payload):
    os.kill(os.getpid(), signal.SIGSEGV)


def end(payload):
    os._exit(3)


def fail(payload):
    raise ZeroDivisionError("secret detail")


def print_much(payload):
    print("noise" * 100_000)
    os.write(1, b"more noise")
    return "answer"


def answer_with_surrogate(payload):
    return "\ud800"


def write_file(payload):
    with Path(payload["path"]).open("wb") as file:
        for _ in range(300):
            file.write(bytes(1_000_000))


def test_the_answer_of_the_child_comes_back():
    payload = {"path": "/tmp/ä", "numbers": [1, 2.5, None], "deep": {"a": True}}
    assert run_limited(f"{HERE}:answer_with_payload", payload) == {"got": payload}


def test_a_file_name_that_is_not_utf8_reaches_the_child():
    seen = run_limited(f"{HERE}:tell_length", {"path": "\udcff.mp3"})
    assert seen == ["\\udcff.mp3", 5]


def test_the_child_has_limits_and_no_credentials(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PODHOST_SECRET_KEY", "secret")
    seen = run_limited(
        f"{HERE}:tell_circumstances", {}, memory_bytes=300_000_000, cpu_seconds=7, wall_seconds=30
    )
    assert (seen["memory"], seen["cpu"], seen["core"]) == (300_000_000, 7, 0)
    assert not [name for name in seen["names"] if name.startswith(("AWS", "PODHOST"))]


def test_the_child_gives_way_to_its_parent():
    child = run_limited(f"{HERE}:tell_circumstances", {})
    assert child["priority"] == max(limits.PRIORITY, os.getpriority(os.PRIO_PROCESS, 0))
    # Between sessions Linux may share the cores equally, whatever their priorities.
    assert child["session"] == os.getsid(0)


def test_the_sentence_of_the_target_travels_back():
    with pytest.raises(Invalid) as caught:
        run_limited(f"{HERE}:refuse", {})
    assert caught.value.message == "Record it again, please."
    assert caught.value.fields == {"audio": "Too quiet."}


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("take_memory", limits.TOO_MUCH_MEMORY),
        ("recurse", limits.DAMAGED),
        ("die", limits.CRASHED),
        ("end", limits.CRASHED),
        ("fail", limits.DAMAGED),
        ("answer_with_surrogate", limits.DAMAGED),
    ],
)
def test_whatever_happens_to_the_child_is_one_sentence(target, sentence):
    with pytest.raises(Invalid) as caught:
        run_limited(f"{HERE}:{target}", {})
    assert caught.value.message == sentence


def test_too_much_processor_time_ends_the_child():
    with pytest.raises(Invalid) as caught:
        run_limited(f"{HERE}:spin", {}, cpu_seconds=1)
    assert caught.value.message == limits.TOO_SLOW


def test_too_much_waiting_ends_the_child():
    with pytest.raises(Invalid) as caught:
        run_limited(f"{HERE}:sleep", {}, wall_seconds=1)
    assert caught.value.message == limits.TOO_SLOW


def children():
    tasks = Path("/proc/self/task").glob("*/children")
    return {pid for task in tasks for pid in task.read_text().split()}


def test_no_child_is_left_behind():
    # Servers that other tests started are our children as well.
    before = children()
    with pytest.raises(Invalid):
        run_limited(f"{HERE}:sleep", {}, wall_seconds=1)
    assert children() <= before


def test_output_of_libraries_does_not_spoil_the_answer():
    assert run_limited(f"{HERE}:print_much", {}) == "answer"


def test_the_child_cannot_fill_the_disk(tmp_path):
    with pytest.raises(Invalid):
        run_limited(f"{HERE}:write_file", {"path": str(tmp_path / "big")})
    assert (tmp_path / "big").stat().st_size <= limits.WRITTEN_FILE_BYTES


def test_a_target_that_does_not_exist_is_our_fault_and_not_the_file_s():
    with pytest.raises(RuntimeError, match="cannot run"):
        run_limited("podhost.formats.limits:nothing", {})
