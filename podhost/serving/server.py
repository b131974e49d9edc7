"""Running podhost as a server: its processes, when they are ready, and how they end.

It knows no route; what is served is made by an application factory, called in each process that
serves.
"""

import asyncio
import contextlib
import gc
import importlib
import ipaddress
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from podhost.config import Settings, read_settings
from podhost.errors import PodhostError, Unavailable
from podhost.instance import Instance, open_instance
from podhost.logs import configure_logging
from podhost.serving.connections import (
    Connections,
    limit_pauses,
    limits_of,
    protocol_class,
    raise_open_files_limit,
)
from podhost.serving.processes import (
    WORKER_COMMAND,
    KeptProcess,
    child_environment,
    start_worker_process,
    watch_parent,
)
from podhost.serving.startup import (
    BACKLOG,
    local_url,
    open_listener,
    prepare,
    print_entry_link,
)
from podhost.traffic import Traffic, mark_dead, new_run_folder

logger = logging.getLogger(__name__)

APPLICATION = "podhost.app:create_app"
# An app fetches a feed, its artwork and the first audio within seconds, and a player asks for
# its next range within half a minute; a longer wait would only keep the connections of apps that
# come back in an hour. A proxy in front should drop idle connections sooner than this.
KEEP_ALIVE_SECONDS = 30
_START_SECONDS = 120.0
_TICK_SECONDS = 0.1
# At shutdown, a connection without a request gets this long to send one.
_HEARING_SECONDS = 1.0
# After the last answer, the request log is sealed and connections are given back.
_CLOSING_SECONDS = 3.0


def announce_ready(url: str) -> None:
    """Tell whoever started us, on standard output, that podhost answers at `url`."""
    print(f"podhost is ready at {url}", flush=True)


def serve(
    settings: Settings,
    *,
    workers: int = 1,
    with_worker: bool = True,
    announce: Callable[[str], None] = announce_ready,
    on_prepared: Callable[[Instance], None] | None = None,
    application: str = APPLICATION,
    worker_command: Sequence[str] = WORKER_COMMAND,
) -> None:
    """Serve until SIGTERM or SIGINT, then let running downloads finish; a second one ends it.

    `workers` is the number of processes that serve. With `with_worker`, one more process does
    the jobs. `on_prepared` may do something with the instance, whose base URL is known by then,
    before anything is served. `announce` is called once with the local URL, when every process
    answers. `application` names a factory, "module:function", that takes the instance and the
    folder in which processes meet. Raises Unavailable, Conflict or Invalid with a sentence when
    podhost cannot start; then nothing is left running.
    """
    settings, listener = open_listener(settings)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(listener))
        configure_logging(settings)
        limit_pauses(listener, settings)
        raise_open_files_limit(settings)
        instance = stack.enter_context(contextlib.closing(prepare(settings)))
        if on_prepared is not None:
            on_prepared(instance)
        signals = stack.enter_context(_Signals())
        folder = stack.enter_context(new_run_folder(settings.data / "run"))
        children = stack.enter_context(_Children(settings, signals))

        def on_ready() -> None:
            announce(local_url(settings))
            if on_prepared is None:
                # In a thread and only now: nobody who listens waits for it.
                threading.Thread(target=print_entry_link, args=(settings,), daemon=True).start()
            if with_worker:
                # Only now, so that it does not compete with the start of what listeners wait for.
                environment = child_environment(settings, os.environ)
                children.add(start_worker_process(environment, command=worker_command))

        if workers == 1:
            app = _application(application, instance, folder)
            _run(app, settings, listener, signals, on_ready, children.stop)
        else:
            instance.close()
            gc.enable()
            arguments = (str(listener.fileno()), application, str(folder))
            try:
                _run_processes(settings, workers, arguments, signals, on_ready, children)
            finally:
                # Or the system goes on taking connections for nobody until the last child ends.
                listener.close()
                children.stop()
    _leave_no_thread_behind(signals)


# One process that serves


class _Signals:
    """Counts SIGTERM and SIGINT: the first asks to stop, the second to stop at once.

    The handler only counts, because whatever it locked could be locked already by the code that
    it interrupts; those who run a loop look at `count`.
    """

    _NUMBERS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Signals":
        for number in self._NUMBERS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: object) -> None:
        self.count += 1


class _Server(uvicorn.Server):
    """uvicorn's server with our signals, a word when it is ready and one when it stops."""

    def __init__(
        self,
        config: uvicorn.Config,
        signals: _Signals,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._signals = signals
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._coming: list[asyncio.Task[object]] = []

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone; `_Signals` has them."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and then say so."""
        await super().startup(sockets=sockets)
        _stop_looking_through_modules()
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """True when it is time to stop; uvicorn asks ten times a second."""
        return await super().on_tick(counter) or self._signals.count > 0

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let running answers finish, within the limit or until a second signal."""
        self._on_stop()
        impatience = asyncio.create_task(self._notice_second_signal())
        self._stop_listening(sockets or [])
        await self._hear_out()
        await super().shutdown(sockets)
        impatience.cancel()
        if self.force_exit:
            # uvicorn leaves the application's own end out when it is in a hurry; sealing the
            # request log takes a moment only.
            await self.lifespan.shutdown()

    def _stop_listening(self, sockets: Sequence[socket.socket]) -> None:
        """Take in who stands at the door, and close it: who comes now is refused, and a proxy asks
        another server. The system would cut off all whose connection it has taken and we have not.
        """
        loop = asyncio.get_running_loop()
        for listener in sockets:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.setblocking(False)
                    coming = loop.connect_accepted_socket(self._new_protocol, connection)
                    self._coming.append(loop.create_task(coming))
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()

    def _new_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    async def _hear_out(self) -> None:
        """Give connections that were just made time to say what they want."""
        await asyncio.gather(*self._coming, return_exceptions=True)
        deadline = time.monotonic() + _HEARING_SECONDS
        while self._signals.count < 2 and time.monotonic() < deadline:
            if all(one.was_asked for one in self.server_state.connections):  # type: ignore[union-attr]
                return
            await asyncio.sleep(_TICK_SECONDS / 10)

    async def _notice_second_signal(self) -> None:
        while self._signals.count < 2:
            await asyncio.sleep(_TICK_SECONDS)
        self.force_exit = True


def _stop_looking_through_modules() -> None:
    """Collect garbage from now on, but not among what is loaded, which stays to the end: going
    through all of it would make polls wait for a tenth of a second."""
    gc.freeze()
    gc.enable()


def _application(name: str, instance: Instance, folder: Path) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)(instance, folder)


def _run(
    app: Any,
    settings: Settings,
    listener: socket.socket,
    signals: _Signals,
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
) -> None:
    connections = Connections(limits_of(settings))
    # An application that has numbers to show shows these too.
    traffic: Traffic | None = getattr(app, "traffic", None)
    if traffic is not None:
        traffic.sources.append(connections.add_numbers)
    config = uvicorn.Config(
        app,
        interface="asgi3",
        loop="uvloop",
        http=protocol_class(connections),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(trusted_networks(settings.trusted_proxies)),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        backlog=BACKLOG,
    )
    try:
        _Server(config, signals, on_ready, on_stop).run(sockets=[listener])
    except SystemExit as error:
        # uvicorn's way to say that the application did not start; it has logged why.
        raise Unavailable("podhost could not start; the reason stands in the log.") from error


def trusted_networks(proxies: Sequence[str]) -> Iterator[str]:
    """The networks whose X-Forwarded-For is believed, in the one form that uvicorn reads.

    A listener on "::" sees IPv4 peers as ::ffff:a.b.c.d, so each is trusted in both forms.
    """
    for proxy in proxies:
        network = ipaddress.ip_network(proxy, strict=False)
        yield str(network)
        if network.version == 4:
            yield f"::ffff:{network.network_address}/{96 + network.prefixlen}"


def _leave_no_thread_behind(signals: _Signals) -> None:
    """Do not let a thread that is stuck in a slow store or database hold up the end for ever."""
    deadline = time.monotonic() + (0 if signals.count > 1 else _CLOSING_SECONDS)
    while any(
        not thread.daemon and thread is not threading.main_thread()
        for thread in threading.enumerate()
    ):
        if time.monotonic() >= deadline:
            logging.shutdown()
            os._exit(0)
        time.sleep(_TICK_SECONDS)


# Several processes that serve


class _Children:
    """The child processes of one server, which stop together and within one time limit."""

    def __init__(self, settings: Settings, signals: _Signals) -> None:
        self._signals = signals
        self._patience_seconds = settings.shutdown_seconds + _CLOSING_SECONDS
        self._children: list[KeptProcess] = []
        self._deadline = 0.0

    def __enter__(self) -> "_Children":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.join()

    def add(self, child: KeptProcess) -> None:
        """Count a child among them."""
        self._children.append(child)

    def stop(self) -> None:
        """Ask every child to end; the time limit runs from the first call."""
        if not self._deadline:
            self._deadline = time.monotonic() + self._patience_seconds
            for child in self._children:
                child.request_stop()

    def join(self) -> None:
        """Wait for them; after a second signal only for a moment. Who is left is killed."""
        is_hurried = False
        while any(child.is_running for child in self._children):
            if self._signals.count > 1 and not is_hurried:
                is_hurried = True
                self._deadline = min(self._deadline, time.monotonic() + _CLOSING_SECONDS)
                for child in self._children:
                    child.request_stop()
            if time.monotonic() >= self._deadline:
                break
            time.sleep(_TICK_SECONDS)
        for child in self._children:
            child.join(0)


def _run_processes(
    settings: Settings,
    count: int,
    arguments: tuple[str, str, str],
    signals: _Signals,
    on_ready: Callable[[], None],
    children: _Children,
) -> None:
    """Keep `count` serving processes on one listener, until a signal comes."""
    listener_fd, _, folder = arguments
    ready, is_ready = os.pipe()
    died: list[int] = []

    def on_death(pid: int) -> None:
        died.append(pid)
        mark_dead(Path(folder), pid)

    try:
        for number in range(1, count + 1):
            child = KeptProcess(
                f"serving process {number}",
                (sys.executable, "-m", "podhost.serving.server", *arguments, str(is_ready)),
                environment=child_environment(settings, os.environ),
                pass_fds=(int(listener_fd), is_ready),
                on_death=on_death,
            )
            children.add(child)
            child.start()
        if _all_ready(ready, count, died, signals):
            on_ready()
        while not signals.count:
            time.sleep(_TICK_SECONDS)
    finally:
        os.close(ready)
        os.close(is_ready)


def _all_ready(ready: int, count: int, died: list[int], signals: _Signals) -> bool:
    """Wait until every process has said that it answers; False when a signal came first."""
    deadline = time.monotonic() + _START_SECONDS
    heard = 0
    while heard < count:
        if signals.count:
            return False
        if died or time.monotonic() >= deadline:
            raise Unavailable("A serving process did not start; the reason stands in the log.")
        if select.select([ready], [], [], _TICK_SECONDS)[0]:
            heard += len(os.read(ready, count))
    return True


def _serve_as_child(listener_fd: str, application: str, folder: str, ready_fd: str) -> None:
    """What one of several serving processes does."""
    settings = read_settings(os.environ)
    configure_logging(settings)
    listener = socket.socket(fileno=int(listener_fd))
    with contextlib.closing(listener), _Signals() as signals:
        watch_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
        instance = open_instance(settings)
        try:
            app = _application(application, instance, Path(folder))
            _run(app, settings, listener, signals, lambda: _say_ready(ready_fd), lambda: None)
        finally:
            instance.close()
    _leave_no_thread_behind(signals)


def _say_ready(ready_fd: str) -> None:
    # The parent stops listening once all have been heard; a process that was started anew later
    # then writes to nobody.
    with contextlib.suppress(OSError):
        os.write(int(ready_fd), b".")


def _main() -> None:
    try:
        _serve_as_child(*sys.argv[1:])
    except PodhostError as error:
        logger.error("%s", error.message)
        sys.exit(1)


if __name__ == "__main__":
    _main()
