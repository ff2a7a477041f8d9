"""Messages to customers, as they wait in one lane of the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from features.vocabulary import Channel, Outcome
from serving.corridor.stop_files import find_stop_file
from serving.delivery.judge import SendingGuards
from serving.delivery.parcel import HandedOver, Moment, Parcel, Receipt, Rejected, Transport
from serving.delivery.queue import DRY_RUN, Intake, Resolution, Verdict
from serving.policy.cases import DAY_US, from_us, to_us
from serving.records import OutcomeEvent
from serving.store.claims import OutboxState
from serving.store.outbox import OutboxDesk, Queued
from serving.store.rates import Rate
from serving.store.store import Store, StoreSession


@dataclass(frozen=True)
class MessageQueue:
    """Decided messages: judged by the guards once more, and taken by a transport.

    In the dry run nothing but the lane's own rows is changed.

    Attributes:
        store: Where the words are.
        transport: Takes messages.
        guards: Have the last word; they know the lane.
        home: Folder in which a STOP file is looked for.
        rates: Limits by channel; a channel without one has none.
    """

    store: Store
    transport: Transport
    guards: SendingGuards
    home: Path
    rates: Mapping[Channel, Rate] = field(default_factory=dict)

    @property
    def lane(self) -> str:
        """Of the outbox."""
        return self.guards.lane

    @property
    def is_live(self) -> bool:
        """Whether messages leave the machine."""
        return self.lane != DRY_RUN

    def desk(self, session: StoreSession) -> OutboxDesk:
        """The part of a transaction that moves messages."""
        return session.outbox

    def find_stop(self, session: StoreSession) -> str | None:
        """Why a kill switch says stop, the file or the row; None where neither does."""
        stop = find_stop_file(self.home, branch=None)
        return stop or session.switches.find_stop(branch=None)

    def take_in(self, session: StoreSession, *, at_us: int) -> Intake:
        """Take in messages whose moment has come; live, none that was planned before it began."""
        since_us = at_us - round(self.guards.delivery.look_back_days * DAY_US)
        if self.is_live:
            since_us = max(since_us, session.outbox.open_lane(self.lane, at_us=at_us))
        return Intake(session.outbox.enqueue(lane=self.lane, at_us=at_us, since_us=since_us))

    def find_due(
        self, session: StoreSession, *, at_us: int, closed: frozenset[str]
    ) -> Queued | None:
        """The message that has waited longest."""
        return session.outbox.find_due(lane=self.lane, at_us=at_us, closed=closed)

    def door_of(self, item: Queued) -> str:
        """Its channel."""
        return item.channel.value

    def find_rate(self, item: Queued) -> Rate | None:
        """How many messages its channel takes."""
        return self.rates.get(item.channel)

    def is_cancelled(self, item: Queued) -> bool:
        """Whether somebody wished it away, in time or not."""
        return item.is_cancelled

    def judge(self, session: StoreSession, item: Queued, *, at_us: int) -> Verdict:
        """What the guards say."""
        return self.guards.judge(session, item, at_us=at_us)

    def note_claim(self, session: StoreSession, *, at: datetime) -> None:
        """From now on no wish to cancel it is in time, wherever clocks go."""
        if self.is_live:
            session.tell_time(at)

    def resolve(self, item: Queued) -> Resolution:
        """What the settings say of its kind."""
        rule = self.guards.delivery.uncertain
        return rule.service if item.trigger.is_service else rule.marketing

    def hand_over(self, item: Queued, moment: Moment) -> Receipt:
        """Hand over its words as they were decided."""
        record = self.store.read_decision(item.decision_id)
        planned = () if record is None else record.messages
        found = next((one for one in planned if one.message_id == item.message_id), None)
        if found is None:
            return Rejected("its words are not in the record of its decision")
        parcel = Parcel(
            message_id=item.message_id,
            customer_id=item.customer_id,
            channel=item.channel,
            trigger=item.trigger,
            planned_at=from_us(item.planned_at_us),
            expires_at=from_us(self.guards.find_end_us(item)),
            content=found.content,
        )
        return self.transport.hand_over(parcel, moment)

    def note_end(
        self,
        session: StoreSession,
        item: Queued,
        state: OutboxState,
        *,
        receipt: Receipt | None,
        at: datetime,
    ) -> None:
        """Live, book what its receiver said of the customer; what was surely not sent took nothing.

        Of a message that an earlier attempt may have handed over, nobody is sure.
        """
        if not self.is_live:
            return
        outcome = _find_outcome(receipt)
        if outcome is not None:
            happened_at = max(at, from_us(item.planned_at_us))
            event = OutcomeEvent(message_id=item.message_id, outcome=outcome, at=happened_at)
            session.add_outcomes([event], now_us=to_us(at))
        elif state is OutboxState.REFUSED and _is_unsent(item, receipt):
            session.note_unsent([item.message_id])


def _is_unsent(item: Queued, receipt: Receipt | None) -> bool:
    """Whether it surely was not sent: no attempt but the one that was refused, if any."""
    return item.n_earlier + item.n_attempts <= int(receipt is not None)


def _find_outcome(receipt: Receipt | None) -> Outcome | None:
    if isinstance(receipt, HandedOver) and receipt.is_delivered:
        return Outcome.DELIVERED
    return receipt.outcome if isinstance(receipt, Rejected) else None
