"""Signed JSON, posted: the one door to receivers that are web addresses.

Signatures are those of Standard Webhooks (https://www.standardwebhooks.com); a receiver knows a
message again by `webhook-id`, which `Idempotency-Key` repeats.
"""

import hashlib
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from urllib.parse import urlsplit

import httpx
from standardwebhooks.webhooks import Webhook

from serving.delivery.live.certificates import make_tls_context
from serving.delivery.live.hosts import Led, NotLed, resolve_host
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import WebhookSettings

for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # their lines hold addresses

_MOST_BYTES = 65_536
_MOST_PARTS = 32
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Answered:
    """What a receiver answered.

    Attributes:
        status: Of HTTP.
        after_seconds: When it wishes to be asked again; None: it did not say.
        body: Its first bytes.
    """

    status: int
    after_seconds: float | None
    body: bytes


@dataclass(frozen=True)
class Unanswered:
    """No answer came.

    Attributes:
        reason: Why; it names the host, and never the path or what was sent.
        was_asked: Whether the receiver may have read the request.
    """

    reason: str
    was_asked: bool


class SignedPost:
    """Posts to one receiver; follows no redirect, uses no proxy, and keeps no cookies."""

    def __init__(self, settings: WebhookSettings, *, secrets: Secrets) -> None:
        """Make it ready; ConfigurationError where the secret cannot sign."""
        self._settings = settings
        self._parts = urlsplit(settings.url)
        self._port = self._parts.port or _PORTS[self._parts.scheme]
        self._context = make_tls_context(settings.ca_file)
        self._signer = Webhook(secrets.read(settings.secret))
        self._http = httpx.Client(
            timeout=settings.timeout_seconds,
            follow_redirects=False,
            trust_env=False,
            verify=self._context,
        )

    @property
    def host(self) -> str:
        """Whom it posts to."""
        return self._parts.hostname or ""

    def post(self, body: bytes, *, key: str, now: datetime) -> Answered | Unanswered:
        """Post a body under a key; the same key and body are the same to the receiver."""
        led = self._resolve()
        if isinstance(led, NotLed):
            return Unanswered(led.reason, was_asked=False)
        request = self._http.build_request(
            "POST",
            httpx.URL(self._settings.url).copy_with(host=led.address),
            content=body,
            headers={"Host": self._parts.netloc, **self._sign(body, key=key, now=now)},
            extensions={"sni_hostname": self.host},
        )
        try:
            answer = self._http.send(request, stream=True)
            try:
                start = _read_start(answer)
            finally:
                answer.close()
        except (httpx.ConnectError, httpx.ConnectTimeout) as fault:
            return Unanswered(f"{self.host}: {type(fault).__name__}", was_asked=False)
        except httpx.HTTPError as fault:
            return Unanswered(f"{self.host}: {type(fault).__name__}", was_asked=True)
        finally:
            self._http.cookies.clear()
        wish = _read_wish(answer.headers.get("retry-after"), now=now)
        return Answered(answer.status_code, wish, start)

    def check(self) -> str | None:
        """Connect without asking for anything; why that failed, or None."""
        led = self._resolve()
        if isinstance(led, NotLed):
            return led.reason
        timeout = self._settings.timeout_seconds
        try:
            with socket.create_connection((led.address, self._port), timeout=timeout) as link:
                if self._parts.scheme == "https":
                    self._context.wrap_socket(link, server_hostname=self.host).close()
        except OSError as fault:  # those of TLS are among them
            return f"{self.host}: {type(fault).__name__}"
        return None

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def _resolve(self) -> Led | NotLed:
        allow_private = self._settings.allow_private
        return resolve_host(self.host, port=self._port, allow_private=allow_private)

    def _sign(self, body: bytes, *, key: str, now: datetime) -> Mapping[str, str]:
        safe_key = make_safe_key(key)
        return {
            "Content-Type": "application/json",
            "User-Agent": "Opportune",
            "Idempotency-Key": safe_key,
            "webhook-id": safe_key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(safe_key, now, body.decode()),
        }


def make_safe_key(key: str) -> str:
    """A key that may stand in a header: itself, or a digest of it.

    >>> make_safe_key("m1"), len(make_safe_key("a b"))
    ('m1', 43)
    """
    if key and len(key) <= 200 and all("!" <= c <= "~" for c in key):
        return key
    return f"b2-{hashlib.blake2b(key.encode(), digest_size=20).hexdigest()}"


def _read_start(answer: httpx.Response) -> bytes:
    start = b""
    for part in islice(answer.iter_bytes(), _MOST_PARTS):  # one that drips ends, too
        start += part
        if len(start) >= _MOST_BYTES:
            break
    return start[:_MOST_BYTES]


def _read_wish(value: str | None, *, now: datetime) -> float | None:
    """`Retry-After` in seconds: a number of them, or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.isascii() and value.isdecimal():
        return float(value[:12])
    try:
        then = parsedate_to_datetime(value)
        return max((then - now).total_seconds(), 0.0)
    except (ValueError, TypeError):  # no date, or one without a zone
        return None
