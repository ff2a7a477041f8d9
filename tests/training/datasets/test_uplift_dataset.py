from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.tables import Tables, empty_table
from features.vocabulary import Channel, Trigger
from training.datasets.provenance import NotEnoughData
from training.datasets.uplift import NO_LOG, UpliftDataset, build_uplift_dataset
from training.registry.servable import CHANNELS, TRIGGERS
from training.uplift.reach import count_foreseen
from training.uplift.trial import NONE

CARD = Trigger.PAYMENT_FAILURE_RISK
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNTIL = START + timedelta(days=40)


def frame_of(name: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    empty = empty_table(name)
    return pd.DataFrame(
        {c: pd.Series([row.get(c) for row in rows], dtype=empty[c].dtype) for c in empty}
    )


def decision(number: int, **changed: object) -> dict[str, object]:
    """A decision of the random arm not to write, with two channels open."""
    row: dict[str, object] = {
        "decision_id": f"d{number}",
        "customer_id": f"c{number % 4}",
        "trigger": "price_drop",
        "decided_at": START + timedelta(days=number % 20),
        "arm": "random",
        "channel": None,
        **{f"p_{channel}": 0.0 for channel in Channel},
        "p_email": 0.4,
        "p_sms": 0.4,
    }
    return row | changed


def tables_of(decisions: list[dict[str, object]], **others: list[dict[str, object]]) -> Tables:
    customers: list[dict[str, object]] = [
        {
            "customer_id": f"c{number}",
            "signed_up_at": START - timedelta(days=100),
            "language": "en",
            "timezone": "UTC",
            **{f"consent_{channel}": True for channel in Channel},
        }
        for number in range(4)
    ]
    named = {"customers": customers, "decisions": decisions, **others}
    return {name: frame_of(name, rows) for name, rows in named.items()}


def build(tables: Tables) -> UpliftDataset:
    dataset = build_uplift_dataset(tables, known_until=UNTIL)
    assert isinstance(dataset, UpliftDataset)
    return dataset


def test_only_decisions_that_chance_made_are_rows() -> None:
    sure = {f"p_{channel}": 0.0 for channel in Channel}
    dataset = build(
        tables_of(
            [
                decision(0, channel="email"),
                decision(1),
                decision(2, arm="learned", channel="sms", p_email=0.1, p_sms=0.6),
                decision(3, arm="rules", channel="email", **(sure | {"p_email": 1.0})),
                decision(4, arm="holdout", **sure),
                decision(5, **sure),  # nothing was possible
                decision(6, channel="email", **(sure | {"p_email": 1.0})),  # nothing else was
            ]
        )
    )
    assert dataset.randomised
    trial = dataset.trial
    email, sms = CHANNELS.index(Channel.EMAIL), CHANNELS.index(Channel.SMS)
    assert trial.treatment.tolist() == [email, NONE, sms]
    np.testing.assert_allclose(trial.p_taken, [0.4, 0.2, 0.6])
    assert trial.eligible.sum(axis=1).tolist() == [2, 2, 2]


def test_a_log_without_chance_is_taken_whole_and_says_so() -> None:
    sure = {f"p_{channel}": 0.0 for channel in Channel}
    rows = [
        decision(0, arm="rules", channel="email", **(sure | {"p_email": 1.0})),
        decision(1, arm="rules", **sure),
    ]
    dataset = build(tables_of(rows))
    assert not dataset.randomised
    assert dataset.trial.count_both() == (1, 1)


def test_without_decisions_nothing_is_learned_and_the_reason_is_told() -> None:
    tables = {n: f for n, f in tables_of([]).items() if n != "decisions"}
    found = build_uplift_dataset(tables, known_until=UNTIL)
    assert found == NotEnoughData(NO_LOG)


def test_orders_and_calls_count_for_seven_days_from_the_decision_on() -> None:
    at = START
    orders = [
        {"order_id": "o0", "customer_id": "c0", "ordered_at": at + timedelta(days=6)},
        {"order_id": "o1", "customer_id": "c1", "ordered_at": at + timedelta(days=8, hours=1)},
        {"order_id": "o2", "customer_id": "c2", "ordered_at": at - timedelta(hours=1)},
    ]
    calls = [
        {"ticket_id": "k0", "topic": "delivery_delay", "opened_at": at + timedelta(days=4)},
        {"ticket_id": "k1", "topic": "billing", "opened_at": at + timedelta(days=4)},
    ]
    rows = [
        decision(0, decided_at=at, channel="email"),
        decision(1, decided_at=at),
        decision(2, decided_at=at),
        decision(3, decided_at=at, trigger="delivery_delay", channel="email"),
        decision(4, decided_at=at, trigger="delivery_delay", customer_id="c2"),
    ]
    dataset = build(
        tables_of(
            rows,
            orders=[order | {"amount_cents": 3000} for order in orders],
            tickets=[
                call | {"customer_id": f"c{3 - n}", "escalated": False}
                for n, call in enumerate(calls)
            ],
        )
    )
    # An order in time, too late, before; a call about it is bad, another one does not matter.
    assert dataset.trial.outcome.tolist() == [1.0, 0.0, 0.0, 0.0, 1.0]
    by_trigger = dict(zip(TRIGGERS, dataset.value_cents, strict=True))
    assert by_trigger[TRIGGERS[0]] == pytest.approx(800)
    assert dataset.value_cents[int(dataset.trial.group[0])] == pytest.approx(900)


def test_what_a_machine_opened_was_not_noticed() -> None:
    rows = [decision(n, channel="email", decided_at=START) for n in range(3)] + [decision(3)]
    messages = [
        {
            "message_id": f"m{n}",
            "decision_id": f"d{n}",
            "customer_id": f"c{n}",
            "trigger": "price_drop",
            "channel": "email",
            "sent_at": START + timedelta(hours=2),
            "arm": "random",
            "propensity": 0.1,
            "cost_cents": 0.1,
        }
        for n in range(3)
    ]
    made = [("opened", False), ("opened", True), ("converted", False)]
    outcomes = [
        {"message_id": f"m{n}", "outcome": outcome, "at": START + timedelta(hours=5), "machine": m}
        for n, (outcome, m) in enumerate(made)
    ]
    dataset = build(tables_of(rows, messages=messages, outcomes=outcomes))
    assert dataset.noticed.tolist() == [True, False, False, False]
    assert dataset.booked.tolist() == [False, False, True, False]


def test_decisions_whose_week_is_not_over_are_left_out() -> None:
    late = decision(9, decided_at=UNTIL - timedelta(days=6))
    dataset = build(tables_of([decision(0, channel="email"), decision(1), late]))
    assert len(dataset.moments) == 2


def test_calls_about_what_was_foreseen_count_once_it_has_come() -> None:
    card = {"trigger": "payment_failure_risk", "decided_at": START}
    rows = [
        decision(0, **card, channel="email"),  # calls when the card has expired
        decision(1, **card),  # calls about something else
        decision(2, **card),  # calls long after
        decision(3, **card | {"decided_at": START + timedelta(days=10)}),  # still to come
        decision(4, decided_at=START),  # nothing that comes later
    ]
    calls = [("c0", "payment_failure_risk", 31), ("c1", "app", 31), ("c2", "app", 38)]
    dataset = build(
        tables_of(
            rows,
            tickets=[
                {
                    "ticket_id": customer,
                    "customer_id": customer,
                    "topic": topic,
                    "opened_at": START + timedelta(days=days),
                    "escalated": False,
                }
                for customer, topic, days in calls
            ],
        )
    )

    assert (dataset.trial.outcome[dataset.trial.group == TRIGGERS.index(CARD)] == 1.0).all()
    known = dataset.called_in_the_end[~np.isnan(dataset.called_in_the_end)]
    assert sorted(known.tolist()) == [0.0, 0.0, 1.0]
    callers = dataset.trial.customers[dataset.called_in_the_end == 1.0]
    assert callers.tolist() == ["c0"]


def test_count_foreseen_wants_many_customers_and_nothing_that_came_later() -> None:
    rows = [
        decision(
            n,
            customer_id=f"c{n}",
            trigger=CARD,
            decided_at=START - timedelta(days=40 * (n % 2)),
            channel="email" if n % 3 else None,
        )
        for n in range(220)
    ]
    early = [f"c{n}" for n in range(1, 220, 2)]
    tables = tables_of(
        rows,
        tickets=[
            {
                "ticket_id": name,
                "customer_id": name,
                "topic": CARD,
                "opened_at": START - timedelta(days=8),
                "escalated": False,
            }
            for name in early[:33]
        ],
    )
    dataset = build(tables)

    assert count_foreseen(dataset, until=UNTIL) == {CARD: pytest.approx(33 / 220)}
    assert count_foreseen(dataset, until=START) == {CARD: pytest.approx(33 / 110)}
    assert count_foreseen(dataset, until=START - timedelta(days=10)) == {}
    few = dataset.take(np.arange(220) < 99)
    assert count_foreseen(few, until=UNTIL) == {}
