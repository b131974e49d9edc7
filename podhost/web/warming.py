"""Does beside a running server what its first requests would else wait for; it knows no page.

Listeners go first: each step is small, and there is a pause before it.
"""

import gc
import logging
import threading
from collections.abc import Callable, Iterable

from podhost.errors import PodhostError, is_shortage

logger = logging.getLogger(__name__)

Step = Callable[[], object]

PAUSE_SECONDS = 0.02
# How long the end of the server waits for the step that is under way.
_PATIENCE_SECONDS = 2.0


class WarmUp:
    """A thread that takes one step after the other, once; `steps` is called in it."""

    def __init__(self, steps: Callable[[], Iterable[Step]]) -> None:
        self._steps = steps
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take no further step, and wait for the one under way: what it uses is closed next."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        try:
            for step in self._steps():
                if self._stopping.wait(PAUSE_SECONDS):
                    return
                take(step)
        except OSError as error:
            if not is_shortage(error):
                raise
            # What there is left is for listeners; who asks for the rest has it made then.
            logger.warning("not all was made ready, the machine is short of something: %s", error)
            return
        # Where the server had the collector leave alone what was loaded before.
        if gc.get_freeze_count():
            gc.freeze()
        _give_back()


def take(step: Step) -> None:
    """Take a step. Whoever asks for what fails is told; nobody needs to hear of it now.

    Raises OSError where the machine is short of something: the next step would fail too.
    """
    try:
        step()
    except PodhostError:
        return
    except Exception as error:
        if is_shortage(error):
            raise
        logger.warning("not made ready: %s", step, exc_info=True)


def _give_back() -> None:
    """Let the system have the memory that the steps left: megabytes, in pieces between others.

    glibc keeps them otherwise (malloc_trim(3)); other C libraries have no such function.
    """
    # Loaded here, because the start needs it not.
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
