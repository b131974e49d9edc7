"""openapi.json and docs/api.md say what the routes do, or these tests fail."""

import re
from pathlib import Path
from typing import Any

import pytest

from podhost.app import create_app
from podhost.instance import Instance
from podhost.web import api
from podhost.web.api import OPERATIONS, PREFIX
from podhost.web.openapi import COMMON_ERRORS
from tests.asgi_client import Client

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "api.md"


@pytest.fixture
def client(instance: Instance) -> Client:
    return Client(create_app(instance))


@pytest.fixture
def described(client: Client) -> dict[str, Any]:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def routed() -> set[tuple[str, str]]:
    return {
        (PREFIX + route.path.replace(":path}", "}"), method)
        for route in api.routes
        for method in route.methods or ()
        if method != "HEAD"
    }


def test_every_route_is_described_and_nothing_else(described: dict[str, Any]) -> None:
    found = {
        (path, method.upper()) for path, methods in described["paths"].items() for method in methods
    }
    assert found == routed()


def test_it_is_openapi_3_1_without_loose_ends(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert described["servers"] == [{"url": "https://pod.example"}]
    schemas = described["components"]["schemas"]
    references = set(re.findall(r"'#/components/schemas/(\w+)'", repr(described)))
    assert references <= set(schemas)
    assert {"ErrorAnswer", "EpisodeAnswer", "ShowAnswer", "ShowInput"} <= references
    identities = [
        operation["operationId"]
        for methods in described["paths"].values()
        for operation in methods.values()
    ]
    assert len(identities) == len(set(identities))


def test_every_call_is_described_in_full(described: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        found = described["paths"][operation.path][operation.method.lower()]
        assert found["summary"]
        in_path = {entry["name"] for entry in found["parameters"] if entry["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", operation.path))
        assert str(operation.status) in found["responses"]
        assert ("401" in found["responses"]) is not operation.is_public
        assert (found.get("security") == []) is operation.is_public
        has_body = operation.json is not None or operation.form is not None or operation.text_types
        assert bool(has_body) == ("requestBody" in found)


def test_what_any_call_may_be_answered_is_said_of_each(described: dict[str, Any]) -> None:
    for methods in described["paths"].values():
        for operation in methods.values():
            assert {*COMMON_ERRORS} <= set(operation["responses"])
            for answer in operation["responses"].values():
                name = answer.get("$ref", "").removeprefix("#/components/responses/")
                assert not name or described["components"]["responses"][name]["content"]


def test_an_empty_value_of_a_query_is_none(client: Client, described: dict[str, Any]) -> None:
    parameters = described["paths"][f"{PREFIX}/shows"]["get"]["parameters"]
    assert all(parameter["allowEmptyValue"] for parameter in parameters)


def test_the_form_for_episodes_names_its_fields(described: dict[str, Any]) -> None:
    body = described["paths"][f"{PREFIX}/shows/{{show}}/episodes"]["post"]["requestBody"]
    properties = body["content"]["multipart/form-data"]["schema"]["properties"]
    assert {"audio", "artwork", "transcript", "title", "notes", "guests", "publish"} <= set(
        properties
    )
    assert {"season", "number", "guid", "chapters", "audio_key"} <= set(properties)


def test_it_needs_no_token_and_is_not_sent_twice(client: Client) -> None:
    first = client.get("/api/v1/openapi.json")
    again = client.get("/api/v1/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    other = client.get("/api/v1/openapi.json", headers={"If-None-Match": '"other"'})
    assert other.content == first.content


def test_every_call_stands_in_the_documentation() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    headings = set(re.findall(r"^### `(\w+) (/\S+)`", text, re.MULTILINE))
    assert headings == {(method, path) for path, method in routed()}


def test_every_call_has_an_example_for_curl() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        match = re.match(r"`(\w+) (/\S+)`", heading)
        assert match is not None, heading
        method, path = match.groups()
        example = re.search(r"```sh\n(.*?)```", body, re.DOTALL)
        assert example is not None, heading
        address = re.sub(r"\\{\w+\\}", '[^/?"]+', re.escape(path.removeprefix(PREFIX)))
        assert re.search(f'"\\$API{address}["?]', example[1]), heading
        if method != "GET":
            is_form_post = method == "POST" and (" -F " in example[1] or "--json" in example[1])
            assert is_form_post or f"-X {method}" in example[1], heading


def test_every_field_and_every_error_stands_in_the_documentation(
    described: dict[str, Any],
) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    schemas = described["components"]["schemas"]
    for kind in ("ShowInput", "ShowAnswer", "NewEpisode", "EpisodeAnswer", "AudioAnswer"):
        for name in schemas[kind]["properties"]:
            assert f"`{name}`" in text, f"{name} of {kind}"
    statuses = {
        status
        for methods in described["paths"].values()
        for operation in methods.values()
        for status in operation["responses"]
        if status >= "400"
    }
    for status in statuses:
        assert f"| {status} |" in text, status
