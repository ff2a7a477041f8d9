"""The store's questions, built once: building one costs more than running it."""

from sqlalchemy import bindparam, func, select

from features.vocabulary import Outcome
from serving.store.lots import is_listed
from serving.store.schema import cancellations, decision_lots, decisions, messages, outcomes

_OPENS = (Outcome.OPENED.value, Outcome.CLICKED.value)
_REFUSALS = (Outcome.UNSUBSCRIBED.value, Outcome.COMPLAINED.value, Outcome.BOUNCED.value)
_ARRIVALS = (Outcome.DELIVERED.value, *_OPENS, Outcome.CONVERTED.value)

_PLACE = (decisions.c.record, decisions.c.lot_id, decisions.c.lot_row)

RECORDS_BY_KEY = select(decisions.c.idempotency_key, decisions.c.request_digest, *_PLACE).where(
    is_listed(decisions.c.idempotency_key, "keys")
)
"""Where records under some keys are: key, digest of the request, record, lot, row of the lot."""

RECORD = select(*_PLACE).where(decisions.c.decision_id == bindparam("decision_id"))
"""Where the record of one decision is."""

RECORDS = select(*_PLACE).order_by(
    decisions.c.decided_at_us, decisions.c.lot_id, decisions.c.lot_row, decisions.c.decision_id
)
"""Where every record is; those of one moment lot by lot."""

LOT = select(decision_lots.c.packed).where(decision_lots.c.lot_id == bindparam("lot_id"))
"""A lot."""

OUTCOMES = select(
    outcomes.c.message_id,
    outcomes.c.outcome,
    outcomes.c.at_us,
    outcomes.c.value_cents,
    outcomes.c.machine,
).order_by(outcomes.c.outcome_id)
"""Everything that came of the messages."""

_FLAGGED = outcomes.alias("flagged")

_IS_FLAGGED = (
    select(_FLAGGED.c.outcome_id)
    .where(_FLAGGED.c.message_id == outcomes.c.message_id)
    .where(_FLAGGED.c.outcome == outcomes.c.outcome)
    .where(_FLAGGED.c.at_us == outcomes.c.at_us)
    .where(_FLAGGED.c.machine.is_(True))
    .exists()
)
"""Of an outcome: a sender has found out, at once or later, that a machine made it."""

_WAS_OPENED = (
    select(outcomes.c.outcome_id)
    .where(outcomes.c.message_id == messages.c.message_id)
    .where(outcomes.c.outcome.in_(_OPENS))
    .where(~_IS_FLAGGED)
    .exists()
)

IS_CANCELLED = (
    select(cancellations.c.message_id)
    .where(cancellations.c.message_id == messages.c.message_id)
    .exists()
)
"""Of a message, inside another question: whether somebody wished it away, in time or not."""

_NEVER_SENT = (
    select(cancellations.c.message_id)
    .where(cancellations.c.message_id == messages.c.message_id)
    .where(cancellations.c.is_in_time.is_(True))
    .exists()
)

CONTACTS = (
    select(
        messages.c.decision_id,
        messages.c.customer_id,
        messages.c.trigger,
        messages.c.sent_at_us,
        _WAS_OPENED,
    )
    .where(is_listed(messages.c.customer_id, "ids"))
    .where(messages.c.sent_at_us >= bindparam("since_us"))
    .where(~_NEVER_SENT)
)
"""Messages to some customers since a moment, with whether a human opened them."""

REFUSALS = (
    select(
        messages.c.customer_id,
        messages.c.channel,
        outcomes.c.outcome,
        func.min(outcomes.c.at_us),
    )
    .join(outcomes, outcomes.c.message_id == messages.c.message_id)
    .where(is_listed(messages.c.customer_id, "ids"))
    .where(outcomes.c.outcome.in_(_REFUSALS))
    .group_by(messages.c.message_id, messages.c.customer_id, messages.c.channel, outcomes.c.outcome)
)
"""Unsubscribes, complaints and bounces of some customers, one of each a message.

A relay that gives up says so at once, and by a mail some minutes later.
"""

LAST_ARRIVALS = (
    select(messages.c.customer_id, messages.c.channel, func.max(outcomes.c.at_us))
    .join(outcomes, outcomes.c.message_id == messages.c.message_id)
    .where(is_listed(messages.c.customer_id, "ids"))
    .where(outcomes.c.outcome.in_(_ARRIVALS))
    .group_by(messages.c.customer_id, messages.c.channel)
)
"""When a message last arrived, by customer and channel; machines open what has arrived, too."""

CUSTOMERS_OF = select(messages.c.message_id, messages.c.customer_id, messages.c.channel).where(
    is_listed(messages.c.message_id, "ids")
)
"""To whom some messages went, and where."""

SENDING_TIMES = select(messages.c.message_id, messages.c.sent_at_us).where(
    is_listed(messages.c.message_id, "ids")
)
"""When some messages were or will be sent."""

MESSAGES_BETWEEN = (
    select(messages, decisions.c.idempotency_key.label("case_key"))
    .join(decisions, decisions.c.decision_id == messages.c.decision_id)
    .where(messages.c.sent_at_us >= bindparam("since_us"))
    .where(messages.c.sent_at_us < bindparam("until_us"))
    .where(~IS_CANCELLED)
    .order_by(messages.c.sent_at_us, messages.c.message_id)
)
"""Messages sent in a period, in order, with what they were about; none that was cancelled."""
