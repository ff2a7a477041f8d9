"""How messages leave the machine: a YAML file that names each channel. There is no default."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from features.vocabulary import Channel
from serving.delivery.live.secrets import SecretRef, SigningRef
from serving.delivery.settings import Sender
from serving.policy.settings import read_settings_file
from serving.store.rates import Rate


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RateSettings(_Settings):
    """At most so many at once, and in every period.

    Attributes:
        n: How many.
        per_seconds: The period.
    """

    n: int = Field(ge=1)
    per_seconds: float = Field(gt=0)

    def to_rate(self) -> Rate:
        """As the store keeps it."""
        return Rate(self.n, self.per_seconds)


Timeout = Annotated[float, Field(gt=0, le=60)]


class SmtpSettings(_Settings):
    """A mail relay; signing (DKIM) is its job.

    Attributes:
        security: TLS from the start, STARTTLS, or none, which only a relay on this machine may
            have.
        username: To log in with; nobody logs in when not given.
        password: Beside it.
        envelope_sender: Where bounces go (the return path); the sender when not given.
        reply_to: Where answers go; the sender when not given.
        timeout_seconds: For each answer of the relay.
        ca_file: Certificates that the relay's is checked with; the system's when not given.
        taken_is_delivered: Whether a relay that takes a message means that it arrived.
    """

    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    security: Literal["tls", "starttls", "none"]
    username: str | None = None
    password: SecretRef | None = None
    envelope_sender: Sender | None = None
    reply_to: Sender | None = None
    timeout_seconds: Timeout = 20
    ca_file: Path | None = None
    taken_is_delivered: bool = False

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(f"security: none is for a relay on this machine, not for {self.host}")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password: expected both or neither")
        return self


def _is_web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an address such as https://sms.example.com/messages")
    if parts.username or parts.password or parts.fragment:
        raise ValueError("expected an address without a user, a password or a fragment")
    return url


class WebhookSettings(_Settings):
    """A receiver of signed JSON.

    Attributes:
        url: Where it listens; https, or http where private addresses are allowed.
        secret: That signatures are made with (`whsec_` and base64 of at least 24 bytes, Standard
            Webhooks).
        timeout_seconds: For its answer.
        allow_private: Whether the address may be one of a private network or of this machine.
        ca_file: Certificates that the receiver's is checked with; the system's when not given.
    """

    url: Annotated[str, AfterValidator(_is_web_address)]
    secret: SigningRef
    timeout_seconds: Timeout = 10
    allow_private: bool = False
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if urlsplit(self.url).scheme == "http" and not self.allow_private:
            raise ValueError("url: expected https; http is for private addresses (allow_private)")
        return self


class ChannelSettings(_Settings):
    """How messages of one channel leave: exactly one of `smtp`, `webhook` and `closed`.

    Attributes:
        smtp: A mail relay; e-mail only.
        webhook: A receiver.
        closed: Why none leave: they are refused with that reason.
        rate: Limit of hand-overs; none when not given.
        needs_address: Whether the receiver is told where a message goes, from `addresses`; one
            that finds out by the customer's identity is not.
    """

    smtp: SmtpSettings | None = None
    webhook: WebhookSettings | None = None
    closed: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    rate: RateSettings | None = None
    needs_address: bool = True

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [n for n in ("smtp", "webhook", "closed") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(f"expected one of smtp, webhook, closed; found {given or 'none'}")
        if self.smtp is not None and not self.needs_address:
            raise ValueError("needs_address: a letter needs one")
        return self


class AddressSettings(_Settings):
    """Where addresses are: exactly one of `file` and `webhook`.

    Attributes:
        file: A table `addresses`, .parquet or .csv.
        webhook: Who answers with an address.
    """

    file: Path | None = None
    webhook: WebhookSettings | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.file is None) == (self.webhook is None):
            raise ValueError("expected one of file, webhook")
        if self.file is not None and self.file.suffix not in (".parquet", ".csv"):
            raise ValueError(f"file: expected a .parquet or .csv, found {self.file.name}")
        return self


class DomainRates(_Settings):
    """Limits by the domain that a letter goes to.

    Attributes:
        default: Of any domain; none when not given.
        domains: Of these domains, in small letters.
    """

    default: RateSettings | None = None
    domains: dict[Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")], RateSettings] = Field(
        default_factory=dict
    )

    def find(self, domain: str) -> Rate | None:
        """The limit of a domain; None: there is none."""
        found = self.domains.get(domain, self.default)
        return None if found is None else found.to_rate()


class TransportSettings(_Settings):
    """How messages leave the machine.

    Attributes:
        channels: How those of each channel do; each is named.
        addresses: Where addresses are; needed where a channel needs them.
        domain_rates: Limits by the domain that a letter goes to.
    """

    channels: dict[Channel, ChannelSettings]
    addresses: AddressSettings | None = None
    domain_rates: DomainRates = DomainRates()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if missing := [channel.value for channel in Channel if channel not in self.channels]:
            raise ValueError(
                f"channels: nothing for {', '.join(missing)} (`closed: why` is enough)"
            )
        wrong = [c.value for c, one in self.channels.items() if one.smtp and c != Channel.EMAIL]
        if wrong:
            raise ValueError(f"channels: smtp is for email, not for {', '.join(wrong)}")
        needing = [c.value for c, one in self.channels.items() if one.closed is None]
        needing = [c for c in needing if self.channels[Channel(c)].needs_address]
        if needing and self.addresses is None:
            raise ValueError(f"addresses: expected a file or a webhook, for {', '.join(needing)}")
        return self

    @property
    def smtp(self) -> SmtpSettings | None:
        """The mail relay; None where e-mail leaves otherwise, or not at all."""
        return self.channels[Channel.EMAIL].smtp

    @property
    def rates(self) -> dict[Channel, Rate]:
        """Limits by channel, where there are any."""
        found = {channel: one.rate for channel, one in self.channels.items()}
        return {channel: rate.to_rate() for channel, rate in found.items() if rate is not None}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine.

    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("mail.example.com")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_transports(path: Path) -> TransportSettings:
    """The settings in that file; ConfigurationError names every fault."""
    return read_settings_file(path, TransportSettings, what="transports")
