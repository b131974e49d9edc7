"""Ports for servers whose address has to be known before they listen."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_port() -> Iterator[int]:
    """A port of loopback that nobody listens on, and that is given to nobody who asks for any.

    A server that is told to listen on it may do so meanwhile, once or again: like ours and most
    others it has to set SO_REUSEADDR.
    """
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        port: int = kept.getsockname()[1]
        yield port
