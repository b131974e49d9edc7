"""When sign-ins and tokens were last used: noted in memory, written once a minute beside the work.

A page or a call that only looks writes nothing. What a process noted and was killed before it
wrote is a minute of "last seen", and nothing else.
"""

import logging
import threading
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import update

from podhost.db import Database
from podhost.errors import PodhostError
from podhost.models import LoginSession, Token

if TYPE_CHECKING:
    # It brings with it much that serving feeds does not need.
    from podhost.accounts.roles import Actor

WRITE_EVERY_SECONDS = 60.0

logger = logging.getLogger(__name__)


class LastUses:
    """What one serving process has seen. Threads may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._sessions: dict[str, datetime] = {}
        self._tokens: dict[str, datetime] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, actor: "Actor", now: datetime) -> None:
        """Somebody came; nothing waits."""
        with self._lock:
            if actor.session_id is not None:
                self._sessions[actor.session_id] = now
            if actor.token_id is not None:
                self._tokens[actor.token_id] = now

    def start(self) -> None:
        """Write from now on, every minute."""
        self._thread = threading.Thread(target=self._run, name="last-uses", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self.write()

    def write(self) -> None:
        """Write what was noted; what cannot be written now is tried again with the next."""
        with self._lock:
            sessions, self._sessions = self._sessions, {}
            tokens, self._tokens = self._tokens, {}
        if not sessions and not tokens:
            return
        try:
            with self._database.write() as session:
                # In one order, so that two processes never wait for each other.
                for session_id, at in sorted(sessions.items()):
                    session.execute(
                        update(LoginSession)
                        .where(LoginSession.id == session_id, LoginSession.seen_at < at)
                        .values(seen_at=at)
                    )
                for token_id, at in sorted(tokens.items()):
                    session.execute(
                        update(Token).where(Token.id == token_id).values(last_used_at=at)
                    )
        except PodhostError as error:
            logger.warning("when sign-ins were last used could not be written: %s", error.message)
            with self._lock:
                self._sessions = sessions | self._sessions
                self._tokens = tokens | self._tokens

    def _run(self) -> None:
        while not self._ending.wait(WRITE_EVERY_SECONDS):
            self.write()
