"""Logging: JSON lines on stderr, each with its request's id; it never lets a secret through."""

import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

from podhost.config import SETTINGS, Settings
from podhost.db import parse_url

request_id: ContextVar[str] = ContextVar("request_id", default="")

_HIDDEN = "[hidden]"
_SECRETS_OF_BOTO3 = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# uvicorn's line about each request that is no HTTP: anybody may send them, and they are counted.
_NO_HTTP = "Invalid HTTP request received."
# The value ends where the JSON string, the header or the query parameter does.
_SECRETS = (
    re.compile(r"(?<=://)[^/@\s\"]*:[^/@\s\"]+(?=@)"),
    re.compile(r"(?i)(?<=bearer )[^\s\"\\,;]+"),
    re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/=]{6,}"),
    re.compile(r"(?i)(?<=x-amz-signature=)[^&\s\"\\]+"),
    re.compile(r"(?i)(?<=x-amz-credential=)[^&\s\"\\]+"),
    re.compile(r"(?i)(?<=x-amz-security-token=)[^&\s\"\\]+"),
)


class _Formatter(JsonFormatter):
    """JSON lines in which secrets are masked, wherever in the line they stand."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            json_ensure_ascii=False,
        )
        # As they look inside a JSON string; short ones would mask half the log.
        self._secrets = [json.dumps(secret)[1:-1] for secret in secrets if len(secret) >= 6]

    def format(self, record: logging.LogRecord) -> str:
        """One line for the record."""
        if identity := request_id.get():
            record.__dict__.setdefault("request_id", identity)
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, _HIDDEN)
        for pattern in _SECRETS:
            line = pattern.sub(_HIDDEN, line)
        return line


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    if record.msg == _NO_HTTP:
        return False
    # uvicorn logs a traceback for every answer that the end of the server cut short; that is
    # how a shutdown with slow listeners ends, not a fault.
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def configure_logging(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process to stderr as JSON lines.

    May be called again; the last call counts.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter(_secret_values(settings)))
    handler.addFilter(_is_worth_a_line)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    is_debug = settings.log_level == "debug"
    for name in ("uvicorn", "alembic", "botocore", "boto3", "urllib3", "s3transfer", "watchfiles"):
        # Their "info" tells how they work inside; ours tells what happened.
        logging.getLogger(name).setLevel(logging.INFO if is_debug else logging.WARNING)
    # It warns of every form that is not well-formed; whoever sent it gets the sentence.
    logging.getLogger("python_multipart").setLevel(logging.INFO if is_debug else logging.ERROR)


def _secret_values(settings: Settings) -> list[str]:
    values = [
        str(getattr(settings, setting.name))
        for setting in SETTINGS
        if setting.is_secret and setting.name != "database_url"
    ]
    values += [os.environ.get(name, "") for name in _SECRETS_OF_BOTO3]
    return [*values, str(parse_url(settings.database_url).password or "")]
