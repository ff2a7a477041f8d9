"""Decisions as rows of the store's tables: what is looked up without reading a record."""

import hashlib
import json
from dataclasses import dataclass
from json.encoder import encode_basestring

from features.vocabulary import Trigger
from serving.policy.cases import to_us
from serving.records import BanditContext, Decision, DecisionRequest


def digest_of(customer_id: str, trigger: Trigger) -> str:
    """What makes two requests of one key the same: whom they are about, and why.

    A problem that is found again has its key, though its evidence may have moved on (a delay of
    two days is three by now); its record stays the one that was made first.
    """
    body = f'{{"customer_id":{encode_basestring(customer_id)},"trigger":"{trigger.value}"}}'
    return hashlib.blake2b(body.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class DecisionRows:
    """A decision as the tables of the store have it; plain values that JSON can carry.

    Attributes:
        decision: Row of `decisions`.
        messages: Rows of `messages`.
    """

    decision: dict[str, object]
    messages: list[dict[str, object]]

    @property
    def key(self) -> str | None:
        """Its idempotency key."""
        key = self.decision["idempotency_key"]
        return None if key is None else str(key)

    @property
    def decided_at_us(self) -> int:
        """When it was decided."""
        return int(str(self.decision["decided_at_us"]))

    @property
    def request_digest(self) -> str:
        """Of the request under that key."""
        return str(self.decision["request_digest"])


def write_rows(record: Decision, request: DecisionRequest) -> DecisionRows:
    """A decision and its messages as rows."""
    return DecisionRows(_decision_row(record, request), _message_rows(record))


def _decision_row(record: Decision, request: DecisionRequest) -> dict[str, object]:
    return {
        "decision_id": record.decision_id,
        "idempotency_key": record.idempotency_key,
        "request_digest": (
            digest_of(request.customer_id, request.trigger) if request.idempotency_key else None
        ),
        "customer_id": record.customer_id,
        "trigger": record.trigger.value,
        "decided_at_us": to_us(record.decided_at),
        "arm": record.arm.value,
        "send": record.send,
        "reason": record.reason.value,
        "propensity": record.propensity,
        "record": record.model_dump_json(),
        "experiment": record.experiment,
    }


def _write_context(context: BanditContext) -> str:
    return json.dumps({"layout": context.layout, "numbers": context.numbers})


def _message_rows(record: Decision) -> list[dict[str, object]]:
    if record.send_at is None or record.variant is None:
        return []
    context = record.context
    return [
        {
            "message_id": message.message_id,
            "decision_id": record.decision_id,
            "customer_id": record.customer_id,
            "trigger": record.trigger.value,
            "channel": message.channel.value,
            "variant": message.variant,
            "sent_at_us": to_us(record.send_at),
            "arm": record.arm.value,
            "propensity": record.propensity,
            "p_variant": record.variants[record.variant],
            "cost_cents": message.cost_cents,
            "language": None if context is None else context.language,
            "segment": None if context is None else context.segment,
            "context": None if context is None else _write_context(context),
        }
        for message in record.messages
    ]
