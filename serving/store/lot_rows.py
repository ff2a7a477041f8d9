"""A lot as rows of the store's tables: plain tuples, since there are many of them."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from serving.lots.lot import CHANNELS, REASONS, DecisionLot
from serving.policy.arms import ARMS
from serving.policy.cases import Floats
from serving.store.rows import digest_of

DECISION_COLUMNS: Final = (
    "decision_id", "idempotency_key", "request_digest", "customer_id", "trigger", "decided_at_us",
    "arm", "send", "reason", "propensity", "record", "experiment", "lot_id", "lot_row",
)  # fmt: skip
MESSAGE_COLUMNS: Final = (
    "message_id", "decision_id", "customer_id", "trigger", "channel", "variant", "sent_at_us",
    "arm", "propensity", "p_variant", "cost_cents", "language", "segment", "context",
)  # fmt: skip

Row = tuple[object, ...]

_IN_LOT = ""
"""Stands for a record that is a row of a lot."""

_ARM_NAMES: Final = tuple(arm.value for arm in ARMS)
_REASON_NAMES: Final = tuple(reason.value for reason in REASONS)
_CHANNEL_NAMES: Final = tuple(channel.value for channel in CHANNELS)


def list_decisions(
    lot: DecisionLot, *, lot_id: int | None, texts: Sequence[str] | None
) -> list[Row]:
    """Rows of `decisions`, in the order of `DECISION_COLUMNS`.

    Args:
        lot: The decisions.
        lot_id: Of the lot; None where its records are kept as text.
        texts: The records as text; None where they are rows of the lot.
    """
    trigger, experiment = lot.head.trigger, lot.head.experiment
    return [
        (
            decision_id,
            key,
            None if key is None else digest_of(customer_id, trigger),
            customer_id,
            trigger.value,
            decided_us,
            _ARM_NAMES[arm],
            sent,
            _REASON_NAMES[reason],
            propensity,
            _IN_LOT if texts is None else texts[row],
            experiment,
            lot_id,
            None if lot_id is None else row,
        )
        for row, (
            decision_id, key, customer_id, decided_us, arm, sent, reason, propensity,
        ) in enumerate(
            zip(
                lot.decision_ids,
                lot.keys,
                lot.customer_ids,
                lot.decided_us.tolist(),
                lot.arm.tolist(),
                lot.is_sent.tolist(),
                lot.reason.tolist(),
                lot.propensity.tolist(),
                strict=True,
            )
        )
    ]  # fmt: skip


def list_messages(lot: DecisionLot) -> Iterator[Row]:
    """Rows of `messages`, in the order of `MESSAGE_COLUMNS`."""
    words, trigger = lot.words, lot.head.trigger.value
    rows = words.row.tolist()
    sent_us, p_variant = lot.send_us.tolist(), words.p_taken.tolist()
    arm, propensity = lot.arm.tolist(), lot.propensity.tolist()
    contexts = _write_contexts(words.numbers, layout=lot.head.layout)
    for sent, code, variant, cost_cents in zip(
        words.sent.tolist(),
        words.channel.tolist(),
        words.variants,
        words.cost_cents.tolist(),
        strict=True,
    ):
        row = rows[sent]
        decision_id, channel = lot.decision_ids[row], _CHANNEL_NAMES[code]
        yield (
            f"{decision_id}.{channel}",
            decision_id,
            lot.customer_ids[row],
            trigger,
            channel,
            variant,
            sent_us[sent],
            _ARM_NAMES[arm[row]],
            propensity[row],
            p_variant[sent],
            cost_cents,
            words.languages[sent],
            words.segments[sent],
            contexts[sent],
        )


def _write_contexts(numbers: Floats, *, layout: str) -> Sequence[str]:
    """What variants were chosen by, as the JSON that a learner reads; null for NaN."""
    if not numbers.size:
        return []
    rows = json.dumps(numbers.tolist())[2:-2].replace("NaN", "null").split("], [")
    return [f'{{"layout": "{layout}", "numbers": [{row}]}}' for row in rows]
