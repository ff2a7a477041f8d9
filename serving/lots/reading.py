"""From rows of a lot to records."""

from collections.abc import Iterator

import numpy as np

from serving.lots.lot import CHANNELS, REASONS, UNKNOWN_US, DecisionLot
from serving.policy.arms import ARMS
from serving.policy.cases import from_us
from serving.records import AllowedAction, BanditContext, Decision, PlannedMessage, ValueTerms


def read_records(lot: DecisionLot) -> Iterator[Decision]:
    """The records of a lot, in its order."""
    return (read_record(lot, row) for row in range(len(lot)))


def read_record(lot: DecisionLot, row: int) -> Decision:
    """The record of one row."""
    head, p_churn = lot.head, float(lot.p_churn[row])
    features_us = int(lot.features_us[row])
    common = {
        "decision_id": lot.decision_ids[row],
        "customer_id": lot.customer_ids[row],
        "trigger": head.trigger,
        "decided_at": from_us(int(lot.decided_us[row])),
        "arm": ARMS[lot.arm[row]],
        "send": bool(lot.is_sent[row]),
        "reason": REASONS[lot.reason[row]],
        "propensity": float(lot.propensity[row]),
        "lost_to": lot.lost_to[row],
        "priority": head.priority,
        "cold_start": not lot.is_scored[row],
        "p_churn": None if np.isnan(p_churn) else p_churn,
        "models": head.models,
        "policy_version": head.policy_version,
        "feature_hash": head.feature_hash,
        "features_as_of": None if features_us == UNKNOWN_US else from_us(features_us),
        "idempotency_key": lot.keys[row],
        "experiment": head.experiment,
    }
    choice = _read_choice(lot, row) if lot.is_open[row] else {}
    words = _read_words(lot, row) if lot.is_sent[row] else {}
    return Decision.model_validate({**common, **choice, **words})


def _read_choice(lot: DecisionLot, row: int) -> dict[str, object]:
    """Fields of a record about what could be done."""
    actions = lot.actions
    before_rules = actions.allowed[row].ravel()[: actions.by_rules[row]]
    return {
        "allowed": _list_allowed(lot, row),
        "unsure_cents": float(actions.unsure_cents[row]) if lot.is_scored[row] else None,
        "rules_choice": int(before_rules.sum()),
        "prices": dict(lot.head.prices),
    }


def _list_allowed(lot: DecisionLot, row: int) -> tuple[AllowedAction, ...]:
    """The allowed actions with their probabilities; *no message* comes last."""
    actions, sets = lot.actions, lot.head.sets
    n_slots = actions.slots_us.shape[1]
    send_at = [from_us(moment_us) for moment_us in actions.slots_us[row].tolist()]
    p = actions.p[row].tolist()
    net: list[float | None] = [None] * len(p)
    if lot.is_scored[row]:
        net = [*actions.net_cents[row].ravel().tolist(), 0.0]
    listed = [
        AllowedAction(sets[at // n_slots], send_at[at % n_slots], p[at], net[at])
        for at in np.flatnonzero(actions.allowed[row]).tolist()
    ]
    return (*listed, AllowedAction((), None, p[-1], net[-1]))


def _read_words(lot: DecisionLot, row: int) -> dict[str, object]:
    """Fields of a record about what is sent."""
    words = lot.words
    sent = int(np.searchsorted(words.row, row))
    channels = lot.channels_of(sent)
    names = lot.head.variants[channels[0]]
    messages = _read_messages(lot, sent)
    terms = dict(zip(lot.head.terms, words.terms[sent].tolist(), strict=True))
    return {
        "channels": channels,
        "send_at": from_us(int(lot.send_us[sent])),
        "variant": names[words.taken[sent]],
        "content": messages[0].content,
        "messages": messages,
        "variants": {
            name: p
            for name, p in zip(names, words.p_variants[sent].tolist(), strict=False)
            if not np.isnan(p)  # of a variant that is not for this customer
        },
        "context": _read_context(lot, sent),
        "scores": ValueTerms(**terms) if lot.is_scored[row] else None,
    }


def _read_messages(lot: DecisionLot, sent: int) -> tuple[PlannedMessage, ...]:
    words = lot.words
    start, end = words.first_message[sent : sent + 2].tolist()
    return tuple(
        PlannedMessage(
            message_id=lot.message_id(at),
            channel=CHANNELS[words.channel[at]],
            variant=words.variants[at],
            content=words.contents[words.content[at]].to_content(),
            cost_cents=float(words.cost_cents[at]),
        )
        for at in range(start, end)
    )


def _read_context(lot: DecisionLot, sent: int) -> BanditContext:
    words = lot.words
    return BanditContext(
        language=words.languages[sent],
        segment=words.segments[sent],
        numbers=tuple(None if np.isnan(x) else x for x in words.numbers[sent].tolist()),
        layout=lot.head.layout,
    )
