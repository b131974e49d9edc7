"""Every setting once: its name, type, default and help; it reads the environment and nothing else.

A wrong value stops the start with one sentence that names the setting.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from podhost.errors import Invalid
from podhost.mail_settings import imap_url, sender, smtp_url

PREFIX = "PODHOST_"


def _text(value: str) -> str:
    return value


def _folder(value: str) -> Path:
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no such home folder") from None


def _whole_url(value: str) -> str:
    parts = urlsplit(value)
    # Reading a port that is none raises ValueError by itself.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("it must be an address such as https://podcasts.example.org")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("it must not carry a query, a fragment or a password")
    # It goes into headers and feeds as it is (RFC 3986 2).
    if not re.fullmatch(r"[!#-;=?-\[\]_a-z~]+", value):
        raise ValueError("it must be in ASCII, without spaces and quotes; names as xn--...")
    return value


def _web_url(value: str) -> str:
    return _whole_url(value).rstrip("/")


def _web_urls(value: str) -> tuple[str, ...]:
    # Letter by letter: to a hub, a path with a slash at its end may be another one (WebSub).
    return tuple(_whole_url(part) for part in value.replace(",", " ").split())


def _database_url(value: str) -> str:
    scheme = value.partition("://")[0]
    if scheme == "sqlite":
        file = value.partition(":///")[2].partition("?")[0]
        # One in memory would be another one for each process.
        if not file or file.startswith(":"):
            raise ValueError("it must name a file, such as sqlite:////var/lib/podhost/my.sqlite3")
        return value
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return "postgresql+psycopg://" + value.partition("://")[2]
    raise ValueError("it must begin with sqlite:/// or postgresql://")


def _storage_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return value
    if parts.scheme == "s3" and parts.netloc:
        return value
    raise ValueError("it must be file:///folder or s3://bucket/prefix")


def _number(minimum: int, maximum: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not minimum <= int(value) <= maximum:
            raise ValueError(f"it must be a whole number from {minimum} to {maximum}")
        return int(value)

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"it must be one of {', '.join(choices)}")
        return value

    return read


def _switch(value: str) -> bool:
    return _one_of("on", "off")(value) == "on"


def _networks(value: str) -> tuple[str, ...]:
    networks = tuple(value.replace(",", " ").split())
    for network in networks:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise ValueError(
                f"{network!r} is not an address or a network like 10.0.0.0/8"
            ) from None
    return networks


def _reachable(value: str) -> tuple[str, ...]:
    entries = tuple(value.replace(",", " ").split())
    for entry in entries:
        pair = re.fullmatch(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", entry)
        if pair is None or not 0 < int(pair[1]) <= 65535:
            try:
                _networks(entry)
            except ValueError:
                raise ValueError(
                    f"{entry!r} is neither a network like 10.0.0.0/8 nor a pair like host:8080"
                ) from None
    return entries


def _token(value: str) -> str:
    # A header carries nothing else (RFC 6750 2.1 allows less still).
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("it must be of ASCII letters, digits and signs, without spaces")
    return value


def _key(value: str) -> str:
    if value and len(value) < 32:
        raise ValueError("it must have 32 characters or more, such as `openssl rand -hex 32` gives")
    return value


def _own_templates(value: str) -> str:
    if value and not Path(value).is_dir():
        raise ValueError("there is no such folder")
    return value and str(Path(value).resolve())


def _accelerator(value: str) -> str:
    if value == "x-sendfile":
        return value
    if re.fullmatch(r"/([A-Za-z0-9_-][A-Za-z0-9._-]*/)+", value):
        return value
    raise ValueError("it must be x-sendfile, or an internal location of nginx such as /protected/")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the settings table. `read` turns text into the value or raises ValueError."""

    name: str
    read: Callable[[str], Any]
    default: str
    help: str
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable, for instance PODHOST_DATA."""
        return PREFIX + self.name.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting("data", _folder, "./data", "Folder for everything that podhost keeps on this machine."),
    Setting(
        "database_url",
        _database_url,
        "",
        "Database: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME. "
        "Empty: podhost.sqlite3 in the data folder.",
        is_secret=True,
    ),
    Setting(
        "storage",
        _storage_url,
        "",
        "Where audio and artwork lie: file:///FOLDER or s3://BUCKET/PREFIX (endpoint, region and "
        "credentials by boto3's own variables, such as AWS_ENDPOINT_URL_S3). "
        "Empty: the folder storage in the data folder.",
    ),
    Setting(
        "base_url",
        _web_url,
        "",
        "The public address, used in every absolute URL, for instance "
        "https://podcasts.example.org. Empty: http://127.0.0.1 with the port.",
    ),
    Setting(
        "audio_delivery",
        _one_of("redirect", "stream"),
        "redirect",
        "With S3: redirect listeners to the bucket (or to audio_url), or stream through podhost.",
    ),
    Setting(
        "audio_url",
        _web_url,
        "",
        "With S3: a public or CDN address in front of the bucket's prefix; listeners are "
        "redirected there instead of to a presigned URL.",
    ),
    Setting(
        "audio_accel",
        _accelerator,
        "",
        "With storage in a folder: leave sending audio to the proxy in front. An internal location "
        "of nginx such as /protected/ (X-Accel-Redirect), or x-sendfile. Empty: podhost sends it.",
    ),
    Setting("site_templates", _own_templates, "", "Folder of templates for sites: docs/site.md."),
    Setting("host", _text, "127.0.0.1", "Address to listen on; 0.0.0.0 for every network."),
    Setting("port", _number(0, 65535), "8000", "Port to listen on; 0 picks a free one."),
    Setting(
        "trusted_proxies",
        _networks,
        "",
        "Addresses or networks of the proxies in front, whose X-Forwarded-For is believed.",
    ),
    Setting(
        "hubs",
        _web_urls,
        "",
        "WebSub hubs that feeds name and that are told of changes, separated by spaces.",
    ),
    Setting(
        "podping_token",
        _token,
        "",
        "Token of the Podping service; with it, Podping is told of changes, and feeds say so.",
        is_secret=True,
    ),
    Setting(
        "podping_url",
        _whole_url,
        "https://podping.cloud/",
        "Address of the Podping service; another one for a service of your own.",
    ),
    Setting(
        "notify_podcast_index",
        _switch,
        "off",
        "on: Podcast Index is told of changes; that needs no token.",
    ),
    Setting(
        "podcast_index_url",
        _whole_url,
        "https://api.podcastindex.org/api/1.0/hub/pubnotify",
        "Where Podcast Index is told; another address for a mirror.",
    ),
    Setting(
        "fetch_allowed",
        _reachable,
        "",
        "Networks (10.0.0.0/8) and host:port pairs that may be read although they are not on the "
        "public internet, when a host names an address to import or check.",
    ),
    Setting(
        "static_edge",
        _switch,
        "off",
        "on: feeds, chapters, transcripts and artwork are also kept as plain files under public/ "
        "in the storage, for nginx, Caddy or a CDN to answer with.",
    ),
    Setting("max_upload_mb", _number(1, 100_000), "1024", "Largest audio file taken, in MB."),
    Setting(
        "show_quota_gb",
        _number(0, 1_000_000),
        "0",
        "Most audio that one show may have in the storage, with what is being uploaded, in GB; "
        "0: no limit.",
    ),
    Setting(
        "memory_cache_mb",
        _number(1, 100_000),
        "64",
        "Memory for feeds and other small answers, per process, in MB.",
    ),
    Setting(
        "header_timeout_seconds",
        _number(1, 600),
        "15",
        "A connection that has not sent a whole request header by then is closed.",
    ),
    Setting(
        "max_header_kb",
        _number(4, 1024),
        "64",
        "Largest request header taken, in KB; a longer one is answered 431.",
    ),
    Setting(
        "max_headers",
        _number(20, 10_000),
        "100",
        "Most header lines of one request; more are answered 431.",
    ),
    Setting(
        "upload_pause_seconds",
        _number(2, 3600),
        "60",
        "An upload that stands still for so long, or is slower than 1 KB/s for long, is given up.",
    ),
    Setting(
        "listener_pause_seconds",
        _number(5, 86_400),
        "600",
        "A listener who takes nothing of an answer for so long is disconnected.",
    ),
    Setting(
        "max_connections",
        _number(10, 1_000_000),
        "10000",
        "Most open connections, per process; beyond, those that are idle longest are closed.",
    ),
    Setting(
        "max_connections_per_address",
        _number(0, 1_000_000),
        "1000",
        "Most open connections from one address (or IPv6 /64), per process; 0: no limit. "
        "Proxies that are trusted, and 127.0.0.1 and ::1, have none.",
    ),
    Setting(
        "api_requests_per_minute",
        _number(0, 10_000_000),
        "6000",
        "Calls of the API from one address, and with one token, per process; beyond, 429. "
        "0: no limit.",
    ),
    Setting(
        "searches_per_minute",
        _number(0, 1_000_000),
        "120",
        "Searches of shows' sites from one address, per process; beyond, 429. 0: no limit.",
    ),
    Setting(
        "failed_logins_per_minute",
        _number(0, 1_000_000),
        "20",
        "Wrong tokens or passwords from one address, per process; beyond, 429. 0: no limit.",
    ),
    Setting(
        "shutdown_seconds",
        _number(1, 30),
        "30",
        "At shutdown, running downloads get this long to finish.",
    ),
    Setting(
        "secret_key",
        _key,
        "",
        "32 characters or more that nobody can guess; keeps second factors in the database "
        "unreadable without it. Empty: one is made, and stands in the database.",
        is_secret=True,
    ),
    Setting(
        "metrics_token",
        _token,
        "",
        "Bearer token for /metrics; without it, only loopback may read them.",
        is_secret=True,
    ),
    Setting(
        "smtp_url",
        smtp_url,
        "",
        "The mail server for invitations, new passwords and newsletters: "
        "smtp://USER:PASSWORD@HOST:587?starttls or smtps://USER:PASSWORD@HOST. "
        "Empty: their links are printed to the log.",
        is_secret=True,
    ),
    Setting(
        "mail_from",
        sender,
        "",
        "The sender of mail, such as My Podcasts <podcasts@example.org>. "
        "Empty: podhost at the host of the base URL.",
    ),
    Setting(
        "bounces_imap_url",
        imap_url,
        "",
        "The mailbox to which newsletters that cannot be delivered come back: "
        "imaps://USER:PASSWORD@HOST/FOLDER, of its own. Empty: none is read.",
        is_secret=True,
    ),
    Setting("log_level", _one_of("debug", "info", "warning", "error"), "info", "What is logged."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in use, complete and valid."""

    data: Path
    database_url: str
    storage: str
    base_url: str
    audio_delivery: str
    audio_url: str
    audio_accel: str
    site_templates: str
    host: str
    port: int
    trusted_proxies: tuple[str, ...]
    hubs: tuple[str, ...]
    podping_token: str
    podping_url: str
    notify_podcast_index: bool
    podcast_index_url: str
    fetch_allowed: tuple[str, ...]
    static_edge: bool
    max_upload_mb: int
    show_quota_gb: int
    memory_cache_mb: int
    header_timeout_seconds: int
    max_header_kb: int
    max_headers: int
    upload_pause_seconds: int
    listener_pause_seconds: int
    max_connections: int
    max_connections_per_address: int
    api_requests_per_minute: int
    searches_per_minute: int
    failed_logins_per_minute: int
    shutdown_seconds: int
    secret_key: str
    metrics_token: str
    smtp_url: str
    mail_from: str
    bounces_imap_url: str
    log_level: str

    @property
    def has_own_base_url(self) -> bool:
        """False while the operator has not said under which address the world sees podhost."""
        return bool(self.base_url)


def read_settings(environment: Mapping[str, str], **flags: object) -> Settings:
    """The settings from `environment`; `flags` (from the command line, None = not given) win.

    Each variable may also be given as NAME_FILE, a file that holds the value.
    Raises Invalid with a sentence that names the setting.
    """
    values: dict[str, Any] = {
        setting.name: _value(setting, environment, flags) for setting in SETTINGS
    }
    settings = Settings(**values)
    defaults: dict[str, Any] = {}
    if not settings.database_url:
        defaults["database_url"] = f"sqlite:///{settings.data / 'podhost.sqlite3'}"
    if not settings.storage:
        defaults["storage"] = (settings.data / "storage").as_uri()
    return replace(settings, **defaults) if defaults else settings


def _value(setting: Setting, environment: Mapping[str, str], flags: Mapping[str, object]) -> object:
    flag = flags.get(setting.name)
    if flag is not None:
        name, text = "--" + setting.name.replace("_", "-"), str(flag)
    else:
        name, text = _environment_text(setting, environment)
    if not text:
        text = setting.default
        if not text:
            return () if setting.read in (_networks, _web_urls) else ""
    try:
        return setting.read(text)
    except ValueError as error:
        shown = "its value" if setting.is_secret else repr(text)
        raise Invalid(f"{name} cannot be {shown}: {error}.") from None


def _environment_text(setting: Setting, environment: Mapping[str, str]) -> tuple[str, str]:
    variable = setting.variable
    file_variable = variable + "_FILE"
    if file_variable not in environment:
        return variable, environment.get(variable, "").strip()
    if variable in environment:
        raise Invalid(f"Both {variable} and {file_variable} are set; keep one of them.")
    path = environment[file_variable]
    try:
        return file_variable, Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise Invalid(f"{file_variable}: the file {path} cannot be read: {reason}.") from None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and are not: usually a slip of the pen, worth a warning."""
    known = {setting.variable for setting in SETTINGS}
    known |= {name + "_FILE" for name in known}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


# The dataclass and the table must name the same settings.
assert tuple(field.name for field in fields(Settings)) == tuple(s.name for s in SETTINGS)
