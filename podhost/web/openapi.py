"""What one call of the API takes and answers, and openapi.json, which is made from that alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from podhost.accounts.roles import Permission

PREFIX = "/api/v1"
JSON = "application/json"
FORM = "multipart/form-data"
_REFERENCE = "#/components/schemas/{name}"
_COMMON = "#/components/responses/{status}"
# What any call may be answered, before or while it is looked at.
COMMON_ERRORS = {
    "400": "This is not a request that HTTP knows.",
    "408": "The request did not arrive whole in time.",
    "414": "The address is longer than any that works here.",
    "429": "The address or the token calls too often, or has too many connections.",
    "431": "The header of the request is larger than is taken here.",
    "503": "The database or the storage does not answer, or too many ask at once.",
}
_UNUSABLE = "Something that was given cannot be used; `fields` says what."
_RETRY_AFTER = {
    "Retry-After": {
        "description": "In how many seconds to try again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    }
}
_LOCATION = {
    "Location": {
        "description": "The address of what was made.",
        "required": True,
        "schema": {"type": "string", "format": "uri"},
    }
}
_ETAG = {
    "ETag": {
        "description": "The version of the episode, which rises with every change.",
        "required": True,
        "schema": {"type": "string"},
    }
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that was read; if the episode is another by now, nothing changes.",
    "schema": {"type": "string"},
}
_DESCRIPTION = """Publish podcasts from programs.

Every call but this one and those of mailed links needs a token: `Authorization: Bearer TOKEN`.
`podhost token create` makes one. Errors come in one shape; `fields` names each wrong input. Fields
that are not known are ignored and named in `warnings`. Times are ISO 8601; one without a zone is in
the show's own."""


class ErrorDetails(msgspec.Struct):
    """A stable code, a sentence for people, and a sentence for each wrong input."""

    code: str
    message: str
    fields: dict[str, str]


class ErrorAnswer(msgspec.Struct):
    """The one shape in which errors come."""

    error: ErrorDetails


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter; `schema` is its JSON Schema."""

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FormBody:
    """A form: its file fields, and the text fields as the fields of a struct.

    With `raw`, the bare file of that field is taken as well, with one of these types.
    """

    files: tuple[str, ...]
    texts: type[msgspec.Struct] | None = None
    required: tuple[str, ...] = ()
    raw: str | None = None
    raw_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path. The body may be JSON, a form, either, or one of `text_types`.

    A writing handler takes the call and gives the response. One for GET takes the session too;
    it gives the response, or where the answer `is_remembered` (which depends on nothing but the
    address and the rows whose changes are recorded) its struct. One that `may_create` answers 201
    where it made what was not there (RFC 9110 9.3.4). One that `is_versioned` tells the version in
    an ETag, and a changing one may be told by If-Match to change that version only. `needs` is what
    the caller must be allowed; unsaid, it follows from the path and the method. One that
    `is_public` knows no caller: nobody is looked for, whatever token or cookie came.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    summary: str
    answer: type[msgspec.Struct] | None = None
    # In the place of `answer`: it is a list of these.
    answer_list: type[msgspec.Struct] | None = None
    answer_type: str = JSON
    # Where it depends on the query.
    other_types: Sequence[str] = ()
    status: int = 200
    query: Sequence[Query] = ()
    json: type[msgspec.Struct] | None = None
    json_required: bool = True
    form: FormBody | None = None
    text_types: Sequence[str] = ()
    is_public: bool = False
    is_remembered: bool = False
    may_create: bool = False
    is_versioned: bool = False
    needs: Permission = Permission.ANYONE
    # What clients call it; unsaid, as its handler, which may serve several paths.
    name: str = ""

    def __post_init__(self) -> None:
        if self.needs is Permission.ANYONE and not self.is_public:
            object.__setattr__(self, "needs", self._usual_need())

    def _usual_need(self) -> Permission:
        if "{show}" not in self.path:
            return Permission.OPERATE
        return Permission.VIEW if self.method == "GET" else Permission.EDIT


def render_openapi(operations: Sequence[Operation], *, version: str, base_url: str) -> bytes:
    """The description of these operations as OpenAPI 3.1 in JSON."""
    # Loaded here, because a server that nobody asks for this does not need it.
    from apispec import APISpec

    spec = APISpec(
        title="podhost",
        version=version,
        openapi_version="3.1.0",
        info={"description": _DESCRIPTION},
        servers=[{"url": base_url}],
        security=[{"token": []}],
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    for name, schema in _schemas(operations).items():
        spec.components.schema(name, schema)
    for status, meaning in COMMON_ERRORS.items():
        headers = _RETRY_AFTER if status in ("429", "503") else None
        spec.components.response(status, _error(meaning, headers))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    for path, methods in paths.items():
        spec.path(path=path, operations=methods)
    return msgspec.json.encode(spec.to_dict())


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    kinds: dict[type[msgspec.Struct], None] = {ErrorAnswer: None}
    for operation in operations:
        for kind in (operation.answer, operation.answer_list, operation.json):
            if kind is not None:
                kinds[kind] = None
    _, schemas = msgspec.json.schema_components(tuple(kinds), ref_template=_REFERENCE)
    return schemas


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name or operation.handler.__name__.strip("_"),
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation.path), *map(_query_parameter, operation.query)],
        "responses": _responses(operation),
    }
    if operation.is_versioned and operation.method != "GET":
        described["parameters"].append(_IF_MATCH)
    if operation.is_public:
        described["security"] = []
    content = _body(operation)
    if content:
        required = operation.json_required or operation.json is None
        described["requestBody"] = {"required": required, "content": content}
    return described


def _path_parameters(path: str) -> list[dict[str, Any]]:
    meaning = {
        "show": "The show's slug; one that it once had will do.",
        "episode": "The episode's id or slug; a slug that it once had will do.",
        "live": "The live stream's guid.",
        "import": "The import's id.",
        "feed": "The name of the further feed.",
        "export": "The archive's id.",
        "upload": "The upload's id.",
        "part": "The number of the part, from 1 to 10000.",
        "change": "The id of the change in the history.",
        "deleted": "The id of the episode, or the slug of the show, that was deleted.",
        "batch": "The batch that the answer of the call for several episodes named.",
        "directory": "The directory's id, as the list has it.",
        "link": "The private link's id.",
        "proposal": "The proposal's id.",
        "person": "The person's id.",
        "article": "The article's slug or id.",
        "page": "The page's slug or id.",
        "sponsor": "The sponsor's id.",
        "subscriber": "The reader's id.",
        "issue": "The mailing's id.",
        "edition": "The slug of a sister show.",
        "member": "The id of the member's account.",
        "invitation": "The invitation's id.",
        "secret": "The last part of the link.",
        "account": "The account's id.",
        "token": "The token's id.",
        "session": "The id of the sign-in.",
    }
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": text,
            "schema": {"type": "string"},
        }
        for name, text in meaning.items()
        if "{" + name + "}" in path
    ]


def _query_parameter(query: Query) -> dict[str, Any]:
    return {
        "name": query.name,
        "in": "query",
        "description": query.description,
        # As in forms, what is left empty is not given.
        "allowEmptyValue": True,
        "schema": dict(query.schema),
    }


def _body(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.json is not None:
        content[JSON] = {"schema": _reference(operation.json)}
    if operation.form is not None:
        content[FORM] = _form(operation.form)
        for kind in operation.form.raw_types:
            content[kind] = {"schema": {"type": "string", "format": "binary"}}
    for kind in operation.text_types:
        content[kind] = {"schema": {"type": "object"} if "json" in kind else {"type": "string"}}
    return content


def _form(form: FormBody) -> dict[str, Any]:
    properties: dict[str, Any] = {
        name: {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
        for name in form.files
    }
    if form.texts is not None:
        (reference,), schemas = msgspec.json.schema_components(
            (form.texts,), ref_template=_REFERENCE
        )
        properties |= schemas[reference["$ref"].rpartition("/")[2]]["properties"]
    described: dict[str, Any] = {
        "schema": {
            "type": "object",
            "properties": properties,
            "required": list(form.required),
        }
    }
    written = [name for name, schema in properties.items() if _is_json_text(schema)]
    if written:
        described["encoding"] = {name: {"contentType": JSON} for name in written}
    return described


def _is_json_text(schema: Mapping[str, Any]) -> bool:
    """Whether a form has it as JSON: a list or an object, or null in its place."""
    kinds = schema.get("anyOf", [schema])
    return any(kind.get("type") == "array" or "$ref" in kind for kind in kinds)


def _responses(operation: Operation) -> dict[str, Any]:
    success: dict[str, Any] = {"description": operation.summary}
    if operation.answer is not None:
        success["content"] = {operation.answer_type: {"schema": _reference(operation.answer)}}
    elif operation.answer_list is not None:
        schema = {"type": "array", "items": _reference(operation.answer_list)}
        success["content"] = {operation.answer_type: {"schema": schema}}
    elif operation.status != 204:
        success["content"] = {operation.answer_type: {"schema": {"type": "object"}}}
    if operation.is_versioned:
        success["headers"] = _ETAG
    if operation.other_types:
        success["content"] = {
            kind: {"schema": {"type": "object" if "json" in kind else "string"}}
            for kind in (operation.answer_type, *operation.other_types)
        }
    responses = {str(operation.status): success}
    if operation.status == 201 or operation.may_create:
        responses["201"] = success | {"headers": _LOCATION}
    for status, meaning in _errors(operation).items():
        responses[status] = _error(meaning)
    # What is said at the door is the same for all.
    for status in COMMON_ERRORS:
        responses[status] = {"$ref": _COMMON.format(status=status)}
    return dict(sorted(responses.items()))


def _error(meaning: str, headers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": meaning,
        "content": {JSON: {"schema": _reference(ErrorAnswer)}},
    }
    return described | ({"headers": dict(headers)} if headers else {})


def _errors(operation: Operation) -> dict[str, str]:
    if operation.is_public:
        return _public_errors(operation)
    errors = {
        "401": "There is no token, or it is not good (any more).",
        "403": "The token may only read, or the account's role does not allow this.",
        "422": _UNUSABLE,
    }
    # Some calls name a show in their body.
    if "{" in operation.path or operation.needs is Permission.SIGNED_IN:
        errors["404"] = "There is no such show, episode, live stream, import or upload."
        errors["410"] = "The show or the episode was deleted, or the upload removed."
    if operation.method != "GET" or "{upload}" in operation.path:
        errors["409"] = "What is stored already forbids it."
        if operation.is_versioned:
            errors["412"] = "It is no longer the version that If-Match names."
    return errors | _body_errors(operation)


def _public_errors(operation: Operation) -> dict[str, str]:
    errors = {}
    if "{secret}" in operation.path:
        errors["404"] = "There is no such link."
        errors["410"] = "The link was used or taken back, or is too old."
        if operation.method != "GET":
            errors["403"] = "The account of the link is closed."
            errors["409"] = "What is stored already forbids it."
    if _body(operation):
        errors["422"] = _UNUSABLE
    return errors | _body_errors(operation)


def _body_errors(operation: Operation) -> dict[str, str]:
    if not _body(operation):
        return {}
    return {
        "413": "What was sent is larger than this instance takes.",
        "415": "The body came compressed.",
    }


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}
