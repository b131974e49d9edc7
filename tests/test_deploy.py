"""The files in deploy/, as they stand there, with real proxies in front of real processes."""

import contextlib
import json
import re
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import httpx
import pytest
import yaml

from podhost.config import SETTINGS
from tests.proxies import free_port, needs_caddy, needs_nginx, running_caddy, running_nginx
from tests.running import Running, run_command
from tests.waiting import wait_for

DEPLOY = Path(__file__).parent.parent / "deploy"

Proxy = Callable[[list[str], Path], AbstractContextManager[str]]


@contextlib.contextmanager
def nginx(upstreams: list[str], folder: Path) -> Iterator[str]:
    """deploy/nginx.conf on another port, in front of others."""
    port = free_port()
    text = (DEPLOY / "nginx.conf").read_text()
    text = _replaced(text, "listen 80 default_server", f"listen 127.0.0.1:{port}")
    text = _replaced(text, "server web:8000 ", "".join(f"server {u} {{}};" for u in upstreams))
    text = re.sub(r"\{\};", "max_fails=2 fail_timeout=5s;", text, count=len(upstreams) - 1)
    text = _replaced(text, "{};", "")
    with running_nginx(text, folder, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def nginx_with_tls(upstreams: list[str], folder: Path) -> Iterator[str]:
    """The server block with TLS, without the marks that make it a comment."""
    port, plain_port = free_port(), free_port()
    _make_certificate(folder)
    text = (DEPLOY / "nginx.conf").read_text()
    text = _replaced(text, "listen 80 default_server", f"listen 127.0.0.1:{plain_port}")
    text = _replaced(text, "server web:8000 ", f"server {upstreams[0]} ")
    plain, tls = text.split("    # server {")
    text = plain + "server {" + tls.replace("    # ", "    ")
    text = _replaced(text, "/etc/nginx/", f"{folder}/")
    text = _replaced(text, "    listen 443 ssl;", f"    listen 127.0.0.1:{port} ssl;")
    # Debian 12 has nginx 1.22, where it is a word behind `listen`.
    text = text.replace("http2 on;", "")
    with running_nginx(text, folder, port):
        yield f"https://127.0.0.1:{port}"


@contextlib.contextmanager
def caddy(upstreams: list[str], folder: Path) -> Iterator[str]:
    """deploy/Caddyfile without TLS, on another port."""
    port = free_port()
    with running_caddy(_caddyfile(f"http://127.0.0.1:{port}", upstreams), folder, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def caddy_with_tls(upstreams: list[str], folder: Path) -> Iterator[str]:
    """deploy/Caddyfile with a certificate of Caddy's own making."""
    port, plain_port = free_port(), free_port()
    text = _caddyfile(f"https://localhost:{port}", upstreams)
    text = text.replace("\t# For operators", "\ttls internal\n\t# For operators", 1)
    text = text.replace("admin off", f"admin off\n\tskip_install_trust\n\thttp_port {plain_port}")
    # A name, because a certificate is chosen by it.
    url = f"https://localhost:{port}"
    with running_caddy(text, folder, port):
        # It listens before it has made the certificate.
        for _ in range(200):
            with contextlib.suppress(httpx.ConnectError):
                httpx.get(url, verify=ssl._create_unverified_context(), timeout=60)
                break
            time.sleep(0.1)
        yield url


def _caddyfile(address: str, upstreams: list[str]) -> str:
    text = (DEPLOY / "Caddyfile").read_text()
    text = _replaced(text, "\npodcasts.example.org {", f"\n{address} {{")
    text = _replaced(text, "web-1:8000 web-2:8000 web-3:8000", " ".join(upstreams))
    return "{\n\tadmin off\n}\n" + text


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text, f"the file no longer says {old!r}"
    return text.replace(old, new)


def _make_certificate(folder: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    files = "-keyout key.pem -out certificate.pem"
    subprocess.run(f"{command} {files}".split(), cwd=folder, check=True, capture_output=True)


PROXIES = [
    pytest.param(nginx, marks=needs_nginx),
    pytest.param(nginx_with_tls, marks=needs_nginx),
    pytest.param(caddy, marks=needs_caddy),
    pytest.param(caddy_with_tls, marks=needs_caddy),
]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[list[Running]]:
    """Two serving processes on one database, the first with a worker."""
    settings = {
        "PODHOST_DATA": str(tmp_path / "data"),
        "PODHOST_BASE_URL": "https://podcasts.example.org",
        "PODHOST_TRUSTED_PROXIES": "127.0.0.1",
    }
    assert run_command("migrate", environment=settings).returncode == 0
    with (
        Running(["serve", "--port", "0"], settings) as one,
        Running(["serve", "--port", "0", "--no-worker"], settings) as two,
    ):
        yield [one, two]


def _token(data: Path) -> str:
    settings = {"PODHOST_DATA": str(data)}
    run_command("account", "create", "ann@example.org", environment=settings)
    made = run_command("token", "create", "--json", environment=settings)
    token: str = json.loads(made.stdout)["token"]
    return token


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_host_and_a_listener_notice_no_proxy(
    proxy: Proxy, processes: list[Running], tmp_path: Path, mp3: Path
) -> None:
    headers = {"Authorization": f"Bearer {_token(tmp_path / 'data')}"}
    upstreams = [server.wait_until_ready().removeprefix("http://") for server in processes]
    anything = ssl._create_unverified_context()
    with (
        proxy(upstreams, tmp_path) as url,
        httpx.Client(base_url=url, verify=anything, timeout=30) as client,
    ):
        show = client.post("/api/v1/shows", json={"title": "Tide Tables"}, headers=headers)
        assert show.status_code == 201, show.text
        with mp3.open("rb") as audio:
            made = client.post(
                "/api/v1/shows/tide-tables/episodes",
                data={"title": "Low water", "publish": "true"},
                files={"audio": audio},
                headers=headers,
                timeout=60,
            )
        assert made.status_code == 201, made.text
        # The proxy asks them in turn, and each hears of news by itself.
        for server in processes:
            with server.client() as direct:
                wait_for(
                    partial(direct.get, "/tide-tables/feed.xml"),
                    # Two changes in one second: the later one's date is told when it has come.
                    lambda answer: (
                        b"Low water" in answer.content and "last-modified" in answer.headers
                    ),
                )

        feed = client.get("/tide-tables/feed.xml")
        assert feed.headers["content-encoding"] == "gzip"
        validators = {"If-None-Match": feed.headers["etag"]}
        assert client.get("/tide-tables/feed.xml", headers=validators).status_code == 304
        validators = {"If-Modified-Since": feed.headers["last-modified"]}
        assert client.get("/tide-tables/feed.xml", headers=validators).status_code == 304

        enclosure = httpx.URL(made.json()["enclosure_url"]).path
        assert client.get(enclosure).content == mp3.read_bytes()
        piece = client.get(enclosure, headers={"Range": "bytes=100-199"})
        assert (piece.status_code, piece.content) == (206, mp3.read_bytes()[100:200])
        head = client.head(enclosure)
        assert head.headers["content-length"] == str(mp3.stat().st_size)
        assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("proxy", [PROXIES[0], PROXIES[2]])
def test_a_killed_process_costs_no_poll(
    proxy: Proxy, processes: list[Running], tmp_path: Path
) -> None:
    upstreams = [server.wait_until_ready().removeprefix("http://") for server in processes]
    with proxy(upstreams, tmp_path) as url, httpx.Client(base_url=url, timeout=60) as client:
        for number in range(80):
            if number == 20:
                processes[1].process.send_signal(signal.SIGKILL)
            assert client.get("/healthz").status_code == 200


def test_compose_gives_podhost_settings_and_commands_that_it_knows() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    known = {setting.variable for setting in SETTINGS}
    ours = [service for service in services.values() if service["image"] == "podhost"]
    assert len(ours) == 3
    for service in ours:
        variables = {name for name in service["environment"] if name.startswith("PODHOST_")}
        assert variables <= known
        _, command, *options = service["command"].split()
        assert run_command(command, *options, "--help", environment={}).returncode == 0


def test_the_unit_file_gives_settings_that_podhost_knows() -> None:
    unit = (DEPLOY / "podhost.service").read_text()
    variables = set(re.findall(r"^Environment=(\w+)=", unit, flags=re.MULTILINE))
    assert variables
    assert variables <= {setting.variable for setting in SETTINGS}
