"""A small real IMAP server on loopback (RFC 3501): one user, one folder, and what a reader of
bounces asks of it. It refuses what it does not know."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class LocalMailbox:
    """The folder: messages by their numbers, counted from 1, and which of them were seen."""

    def __init__(self, user: str = "bounces", password: str = "s3cret/+", folder: str = "INBOX"):
        self.user, self.password, self.folder = user, password, folder
        self.messages: list[bytes] = []
        self.seen: set[int] = set()
        self.port = 0
        # How many messages are given out before the line breaks; None: all.
        self.breaks_after: int | None = None

    @property
    def url(self) -> str:
        """As PODHOST_BOUNCES_IMAP_URL has it."""
        return f"imap://{self.user}:s3cret%2F%2B@127.0.0.1:{self.port}/{self.folder}"


class _Session(socketserver.StreamRequestHandler):
    mailbox: LocalMailbox

    def handle(self) -> None:
        self._say("* OK ready")
        while line := self.rfile.readline().decode("ascii").strip():
            tag, _, command = line.partition(" ")
            answer = self._answer(command)
            if answer is None:
                return
            self._say(f"{tag} {answer}")
            if command.upper() == "LOGOUT":
                return

    def _answer(self, command: str) -> str | None:
        box, name = self.mailbox, command.upper()
        if name == "CAPABILITY":
            self._say("* CAPABILITY IMAP4rev1")
        elif name.startswith("LOGIN "):
            if command[6:] != f'{box.user} "{box.password}"':
                return "NO [AUTHENTICATIONFAILED] wrong"
        elif name.startswith("SELECT "):
            if command[7:] != f'"{box.folder}"':
                return "NO [NONEXISTENT] no such folder"
            self._say(f"* {len(box.messages)} EXISTS")
        elif name == "UID SEARCH UNSEEN":
            left = [n for n in range(1, len(box.messages) + 1) if n not in box.seen]
            self._say(f"* SEARCH {' '.join(map(str, left))}".strip())
        elif found := re.fullmatch(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)", command):
            return self._fetch(int(found[1]), int(found[2]))
        elif found := re.fullmatch(r"UID STORE (\d+) \+FLAGS\.SILENT \(\\Seen\)", command):
            box.seen.add(int(found[1]))
        elif name == "LOGOUT":
            self._say("* BYE")
        else:
            return "BAD unknown"
        return "OK done"

    def _fetch(self, number: int, most_bytes: int) -> str | None:
        box = self.mailbox
        if box.breaks_after is not None:
            if box.breaks_after == 0:
                return None
            box.breaks_after -= 1
        body = box.messages[number - 1][:most_bytes]
        self.wfile.write(f"* {number} FETCH (UID {number} BODY[]<0> {{{len(body)}}}\r\n".encode())
        self.wfile.write(body + b")\r\n")
        return "OK done"

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def local_mailbox(mailbox: LocalMailbox | None = None) -> Iterator[LocalMailbox]:
    """An IMAP server that listens, until the block ends."""
    mailbox = mailbox or LocalMailbox()
    handler = type("Session", (_Session,), {"mailbox": mailbox})
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    mailbox.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield mailbox
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
