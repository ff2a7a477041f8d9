"""The deliverers of one process, put together: in the dry run, or live where that is asked for."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from features.errors import ConfigurationError
from features.vocabulary import Channel
from serving.copy.settings import CopySettings
from serving.delivery.files import FolderTransport
from serving.delivery.judge import SendingGuards
from serving.delivery.live.secrets import Secrets, list_secrets
from serving.delivery.live.settings import TransportSettings, load_transports
from serving.delivery.live.smtp import SmtpRelay
from serving.delivery.live.transport import make_live_transport
from serving.delivery.look import Deliverer
from serving.delivery.messages import MessageQueue
from serving.delivery.notices.messengers import make_folder_messengers, make_messengers
from serving.delivery.notices.parties import PartySettingsFile, load_parties
from serving.delivery.notices.queue import NoticeQueue
from serving.delivery.queue import DRY_RUN, LIVE
from serving.delivery.recipients import RecipientBook
from serving.delivery.settings import DeliverySettings
from serving.policy.settings import PolicySettings
from serving.store.notice_outbox import Telling
from serving.store.outbox import Queued
from serving.store.store import Store

_NOBODYS = "example.com"


@dataclass(frozen=True)
class DeliveryParts:
    """What the deliverers are made of.

    Attributes:
        policy: That decides.
        delivery: How messages are handed over.
        copy: The sender of the texts.
        recipients: Customers that the store has no row of.
        home: Folder of the state.
        folder: Where the dry run writes.
        environment: Where secrets are.
    """

    policy: PolicySettings
    delivery: DeliverySettings
    copy: CopySettings
    recipients: RecipientBook
    home: Path
    folder: Path
    environment: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class LiveFiles:
    """What was read for the live lane.

    Attributes:
        transports: How messages leave; None where none was asked for or named.
        parties: Who can be told something; None likewise.
        secrets: That they name; all are there.
        relay: Of letters and mailed notices; None where no file names one.
        stack: Closes what was opened for them.
    """

    transports: TransportSettings | None
    parties: PartySettingsFile | None
    secrets: Secrets
    relay: SmtpRelay | None
    stack: ExitStack


def read_live_files(
    parts: DeliveryParts, *, transports: Path | None, parties: Path | None
) -> LiveFiles:
    """Read the files that are named; ConfigurationError names every fault and missing secret."""
    read = None if transports is None else load_transports(transports)
    people = None if parties is None else load_parties(parties)
    secrets = Secrets(parts.environment)
    secrets.require([*list_secrets(read), *list_secrets(people)])
    relay, stack = None, ExitStack()
    if read is not None and read.smtp is not None:
        relay = SmtpRelay(read.smtp, sender=parts.delivery.sender, secrets=secrets)
        stack.callback(relay.close)
    return LiveFiles(read, people, secrets, relay, stack)


def make_message_deliverer(
    store: Store, parts: DeliveryParts, *, live: LiveFiles | None, rng: np.random.Generator
) -> Deliverer[Queued]:
    """Delivers messages to customers: live, or as files where `live` is None."""
    lane = DRY_RUN if live is None else LIVE
    guards = SendingGuards(parts.policy, parts.delivery, parts.recipients, lane)
    if live is None:
        folder = FolderTransport(parts.folder, sender=parts.delivery.sender, copy=parts.copy)
        queue = MessageQueue(store, folder, guards, parts.home)
    else:
        transports = _require_transports(parts, live)
        transport = make_live_transport(
            transports,
            relay=live.relay,
            sender=parts.delivery.sender,
            copy=parts.copy,
            secrets=live.secrets,
            stack=live.stack,
        )
        queue = MessageQueue(store, transport, guards, parts.home, transports.rates)
    return Deliverer(store, queue, parts.delivery, rng)


def make_notice_deliverer(
    store: Store, parts: DeliveryParts, *, live: LiveFiles | None, rng: np.random.Generator
) -> tuple[NoticeQueue, Deliverer[Telling]]:
    """Notices, and who delivers them: live, or as files where `live` is None."""
    if live is None:
        folder = make_folder_messengers(parts.folder)
        queue = NoticeQueue(DRY_RUN, None, folder, parts.delivery, parts.home)
    else:
        parties = _require_parties(live)
        messengers = make_messengers(
            parties,
            relay=live.relay,
            sender=parts.delivery.sender,
            secrets=live.secrets,
            stack=live.stack,
        )
        queue = NoticeQueue(
            LIVE, parties, messengers, parts.delivery, parts.home, parties.find_rates()
        )
    return queue, Deliverer(store, queue, parts.delivery, rng)


def _require_parties(live: LiveFiles) -> PartySettingsFile:
    if live.parties is None:
        raise ConfigurationError("--live: expected --parties, or OPPORTUNE_PARTIES")
    return live.parties


def _require_transports(parts: DeliveryParts, live: LiveFiles) -> TransportSettings:
    if live.transports is None:
        raise ConfigurationError("--live: expected --transports, or OPPORTUNE_TRANSPORTS")
    if (unfit := find_unfit(parts, live.transports)) is not None:
        raise ConfigurationError(f"--live: {unfit}")
    return live.transports


def find_unfit(parts: DeliveryParts, transports: TransportSettings) -> str | None:
    """What letters must not hold as it ships; None where nothing is left of it."""
    if transports.channels[Channel.EMAIL].closed is not None:
        return None
    faults = []
    url, sender = parts.copy.email_unsubscribe_url, parts.delivery.sender
    if urlsplit(url).hostname == _NOBODYS:
        faults.append(f"OPPORTUNE_UNSUBSCRIBE_URL: {url} is nobody's; expected your own")
    if sender.rstrip(">").endswith(f"@{_NOBODYS}"):
        faults.append(f"sender of --settings: {sender} is nobody's; expected your own")
    return "; ".join(faults) or None
