"""The change log: a reader who goes on from the highest number it saw misses nothing."""

import threading

from podhost.changes import changes_since, last_change, prune_changes, record_change
from podhost.instance import Instance
from tests.conftest import FrozenClock


def note(instance: Instance, key: str) -> None:
    with instance.database.write() as session:
        record_change(session, "show", key, now=instance.now())


def test_a_reader_sees_what_came_after(instance: Instance) -> None:
    note(instance, "a")
    with instance.database.read() as session:
        seen = last_change(session)
    note(instance, "b")
    note(instance, "c")
    with instance.database.read() as session:
        assert [change.key for change in changes_since(session, seen)] == ["b", "c"]


def test_a_follower_misses_nothing_while_many_write(instance: Instance) -> None:
    stop = threading.Event()
    seen: list[str] = []

    def follow() -> None:
        last = 0
        while True:
            is_last_look = stop.is_set()
            with instance.database.read() as session:
                for change in changes_since(session, last):
                    seen.append(change.key)
                    last = change.seq
            if is_last_look:
                return

    def write(name: str) -> None:
        for number in range(15):
            note(instance, f"{name}-{number}")

    follower = threading.Thread(target=follow)
    follower.start()
    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    follower.join()
    assert sorted(seen) == sorted(f"{name}-{number}" for name in "abcd" for number in range(15))


def test_old_lines_go_but_the_numbers_never_start_anew(
    instance: Instance, clock: FrozenClock
) -> None:
    note(instance, "a")
    note(instance, "b")
    clock.advance(days=3)
    with instance.database.write() as session:
        prune_changes(session, now=instance.now())
    with instance.database.read() as session:
        assert [change.key for change in changes_since(session, 0)] == ["b"]
    note(instance, "c")
    with instance.database.read() as session:
        assert last_change(session) == 3
