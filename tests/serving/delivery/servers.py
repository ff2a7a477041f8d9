"""Receivers that really listen: a mail relay, and a web address."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as LETTERS
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


# ---------------------------------------------------------------- mail


@dataclass
class Relay:
    """A mail relay that keeps letters.

    Attributes:
        replies: What it answers instead of a yes, by the command.
        drops_after_letter: Whether it cuts the connection once it has a letter, without a word.
    """

    replies: dict[str, str] = field(default_factory=dict)
    drops_after_letter: bool = False
    letters: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str | None, list[str]]] = field(default_factory=list)
    n_connections: int = 0
    port: int = 0

    async def handle_EHLO(  # noqa: N802  # the library's name
        self, _: SMTP, session: Session, __: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.n_connections += 1
        return responses

    async def handle_MAIL(  # noqa: N802  # the library's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        envelope.mail_from = address
        return self.replies.get("MAIL", "250 2.1.0 OK")

    async def handle_RCPT(  # noqa: N802  # the library's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        said = self.replies.get("RCPT", "250 2.1.5 OK")
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(  # noqa: N802  # the library's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        said = self.replies.get("DATA", "250 2.0.0 taken")
        if said.startswith("250"):
            assert isinstance(envelope.content, bytes)
            letter = message_from_bytes(envelope.content, policy=LETTERS)
            assert isinstance(letter, EmailMessage)
            self.letters.append(letter)
            self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        if self.drops_after_letter:
            transport = server.transport
            assert transport is not None
            transport.abort()
        return said


@contextmanager
def run_relay(
    relay: Relay, *, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None
) -> Iterator[Relay]:
    """The relay listens on this machine."""

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, how: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == login, handled=False)

    options: dict[str, Any] = {}
    if login is not None:
        options = {"authenticator": authenticate, "auth_required": True}
        options["auth_require_tls"] = tls is not None
    if tls is not None:
        options |= {"tls_context": tls, "require_starttls": True}
    relay.port = find_port()
    controller = Controller(relay, hostname="127.0.0.1", port=relay.port, **options)
    controller.start()
    try:
        yield relay
    finally:
        controller.stop()


def find_port() -> int:
    """A port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# ---------------------------------------------------------------- web


@dataclass
class Hook:
    """A receiver that verifies signatures and takes each key once.

    Attributes:
        answers: What it answers next, before it takes anything: a status with its headers.
        body: What it answers with.
        is_open: Whether it takes what nobody signed, and keeps nothing.
        taken: Bodies by their key.
        n_asked: Requests, taken or not.
    """

    answers: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    body: bytes = b""
    is_open: bool = False
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    n_asked: int = 0
    n_forged: int = 0
    n_again: int = 0
    delay: Callable[[], None] = lambda: None
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str]]:
        self.n_asked += 1
        self.headers = headers
        self.delay()
        if self.is_open:
            return 200, {}
        try:
            told = Webhook(SECRET).verify(body, dict(headers))
        except WebhookVerificationError:
            self.n_forged += 1
            return 401, {}
        if self.answers:
            return self.answers.pop(0)
        key = headers["idempotency-key"]
        self.n_again += key in self.taken
        self.taken[key] = told
        return 200, {}


@contextmanager
def run_hook(hook: Hook, *, tls: ssl.SSLContext | None = None) -> Iterator[Hook]:
    """The receiver listens on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = hook.answer({k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(hook.body)))
            self.end_headers()
            self.wfile.write(hook.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    hook.url = f"http{'s' if tls else ''}://localhost:{server.server_port}/messages"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate of this machine: a server's context, and the file to check it with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    places = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(places), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "ca.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public


def read_taken(hook: Hook) -> list[str]:
    """Message identities that were taken."""
    return [str(json.loads(json.dumps(one))["data"]["message_id"]) for one in hook.taken.values()]
