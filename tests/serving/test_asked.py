"""What a request may not hold is refused by name, not by a failure further on."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from serving.records import DecisionRequest, OutcomeEvent

OUTCOME = {"message_id": "m", "outcome": "clicked", "at": "2026-06-10T09:30:00+05:00"}
REQUEST = {"customer_id": "c", "trigger": "price_drop"}


@pytest.mark.parametrize(
    ("kind", "body", "field", "expected"),
    [
        (OutcomeEvent, OUTCOME | {"value_cents": 2**63}, "value_cents", "less than or equal"),
        (OutcomeEvent, OUTCOME | {"at": "0001-01-01T00:00:00+05:00"}, "at", "between the years"),
        (OutcomeEvent, OUTCOME | {"at": "9999-12-31T23:59:59-05:00"}, "at", "between the years"),
        (OutcomeEvent, OUTCOME | {"message_id": "m\0"}, "message_id", "character NUL"),
        (DecisionRequest, REQUEST | {"customer_id": "a\0b"}, "customer_id", "character NUL"),
        (DecisionRequest, REQUEST | {"idempotency_key": "\0"}, "idempotency_key", "NUL"),
    ],
)
def test_request_names_what_no_store_can_hold(
    kind: type[BaseModel], body: dict[str, Any], field: str, expected: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(body)
    (fault,) = refused.value.errors()
    assert fault["loc"] == (field,)
    assert expected in fault["msg"]
