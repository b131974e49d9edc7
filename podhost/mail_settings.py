"""What settings about mail may say; it reads no environment and connects to nothing."""

import re
from urllib.parse import unquote, urlsplit

# Nobody on the way reads what goes there.
_OURSELVES = ("localhost", "127.0.0.1", "::1")


def smtp_url(value: str) -> str:
    """The mail server that takes our mail. Raises ValueError."""
    parts = urlsplit(value)
    is_wrong = parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.port == 0
    if is_wrong or parts.path.strip("/") or parts.fragment or parts.query not in ("", "starttls"):
        raise ValueError("it must look like smtp://USER:PASSWORD@HOST:587?starttls or smtps://...")
    is_plain = parts.scheme == "smtp" and not parts.query
    if is_plain and parts.password and parts.hostname not in _OURSELVES:
        raise ValueError("it would send the password for all to read; add ?starttls")
    return value


def imap_url(value: str) -> str:
    """The mailbox to which mail comes back. Raises ValueError."""
    parts = urlsplit(value)
    is_wrong = parts.scheme not in ("imap", "imaps") or not parts.hostname or parts.port == 0
    if is_wrong or parts.fragment or parts.query or not parts.username:
        raise ValueError("it must look like imaps://USER:PASSWORD@HOST/FOLDER")
    said = unquote(f"{parts.username}{parts.password or ''}{parts.path}")
    if not said.isascii() or not said.isprintable() or set('"\\') & set(unquote(parts.path)):
        raise ValueError("user, password and folder must be of ASCII letters, digits and signs")
    if parts.scheme == "imap" and parts.hostname not in _OURSELVES:
        raise ValueError("it would send the password for all to read; write imaps://")
    return value


def sender(value: str) -> str:
    """Who sends our mail: an address, with a name or without. Raises ValueError."""
    address = r"[!#-'*+./0-9=?A-Z^_`a-z{|}~-]+@[A-Za-z0-9.-]+"
    if not re.fullmatch(rf'{address}|[^<>"\r\n,;:@]+ <{address}>', value):
        raise ValueError("it must look like podcasts@example.org or My Podcasts <me@example.org>")
    return value
