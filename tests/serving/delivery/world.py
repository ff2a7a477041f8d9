"""A store with planned messages, and customers that may be written to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from features.vocabulary import Arm, Channel, Priority, Trigger
from serving.copy.content import Content
from serving.delivery.judge import SendingGuards
from serving.delivery.look import Deliverer
from serving.delivery.messages import MessageQueue
from serving.delivery.parcel import HandedOver, Moment, Parcel, Receipt, Transport, TryAgain
from serving.delivery.queue import DRY_RUN
from serving.delivery.recipients import RecipientBook
from serving.delivery.settings import UncertainRule, load_delivery_settings
from serving.online.live import LiveProfile
from serving.policy.settings import load_policy_settings
from serving.records import Decision, DecisionRequest, ModelVersions, PlannedMessage, Reason
from serving.store.claims import OutboxState
from serving.store.outbox import Queued
from serving.store.rates import Rate
from serving.store.store import Store

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = load_policy_settings()
DELIVERY = load_delivery_settings()
NO_STOPS = Path(__file__).parent  # a folder without a STOP file


@dataclass
class Receiver:
    """Takes messages by their key; fails while `failures` last.

    Attributes:
        takes: How often each was handed over.
    """

    failures: int = 0
    takes: dict[str, int] = field(default_factory=dict)

    def hand_over(self, parcel: Parcel, _moment: Moment) -> Receipt:
        if self.failures:
            self.failures -= 1
            return TryAgain("busy")
        self.takes[parcel.message_id] = self.takes.get(parcel.message_id, 0) + 1
        return HandedOver("here")


def profile(customer_id: str = "c0", **changes: str | bool) -> LiveProfile:
    row: dict[str, str | bool | int | float] = {
        "customer_id": customer_id,
        "timezone": "UTC",
        "language": "en",
        **{f"consent_{channel}": True for channel in Channel},
    }
    return LiveProfile({**row, **changes})


def find_noon_zone(now: datetime) -> str:
    """A zone in which it is about noon now: nobody's quiet hours."""
    return f"Etc/GMT{now.hour - 12:+d}"


def plan(
    store: Store,
    number: int = 0,
    *,
    at: datetime = NOON,
    customer_id: str = "c0",
    trigger: Trigger = Trigger.PRICE_DROP,
    channel: Channel = Channel.EMAIL,
    content: Content | None = None,
) -> str:
    """Keep a decision with one message; the message's identity."""
    words = content or Content(subject="s", body="<p>b</p>", plain_text="b", language="en")
    message = PlannedMessage(
        message_id=f"m{number}", channel=channel, variant="v", content=words, cost_cents=0.1
    )
    record = Decision(
        decision_id=f"d{number}",
        customer_id=customer_id,
        trigger=trigger,
        decided_at=at - HOUR,
        arm=Arm.LEARNED,
        send=True,
        reason=Reason.CHOSEN,
        channels=(channel,),
        send_at=at,
        variant="v",
        content=words,
        messages=(message,),
        propensity=0.5,
        variants={"v": 1.0},
        priority=Priority.MEDIUM,
        cold_start=False,
        models=ModelVersions(),
        policy_version="p",
        feature_hash="f",
        features_as_of=None,
        idempotency_key=f"k{number}",
    )
    request = DecisionRequest(
        customer_id=customer_id, trigger=trigger, idempotency_key=f"k{number}"
    )
    with store.transaction() as session:
        session.add_decisions([record], [request])
    return message.message_id


def make_deliverer(
    store: Store,
    receiver: Transport,
    *profiles: LiveProfile,
    max_attempts: int = 3,
    home: Path = NO_STOPS,
    lane: str = DRY_RUN,
    rates: Mapping[Channel, Rate] | None = None,
    uncertain: str = "ask",
    uncertain_service: str | None = None,
) -> Deliverer[Queued]:
    rows = {str(one.row["customer_id"]): one for one in profiles or (profile(),)}
    retry = DELIVERY.retry.model_copy(update={"max_attempts": max_attempts})
    service = uncertain_service or uncertain
    rule = UncertainRule.model_validate({"service": service, "marketing": uncertain})
    settings = DELIVERY.model_copy(update={"retry": retry, "uncertain": rule})
    guards = SendingGuards(POLICY, settings, RecipientBook(rows), lane)
    queue = MessageQueue(store, receiver, guards, home, rates or {})
    return Deliverer(store, queue, settings, np.random.default_rng(7))


def with_transport(deliverer: Deliverer[Queued], transport: Transport) -> Deliverer[Queued]:
    queue = deliverer.queue
    assert isinstance(queue, MessageQueue)
    return replace(deliverer, queue=replace(queue, transport=transport))


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def find_all(store: Store, *, lane: str = DRY_RUN) -> dict[str, Queued]:
    with store.reading() as session:
        lists = [session.outbox.find(state, lane=lane, most=100) for state in OutboxState]
    return {one.message_id: one for found in lists for one in found}


def find_one(store: Store, *, lane: str = DRY_RUN) -> Queued:
    (one,) = find_all(store, lane=lane).values()
    return one
