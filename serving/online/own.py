"""What the service does itself, as facts: messages that it sends, outcomes reported to it."""

from collections.abc import Collection, Iterator, Sequence

from pydantic import ValidationError

from serving.lots.lot import DecisionLot
from serving.lots.reading import read_record
from serving.online.facts import Fact
from serving.online.ledger import take_facts
from serving.policy.cases import from_us, to_us
from serving.records import Decision, OutcomeEvent, OutcomeState
from serving.store.kept import Generation
from serving.store.online import OnlineSession


def take_messages(online: OnlineSession, lot: DecisionLot, *, about: Collection[str]) -> None:
    """Let the messages of decisions count for customers with a state, from when they are sent."""
    if not about:
        return
    told = [
        (fact, int(lot.decided_us[row]))
        for row in lot.words.row.tolist()
        if lot.customer_ids[row] in about
        for fact in messages_of(read_record(lot, row))
    ]
    _take(online, told)


def take_outcomes(
    online: OnlineSession,
    events: Sequence[OutcomeEvent],
    states: Sequence[OutcomeState],
    *,
    now_us: int | None,
) -> None:
    """Let outcomes that were booked count for the customers to whom the messages went.

    Args:
        online: An open transaction.
        events: What was reported.
        states: What became of it.
        now_us: When it was reported; None where the service has no clock: then when it happened.
    """
    told = [
        (outcome_of(event), to_us(event.at) if now_us is None else now_us)
        for event, state in zip(events, states, strict=True)
        if state is OutcomeState.BOOKED
    ]
    _take(online, told)


def _take(online: OnlineSession, told: Sequence[tuple[Fact, int]]) -> None:
    """Take facts in where the company's tables have such facts, never before what was told last."""
    if not told:
        return
    generation = online.current_generation()
    if generation is None:
        return
    last_us = max(online.last_known_us() or 0, generation.as_of_us)
    counted = [
        (fact, max(moment_us, last_us)) for fact, moment_us in told if _counts(fact, generation)
    ]
    if counted:
        take_facts(online, sorted(counted, key=_when))


def _counts(fact: Fact, generation: Generation) -> bool:
    """Features of tables that the company does not have stay null, as they were in training."""
    has_tables = generation.as_of_us > 0
    return not has_tables or fact.table in generation.tables


def _when(told: tuple[Fact, int]) -> int:
    return told[1]


def messages_of(record: Decision) -> Iterator[Fact]:
    """The messages of a decision as rows of `messages`."""
    if record.send_at is None:
        return
    about = {} if record.idempotency_key is None else {"case_key": record.idempotency_key}
    for message in record.messages:
        yield Fact(
            "messages",
            {
                **about,
                "message_id": message.message_id,
                "decision_id": record.decision_id,
                "customer_id": record.customer_id,
                "trigger": record.trigger.value,
                "channel": message.channel.value,
                "variant": message.variant,
                "sent_at": to_us(record.send_at),
                "arm": record.arm.value,
                "propensity": record.propensity,
                "cost_cents": float(message.cost_cents),
            },
            None,
        )


def outcome_of(event: OutcomeEvent) -> Fact:
    """What came of a message as a row of `outcomes`."""
    row = {
        "message_id": event.message_id,
        "outcome": event.outcome.value,
        "at": to_us(event.at),
        "machine": event.machine,
    }
    value = {} if event.value_cents is None else {"value_cents": event.value_cents}
    return Fact("outcomes", {**row, **value}, None)


def event_of(fact: Fact) -> OutcomeEvent | None:
    """A row of `outcomes` as what came of a message; None where it cannot be one of ours."""
    try:
        return OutcomeEvent.model_validate({**fact.row, "at": from_us(int(fact.row["at"]))})
    except ValidationError:  # a name or an amount that no message of ours has
        return None
