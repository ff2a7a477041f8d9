"""Requests of the cases that were found."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from pydantic import ValidationError

from features.vocabulary import Tier, Trigger
from serving.records import DecisionRequest
from serving.requests import at_risk_requests, requests_of

AS_OF = datetime(2026, 5, 4, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_requests_of_leaves_what_has_not_begun_for_the_next_time() -> None:
    began = {"earlier": AS_OF - SECOND, "now": AS_OF, "unknown": None}
    found = pd.DataFrame(
        {
            "customer_id": list(began),
            "trigger": "payment_failure_risk",
            "key": list(began),
            "evidence": "{}",
            "began_at": pd.Series(list(began.values()), dtype="datetime64[us, UTC]"),
            "expires_at": pd.Series([AS_OF + timedelta(days=30)] * 3, dtype="datetime64[us, UTC]"),
        }
    )
    asked = [request.customer_id for request in requests_of(found, as_of=AS_OF)]
    assert asked == ["earlier", "unknown"]
    later = [request.customer_id for request in requests_of(found, as_of=AS_OF + SECOND)]
    assert later == ["earlier", "now", "unknown"]


def test_at_risk_requests_of_two_days_have_two_keys_however_long_the_id() -> None:
    ids = ["x" * n for n in (1, 150, 178, 179, 200)] + ["x" * 199 + "y"]
    days = [AS_OF, AS_OF + timedelta(days=1)]
    asked = [at_risk_requests(ids, [Tier.HIGH] * len(ids), as_of=day) for day in days]
    keys = {request.idempotency_key for day in asked for request in day}
    assert len(keys) == 2 * len(ids)
    again = at_risk_requests(ids, [Tier.HIGH] * len(ids), as_of=AS_OF)
    assert [request.idempotency_key for request in again] == [
        request.idempotency_key for request in asked[0]
    ]


@pytest.mark.parametrize("cents", [-1, 10**15 + 1, 10**400])
def test_amounts_that_no_purchase_has_are_refused(cents: int) -> None:
    with pytest.raises(ValidationError, match="amount_cents"):
        DecisionRequest(customer_id="c", trigger=Trigger.ABANDONED_CART, amount_cents=cents)
