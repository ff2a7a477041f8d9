from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.checks import require_valid
from features.tables import Tables
from features.vocabulary import Outcome, Trigger
from training.datasets.channel import (
    TARGETS,
    ChannelDataset,
    build_channel_dataset,
    look_up,
    split_channel,
)
from training.datasets.provenance import NotEnoughData
from training.registry.servable import CHANNELS, TRIGGERS

UNTIL = datetime(2026, 3, 20, tzinfo=UTC)


def make_tables(messages: list[dict[str, str]], outcomes: list[dict[str, object]]) -> Tables:
    """Messages of one customer by id, arm, channel and day, with outcomes."""
    sent = pd.DataFrame(messages)
    n = len(messages)
    customers = pd.DataFrame(
        {
            "customer_id": ["c1"],
            "signed_up_at": pd.Timestamp("2025-01-01", tz="UTC"),
            "language": "en",
            "timezone": "UTC",
            **{f"consent_{channel}": True for channel in CHANNELS},
        }
    )
    frame = pd.DataFrame(
        {
            "message_id": sent["id"],
            "decision_id": sent["id"],
            "customer_id": "c1",
            "trigger": "price_drop",
            "channel": sent.get("channel", pd.Series(["email"] * n)),
            "sent_at": pd.to_datetime(sent["on"], utc=True),
            "arm": sent["arm"],
            "propensity": 0.5,
            "cost_cents": 0.1,
        }
    )
    came = pd.DataFrame(outcomes, columns=["message_id", "outcome", "at", "value_cents", "machine"])
    came["at"] = pd.to_datetime(came["at"], utc=True)
    came["machine"] = came["machine"].eq(True)
    return require_valid({"customers": customers, "messages": frame, "outcomes": came})


def build(tables: Tables) -> ChannelDataset:
    dataset = build_channel_dataset(tables, known_until=UNTIL)
    assert isinstance(dataset, ChannelDataset)
    return dataset


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        ({"outcome": "opened", "at": "2026-03-02"}, True),
        ({"outcome": "opened", "at": "2026-03-02", "machine": True}, False),
        ({"outcome": "opened", "at": "2026-03-08"}, False),
        ({"outcome": "clicked", "at": "2026-03-02"}, False),
    ],
    ids=["person", "machine", "after 7 days", "another outcome"],
)
def test_target_is_what_a_person_did_within_seven_days(
    outcome: dict[str, object], counts: bool
) -> None:
    tables = make_tables(
        [{"id": "m1", "on": "2026-03-01", "arm": "random"}], [{"message_id": "m1", **outcome}]
    )
    assert build(tables).targets[Outcome.OPENED].tolist() == [counts]


def test_young_message_is_dropped_even_if_its_outcome_is_known() -> None:
    tables = make_tables(
        [
            {"id": "young", "on": "2026-03-14", "arm": "random"},
            {"id": "old", "on": "2026-03-13", "arm": "random"},
        ],
        [{"message_id": "young", "outcome": "opened", "at": "2026-03-15"}],
    )
    dataset = build(tables)
    assert dataset.moments.tolist() == [datetime(2026, 3, 13)]


def test_arms_without_chance_are_left_out() -> None:
    arms = ("random", "rules", "learned")
    tables = make_tables(
        [{"id": arm, "on": f"2026-03-0{day}", "arm": arm} for day, arm in enumerate(arms, 1)], []
    )
    dataset = build(tables)
    assert len(dataset.customers) == 2
    assert dataset.randomised


def test_log_without_chance_is_taken_and_said_to_be_so() -> None:
    dataset = build(make_tables([{"id": "m1", "on": "2026-03-01", "arm": "rules"}], []))
    assert len(dataset.customers) == 1
    assert not dataset.randomised


def test_features_are_of_the_moment_of_sending() -> None:
    tables = make_tables(
        [
            {"id": "m1", "on": "2026-03-01", "arm": "random", "channel": "sms"},
            {"id": "m2", "on": "2026-03-05", "arm": "random", "channel": "push"},
        ],
        [{"message_id": "m1", "outcome": "opened", "at": "2026-03-04"}],
    )
    dataset = build(tables)
    column = dataset.provenance.signature.names.index("messages_30d")
    assert dataset.X[:, column].tolist() == [0.0, 1.0]
    assert [CHANNELS[i] for i in dataset.channel] == ["sms", "push"]
    assert {TRIGGERS[i] for i in dataset.trigger} == {Trigger.PRICE_DROP}


def test_value_is_of_the_conversion_and_null_where_unknown() -> None:
    tables = make_tables(
        [{"id": f"m{i}", "on": "2026-03-01", "arm": "random"} for i in range(3)],
        [
            {"message_id": "m0", "outcome": "converted", "at": "2026-03-02", "value_cents": 700},
            {"message_id": "m1", "outcome": "converted", "at": "2026-03-02"},
        ],
    )
    dataset = build(tables)
    np.testing.assert_array_equal(dataset.value_cents, [700.0, np.nan, np.nan])
    assert dataset.targets[Outcome.CONVERTED].tolist() == [True, True, False]


def test_of_a_customer_that_was_corrected_the_last_version_is_looked_up() -> None:
    tables = make_tables([{"id": "m1", "on": "2026-03-01", "arm": "random"}], [])
    first = tables["customers"].assign(segment="new")
    later = first.assign(segment="loyal", known_at=pd.Timestamp("2026-02-01", tz="UTC"))
    for versions in ([first, later], [later, first]):
        both = {**tables, "customers": pd.concat(versions, ignore_index=True)}
        assert look_up("segment", both, ids=pd.Series(["c1"])).tolist() == ["loyal"]


def test_no_messages_and_only_young_ones_are_not_enough() -> None:
    tables = make_tables([{"id": "m1", "on": "2026-03-19", "arm": "random"}], [])
    verdict = build_channel_dataset(tables, known_until=UNTIL)
    assert isinstance(verdict, NotEnoughData)
    assert "older than 7 days" in verdict.reason
    nothing = build_channel_dataset({"customers": tables["customers"]}, known_until=UNTIL)
    assert isinstance(nothing, NotEnoughData)
    assert "no messages" in nothing.reason


def test_split_of_a_few_days_is_not_enough() -> None:
    days = [f"2026-03-{day:02d}" for day in range(1, 12)]
    dataset = build(make_tables([{"id": d, "on": d, "arm": "random"} for d in days], []))
    verdict = split_channel(dataset)
    assert isinstance(verdict, NotEnoughData)
    assert "too few days" in verdict.reason


def test_split_of_the_shop_leaves_a_week_between_its_parts(
    shop_tables: Tables, shop_end: datetime
) -> None:
    dataset = build_channel_dataset(shop_tables, known_until=shop_end)
    assert isinstance(dataset, ChannelDataset)
    assert set(dataset.targets) == set(TARGETS)
    split = split_channel(dataset)
    assert not isinstance(split, NotEnoughData)
    week = np.timedelta64(timedelta(days=7))
    parts = [dataset.moments[rows] for rows in (split.train, split.calibration, split.test)]
    assert parts[0].max() + week <= parts[1].min()
    assert parts[1].max() + week <= parts[2].min()
    assert len(parts[0]) > len(parts[2]) > 0


def test_without_reports_of_delivery_what_did_not_bounce_was_delivered() -> None:
    sent = [{"id": f"m{i}", "on": "2026-03-01", "arm": "random"} for i in range(3)]
    bounced = {"message_id": "m0", "outcome": "bounced", "at": "2026-03-01"}
    assert build(make_tables(sent, [bounced])).targets[Outcome.DELIVERED].tolist() == [
        False,
        True,
        True,
    ]
    reported = {"message_id": "m1", "outcome": "delivered", "at": "2026-03-01"}
    found = build(make_tables(sent, [bounced, reported])).targets[Outcome.DELIVERED]
    assert found.tolist() == [False, True, False]


def test_rows_know_local_hour_and_group_of_the_customer() -> None:
    tables = make_tables([{"id": "m1", "on": "2026-03-01 22:30", "arm": "random"}], [])
    customers = tables["customers"].assign(timezone="Asia/Almaty", segment="student")
    dataset = build(require_valid({**tables, "customers": customers}))
    assert dataset.hour.tolist() == [3]
    assert dataset.segments.tolist() == ["student"]
    assert dataset.languages.tolist() == ["en"]
    unknown = build(require_valid({**tables, "customers": customers.drop(columns="segment")}))
    assert unknown.segments.tolist() == [None]


@pytest.mark.parametrize(
    ("ticket", "counts"),
    [
        ({"opened_at": "2026-03-03", "topic": "price_drop"}, True),
        ({"opened_at": "2026-03-03", "topic": "billing"}, False),
        ({"opened_at": "2026-02-27", "topic": "price_drop"}, False),
        ({"opened_at": "2026-03-09", "topic": "price_drop"}, False),
    ],
    ids=["about it", "about something else", "before", "after 7 days"],
)
def test_calls_about_the_trigger_are_counted(ticket: dict[str, str], counts: bool) -> None:
    tables = make_tables([{"id": "m1", "on": "2026-03-01", "arm": "random"}], [])
    tickets = pd.DataFrame(
        {
            "ticket_id": ["t1"],
            "customer_id": ["c1"],
            "opened_at": pd.to_datetime([ticket["opened_at"]], utc=True),
            "resolved_at": pd.to_datetime([None], utc=True),
            "escalated": [False],
            "topic": [ticket["topic"]],
        }
    )
    dataset = build(require_valid({**tables, "tickets": tickets}))
    assert dataset.called.tolist() == [counts]


def test_monthly_revenue_is_of_orders_and_running_subscriptions() -> None:
    tables = make_tables([{"id": "m1", "on": "2026-03-01", "arm": "random"}], [])
    orders = pd.DataFrame(
        {
            "order_id": ["old", "new", "later"],
            "customer_id": "c1",
            "tracking_id": None,
            "ordered_at": pd.to_datetime(["2025-12-01", "2026-03-01", "2026-03-25"], utc=True),
            "promised_at": pd.to_datetime([None] * 3, utc=True),
            "delivered_at": pd.to_datetime([None] * 3, utc=True),
            "amount_cents": [9_000, 3_000, 6_000],
        }
    )
    dataset = build(require_valid({**tables, "orders": orders}))
    assert dataset.monthly_cents == pytest.approx(1_000.0)
    assert build(tables).monthly_cents == 0.0
