"""A real mail server on loopback, which answers as a test tells it to and keeps what it is sent."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class LocalMail:
    """Takes every message, unless `answers` has what to say instead, in turn."""

    def __init__(self) -> None:
        # Any that is free, as soon as it listens.
        self.port = 0
        self.messages: list[EmailMessage] = []
        # As they came, byte by byte.
        self.bodies: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.answers: list[str] = []
        self.logins: list[bytes] = []

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if not answer.startswith("250"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        # smtputf8 is the only policy by which all that may come is read.
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.bodies.append(envelope.content)
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        """Who knows the password may send."""
        self.logins.append(data.login)
        return AuthResult(success=data.password == b"s3cret/+", handled=False)

    @property
    def links(self) -> list[str]:
        """Where the messages lead."""
        texts = [message.get_body(("plain",)) for message in self.messages]
        words = [word for text in texts if text is not None for word in text.get_content().split()]
        return [word for word in words if word.startswith(("http://", "https://"))]


class _Controller(Controller):
    """Patient on a machine that has a lot to do, and at whatever port there is."""

    def __init__(self, mail: LocalMail, **options: Any) -> None:
        super().__init__(mail, hostname="127.0.0.1", port=mail.port, ready_timeout=40, **options)
        self._mail = mail

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self._mail.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def local_mail(mail: LocalMail | None = None, **options: Any) -> Iterator[LocalMail]:
    """A mail server that listens, until the block ends."""
    mail = mail or LocalMail()
    if options.get("auth_required"):
        options["authenticator"] = mail.authenticate
    controller = _Controller(mail, **options)
    controller.start()
    try:
        yield mail
    finally:
        controller.stop()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that nobody signed, and what a server needs to show it."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context
