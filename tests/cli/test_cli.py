"""The command line: help with an example, sentences instead of tracebacks, exit statuses."""

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from podhost.cli import podhost
from podhost.config import read_settings
from podhost.history import audit
from podhost.instance import open_instance


def all_commands(
    group: click.Group = podhost, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from all_commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.fixture
def run(migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run a command in this process on an empty podhost of its own."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(migrated_sqlite, data / "podhost.sqlite3")
    monkeypatch.setenv("PODHOST_DATA", str(data))
    monkeypatch.setenv("PODHOST_BASE_URL", "https://pod.example")

    def invoke(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(podhost, arguments)
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    return invoke


def test_what_a_command_changes_stands_in_the_audit_trail(run) -> None:
    # As `python -m podhost` is called, which is how the server starts its worker too.
    made = CliRunner().invoke(
        podhost, ["show", "create", "Tide Tables"], prog_name="python -m podhost"
    )
    assert made.exit_code == 0, made.output
    run("show", "list")
    instance = open_instance(read_settings(os.environ))
    with instance.database.read() as session:
        (row,) = audit.list_entries(session)
    instance.close()
    assert (row.way, row.action, row.subject) == ("command_line", "show_create", "Tide Tables")


@pytest.mark.parametrize("path", list(all_commands()), ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(podhost, [*path, "--help"])
    assert result.exit_code == 0
    assert f"Example: podhost {' '.join(path)}" in result.output


def test_from_a_show_to_its_feed(run, mp3: Path, tmp_path: Path) -> None:
    made = run("show", "create", "Tide Tables", "--category", "Arts > Books", "--json")
    assert json.loads(made.stdout)["slug"] == "tide-tables"
    shows = json.loads(run("show", "list", "--json").stdout)
    assert shows[0]["feed_url"] == "https://pod.example/tide-tables/feed.xml"
    notes = tmp_path / "notes.md"
    notes.write_text("Low **water**.")
    added = run(
        *("episode", "add", str(mp3), "--show", "tide-tables", "--title", "Ebb"),
        *("--notes", f"@{notes}", "--guest", "Ann Guest", "--publish", "--json"),
    )
    assert json.loads(added.stdout)["status"] == "published"
    episodes = json.loads(run("episode", "list", "--show", "tide-tables", "--json").stdout)
    assert [episode["title"] for episode in episodes] == ["Ebb"]
    feed = run("feed", "tide-tables").stdout
    assert "<title>Ebb</title>" in feed and "<strong>water</strong>" in feed
    assert mp3.exists()
    assert run("check").stdout.startswith("All is well")


def test_a_further_feed_of_a_folder_is_printed_by_its_name(run, tmp_path: Path) -> None:
    folder = tmp_path / "tides"
    folder.mkdir()
    lines = ['title = "Tides"', "[[feeds]]", 'name = "newest"', "newest = 1", "[[feeds]]"]
    lines += ['name = "patrons"', "early_hours = 24"]
    (folder / "show.toml").write_text("\n".join(lines))
    refused = run("publish", str(folder), status=1)
    assert "Line 6: “name” must be one that nobody guesses" in refused.stdout + refused.stderr
    (folder / "show.toml").write_text("\n".join(lines[:4]))
    run("publish", str(folder))
    printed = run("feed", "tides", "--name", "newest").stdout
    assert 'href="https://pod.example/tides/feeds/newest.xml" rel="self"' in printed
    for name in ("patrons", "\udcff"):
        assert "no further feed" in run("feed", "tides", "--name", name, status=1).stderr


def test_a_time_is_written_as_in_the_api(run, mp3: Path) -> None:
    run("show", "create", "Tide Tables")
    add = ("episode", "add", str(mp3), "--show", "tide-tables", "--json")
    for at, told in {
        "2026-03-01T09:00": "2026-03-01T09:00:00Z",
        "2026-03-02T09:00+01:00": "2026-03-02T08:00:00Z",
        "2026-03-03": "2026-03-03T00:00:00Z",
    }.items():
        assert json.loads(run(*add, "--at", at).stdout)["published_at"] == told
    for at in ("0001-01-01", "9999-12-31T23:59:59", "99999-01-01", "2026-02-30", "tomorrow"):
        assert "at: It must" in run(*add, "--at", at, status=1).stderr
    assert len(run("episode", "list", "--show", "tide-tables").stdout.splitlines()) == 3
    assert run("check").stdout.startswith("All is well")


def test_a_value_that_is_no_text_is_refused_with_a_sentence(run, mp3: Path) -> None:
    # What a shell gives for the byte ff.
    for arguments in (
        ("feed", "\udcff"),
        ("check", "--show", "\udcff"),
        ("episode", "list", "--show", "\udcff"),
        ("episode", "add", str(mp3), "--show", "\udcff"),
        ("token", "create", "--account", "\udcff"),
        ("token", "revoke", "\udcff"),
    ):
        assert "inside podhost" not in run(*arguments, status=1).stderr


def test_a_setting_that_nobody_can_read_is_named(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODHOST_DATABASE_URL", "postgresql://u:hush@[::1/x")
    told = run("show", "list", status=1).stderr
    assert "PODHOST_DATABASE_URL" in told and "inside podhost" not in told and "hush" not in told


def test_a_password_file_must_be_text(run, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(b"\xff\xfe and more than ten")
    told = run("account", "create", "a@x.example", "--password-file", str(path), status=1).stderr
    assert "UTF-8" in told and "inside podhost" not in told


def test_a_token_is_printed_once_as_json(run) -> None:
    assert "no account" in run("token", "create", "--account", "x@y.example", status=1).stderr
    token = json.loads(run("token", "create", "--json").stdout)["token"]
    assert token.startswith("podhost_")
    listed = run("token", "list").stdout
    assert token not in listed
    run("token", "revoke", listed.split("\t")[0])
    assert "revoked" in run("token", "list").stdout
    run("token", "create")
    assert len(run("account", "list").stdout.splitlines()) == 1
    run("account", "create", "bob@example.org")
    assert "several accounts" in run("token", "create", status=1).stderr


def test_accounts_are_made_for_a_show_and_changed(run) -> None:
    run("show", "create", "Tide Tables")
    made = run("account", "create", "ann@example.org", "--show", "tide-tables", "--role", "editor")
    assert "Its password" in made.stdout
    run("account", "create", "olga@example.org", "--name", "Olga")
    listed = run("account", "list").stdout
    assert "ann@example.org\t\teditor of tide-tables" in listed
    assert "olga@example.org\tOlga\toperator" in listed
    refused = run("account", "change", "olga@example.org", "--no-operator", status=1)
    assert "last operator" in refused.stderr
    run("account", "change", "ann@example.org", "--operator", "--close")
    listed = json.loads(run("account", "list", "--json").stdout)
    (ann,) = (row for row in listed if row["email"] == "ann@example.org")
    assert ann["is_operator"] and ann["disabled_at"]
    assert run("account", "password", "olga@example.org").stdout.startswith("http")
    assert "no account" in run("account", "password", "x@example.org", status=1).stderr
    missing = run("account", "create", "b@example.org", "--show", "nowhere", status=1)
    assert "nowhere" in missing.stderr and "b@example.org" not in run("account", "list").stdout
    run("account", "create", "b@example.org", "--role", "editor", status=2)
    run("account", "change", "ann@example.org", status=2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("feed", "nothing"), "There is no show 'nothing'"),
        (("episode", "list", "--show", "nothing"), "There is no show 'nothing'"),
        (("show", "create", " "), "title"),
        (("show", "create", "X", "--slug", "api"), "used by podhost itself"),
        (("show", "create", "X", "--artwork", "/nonexistent.jpg"), "There is no file"),
        (("publish", "/nonexistent"), "/nonexistent"),
        (("token", "revoke", "x"), "There is no token"),
        (("serve", "--port", "http"), "--port"),
        (("serve", "--storage", "ftp://x"), "--storage"),
        (("check", "--show", "nothing"), "There is no show"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    run, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run(*arguments, status=1)
    assert sentence in result.stderr
    assert result.stdout == ""


def test_a_pdf_called_mp3_is_refused_and_leaves_nothing(run, tmp_path: Path) -> None:
    run("show", "create", "Tide Tables")
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"%PDF-1.7\n" + bytes(5000))
    result = run("episode", "add", str(path), "--show", "tide-tables", "--publish", status=1)
    assert "PDF" in result.stderr
    assert json.loads(run("episode", "list", "--show", "tide-tables", "--json").stdout) == []
    assert not list((tmp_path / "data" / "storage" / "audio").glob("*"))


def test_wrong_usage_exits_2(run) -> None:
    run("publish", status=2)
    run("dance", status=2)


def test_a_port_in_use_is_a_sentence(run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} is in use" in run("serve", "--port", str(port), status=1).stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PODHOST_DATABASE_URL", "postgresql://127.0.0.1:9/none"),
        ("PODHOST_DATA", "/proc/nowhere"),
        ("PODHOST_STORAGE", "file:///proc/nowhere"),
    ],
)
def test_what_cannot_be_reached_is_a_sentence(
    run, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert len(run("show", "list", status=1).stderr.strip().splitlines()) == 1
