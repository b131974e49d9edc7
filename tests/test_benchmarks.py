"""The benchmarks can be run by whoever has cloned the repository; no number is looked at."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.lab import Lab
from benchmarks.load import LoadFailed, LoadRequest, Response, fetch
from benchmarks.table import Result, Row, at_most, render_table, share_of_floor

ROOT = Path(__file__).parent.parent
FEED = Response(200, [("Content-Type", "text/xml"), ("Content-Length", "5")], b"<rss>")


def test_every_row_of_every_family_is_listed_with_its_target(capsys) -> None:
    modules = [
        import_module(f"benchmarks.{path.stem}") for path in (ROOT / "benchmarks").glob("[a-z]*.py")
    ]
    families = [module for module in modules if hasattr(module, "ROWS")]
    assert {module.__name__ for module in families} == {f.__name__ for f in benchmarks.FAMILIES}
    assert benchmarks.main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    rows = [row for family in benchmarks.FAMILIES for row in family.ROWS]
    assert len({row.name for row in rows}) == len(rows) == len(listed)
    for row, line in zip(rows, listed, strict=True):
        assert line.split()[0] == row.name and line.endswith(row.target.sentence)


def test_a_row_that_does_not_exist_is_refused_with_a_sentence(capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        benchmarks.main(["no-such-row"])
    assert "there is no row no-such-row" in capsys.readouterr().err


def test_a_row_is_measured_beside_its_floor() -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", "start-ready"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["row"] == "start-ready" and row["podhost"] > 0 < row["floor"]
    assert row["is_met"] == (row["ratio"] <= 1.5)


def test_the_floor_answers_the_very_bytes_and_our_own_generator_counts_them() -> None:
    request = LoadRequest("/show/feed.xml", 200)
    with Lab(is_quick=True, use_wrk=False) as lab, lab.floor(FEED) as floor:
        assert fetch(floor.port, request).body == FEED.body
        load = lab.load(floor, request, seconds=0.2, connections=4)
        assert load.requests > 4 and load.cpu_us > 0
        with pytest.raises(LoadFailed, match="200 OK"):
            lab.load(floor, LoadRequest("/show/feed.xml", 304), seconds=0.2, connections=4)


def test_the_table_says_what_is_met_and_what_is_not() -> None:
    share = Row("share", "a share", "req/s", share_of_floor(0.9))
    number = Row("number", "a number", "ms", at_most(50, "ms"))
    results = [
        Result(share, podhost=95.0, floor=100.0, ratio=0.95, ratios=[0.94, 0.96], cpu_us=30.0),
        Result(share, podhost=85.0, floor=100.0, ratio=0.85),
        Result(number, podhost=51.0, note="it was rainy"),
        Result(number, problem="the disk was full"),
    ]
    lines = render_table(results).splitlines()
    assert "0.95 (0.94 to 0.96)" in lines[2] and "| yes" in lines[2]
    assert "| **no**" in lines[3] and "| **no**" in lines[4] and "| not measured" in lines[5]
    assert lines[-2:] == ["- number: it was rainy", "- number: the disk was full"]
