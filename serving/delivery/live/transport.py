"""The live transport: each message on the way that its channel was given."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

from features.vocabulary import Channel, Outcome
from serving.copy.settings import CopySettings
from serving.delivery.letter import write_letter
from serving.delivery.live.addresses import AddressBook, NotFound, Unreadable, make_address_book
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import ChannelSettings, DomainRates, TransportSettings
from serving.delivery.live.smtp import NO_SMTP_ADDRESS, SmtpRelay, encode_address
from serving.delivery.live.webhook import Answered, SignedPost, Unanswered
from serving.delivery.parcel import (
    Down,
    HandedOver,
    Later,
    Moment,
    Parcel,
    Receipt,
    Rejected,
    Transport,
    TryAgain,
)
from serving.policy.cases import to_us

_SETTING_IS_WRONG = (401, 403, 404, 405, 407, 410)  # whatever the message, it would not be taken
_AGAIN = (408, 425)
_BUSY = (429, 503)


@dataclass(frozen=True)
class Way:
    """How messages of one channel leave.

    Attributes:
        transport: That takes them; None: none leave.
        why_closed: Why none leave.
        needs_address: Whether the transport is told where a message goes.
    """

    transport: Transport | None
    why_closed: str = ""
    needs_address: bool = True


class LiveTransport:
    """Looks up where a message goes, and gives it to the transport of its channel."""

    def __init__(self, ways: Mapping[Channel, Way], *, addresses: AddressBook | None) -> None:
        """Hand over on these ways."""
        self._ways = ways
        self._addresses = addresses

    def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
        """Hand it over; without an address where one is needed, it is refused."""
        way = self._ways[parcel.channel]
        if way.transport is None:
            return Rejected(f"channel_closed: {way.why_closed}")
        if not way.needs_address or self._addresses is None:
            return way.transport.hand_over(parcel, moment)
        found = self._addresses.find(parcel.customer_id, parcel.channel, now=moment.now)
        if isinstance(found, Unreadable):
            return Down(found.reason)
        if isinstance(found, NotFound):
            return Rejected("no_address")
        return way.transport.hand_over(replace(parcel, address=found.address), moment)


@dataclass
class LetterTransport:
    """Writes letters, and gives them to a relay; within the limits of the domains they go to."""

    relay: SmtpRelay
    sender: str
    reply_to: str | None
    copy: CopySettings
    rates: DomainRates
    _appointed_us: dict[str, int] = field(default_factory=dict)

    def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
        """Write it and send it."""
        address = encode_address(parcel.address or "")
        if address is None:
            return Rejected(NO_SMTP_ADDRESS, Outcome.BOUNCED)
        later = self._wait_for_domain(address.rpartition("@")[2].casefold(), moment)
        if later is not None:
            return later
        addressed = replace(parcel, address=address)
        letter = write_letter(addressed, sender=self.sender, copy=self.copy, reply_to=self.reply_to)
        return self.relay.send(letter, to=address, begin=moment.begin)

    def _wait_for_domain(self, domain: str, moment: Moment) -> Later | None:
        """When its domain takes it: those that wait are given one moment after the other."""
        rate = self.rates.find(domain)
        if rate is None:
            return None
        digest = hashlib.blake2b(domain.encode(), digest_size=12).hexdigest()
        free_us = moment.take(f"domain/{digest}", rate)
        if free_us is None:
            return None
        last_us = self._appointed_us.get(digest, 0)
        now_us = to_us(moment.now)
        until_us = max(free_us, last_us + rate.interval_us if last_us > now_us else free_us)
        self._appointed_us[digest] = until_us
        return Later(until_us, "domain_rate")


@dataclass(frozen=True)
class WebhookTransport:
    """Posts messages to a receiver that takes each key once."""

    post: SignedPost

    def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
        """Post it under its message_id."""
        answer = self.post.post(write_payload(parcel), key=parcel.message_id, now=moment.now)
        return judge_answer(answer, host=self.post.host)


def write_payload(parcel: Parcel) -> bytes:
    """The JSON of a message; the same message gives the same bytes."""
    data = {
        "message_id": parcel.message_id,
        "customer_id": parcel.customer_id,
        "to": parcel.address,
        "channel": parcel.channel.value,
        "trigger": parcel.trigger.value,
        "expires_at": parcel.expires_at.isoformat(),
        "content": parcel.content.model_dump(mode="json"),
    }
    payload = {"type": "message", "timestamp": parcel.planned_at.isoformat(), "data": data}
    return json.dumps(payload, ensure_ascii=False).encode()


def judge_answer(answer: Answered | Unanswered, *, host: str) -> Receipt:
    """What a receiver's answer means for the message."""
    if isinstance(answer, Unanswered):
        if not answer.was_asked:
            return Down(answer.reason)
        return TryAgain(answer.reason, hints_down=True)
    status, wish = answer.status, answer.after_seconds
    why = f"{host} answered {status}"
    if 200 <= status < 300 or status == 409:
        is_delivered = _read_outcome(answer.body) is Outcome.DELIVERED
        return HandedOver(host, is_delivered=is_delivered)
    if status in _BUSY or status in _SETTING_IS_WRONG:
        return Down(why, wish)
    if 300 <= status < 400:
        return Down(f"{why}: redirects are not followed")
    if 400 <= status < 500 and status not in _AGAIN:
        bounced = Outcome.BOUNCED
        return Rejected(why, bounced if _read_outcome(answer.body) is bounced else None)
    return TryAgain(why, wish, hints_down=True)


def make_live_transport(
    settings: TransportSettings,
    *,
    relay: SmtpRelay | None,
    sender: str,
    copy: CopySettings,
    secrets: Secrets,
    stack: ExitStack,
) -> LiveTransport:
    """The transport that the settings describe; ConfigurationError names what is missing.

    Args:
        settings: How messages leave.
        relay: Of letters; None where they do not go by one.
        sender: From whom letters are.
        copy: Where one leaves the list.
        secrets: That the settings name.
        stack: Closes what is opened here.
    """

    def make_way(one: ChannelSettings) -> Way:
        if one.webhook is not None:
            post = stack.enter_context(closing(SignedPost(one.webhook, secrets=secrets)))
            return Way(WebhookTransport(post), needs_address=one.needs_address)
        if one.smtp is not None and relay is not None:
            reply_to = one.smtp.reply_to
            return Way(LetterTransport(relay, sender, reply_to, copy, settings.domain_rates))
        return Way(None, one.closed or "")

    book = None
    if settings.addresses is not None:
        book = stack.enter_context(closing(make_address_book(settings.addresses, secrets=secrets)))
    ways = {channel: make_way(one) for channel, one in settings.channels.items()}
    return LiveTransport(ways, addresses=book)


def _read_outcome(body: bytes) -> Outcome | None:
    """What a receiver knows already: `{"outcome": "delivered"}` or `bounced`."""
    try:
        told: object = json.loads(body)
    except (ValueError, RecursionError):  # a body of brackets alone, too
        return None
    outcome = told.get("outcome") if isinstance(told, dict) else None
    known = {one.value: one for one in (Outcome.DELIVERED, Outcome.BOUNCED)}
    return known.get(outcome) if isinstance(outcome, str) else None
