"""The service's own decisions as tables that uplift is learned from."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.checks import check_tables
from features.tables import Tables
from features.vocabulary import Arm, Channel, Outcome, Priority, Trigger
from serving.decide import Engine
from serving.online.decided import describe_decision, export_decided, join_decided
from serving.policy.arms import assign_arm
from serving.records import (
    AllowedAction,
    Decision,
    DecisionRequest,
    ModelVersions,
    OutcomeEvent,
    OutcomeState,
    Profile,
    Reason,
)
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from training.datasets.uplift import UpliftDataset, build_uplift_dataset
from training.registry.servable import CHANNELS
from training.uplift.trial import NONE

AS_OF = datetime(2026, 6, 10, 7, tzinfo=UTC)  # of the fixture `snapshot`
N_CUSTOMERS = 60
EMAIL, SMS = (Channel.EMAIL,), (Channel.SMS,)
BOTH = (Channel.SMS, Channel.PUSH)
"""What a delayed parcel is told on, together."""


def record(*channels: Channel, actions: list[tuple[tuple[Channel, ...], float]]) -> Decision:
    return Decision(
        decision_id="d1",
        customer_id="c1",
        trigger=Trigger.DELIVERY_DELAY,
        decided_at=AS_OF,
        arm=Arm.RANDOM,
        send=bool(channels),
        reason=Reason.CHOSEN if channels else Reason.NOTHING_CHOSEN,
        channels=channels,
        propensity=1.0,
        allowed=tuple(AllowedAction(each, None, p, None) for each, p in actions),
        priority=Priority.HIGH,
        cold_start=False,
        models=ModelVersions(),
        policy_version="test",
        feature_hash="none",
        features_as_of=AS_OF,
    )


def decide(engine: Engine, trigger: Trigger, *, at: datetime, prefix: str) -> list[Decision]:
    """About everybody, and about a stranger whom no table holds."""
    ids = [f"c{n:03d}" for n in range(N_CUSTOMERS)]
    requests = [
        DecisionRequest(
            customer_id=i, trigger=trigger, decided_at=at, idempotency_key=f"{prefix}/{i}"
        )
        for i in ids
    ]
    stranger = DecisionRequest(
        customer_id="stranger",
        trigger=trigger,
        decided_at=at,
        profile=Profile(consents=frozenset(Channel)),
    )
    return engine.decide_many([*requests, stranger])


@pytest.fixture
def decided(store: Store, engine_of: Callable[[Snapshot], Engine], snapshot: Snapshot) -> Engine:
    """An engine that made three rounds of decisions by chance, opens of half the messages told."""
    engine = engine_of(snapshot)
    arms = {Arm.LEARNED: 0.2, Arm.RANDOM: 0.6, Arm.RULES: 0.0, Arm.HOLDOUT: 0.2}
    by_chance = engine.settings.model_copy(update={"arms": arms})
    chancy = replace(engine, settings=by_chance, takes_callers_time=True)
    for n, trigger in enumerate((Trigger.PRICE_DROP, Trigger.DELIVERY_DELAY, Trigger.INACTIVITY)):
        records = decide(chancy, trigger, at=AS_OF + timedelta(days=9 * n), prefix=f"round {n}")
        opened = [
            OutcomeEvent(
                message_id=message.message_id,
                outcome=Outcome.OPENED,
                at=each.send_at + timedelta(hours=1),
            )
            for each in records
            if each.send_at is not None
            for message in each.messages
        ][::2]
        assert opened
        assert set(chancy.report(opened)) == {OutcomeState.BOOKED}
    return chancy


def test_probabilities_are_summed_over_hours_by_channel() -> None:
    later = [(EMAIL, 0.1), (EMAIL, 0.3), (SMS, 0.2), ((), 0.4)]
    fact = describe_decision(record(*EMAIL, actions=later))
    assert fact is not None
    assert fact.row["channel"] == "email"
    assert fact.row["p_email"] == pytest.approx(0.4)
    assert fact.row["p_sms"] == pytest.approx(0.2)
    assert fact.row["p_push"] == 0.0
    without = describe_decision(record(actions=later))
    assert without is not None
    assert "channel" not in without.row


def test_refused_decisions_had_no_channel_open() -> None:
    fact = describe_decision(record(actions=[]))
    assert fact is not None
    assert [fact.row[f"p_{channel}"] for channel in Channel] == [0.0] * len(Channel)


@given(weights=st.lists(st.floats(0.0, 1.0), min_size=7, max_size=7), several=st.floats(0.0, 0.99))
def test_probabilities_are_those_given_that_it_is_not_several_channels(
    weights: list[float], several: float
) -> None:
    """Then the rest is the probability of no message, whatever was possible together."""
    total = sum(weights) + 0.01
    nothing = (weights[6] + 0.01) / total * (1.0 - several)
    singles = [(each / total) * (1.0 - several) for each in weights[:6]]
    options = [(c,) for c in Channel] + [EMAIL]
    actions = [*zip(options, singles, strict=True), (BOTH, several), ((), nothing)]
    fact = describe_decision(record(actions=actions))
    assert fact is not None
    p = [fact.row[f"p_{channel}"] for channel in Channel]
    assert all(isinstance(each, float) and 0.0 <= each <= 1.0 for each in p)
    assert 1.0 - sum(map(float, p)) == pytest.approx(nothing / (1.0 - several), abs=1e-9)
    assert describe_decision(record(*BOTH, actions=actions)) is None


def test_uplift_learns_from_what_the_service_decided(
    decided: Engine, store: Store, tables: Tables
) -> None:
    log = export_decided(store)
    joined = join_decided(log, tables)
    together = {**tables, **joined.tables}
    checked = check_tables(together, as_of=AS_OF + timedelta(days=60))
    assert not checked.violations
    assert log.n_several > 0
    assert joined.n_left_out["decisions"] > 0
    n_kept = len(joined.tables["decisions"])
    assert n_kept + log.n_several + joined.n_left_out["decisions"] == 3 * (N_CUSTOMERS + 1)

    dataset = build_uplift_dataset(together, known_until=AS_OF + timedelta(days=60))

    assert isinstance(dataset, UpliftDataset)
    assert dataset.randomised
    assert set(dataset.trial.treatment) > {NONE, CHANNELS.index(Channel.SMS)}
    rows = joined.tables["decisions"]
    by_chance = rows["arm"].isin([Arm.RANDOM, Arm.LEARNED])
    possible = rows.filter(like="p_").sum(axis=1) > 0
    assert len(dataset.moments) == (by_chance & possible).sum()
    assert Arm.HOLDOUT in set(rows["arm"])
    assert dataset.noticed.any()
    assert not dataset.noticed[dataset.trial.treatment == NONE].any()
    assert _matches_the_arms(rows, decided)


def _matches_the_arms(rows: pd.DataFrame, engine: Engine) -> bool:
    return all(
        arm
        == assign_arm(
            customer_id,
            experiment=engine.settings.experiment,
            shares=engine.settings.arms,
            priority=Priority.HIGH,
        )
        for customer_id, arm in zip(rows["customer_id"], rows["arm"], strict=True)
    )


def test_chance_took_each_channel_as_often_as_the_table_says(decided: Engine, store: Store) -> None:
    """Counts of the random arm lie within four deviations of the sums of their probabilities."""
    for n in range(3, 12):
        decide(
            decided,
            (Trigger.PRICE_DROP, Trigger.DELIVERY_DELAY)[n % 2],
            at=AS_OF + timedelta(days=9 * n),
            prefix=f"round {n}",
        )
    rows = export_decided(store).tables["decisions"]
    rows = rows[(rows["arm"] == Arm.RANDOM) & (rows.filter(like="p_").sum(axis=1) > 0)]
    assert len(rows) > 200
    p = {channel: rows[f"p_{channel}"].to_numpy() for channel in Channel}
    p_nothing = 1.0 - np.sum(list(p.values()), axis=0)
    taken = {channel: (rows["channel"] == channel).sum() for channel in Channel}
    _assert_close(int(rows["channel"].isna().sum()), p_nothing)
    for channel in Channel:
        _assert_close(int(taken[channel]), p[channel])


def _assert_close(n: int, p: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    assert abs(n - p.sum()) < 4.0 * np.sqrt((p * (1.0 - p)).sum()) + 1e-9


def test_joined_twice_adds_nothing(decided: Engine, store: Store, tables: Tables) -> None:
    assert decided.settings.arms[Arm.RANDOM] == 0.6
    log = export_decided(store)
    once = join_decided(log, tables)
    twice = join_decided(log, {**tables, **once.tables})
    assert once.n_added["decisions"] > 0 < once.n_added["outcomes"]
    assert twice.n_added == {"decisions": 0, "messages": 0, "outcomes": 0}
    for name, frame in once.tables.items():
        pd.testing.assert_frame_equal(twice.tables[name], frame)


def test_messages_that_are_not_sent_yet_are_left_out(
    store: Store, engine_of: Callable[[Snapshot], Engine], snapshot: Snapshot
) -> None:
    records = decide(engine_of(snapshot), Trigger.PRICE_DROP, at=AS_OF, prefix="now")
    planned = [m for r in records for m in r.messages if r.send_at and r.send_at > AS_OF]
    log = export_decided(store)
    assert log.n_to_come == len(planned) > 0
    assert (log.tables["messages"]["sent_at"] <= AS_OF).all()
    assert len(log.tables["decisions"]) == len(records)


def test_messages_that_were_cancelled_in_time_were_not_sent(
    store: Store, engine_of: Callable[[Snapshot], Engine], snapshot: Snapshot
) -> None:
    engine = replace(engine_of(snapshot), takes_callers_time=True)
    sent = [
        message.message_id
        for each in decide(engine, Trigger.PRICE_DROP, at=AS_OF, prefix="first")
        if each.send_at is not None and each.send_at > AS_OF
        for message in each.messages
    ]
    with store.transaction() as session:
        session.cancel(sent[:3], at=AS_OF)
    decide(engine, Trigger.DELIVERY_DELAY, at=AS_OF + timedelta(days=9), prefix="later")
    exported = set(export_decided(store).tables["messages"]["message_id"])
    assert exported.isdisjoint(sent[:3])
    assert set(sent[3:]) <= exported


def test_nothing_decided_is_three_empty_tables(store: Store, tables: Tables) -> None:
    joined = join_decided(export_decided(store), tables)
    assert [len(frame) for frame in joined.tables.values()] == [0, 0, 0]
