"""The store's questions, built once: building one costs more than running it."""

from sqlalchemy import BigInteger, BindParameter, Select, bindparam, select

from features.vocabulary import Outcome
from serving.store.schema import decisions, messages, outcomes
from training.bandit.rewards import SUCCESSES

_OPENS = (Outcome.OPENED.value, Outcome.CLICKED.value)
_WITHDRAWALS = (Outcome.UNSUBSCRIBED.value, Outcome.COMPLAINED.value)

RECORDS_BY_KEY = select(
    decisions.c.idempotency_key, decisions.c.request_digest, decisions.c.record
).where(decisions.c.idempotency_key.in_(bindparam("keys", expanding=True)))
"""Records under some keys: key, digest of the request, record."""

RECORDS = select(decisions.c.record).order_by(decisions.c.decided_at_us, decisions.c.decision_id)
"""Every record."""

OUTCOMES = select(
    outcomes.c.message_id,
    outcomes.c.outcome,
    outcomes.c.at_us,
    outcomes.c.value_cents,
    outcomes.c.machine,
).order_by(outcomes.c.outcome_id)
"""Everything that came of the messages."""

_WAS_OPENED = (
    select(outcomes.c.outcome_id)
    .where(outcomes.c.message_id == messages.c.message_id)
    .where(outcomes.c.outcome.in_(_OPENS))
    .where(outcomes.c.machine.is_(False))
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
    .where(messages.c.customer_id.in_(bindparam("ids", expanding=True)))
    .where(messages.c.sent_at_us >= bindparam("since_us"))
)
"""Messages to some customers since a moment, with whether a human opened them."""

WITHDRAWALS = (
    select(messages.c.customer_id, messages.c.channel, outcomes.c.outcome)
    .join(outcomes, outcomes.c.message_id == messages.c.message_id)
    .where(messages.c.customer_id.in_(bindparam("ids", expanding=True)))
    .where(outcomes.c.outcome.in_(_WITHDRAWALS))
)
"""Unsubscribes and complaints of some customers."""

SENDING_TIMES = select(messages.c.message_id, messages.c.sent_at_us).where(
    messages.c.message_id.in_(bindparam("ids", expanding=True))
)
"""When some messages were or will be sent."""

MESSAGES_BETWEEN = (
    select(messages, decisions.c.idempotency_key.label("case_key"))
    .join(decisions, decisions.c.decision_id == messages.c.decision_id)
    .where(messages.c.sent_at_us >= bindparam("since_us"))
    .where(messages.c.sent_at_us < bindparam("until_us"))
    .order_by(messages.c.sent_at_us, messages.c.message_id)
)
"""Messages sent in a period, in order, with what they were about."""


def select_rewards() -> Select[str, str, str, str, bool]:
    """Messages whose window closed by `as_of_us`, and whether they succeeded in it."""
    window_us: BindParameter[int] = bindparam("window_us", type_=BigInteger)
    as_of_us: BindParameter[int] = bindparam("as_of_us", type_=BigInteger)
    success = (
        select(outcomes.c.outcome_id)
        .where(outcomes.c.message_id == messages.c.message_id)
        .where(outcomes.c.outcome.in_([outcome.value for outcome in SUCCESSES]))
        .where(outcomes.c.machine.is_(False))
        .where(outcomes.c.at_us < messages.c.sent_at_us + window_us)
        .where(outcomes.c.at_us < as_of_us)
        .exists()
    )
    return (
        select(
            messages.c.message_id,
            messages.c.trigger,
            messages.c.channel,
            messages.c.variant,
            success,
        )
        .where(messages.c.sent_at_us + window_us <= as_of_us)
        .order_by(messages.c.message_id)
    )
