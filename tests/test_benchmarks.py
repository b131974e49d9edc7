"""The benchmarks can be run by whoever has cloned the repository; no number is looked at."""

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import site, studio
from benchmarks.lab import Lab
from benchmarks.load import LoadFailed, LoadRequest, Response, fetch
from benchmarks.table import Result, Row, at_most, render_table, share_of_floor
from podhost.web.site.table import ROUTES as SITE_ROUTES
from podhost.web.static_files import static_files, static_path
from podhost.web.studio.table import ROUTES

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


def test_a_floor_of_pages_answers_each_of_them_at_its_own_path() -> None:
    other = Response(200, [("Content-Type", "text/html"), ("Content-Length", "2")], b"hi")
    with Lab(is_quick=True) as lab, lab.floor_of_pages({"/feed": FEED, "/other": other}) as floor:
        for path, response in {"/feed": FEED, "/other": other}.items():
            found = fetch(floor.port, LoadRequest(path, 200))
            assert found.body == response.body
            assert found.header("content-type") == response.header("content-type")


def test_a_page_of_the_studio_is_measured_by_itself_or_named_as_none() -> None:
    gets = {route.path: route.handler.__name__ for route in ROUTES if route.method == "GET"}
    measured = {page.route.path for page in studio.PAGES}
    # What is left out is there, and nothing else is missing.
    assert set(gets.values()) >= studio.NO_PAGES
    assert {gets[path] for path in gets.keys() - measured} == studio.NO_PAGES
    # The show that is filled has something for each part of every address.
    parts = {part for page in studio.PAGES for part in re.findall(r"{(\w+)}", page.route.path)}
    written = {"article", "page", "sponsor"}
    people = {"person", "member", "account", "secret"}
    assert parts == {"show", "episode", "import", "group"} | people | written
    assert len({page.row.name for page in studio.PAGES}) == len(studio.PAGES)


def test_a_page_of_the_studio_is_measured_in_wall_and_cpu_time_beside_its_floor() -> None:
    name = "studio-show-settings-doctor"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    (page,) = json.loads(done.stdout)["rows"]
    assert page["podhost"] > 0 < page["floor"] and page["cpu_us"] > 0 < page["floor_cpu_us"]
    assert "after a change of the feed" in page["note"]
    assert page["is_met"] == (page["podhost"] <= 100)


def test_a_page_of_the_site_is_measured_by_itself_or_named_as_none() -> None:
    gets = {route.path: route.handler.__name__ for route in SITE_ROUTES if route.method == "GET"}
    measured = {page.route.path for page in site.PAGES}
    # What is left out is there, and beside it only what is opened by a secret.
    assert set(gets.values()) >= site.NO_PAGES
    left = {path for path in gets.keys() - measured if "{secret" not in path}
    assert {gets[path] for path in left} == site.NO_PAGES
    assert len({page.row.name for page in site.PAGES}) == len(site.PAGES)


def test_a_page_of_the_site_is_measured_when_it_is_made_and_from_memory() -> None:
    names = ["site-follow", "site-asgi-home-304"]
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    made, kept = json.loads(done.stdout)["rows"]
    assert made["podhost"] > 0 < made["floor"] and made["cpu_us"] > 0 < made["floor_cpu_us"]
    assert "first after the start" in made["note"]
    assert kept["ratio"] > 0 and kept["is_met"] == (kept["ratio"] >= 0.7)


def test_the_scripts_of_a_page_weigh_what_they_import_too() -> None:
    page = '<script type="module" src="{}"></script>'
    alone = studio.script_bytes(page.format(static_path("studio/words.js")))
    importing = studio.script_bytes(page.format(static_path("studio/figures.js")))
    assert importing > alone == len(static_files()["studio/words.js"].body_gzip)
    assert studio.script_bytes("<p>None.</p>") == 0


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
