from datetime import UTC, datetime, timedelta

import pytest

from training.monitoring.freshness import check_freshness
from training.monitoring.status import Status

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "alarm_days", "expected"),
    [
        (0.5, None, Status.OK),
        (3.0, None, Status.WATCH),
        (3_000.0, None, Status.WATCH),
        (0.5, 1.0, Status.OK),
        (1.5, 1.0, Status.ALARM),
        (3.0, 7.0, Status.WATCH),
        (7.0, 7.0, Status.ALARM),
        (-0.5, 0.5, Status.OK),
        (-30.0, None, Status.WATCH),
        (-30.0, 2.0, Status.ALARM),
    ],
)
def test_age_of_the_last_row_is_watched_and_alarms_only_where_somebody_said_from_when(
    days: float, alarm_days: float | None, expected: Status
) -> None:
    last = NOW - timedelta(days=days)
    assert check_freshness(last, now=NOW, alarm_days=alarm_days).status is expected


def test_finding_says_when_the_last_row_became_known() -> None:
    check = check_freshness(NOW - timedelta(days=171.5), now=NOW)

    assert check.findings[0].words == (
        "the last row of any table became known at 2026-01-10 00:00 UTC, 171.5 days before the "
        "clock"
    )
    assert check.findings[0].unit == "days"
    assert "the feed died as a whole" in check.meaning
