"""Requests of the cases that were found."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from serving.requests import requests_of

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
