"""What commands share: flags for settings, the opened instance, progress, and how they fail.

Success exits 0. What a person can mend is one sentence on stderr and exit 1; wrong usage exits 2.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import click

from podhost.config import SETTINGS, Settings, read_settings, unknown_variables
from podhost.errors import PodhostError

if TYPE_CHECKING:
    from podhost.instance import Instance

Command = TypeVar("Command", bound=Callable[..., Any])

# Settings that every command needs; the others are flags of serve and demo.
COMMON = ("data", "database_url", "storage", "base_url")
SERVING = tuple(setting.name for setting in SETTINGS if setting.name not in COMMON)


class Group(click.Group):
    """Turns every failure into one sentence; a traceback never reaches the screen."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except PodhostError as error:
            raise click.ClickException(error.message) from None
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except BrokenPipeError:
            # Whoever read our output has gone, as `head` does.
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - open until we end
            ctx.exit(0)
        except UnicodeEncodeError as error:
            # Bytes from the shell that are no text; nothing here can have such a name.
            shown = ascii(error.object)[:80]
            raise click.ClickException(f"The value {shown} is not UTF-8 text.") from None
        except Exception as error:
            logging.getLogger(__name__).debug("failed", exc_info=True)
            raise click.ClickException(
                f"Something went wrong inside podhost: {type(error).__name__}: {error}. "
                "With PODHOST_LOG_LEVEL=debug the details are on stderr."
            ) from None


def settings_flags(*names: str) -> Callable[[Command], Command]:
    """One flag for each named setting; a flag wins over the environment."""

    def add(command: Command) -> Command:
        for setting in reversed([setting for setting in SETTINGS if setting.name in names]):
            command = click.option(
                "--" + setting.name.replace("_", "-"),
                setting.name,
                metavar="VALUE",
                help=f"{setting.help} [{setting.variable}]",
            )(command)
        return command

    return add


def settings_from(flags: dict[str, Any]) -> Settings:
    """The settings from flags and environment; also decides how loud the log is."""
    from podhost.logs import configure_logging

    given = {setting.name: flags.pop(setting.name, None) for setting in SETTINGS}
    settings = read_settings(os.environ, **given)
    configure_logging(settings)
    for name in unknown_variables(os.environ):
        logging.getLogger(__name__).warning("%s is not a setting of podhost.", name)
    return settings


@contextmanager
def opened(flags: dict[str, Any]) -> Iterator["Instance"]:
    """An instance that is ready for use: its database is migrated where that is safe."""
    from podhost.history.audit import COMMAND_LINE, Act, acting
    from podhost.serving.startup import prepare

    instance = prepare(settings_from(flags), serving=False)
    name = _command_name(click.get_current_context())
    doing: AbstractContextManager[object] = (
        acting(Act(name, COMMAND_LINE)) if name != "worker" else nullcontext()
    )
    try:
        with doing:
            yield instance
    finally:
        instance.close()


def _command_name(context: click.Context) -> str:
    """What the audit trail calls a command: `podhost token create` is token_create."""
    names: list[str] = []
    # Above all commands stands the program, which may be called by any name.
    while context.parent is not None:
        names.insert(0, context.info_name or "")
        context = context.parent
    return "_".join(names).replace("-", "_")


def print_json(value: Any) -> None:
    """Print a value as JSON, indented."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set, so that what is in hand is finished first."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere; called with how much is done, of how much."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def advance(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield advance
