"""Whether everything that messages and notices would go through is there; nothing is sent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from features.errors import ConfigurationError
from serving.delivery.live.addresses import make_address_book
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import TransportSettings, WebhookSettings
from serving.delivery.live.webhook import SignedPost
from serving.delivery.notices.messengers import make_messenger
from serving.delivery.notices.parties import WaySettings
from serving.delivery.wiring import DeliveryParts, LiveFiles, find_unfit


@dataclass(frozen=True)
class Checked:
    """What was looked at.

    Attributes:
        place: Where it stands in its file.
        what: What it is.
        fault: What is wrong with it; None: nothing is.
    """

    place: str
    what: str
    fault: str | None


def check_live_files(parts: DeliveryParts, live: LiveFiles) -> Iterator[Checked]:
    """Connect to each relay and receiver without sending anything, and read what is a file."""
    if live.transports is not None:
        yield Checked("--live", "sender and links", find_unfit(parts, live.transports))
        yield from _check_channels(live.transports, live)
    if live.parties is not None:
        for party in live.parties.parties:
            for name, way in party.ways.items():
                yield _check_way(f"{party.place}/{name}", way, parts, live)


def _check_channels(transports: TransportSettings, live: LiveFiles) -> Iterator[Checked]:
    for channel, one in transports.channels.items():
        place = f"channels/{channel.value}"
        if one.webhook is not None:
            yield _check_webhook(place, one.webhook, secrets=live.secrets)
        elif live.relay is not None and one.smtp is not None:
            yield Checked(place, f"SMTP {live.relay.host}", live.relay.check())
        else:
            yield Checked(place, f"closed: {one.closed}", None)
    addresses = transports.addresses
    if addresses is None:
        return
    if addresses.webhook is not None:
        yield _check_webhook("addresses", addresses.webhook, secrets=live.secrets)
    else:

        def make() -> None:
            live.stack.callback(make_address_book(addresses, secrets=live.secrets).close)

        yield Checked("addresses", str(addresses.file), _find_fault(make))


def _check_way(place: str, way: WaySettings, parts: DeliveryParts, live: LiveFiles) -> Checked:
    if way.webhook is not None:
        return _check_webhook(place, way.webhook, secrets=live.secrets)
    sender = parts.delivery.sender
    make = partial(
        make_messenger,
        place,
        way,
        relay=live.relay,
        sender=sender,
        secrets=live.secrets,
        stack=live.stack,
    )
    what = "mail" if way.mail is not None else "Apprise URL; its service is not asked"
    return Checked(place, what, _find_fault(make))


def _check_webhook(place: str, settings: WebhookSettings, *, secrets: Secrets) -> Checked:
    try:
        post = SignedPost(settings, secrets=secrets)
    except ConfigurationError as fault:
        return Checked(place, "webhook", str(fault))
    try:
        return Checked(place, f"webhook {post.host}", post.check())
    finally:
        post.close()


def _find_fault(make: Callable[[], object]) -> str | None:
    try:
        make()
    except ConfigurationError as fault:
        return str(fault)
    return None
