"""Says the sentences in the API's answers in the language of the page that called.

Programs with a token read English; it knows no operation.
"""

from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from podhost.instance import Instance
from podhost.translations import DEFAULT, Words, choose_language, words
from podhost.web.auth import cookie_secret

# Where answers have sentences of the domain: alone, in lists, or by the names of fields.
_SENTENCES = frozenset(
    {"message", "warnings", "error", "problem", "problems", "missing", "refusals"}
)
_JSON = "application/json"


def page_words(request: Request, instance: Instance) -> Words | None:
    """The words of the studio page that calls; None: English will do."""
    if "authorization" in request.headers or not cookie_secret(request, instance=instance):
        return None
    # Its scripts ask for the language that the page is written in.
    language = asked_language(request.headers)
    return words(language) if language != DEFAULT else None


def asked_language(headers: Headers) -> str:
    """The language that a browser asks for and podhost speaks."""
    return choose_language(None, headers.get("accept-language", ""))


def spoken(response: Response, said: Words | None) -> Response:
    """The answer with its sentences in these words."""
    body = getattr(response, "body", b"")
    if said is None or response.media_type != _JSON or not body:
        return response
    response.body = msgspec.json.encode(in_words(msgspec.json.decode(body), said))
    response.headers["Content-Length"] = str(len(response.body))
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response


def in_words(value: Any, said: Words) -> Any:
    """A value of JSON, of whose keys those that hold sentences are said."""
    if isinstance(value, list):
        return [in_words(each, said) for each in value]
    if not isinstance(value, dict):
        return value
    # Elsewhere fields are what somebody wrote.
    known = _SENTENCES | {"fields"} if {"message", "code"} <= value.keys() else _SENTENCES
    return {
        key: _said(inner, said) if _is_told(key, inner, known) else in_words(inner, said)
        for key, inner in value.items()
    }


def _is_told(key: str, value: Any, known: frozenset[str]) -> bool:
    return key in known and (key == "fields" or not isinstance(value, dict))


def _said(value: Any, said: Words) -> Any:
    if isinstance(value, str):
        # A single word is a code for programs.
        return said.said(value) if " " in value else value
    if isinstance(value, list):
        return [_said(each, said) for each in value]
    if isinstance(value, dict):
        return {key: _said(each, said) for key, each in value.items()}
    return value
