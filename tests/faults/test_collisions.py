"""Two at once: the same show, the same folder, the same audio, the same empty database. One result.

Whoever comes second agrees, or is told in a sentence; nothing is there twice and nothing is left.
"""

import hashlib
import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import mutagen.id3
import pytest
from sqlalchemy import select

from podhost import sweep, worker
from podhost.config import read_settings
from podhost.folders.turns import folder_turn
from podhost.instance import open_instance, utc_now
from podhost.models import Account, Audio, Episode, Show
from tests.audio_files import lame, with_id3
from tests.running import Running, clean_environment, run_command
from tests.servers import PostgresServer, S3Server


def at_once(
    commands: list[list[str]], environments: list[Mapping[str, str]]
) -> list[subprocess.CompletedProcess[str]]:
    """Commands that are started at the same moment, and what became of each."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "podhost", *command],
            env={**clean_environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command, environment in zip(commands, environments, strict=True)
    ]
    ended = []
    for process in processes:
        out, err = process.communicate(timeout=100)
        ended.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    return ended


def require_sentences(ended: list[subprocess.CompletedProcess[str]]) -> None:
    """Nobody saw a traceback or words of the database."""
    for done in ended:
        for word in ("Traceback", "IntegrityError", "psycopg", "sqlite3", "went wrong inside"):
            assert word not in done.stdout + done.stderr, done.stdout + done.stderr


def require_clean(environment: Mapping[str, str]) -> None:
    """`podhost check` is content, and nothing lies in the storage that no row knows."""
    ahead = timedelta(days=2)
    settings = read_settings(environment)
    instance = open_instance(settings, clock=lambda: utc_now() + ahead)
    try:
        worker.run_sweep(instance)
        worker.run_due_jobs(instance)
        assert sweep.find_orphans(instance.database, instance.storage, now=instance.now()) == []
    finally:
        instance.close()
    checked = run_command("check", environment=environment)
    assert checked.returncode == 0, checked.stderr


def rows(environment: Mapping[str, str], *columns: Any) -> list[Any]:
    instance = open_instance(read_settings(environment))
    with instance.database.read() as session:
        found = session.execute(select(*columns)).all()
    instance.close()
    return [row[0] if len(row) == 1 else tuple(row) for row in found]


def sound(name: str) -> bytes:
    return with_id3(lame(2), mutagen.id3.TIT2(encoding=3, text=name))


def show_folder(parent: Path, *, with_guids: bool) -> Path:
    folder = parent / "harbour"
    folder.mkdir(parents=True)
    (folder / "show.toml").write_text('title = "Harbour"\nauthor = "Pier Nine"\n')
    for name in ("ebb", "flood", "slack"):
        guid = f"guid: {name}-of-the-harbour\n" if with_guids else ""
        text = f"---\ntitle: {name.title()}\ndate: 2026-03-01\n{guid}---\n"
        (folder / f"{name}.md").write_text(text)
        (folder / f"{name}.mp3").write_bytes(sound(name))
    return folder


# Folders


def test_a_folder_that_two_publish_at_once_is_one_show(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = show_folder(tmp_path, with_guids=False)
    ended = at_once([["publish", str(folder)]] * 2, [environment] * 2)
    require_sentences(ended)
    assert [done.returncode for done in ended] == [0, 0], [done.stdout for done in ended]
    assert rows(environment, Show.slug) == ["harbour"]
    assert sorted(rows(environment, Episode.title)) == ["Ebb", "Flood", "Slack"]
    guids = {row.partition("guid: ")[2].split()[0] for row in texts(folder)}
    assert guids == set(rows(environment, Episode.guid))
    require_clean(environment)


def texts(folder: Path) -> list[str]:
    return [path.read_text().replace('"', "").replace("'", "") for path in folder.glob("*.md")]


def test_two_copies_of_a_folder_that_are_published_at_once_are_one_show(
    environment: dict[str, str], tmp_path: Path
) -> None:
    copies = [show_folder(tmp_path / name, with_guids=True) for name in ("one", "two")]
    ended = at_once([["publish", str(copy)] for copy in copies], [environment] * 2)
    require_sentences(ended)
    assert [done.returncode for done in ended] == [0, 0], [done.stdout for done in ended]
    assert rows(environment, Show.slug) == ["harbour"]
    assert sorted(rows(environment, Episode.title)) == ["Ebb", "Flood", "Slack"]
    require_clean(environment)


def test_who_finds_a_folder_taken_says_so_and_waits(tmp_path: Path) -> None:
    environment = {"PODHOST_DATA": str(tmp_path / "data")}
    folder = show_folder(tmp_path, with_guids=False)
    (folder / ".podhost-of-a-killed-one.tmp").write_text("half a te")
    command = [sys.executable, "-m", "podhost", "publish", str(folder)]
    with (
        folder_turn(folder, lambda: None),
        subprocess.Popen(
            command,
            env={**clean_environment(), **environment},
            stdout=subprocess.PIPE,
            text=True,
        ) as waiting,
    ):
        assert waiting.stdout is not None
        said = waiting.stdout.readline()
        assert said == "harbour: another podhost is publishing this folder; waiting.\n"
        assert not (folder / ".podhost-of-a-killed-one.tmp").exists()
        waiting.kill()


# The API


@pytest.fixture
def two_servers(environment: dict[str, str]) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Two serving processes on the same rows and storage, with one worker, and a token."""
    made = run_command("token", "create", "--json", environment=environment)
    headers = {"Authorization": f"Bearer {json.loads(made.stdout)['token']}"}
    with ExitStack() as stack:
        running = [
            stack.enter_context(Running(["serve", "--port", "0", *more], environment))
            for more in ([], ["--no-worker"])
        ]
        yield [one.wait_until_ready() for one in running], headers
        for one in running:
            one.stop()
            assert "Traceback" not in "\n".join(one.log)


def both(urls: list[str], ask: Any, times: int = 4) -> list[httpx.Response]:
    """The answers to the same request, sent to both servers at the same moment."""
    start = Barrier(times)

    def send(number: int) -> httpx.Response:
        start.wait()
        answer = ask(urls[number % len(urls)], number)
        assert isinstance(answer, httpx.Response)
        return answer

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(send, range(times)))


def test_requests_that_come_at_once_have_one_result(
    two_servers: tuple[list[str], dict[str, str]], environment: dict[str, str]
) -> None:
    urls, headers = two_servers
    shows = both(
        urls,
        lambda url, _: httpx.post(
            f"{url}/api/v1/shows",
            json={"title": "Tide", "slug": "tide"},
            headers=headers,
            timeout=60,
        ),
    )
    assert sorted(answer.status_code for answer in shows) == [201, 409, 409, 409]
    path = "/api/v1/shows/tide/episodes"

    # The same upload by two who know nothing of each other.
    first = sound("first")
    made = both(
        urls,
        lambda url, _: httpx.post(
            url + path,
            data={"guid": "one", "title": "One", "publish": "true"},
            files={"audio": ("a.mp3", first, "audio/mpeg")},
            headers=headers,
            timeout=60,
        ),
    )
    assert sorted(answer.status_code for answer in made) == [201, 409, 409, 409]
    require_told([*shows, *made])
    (episode,) = (answer.json() for answer in made if answer.status_code == 201)

    # The same new audio: one of them replaces it, the others hear that it is there.
    path += f"/{episode['id']}"
    second = sound("second")
    replaced = both(urls, lambda url, _: put_audio(url + path, second, headers))
    assert sorted(answer.status_code for answer in replaced) == [200, 409, 409, 409]
    # Different audio: each is a revision, and the last one stays.
    others = [sound(f"take {number}") for number in range(4)]
    answers = both(urls, lambda url, number: put_audio(url + path, others[number], headers))
    assert [answer.status_code for answer in answers] == [200] * 4
    require_told([*replaced, *answers])
    revisions = sorted(rows(environment, Audio.revision, Audio.sha256, Audio.replaced_at))
    assert [revision for revision, _, _ in revisions] == [1, 2, 3, 4, 5, 6]
    assert [replaced_at is None for _, _, replaced_at in revisions] == [False] * 5 + [True]
    hashes = {hashlib.sha256(audio).hexdigest() for audio in (first, second, *others)}
    assert {sha256 for _, sha256, _ in revisions} == hashes

    # Withdrawn and published by all at once: it is out once, with the date that it had.
    withdrawn = httpx.post(urls[0] + path + "/withdraw", headers=headers, timeout=60)
    assert withdrawn.status_code == 200
    path += "/publish"
    out = both(urls, lambda url, _: httpx.post(url + path, headers=headers, timeout=60))
    assert {answer.status_code for answer in out} == {200}
    assert {answer.json()["published_at"] for answer in out} == {episode["published_at"]}
    require_clean(environment)
    feed = run_command("feed", "tide", environment=environment).stdout
    assert feed.count("<item>") == 1
    assert f"/audio/{episode['id']}/6/" in feed


def put_audio(path: str, audio: bytes, headers: Mapping[str, str]) -> httpx.Response:
    files = {"audio": ("a.mp3", audio, "audio/mpeg")}
    return httpx.put(path + "/audio", files=files, headers=headers, timeout=60)


def require_told(answers: list[httpx.Response]) -> None:
    """Who was refused was told why, in a sentence."""
    for answer in answers:
        if answer.status_code >= 400:
            assert answer.json()["error"]["message"].endswith("."), answer.text


# An empty database


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a PostgreSQL database without tables."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


def test_the_first_start_of_many_is_one_start(
    empty: str, s3_server: S3Server, s3_bucket: str, tmp_path: Path
) -> None:
    storage = f"s3://{s3_bucket}/first-{secrets.token_hex(4)}"
    environments = [
        {
            "PODHOST_DATA": str(tmp_path / str(number)),
            "PODHOST_DATABASE_URL": empty,
            "PODHOST_STORAGE": storage,
            **s3_server.environment(),
        }
        for number in range(4)
    ]
    servers = [Running(["serve", "--port", "0"], environment) for environment in environments[:2]]
    try:
        ended = at_once([["migrate"], ["show", "list"]], environments[2:])
        require_sentences(ended)
        assert [done.returncode for done in ended] == [0, 0], [done.stderr for done in ended]
        for server in servers:
            assert httpx.get(server.wait_until_ready() + "/readyz", timeout=60).status_code == 200
            server.stop()
            assert "Traceback" not in "\n".join(server.log)
    finally:
        for server in servers:
            with server:
                pass


def test_two_demos_on_one_database_are_one_show(
    empty: str, s3_server: S3Server, s3_bucket: str, tmp_path: Path
) -> None:
    storage = f"s3://{s3_bucket}/demo-{secrets.token_hex(4)}"
    common = {"PODHOST_DATABASE_URL": empty, "PODHOST_STORAGE": storage, **s3_server.environment()}
    with ExitStack() as stack:
        demos = [
            stack.enter_context(
                Running(["demo", "--port", "0", "--data", str(tmp_path / name)], common)
            )
            for name in ("one", "two")
        ]
        for demo in demos:
            url = demo.wait_until_ready()
            assert httpx.get(f"{url}/tide-tables/feed.xml", timeout=60).text.count("<item>") == 4
        for demo in demos:
            assert demo.stop() == 0
            assert "Traceback" not in "\n".join(demo.log)
    environment = {"PODHOST_DATA": str(tmp_path / "one"), **common}
    assert rows(environment, Account.email) == ["demo@podhost.example"]
    assert sorted(rows(environment, Show.slug)) == ["mareas", "tide-tables"]
    assert len(rows(environment, Episode.guid)) == 6
    shutil.rmtree(tmp_path / "one")
