"""Nothing that podhost prints, logs or answers holds a secret, whatever goes wrong."""

import contextlib
import json
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from podhost.config import read_settings
from podhost.db import migrate
from podhost.instance import open_instance
from tests.making import feed_body, make_episode, make_show
from tests.running import Running, run_command
from tests.servers import S3Server

DATABASE_PASSWORD = "db-Pa55/word+secret"
S3_KEY = "s3AccessKeyThatNobodySees"
S3_SECRET = "s3/SecretKey+thatNobodySees"
S3_TOKEN = "s3SessionTokenThatNobodySees"
METRICS_TOKEN = "metrics-token-that-nobody-sees"
ACCOUNT_PASSWORD = "account password that nobody sees"
WRONG_TOKEN = "podhost_wrong-token-that-nobody-sees"
QUERY_SECRET = "query-secret-that-nobody-sees"
LINK_SECRET = "link-secret-that-nobody-sees"
LINKS = (
    *(f"/studio/{kind}/" for kind in ("confirm", "guests", "invitations", "preview", "reset")),
    *("/studio/welcome/", "/api/v1/account/invitations/"),
    *(f"/api/v1/links/{kind}/" for kind in ("email", "invitation", "password")),
)


def assert_silent(text: str, *more: str) -> None:
    """None of the secrets, in any of the forms in which they may be written."""
    for secret in (
        DATABASE_PASSWORD,
        "db-Pa55",
        S3_SECRET,
        S3_TOKEN,
        METRICS_TOKEN,
        ACCOUNT_PASSWORD,
        WRONG_TOKEN,
        QUERY_SECRET,
        LINK_SECRET,
        *more,
    ):
        for form in {
            secret,
            json.dumps(secret)[1:-1],
            httpx.QueryParams({"": secret}).__str__()[1:],
        }:
            at = text.find(form)
            assert at < 0, f"{form!r} stands in: {text[max(0, at - 200) : at + 200]}"
    for line in text.splitlines():
        assert "X-Amz-Signature=" not in line or "X-Amz-Signature=[hidden]" in line, line[:500]


class RefusingStore(BaseHTTPRequestHandler):
    """A store that puts back in its errors all that it was sent."""

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = "".join(f"<{name}>{value}</{name}>" for name, value in self.headers.items())
        body = f"<Error><Code>AccessDenied</Code><Message>{self.path}{told}</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _refuse

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing_store() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), RefusingStore)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def everything(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


def credentials(endpoint: str, secret: str = S3_SECRET) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": S3_KEY,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": S3_TOKEN,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.mark.parametrize("command", [("check",), ("show", "list"), ("serve", "--port", "0")])
def test_a_database_that_does_not_answer_tells_no_password(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        password = "db-Pa55%2Fword%2Bsecret"
        environment = {
            "PODHOST_DATA": str(tmp_path),
            "PODHOST_DATABASE_URL": f"postgresql://alice:{password}@127.0.0.1:{port}/none",
            "PODHOST_LOG_LEVEL": "debug",
        }
        done = run_command(*command, environment=environment)
    assert done.returncode == 1
    assert_silent(everything(done), password)


@pytest.mark.parametrize("value", ["mysql://alice:{}@h/x", "postgresql://alice:{}@h:port/x"])
def test_a_wrong_address_of_the_database_is_not_repeated(tmp_path: Path, value: str) -> None:
    password = "db-Pa55word-in-a-wrong-place"
    environment = {"PODHOST_DATA": str(tmp_path), "PODHOST_DATABASE_URL": value.format(password)}
    done = run_command("show", "list", environment=environment)
    assert done.returncode != 0
    assert_silent(everything(done))


def test_a_store_that_refuses_tells_no_credentials(tmp_path: Path, refusing_store: str) -> None:
    environment = {
        "PODHOST_DATA": str(tmp_path),
        "PODHOST_STORAGE": "s3://bucket/pod",
        "PODHOST_LOG_LEVEL": "debug",
        **credentials(refusing_store.replace("//", "//name:s3SessionTokenThatNobodySees@")),
    }
    for command in (("check",), ("serve", "--port", "0")):
        done = run_command(*command, environment=environment)
        assert done.returncode == 1
        assert_silent(everything(done), S3_KEY)


def prepared(
    environment: Mapping[str, str], mp3: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """A show with an episode; the paths of its feed and of its audio."""
    for name, value in environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    instance = open_instance(read_settings(environment))
    migrate(instance.database)
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    feed_body(instance, show)
    instance.close()
    return f"/{show.slug}/feed.xml", f"/audio/{episode.id}/1/{episode.slug}.mp3"


def provoke(podhost: Running, token: str, feed: str, audio: str) -> str:
    """All kinds of requests that go wrong; what was answered, headers and bodies."""
    answers: list[httpx.Response] = []
    good, wrong = ({"Authorization": f"Bearer {value}"} for value in (token, WRONG_TOKEN))
    basic = httpx.BasicAuth("alice@pier.example", ACCOUNT_PASSWORD)
    shows = "/api/v1/shows"
    jobs = "/api/v1/jobs"
    with podhost.client() as client:
        for path in (feed, "/", "/readyz", "/healthz", shows, jobs, "/none", "/metrics"):
            for headers in ({}, good, wrong):
                answers.append(client.get(f"{path}?key={QUERY_SECRET}", headers=headers))
            answers.append(client.get(path, auth=basic))
        told = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        answers.append(client.get("/metrics", headers=told))
        answers.append(client.get("/metrics", headers={"Authorization": METRICS_TOKEN}))
        episodes = f"{shows}/tide-tables/episodes"
        for body in (b"", b"{", b'{"title": "\\u0000"}', b"[" * 100_000):
            json_headers = {**good, "Content-Type": "application/json"}
            answers.append(client.post(shows, content=body, headers=json_headers))
        answers.append(client.post(episodes, files={"audio": b"x"}, headers=good))
        answers.append(client.get(f"{shows}/%00", headers=good))
        answers.append(client.get(audio, headers={"User-Agent": WRONG_TOKEN * 20}))
        for link in LINKS:
            answers.append(client.get(link + LINK_SECRET))
            given = {"password": ACCOUNT_PASSWORD, "name": "Ann"}
            answers.append(client.post(link + LINK_SECRET, json=given, headers=good))
    # A redirect to the store holds a signature, which is the listener's to have.
    return "\n".join(
        f"{answer.status_code} {answer.headers} {answer.text}"
        for answer in answers
        if answer.status_code != 302
    )


def spooled(folder: Path) -> str:
    return "\n".join(path.read_text() for path in (folder / "spool").rglob("*") if path.is_file())


def test_a_podhost_in_trouble_tells_no_secret_at_all(
    tmp_path: Path,
    mp3: Path,
    s3_server: S3Server,
    s3_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = {
        "PODHOST_DATA": str(tmp_path),
        "PODHOST_STORAGE": f"s3://{s3_bucket}/{tmp_path.name}",
        "PODHOST_BASE_URL": "https://pod.example",
        "PODHOST_METRICS_TOKEN": METRICS_TOKEN,
        "PODHOST_LOG_LEVEL": "debug",
        **s3_server.environment(),
    }
    feed, audio = prepared(environment, mp3, monkeypatch)
    commands = [
        run_command("account", "create", "alice@pier.example", environment=environment),
        run_command("token", "create", "--json", environment=environment),
        run_command("check", environment=environment),
    ]
    token = json.loads(commands[1].stdout)["token"]
    shown = [everything(commands[2])]
    secrets = [s3_server.secret_key, token]
    with Running(["serve", "--port", "0"], environment) as podhost:
        break_database(tmp_path / "podhost.sqlite3")
        shown.append(provoke(podhost, token, feed, audio))
        podhost.stop()
        shown += podhost.log
    shown.append(spooled(tmp_path).replace(WRONG_TOKEN, ""))
    assert_silent("\n".join(shown), *secrets)
    assert any('"uvicorn.error"' in line for line in podhost.log), "it was to be talkative"
    assert any("Traceback" in line for line in podhost.log), "something was to go wrong"


def break_database(path: Path) -> None:
    """A table that is gone, for errors with SQL in them, and a row that nobody can read."""
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection:
        connection.execute("ALTER TABLE jobs RENAME TO lost")
        connection.execute("UPDATE artwork SET sizes = '{'")
        connection.commit()
