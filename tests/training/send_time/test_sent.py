from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from training.registry.servable import CHANNELS
from training.send_time.sent import read_sent

BEGINS = datetime(2026, 3, 20, tzinfo=UTC)
ENDS = BEGINS + timedelta(days=30)
CUSTOMERS = np.array(["ann", "bob"], dtype=object)


def tables(
    sent_at: list[str], *, opened: list[tuple[int, str, bool]], arms: list[str] | None = None
) -> dict[str, pd.DataFrame]:
    """Messages m0, m1, ... to bob in Berlin; opened: number, moment, by a machine."""
    n = len(sent_at)
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": ["ann", "bob"],
                "signed_up_at": pd.to_datetime(["2025-01-01T00:00Z"] * 2),
                "timezone": ["Asia/Almaty", "Europe/Berlin"],
            }
        ),
        "messages": pd.DataFrame(
            {
                "message_id": [f"m{at}" for at in range(n)],
                "customer_id": ["bob"] * n,
                "trigger": ["price_drop"] * n,
                "channel": ["sms"] * n,
                "sent_at": pd.to_datetime(sent_at, utc=True),
                "arm": arms or ["random"] * n,
            }
        ),
        "outcomes": pd.DataFrame(
            {
                "message_id": [f"m{at}" for at, _, _ in opened],
                "outcome": ["opened"] * len(opened),
                "at": pd.to_datetime([at for _, at, _ in opened], utc=True),
                "machine": [machine for _, _, machine in opened],
            }
        ),
    }


def test_hour_is_that_of_the_wall_before_and_after_the_clock_changes() -> None:
    # Berlin goes from UTC+1 to UTC+2 on Sunday, 29 March 2026, at 1:00 UTC.
    moments = ["2026-03-29T00:30Z", "2026-03-29T01:30Z", "2026-03-30T10:00Z"]
    sent = read_sent(tables(moments, opened=[]), customers=CUSTOMERS, begins=BEGINS, ends=ENDS)
    assert sent.week_hour.tolist() == [6 * 24 + 1, 6 * 24 + 3, 12]
    assert sent.row.tolist() == [1, 1, 1]
    assert sent.channel.tolist() == [CHANNELS.index("sms")] * 3


def test_what_machines_open_and_what_is_opened_after_a_week_was_not_read() -> None:
    moments = ["2026-03-22T12:00Z"] * 3
    opened = [
        (0, "2026-03-22T12:01Z", True),
        (0, "2026-03-22T15:00Z", False),
        (0, "2026-03-23T15:00Z", False),
        (1, "2026-03-22T12:01Z", True),
        (2, "2026-03-29T13:00Z", False),
    ]
    sent = read_sent(tables(moments, opened=opened), customers=CUSTOMERS, begins=BEGINS, ends=ENDS)
    assert sent.is_read.tolist() == [True, False, False]
    assert sent.read_after_hours[0] == pytest.approx(3.0)


def test_only_messages_whose_week_is_over_are_read_and_arms_are_told_apart() -> None:
    moments = ["2026-03-19T12:00Z", "2026-03-25T12:00Z", "2026-04-12T00:00Z", "2026-04-12T01:00Z"]
    arms = ["random", "rules", "random", "random"]
    sent = read_sent(
        tables(moments, opened=[], arms=arms), customers=CUSTOMERS, begins=BEGINS, ends=ENDS
    )
    assert sent.by_chance.tolist() == [False, True]


def test_log_without_messages_is_empty() -> None:
    only = {"customers": tables([], opened=[])["customers"]}
    sent = read_sent(only, customers=CUSTOMERS, begins=BEGINS, ends=ENDS)
    assert len(sent.row) == 0
    assert not sent.is_read.any()
