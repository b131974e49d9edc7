"""How one call of the API runs: token first, then the body, then the handler; it knows no route.

Reading calls are answered from memory while nothing has changed: one small query of the change
log says so, in the same session that checks the token.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from podhost.accounts.roles import Actor, Permission, act, require, require_operator
from podhost.answers import EpisodeAnswer
from podhost.changes import last_change
from podhost.editing.versions import entity_tag
from podhost.episodes import get_episode
from podhost.episodes.listing import is_unchanged
from podhost.errors import Invalid, NotFound
from podhost.formats.feed_words import MAX_FEED_BYTES
from podhost.history.audit import PASSING, Act, acting
from podhost.instance import Instance
from podhost.models import Episode, Show
from podhost.shows import get_show
from podhost.web.auth import client_address, require_actor
from podhost.web.inputs import (
    read_json,
    read_struct,
    read_texts,
    text_names,
    unknown_warnings,
    with_outside_names,
)
from podhost.web.openapi import JSON, FormBody, Operation
from podhost.web.spoken import page_words, spoken
from podhost.web.uploading import MB, Accepted, Form, media_type, receive_bytes, receive_form

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

ARTWORK_LIMIT_BYTES = 20 * MB
PICTURE_LIMIT_BYTES = 10 * MB
TRANSCRIPT_LIMIT_BYTES = 10 * MB
READERS_LIMIT_BYTES = 20 * MB
# Each file that is being prepared keeps a child process busy.
PREPARED_AT_ONCE = 4
# While the database is locked, who writes waits, and takes no thread from those who read.
WRITTEN_AT_ONCE = 20
REMEMBERED_BYTES = 16 * MB
_LONGEST_KEY = 300
# What one costs beside its body: the key, the objects around it.
_REMEMBERED_BYTES_EACH = 1000

_preparing: RunVar[CapacityLimiter] = RunVar("podhost_preparing")
_writing: RunVar[CapacityLimiter] = RunVar("podhost_writing")


_NOBODY = Actor("", "")
# Of the parts of a path, those that the audit trail has a place for, and those it must not know.
_OWN_OR_SECRET = frozenset({"show", "episode", "secret"})


@dataclass(slots=True)
class Call:
    """One request as handlers see it. `body` is the bytes of a body that is no form."""

    instance: Instance
    parameters: Mapping[str, str]
    query: QueryParams
    mime_type: str
    # The header If-Match: the version that is to be changed and no other.
    if_match: str | None = None
    # For answers that depend on its headers: parts of files.
    request: Request | None = None
    # Who calls; known before any handler is, but for those of public calls.
    actor: Actor = _NOBODY
    body: bytes = b""
    form: Form | None = None
    warnings: list[str] = field(default_factory=list)
    # The id of the show that the path names, once it has been looked up.
    show_id: str | None = None

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        return self.instance.now()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A database session that changes, in which the caller acts, if it is known who that is."""
        with self.instance.database.write() as session:
            if self.actor is not _NOBODY:
                act(session, self.actor)
            yield session

    @property
    def address(self) -> str:
        """Where the call comes from."""
        return client_address(self.request) if self.request is not None else ""

    def show(self, session: Session, *, lock: bool = False) -> Show:
        """The show that the path names. Raises NotFound or Gone."""
        show = get_show(session, self.parameters["show"], lock=lock)
        self.show_id = show.id
        return show

    def episode(self, session: Session, *, lock: bool = False) -> Episode:
        """The episode that the path names. Raises NotFound or Gone."""
        show = self.show(session, lock=lock)
        return get_episode(session, show, self.parameters["episode"])

    def given(
        self,
        kind: type[S],
        *,
        files: tuple[str, ...] = (),
        told: type[msgspec.Struct] | None = None,
    ) -> S:
        """The fields that were given, as JSON or in a form; unknown ones become warnings.

        `told` is the answer, whose other fields are known and cannot be given.
        """
        if self.form is None:
            values, unknown = read_json(self.body) if self.body else {}, []
        else:
            values, unknown = read_texts(self.form.texts, kind), self.form.unknown
        read_only = text_names(told) - text_names(kind) if told is not None else frozenset()
        given, warnings = read_struct(values, kind, read_only)
        known = [*text_names(kind), *files]
        self.warnings += [*warnings, *unknown_warnings((name, known) for name in unknown)]
        return given


async def perform(operation: Operation, request: Request) -> Response:
    """Answer one request, a page in its own language. Raises PodhostError."""
    response = await _perform(operation, request)
    return spoken(response, page_words(request, request.app.state.instance))


async def _perform(operation: Operation, request: Request) -> Response:
    call = Call(
        request.app.state.instance,
        _parameters(request),
        request.query_params,
        media_type(request),
        request.headers.get("if-match"),
        request,
    )
    if operation.method == "GET":
        return await to_thread.run_sync(_read, operation, request, call)
    # Before the body: nobody sends 500 MB to be told that the token is wrong.
    doing = Act(
        operation.handler.__name__,
        address=client_address(request),
        repeats=operation.method == "PATCH",
        is_noted=operation.handler.__name__ in PASSING,
    )
    await to_thread.run_sync(_admit, operation, request, call, doing)
    form = operation.form
    if form is not None and not (operation.json is not None and _is_json(call.mime_type)):
        accepted = _accepted(form, call.instance)
        async with receive_form(request, call.instance.storage, accepted) as call.form:
            return await _run(operation, call, doing)
    if operation.json is not None or operation.text_types:
        call.body = await receive_bytes(request)
        _check_type(operation, call)
    return await _run(operation, call, doing)


async def _run(operation: Operation, call: Call, doing: Act) -> Response:
    work = partial(_do, operation, call, doing)
    if operation.form is None:
        limiter = _limiter(_writing, WRITTEN_AT_ONCE)
    else:
        limiter = _limiter(_preparing, PREPARED_AT_ONCE)
    return await to_thread.run_sync(work, limiter=limiter)


def _do(operation: Operation, call: Call, doing: Act) -> Response:
    """Whatever changes something stands in the audit trail, in the transaction that does it."""
    with acting(doing):
        response: Response = operation.handler(call)
        if not doing.is_noted:
            # It changed no row, or nothing at all.
            with call.write():
                pass
    return response


def _limiter(found: RunVar[CapacityLimiter], at_once: int) -> CapacityLimiter:
    """That of this event loop."""
    limiter = found.get(None)
    if limiter is None:
        limiter = CapacityLimiter(at_once)
        found.set(limiter)
    return limiter


def _parameters(request: Request) -> dict[str, str]:
    for value in request.path_params.values():
        # Slugs and ids are nothing else, and PostgreSQL refuses to look for a zero byte.
        if not value.isascii() or not value.isprintable() or len(value) > 100:
            raise NotFound("There is no such show or episode here.")
    return request.path_params


def _admit(operation: Operation, request: Request, call: Call, doing: Act) -> None:
    """Check who calls and what they may, and that what the path names is there."""
    others = [value for name, value in call.parameters.items() if name not in _OWN_OR_SECRET]
    with call.instance.database.read() as session:
        _require(session, operation, request, call)
        if "episode" in call.parameters:
            episode = call.episode(session)
            doing.episode_id, others = episode.id, [episode.title, *others]
    doing.show_id, doing.subject = call.show_id, ", ".join(others)


def _require(session: Session, operation: Operation, request: Request, call: Call) -> None:
    """Raises Unauthorized, Forbidden, or NotFound for a show that is not the caller's."""
    if operation.is_public:
        # Whoever is signed in, or sends a token, is nobody here: other sites make browsers call.
        return
    call.actor = require_actor(session, request, instance=call.instance)
    if operation.needs is Permission.OPERATE:
        require_operator(call.actor)
    elif "show" in call.parameters and not _has_all_rights(call.actor):
        require(session, call.actor, call.show(session), operation.needs)
    elif "show" in call.parameters and operation.method != "GET":
        call.show(session)


def _has_all_rights(actor: Actor) -> bool:
    """Whether no show has to be looked up to know that the actor may do this with it."""
    return actor.is_operator and actor.show_id is None


def _is_json(mime_type: str) -> bool:
    return mime_type == JSON or mime_type.endswith("+json")


def _check_type(operation: Operation, call: Call) -> None:
    if operation.json is None or _is_json(call.mime_type):
        return
    if not call.body and not operation.json_required:
        return
    raise Invalid("Send JSON, with the header `Content-Type: application/json`.")


def _accepted(form: FormBody, instance: Instance) -> Accepted:
    limits = {
        "audio": instance.settings.max_upload_mb * MB,
        "artwork": ARTWORK_LIMIT_BYTES,
        "picture": PICTURE_LIMIT_BYTES,
        "transcript": TRANSCRIPT_LIMIT_BYTES,
        "feed": MAX_FEED_BYTES,
        "readers": READERS_LIMIT_BYTES,
    }
    texts = text_names(form.texts) if form.texts is not None else frozenset()
    return Accepted({name: limits[name] for name in form.files}, texts, form.raw)


def named(name: str, make: Callable[[], T]) -> T:
    """What `make` gives; whatever is wrong in it is wrong with the field `name`."""
    try:
        return make()
    except ValueError as error:
        raise Invalid(f"{name}: {error}", {name: str(error)}) from None
    except Invalid as error:
        raise Invalid(error.message, error.fields or {name: error.message}) from error


@contextmanager
def naming_fields_of(kind: type[msgspec.Struct]) -> Iterator[None]:
    """Wrong fields are called as whoever gave them calls them."""
    try:
        yield
    except Invalid as error:
        raise with_outside_names(error, kind) from None


def json_answer(
    value: msgspec.Struct, status: int = 200, *, location: str | None = None
) -> Response:
    """A struct as the JSON answer."""
    headers = {"Location": location} if location is not None else None
    return answer(msgspec.json.encode(value), status, headers=headers)


def json_list_answer(values: Sequence[msgspec.Struct]) -> Response:
    """Several structs as the JSON answer."""
    return answer(msgspec.json.encode(values))


def answer(
    body: bytes, status: int = 200, *, mime_type: str = JSON, headers: dict[str, str] | None = None
) -> Response:
    """An answer for the holder of a token and nobody else."""
    headers = {"Cache-Control": "private, no-cache", **(headers or {})}
    return Response(body, status, headers, media_type=mime_type)


# What is remembered


class RememberedAnswer(NamedTuple):
    """A body that was right when the newest change was `seq`; None: it is of no single show."""

    seq: int
    show_id: str | None
    body: bytes
    # Its version as an ETag, where it has one.
    etag: str | None = None

    def is_right(self, session: Session, seq: int) -> bool:
        """Whether it still is, now that the newest change is `seq`."""
        if self.seq == seq:
            return True
        if self.show_id is None:
            return False
        return is_unchanged(session, self.show_id, after=self.seq, until=seq)


class Remembered:
    """Answers to reading calls, each with the number of the change after which it was made.

    Bounded in bytes: what was asked for least recently falls out. Threads may share it.
    """

    def __init__(self, limit_bytes: int = REMEMBERED_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._answers: OrderedDict[str, RememberedAnswer] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: str) -> RememberedAnswer | None:
        """What was answered last."""
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def keep(self, key: str, answer: RememberedAnswer) -> None:
        """Remember an answer, in the place of the one that was there."""
        size_bytes = _cost_bytes(answer)
        if size_bytes > self._limit_bytes // 4 or len(key) > _LONGEST_KEY:
            return
        with self._lock:
            before = self._answers.pop(key, None)
            self._bytes += size_bytes - (_cost_bytes(before) if before else 0)
            self._answers[key] = answer
            while self._bytes > self._limit_bytes:
                self._bytes -= _cost_bytes(self._answers.popitem(last=False)[1])


def _cost_bytes(answer: RememberedAnswer) -> int:
    return len(answer.body) + _REMEMBERED_BYTES_EACH


def _read(operation: Operation, request: Request, call: Call) -> Response:
    instance = call.instance
    with instance.database.read() as session:
        _require(session, operation, request, call)
        # What somebody is shown of a list depends on their roles, whose changes are no news to
        # listeners and are not recorded.
        is_for_all = operation.needs is not Permission.SIGNED_IN or _has_all_rights(call.actor)
        if operation.answer is None or not operation.is_remembered or not is_for_all:
            found = operation.handler(call, session)
            return found if isinstance(found, Response) else json_answer(found)
        remembered = _remembered(request)
        key = f"{request.url.path}?{request.url.query}"
        seq = last_change(session)
        known = remembered.find(key)
        if known is None or not known.is_right(session, seq):
            make: Callable[..., msgspec.Struct] = operation.handler
            made = make(call, session)
            etag = entity_tag(made.version) if isinstance(made, EpisodeAnswer) else None
            known = RememberedAnswer(seq, call.show_id, msgspec.json.encode(made), etag)
            remembered.keep(key, known)
        elif known.seq != seq:
            remembered.keep(key, known._replace(seq=seq))
    return answer(known.body, headers={"ETag": known.etag} if known.etag else None)


def _remembered(request: Request) -> Remembered:
    state = request.app.state
    if not hasattr(state, "api_answers"):
        state.api_answers = Remembered()
    remembered: Remembered = state.api_answers
    return remembered
