"""What surrounds every request: ids, the log, errors in one shape, start and end."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, Router

from podhost import errors
from podhost.app import create_app, from_environment
from podhost.config import read_settings
from podhost.downloads import read_segment
from podhost.instance import Instance
from podhost.logs import configure_logging, request_id
from podhost.web.api import OPERATIONS
from podhost.web.site import table
from podhost.web.studio.table import ROUTES
from tests.asgi_client import Client
from tests.making import feed_body, make_show

PEOPLE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def log() -> Iterator[Callable[[], list[dict[str, object]]]]:
    """What was logged so far, as values; logging is set back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(read_settings({"PODHOST_METRICS_TOKEN": "s3cret-token"}), stream=stream)

    def lines() -> list[dict[str, object]]:
        found = [json.loads(line) for line in stream.getvalue().splitlines()]
        # The tests' own client logs as well.
        return [line for line in found if line["logger"] != "httpx"]

    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def client(instance: Instance) -> Iterator[Client]:
    with Client(create_app(instance)) as client:
        yield client


@pytest.fixture
def raising(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[BaseException], Client]]:
    """A client of an application with one more page, which raises."""
    clients = []

    def make(error: BaseException) -> Client:
        def page(_: Request) -> Response:
            raise error

        monkeypatch.setattr(table, "application", lambda: Router([Route("/-/raises", page)]))
        clients.append(Client(create_app(instance), raises=False))
        return clients[-1].__enter__()

    yield make
    for client in clients:
        client.__exit__(None, None, None)


def test_every_answer_has_a_request_id_and_a_good_one_is_kept(client: Client) -> None:
    made = client.get("/healthz").headers["x-request-id"]
    assert len(made) == 16
    assert client.get("/healthz").headers["x-request-id"] != made
    kept = client.get("/healthz", headers={"X-Request-ID": "proxy-1.A_b"})
    assert kept.headers["x-request-id"] == "proxy-1.A_b"


@pytest.mark.parametrize("hostile", ["a b", '"', "x" * 65, "", "<script>"])
def test_a_strange_request_id_is_replaced(client: Client, hostile: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": hostile})
    assert answer.headers["x-request-id"] != hostile


def test_each_request_leaves_one_line_with_what_matters(
    client: Client, log: Callable[[], list[dict[str, object]]]
) -> None:
    client.get("/nowhere/?token=secret", headers={"X-Request-ID": "one"})
    (line,) = log()
    assert line["ms"] > 0  # type: ignore[operator]
    wanted = {
        "message": "request",
        "method": "GET",
        "path": "/nowhere/",
        "status": 404,
        "client": "127.0.0.1",
        "request_id": "one",
        "level": "INFO",
    }
    assert {key: line[key] for key in wanted} == wanted
    assert "secret" not in json.dumps(log())


def test_polls_leave_a_record_in_the_spool_and_no_line(
    instance: Instance, log: Callable[[], list[dict[str, object]]]
) -> None:
    show = make_show(instance)
    feed_body(instance, show)
    with Client(create_app(instance)) as client:
        assert client.get(f"/{show.slug}/feed.xml").status_code == 200
    assert [line for line in log() if line["message"] == "request"] == []
    (segment,) = (instance.settings.data / "spool").glob("*.sealed")
    assert [record.status for record in read_segment(segment)] == [200]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Invalid("No.", {"title": "Empty."}), 422, "invalid"),
        (errors.Unauthorized("No."), 401, "unauthorized"),
        (errors.Forbidden("No."), 403, "forbidden"),
        (errors.NotFound("No."), 404, "not_found"),
        (errors.Gone("No."), 410, "gone"),
        (errors.Conflict("No."), 409, "conflict"),
        (errors.TooLarge("No."), 413, "too_large"),
        (errors.Unavailable("No."), 503, "unavailable"),
    ],
)
def test_errors_have_one_shape_and_the_right_status(
    raising: Callable[[BaseException], Client],
    error: errors.PodhostError,
    status: int,
    code: str,
) -> None:
    answer = raising(error).get("/-/raises")
    assert answer.status_code == status
    assert answer.json() == {"error": {"code": code, "message": "No.", "fields": error.fields}}
    assert ("retry-after" in answer.headers) == (status == 503)
    assert answer.headers.get("www-authenticate", "")[:6] == ("Bearer" if status == 401 else "")


def test_what_nobody_foresaw_is_500_without_details_and_logged_whole(
    raising: Callable[[BaseException], Client], log: Callable[[], list[dict[str, object]]]
) -> None:
    answer = raising(ZeroDivisionError("the secret detail")).get("/-/raises")
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert error["code"] == "internal"
    assert answer.headers["x-request-id"] in error["message"]
    assert "secret detail" not in answer.text
    failed, request = log()
    assert "secret detail" in str(failed["exc_info"])
    assert failed["request_id"] == request["request_id"] == answer.headers["x-request-id"]
    assert request["status"] == 500


def test_an_answer_that_broke_off_is_not_completed(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(_: Request) -> Response:
        def chunks() -> Iterator[bytes]:
            yield b"half"
            raise errors.Unavailable("The storage went away.")

        return StreamingResponse(chunks())

    monkeypatch.setattr(table, "application", lambda: Router([Route("/-/breaks", page)]))
    with (
        Client(create_app(instance)) as client,
        pytest.raises(errors.Unavailable, match="went away"),
    ):
        client.get("/-/breaks")


def test_an_unknown_address_and_a_wrong_method_have_the_same_shape(client: Client) -> None:
    unknown = client.get("/api/v1/nothing")
    assert unknown.status_code == 404
    assert unknown.json()["error"] == {
        "code": "not_found",
        "message": "There is no such address.",
        "fields": {},
    }
    wrong = client.delete("/healthz")
    assert wrong.status_code == 405
    assert {*wrong.headers["allow"].split(", ")} == {"GET", "HEAD"}
    assert wrong.json()["error"] == {
        "code": "method_not_allowed",
        "message": "This address takes GET, HEAD, not DELETE.",
        "fields": {},
    }


def test_people_get_a_page_and_programs_the_shape(client: Client) -> None:
    page = client.get("/nothing/", headers=PEOPLE)
    assert page.status_code == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in ("/api/v1/nothing", "/nothing/"):
        headers = PEOPLE if path.startswith("/api") else {}
        assert client.get(path, headers=headers).json()["error"]["code"] == "not_found"


def test_a_handler_finds_the_instance_and_its_log_lines_carry_the_id(
    instance: Instance,
    monkeypatch: pytest.MonkeyPatch,
    log: Callable[[], list[dict[str, object]]],
) -> None:
    def page(request: Request) -> Response:
        assert request.app.state.instance is instance
        logging.getLogger("podhost.test").info("from a thread")
        return PlainTextResponse(request_id.get())

    monkeypatch.setattr(table, "application", lambda: Router([Route("/-/id", page)]))
    with Client(create_app(instance)) as client:
        answer = client.get("/-/id")
    assert answer.text == answer.headers["x-request-id"]
    assert [line["request_id"] for line in log()] == [answer.text] * 2


def test_an_asgi_server_of_ones_own_can_have_it_from_the_environment(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    log: Callable[[], list[dict[str, object]]],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with Client(from_environment()) as client:
        assert client.get("/healthz").text == "ok"
        assert client.get("/").status_code == 200


# Logging


def logged(message: str, *arguments: object, **extra: object) -> str:
    stream = io.StringIO()
    configure_logging(
        read_settings(
            {
                "PODHOST_METRICS_TOKEN": 'top"secret',
                "PODHOST_DATABASE_URL": "postgresql://alice:wordpass@db.example/podhost",
            }
        ),
        stream=stream,
    )
    logging.getLogger("podhost.test").warning(message, *arguments, extra=extra)
    return stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://bob:hunter22@db.example/podhost",
        "the password wordpass was refused",
        "Authorization: Bearer abcdef123456",
        "{'authorization': 'Basic YWxpY2U6aHVudGVyMjI='}",
        "https://bucket.example/key?X-Amz-Credential=AKIA123&X-Amz-Signature=0123abcd",
        'token top"secret given',
    ],
)
def test_no_secret_reaches_the_log(text: str, log: Callable[[], list[dict[str, object]]]) -> None:
    for line in (logged("%s", text), logged("x", detail=text)):
        shown = json.loads(line)
        assert "[hidden]" in line
        for secret in ("hunter22", "wordpass", "abcdef", "YWxp", "AKIA", "0123abcd", "top"):
            assert secret not in json.dumps(shown)


def test_an_error_is_one_line_with_its_traceback(
    log: Callable[[], list[dict[str, object]]],
) -> None:
    try:
        raise ZeroDivisionError("two\nlines")
    except ZeroDivisionError:
        logging.getLogger("podhost.test").exception("it failed")
    (line,) = log()
    assert "ZeroDivisionError" in str(line["exc_info"])


def test_the_run_folder_is_optional(instance: Instance, tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        with Client(create_app(instance, folder)) as client:
            assert client.get("/healthz").status_code == 200


def test_no_secret_of_a_link_stands_in_the_log(
    instance: Instance, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "podhost")
    studio = ["/studio" + route.path for route in ROUTES]
    paths = {path for path in (*studio, *(one.path for one in OPERATIONS)) if "{secret}" in path}
    assert len(paths) > 8
    client = Client(create_app(instance))
    for path in paths:
        client.get(re.sub(r"{\w+}", "x", path.replace("{secret}", "f00t0secret")))
    logged = [str(record.__dict__.get("path")) for record in caplog.records]
    assert len([path for path in logged if "..." in path]) == len(paths)
    assert not [path for path in logged if "f00t0secret" in path]
