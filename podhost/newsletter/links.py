"""Secrets in links and mails of newsletters: made of the podhost's key, so that none is stored.

Each begins with the subscriber's id, and ends with a proof that podhost made it. A mail can be
made again at any time, and says the same.
"""

import hashlib
import hmac
from typing import NamedTuple

from sqlalchemy.orm import Session

from podhost.accounts.secret_key import derived_key, known_keys
from podhost.config import Settings

# What a secret is good for.
CONFIRM, UNSUBSCRIBE, MESSAGE = "confirm", "unsubscribe", "message"
_PURPOSE = "newsletter"
_ID_CHARS = 16
_PROOF_CHARS = 40


class Signer(NamedTuple):
    """Makes secrets with the first of its keys, and believes those of all."""

    keys: tuple[bytes, ...]

    def secret(self, purpose: str, subscriber_id: str, turn: int = 0) -> str:
        """The secret of a subscriber for one purpose; `turn` is of the row where it wears off."""
        return subscriber_id + _proof(self.keys[0], purpose, subscriber_id, turn)

    def is_right(self, secret: str, purpose: str, turn: int = 0) -> bool:
        """Whether podhost made it, for this purpose and this turn."""
        id_, proof = subscriber_id_in(secret), secret[_ID_CHARS:].encode()
        return any(
            hmac.compare_digest(proof, _proof(key, purpose, id_, turn).encode())
            for key in self.keys
        )


def subscriber_id_in(secret: str) -> str:
    """Whose secret it says it is."""
    return secret[:_ID_CHARS]


def make_signer(session: Session, settings: Settings) -> Signer:
    """For whoever mails links; in a session that may write, as the key may be new."""
    key = derived_key(session, settings, _PURPOSE)
    return Signer((key, *known_keys(session, settings, _PURPOSE)))


def reading_signer(session: Session, settings: Settings) -> Signer:
    """For whoever is shown a link; any session will do. Without a key there are no links."""
    return Signer(known_keys(session, settings, _PURPOSE))


def _proof(key: bytes, purpose: str, subscriber_id: str, turn: int) -> str:
    said = f"{purpose}\n{subscriber_id}\n{turn}".encode()
    return hmac.new(key, said, hashlib.sha256).hexdigest()[:_PROOF_CHARS]
