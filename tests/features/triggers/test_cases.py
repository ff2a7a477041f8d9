"""What all cases have in common: shape, order, keys, expiry, and predictions."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.contracts import CONTRACTS
from features.errors import BadInputError
from features.table_files import TableFiles
from features.tables import known_before
from features.triggers import CASES, TriggerSettings, find_triggers, write_triggers
from features.triggers.cases import RULES
from features.triggers.rules import write_shared
from features.vocabulary import Trigger
from training.world.simulated import SimulatedWorld

NOW = datetime(2026, 3, 10, 20, 30, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
T = Trigger

Row = Mapping[str, object]
Rows = Mapping[str, Sequence[Row]]
Frames = dict[str, pd.DataFrame]
MakeTable = Callable[..., pd.DataFrame]
MakeTables = Callable[..., Frames]


def late_orders(*names: str, late_at: datetime = NOW - DAY, **more: Sequence[Row]) -> Rows:
    """Orders promised for this moment, each five days late since `late_at`."""
    return {
        "orders": [
            {"order_id": o, "tracking_id": o, "ordered_at": NOW - 9 * DAY, "promised_at": NOW}
            for o in names
        ],
        "shipments": [
            {"tracking_id": o, "updated_at": late_at, "estimated_at": NOW + 5 * DAY} for o in names
        ],
        **more,
    }


def find(tables: Frames, trigger: Trigger, *, at: datetime = NOW) -> pd.DataFrame:
    cases = find_triggers(tables, as_of=at)
    return cases.loc[cases["trigger"] == trigger].reset_index(drop=True)


def test_cases_are_sorted_and_pass_their_check(
    make_table: MakeTable, make_tables: MakeTables
) -> None:
    down = {"disruption_id": "d", "region": "north", "service": "internet", "starts_at": NOW - TICK}
    cart = {"kind": "cart_add", "at": NOW - 8 * DAY, "item": "tea"}
    tables = make_tables(late_orders("o", disruptions=[down], activity=[cart]))
    tables["customers"] = pd.concat(
        [make_table("customers", {"customer_id": "0", "region": "north"}), tables["customers"]]
    )
    cases = find_triggers(tables, as_of=NOW)
    CASES.validate(cases)
    assert list(zip(cases["trigger"], cases["customer_id"], strict=True)) == [
        ("delivery_delay", "a"),
        ("order_shipped", "a"),
        ("service_disruption", "0"),
        ("service_disruption", "a"),
        ("inactivity", "a"),
    ]


def test_no_cases_are_a_frame_too(make_tables: MakeTables) -> None:
    cases = find_triggers(make_tables({}), as_of=NOW)
    assert cases.empty
    CASES.validate(cases)


def test_strangers_and_customers_to_come_have_no_cases(make_tables: MakeTables) -> None:
    rows = late_orders("o")
    assert find(make_tables(rows, customer_id="b"), T.DELIVERY_DELAY).empty
    assert find(make_tables(rows, signed_up_at=pd.Timestamp(NOW)), T.DELIVERY_DELAY).empty


def test_find_triggers_refuses_a_naive_moment(make_tables: MakeTables) -> None:
    with pytest.raises(BadInputError, match="no time zone"):
        find_triggers(make_tables({}), as_of=NOW.replace(tzinfo=None))


def test_find_triggers_names_a_time_zone_that_does_not_exist(make_tables: MakeTables) -> None:
    with pytest.raises(BadInputError, match=r"customers.timezone: 'Mars/Phobos'"):
        find_triggers(make_tables(late_orders("o"), timezone="Mars/Phobos"), as_of=NOW)


def test_a_message_about_one_order_does_not_silence_another(make_tables: MakeTables) -> None:
    before = find(make_tables(late_orders("o1", "o2")), T.DELIVERY_DELAY)
    assert before["subject"].to_list() == ["o1", "o2"]
    sent = {"message_id": "m", "trigger": T.DELIVERY_DELAY, "sent_at": NOW - HOUR}
    keyed = late_orders("o1", "o2", messages=[{**sent, "case_key": before["key"][0]}])
    assert find(make_tables(keyed), T.DELIVERY_DELAY)["subject"].to_list() == ["o2"]
    unkeyed = late_orders("o1", "o2", messages=[sent])
    assert find(make_tables(unkeyed), T.DELIVERY_DELAY).empty


def test_a_problem_keeps_its_key_and_a_new_one_has_another(make_tables: MakeTables) -> None:
    tables = make_tables(late_orders("o", late_at=NOW - 3 * DAY))
    keys = {find(tables, T.DELIVERY_DELAY, at=NOW + n * DAY)["key"][0] for n in (-2, 0, 4)}
    assert len(keys) == 1
    updates = ((NOW - 2 * DAY, NOW), (NOW - DAY, NOW + 6 * DAY))  # in time, and late again
    more = [{"tracking_id": "o", "updated_at": a, "estimated_at": b} for a, b in updates]
    rows = late_orders("o", late_at=NOW - 3 * DAY)
    again = make_tables({**rows, "shipments": [*rows["shipments"], *more]})
    told = {"message_id": "m", "trigger": T.DELIVERY_DELAY, "sent_at": NOW - 3 * DAY + HOUR}
    for case_key in (None, *keys):
        again["messages"] = make_tables({"messages": [{**told, "case_key": case_key}]})["messages"]
        second = find(again, T.DELIVERY_DELAY)
        assert len(second) == 1
        assert not set(second["key"]) & keys


def test_what_becomes_known_late_does_not_tell_a_problem_twice(make_tables: MakeTables) -> None:
    rows = late_orders("o", late_at=NOW - 2 * DAY)
    key = find(make_tables(rows), T.DELIVERY_DELAY)["key"][0]
    earlier = {
        "tracking_id": "o",
        "updated_at": NOW - 4 * DAY,
        "estimated_at": NOW + 3 * DAY,
        "known_at": NOW - HOUR,
    }
    sent = {"message_id": "m", "trigger": T.DELIVERY_DELAY, "sent_at": NOW - DAY, "case_key": key}
    tables = make_tables({**rows, "shipments": [*rows["shipments"], earlier], "messages": [sent]})
    assert find(tables, T.DELIVERY_DELAY).empty
    tables["messages"] = tables["messages"].iloc[:0]
    assert find(tables, T.DELIVERY_DELAY)["began_at"].to_list() == [NOW - 4 * DAY]


def test_a_corrected_estimate_takes_the_delay_back(make_tables: MakeTables) -> None:
    rows = late_orders("o")
    right = {**rows["shipments"][0], "estimated_at": NOW, "known_at": NOW - HOUR}
    tables = make_tables({**rows, "shipments": [*rows["shipments"], right]})
    assert find(tables, T.DELIVERY_DELAY).empty
    assert len(find(tables, T.DELIVERY_DELAY, at=NOW - HOUR)) == 1  # not known strictly before


def test_a_delay_ends_with_the_day_of_its_estimate_and_then_names_none(
    make_tables: MakeTables,
) -> None:
    tables = make_tables(late_orders("o"))
    case = find(tables, T.DELIVERY_DELAY).iloc[0]
    assert case["expires_at"] == datetime(2026, 3, 16, tzinfo=UTC) - TICK
    after = find(tables, T.DELIVERY_DELAY, at=datetime(2026, 3, 16, tzinfo=UTC)).iloc[0]
    facts = json.loads(after["evidence"])
    assert "estimated_on" not in facts
    assert (facts["delay_days"], after["key"]) == (5, case["key"])
    assert after["expires_at"] == NOW - DAY + 14 * DAY


PREDICTED = {
    "order_id": ["o", "p", "stranger"],
    "p_late": [0.61, 0.49, 0.9],
    "expected_on": pd.Series([NOW + 5 * DAY, None, None], dtype="datetime64[us, UTC]"),
}


def on_the_way(**more: Sequence[Row]) -> Rows:
    """Two orders promised for tomorrow, of which nobody says that they are late."""
    order = {"ordered_at": NOW - 9 * DAY, "promised_at": NOW + DAY}
    orders = [{**order, "order_id": name, "tracking_id": name} for name in ("o", "p")]
    return {"orders": orders, "shipments": [], **more}


def test_an_order_expected_to_be_late_says_what_is_expected(make_tables: MakeTables) -> None:
    tables, predictions = make_tables(on_the_way()), pd.DataFrame(PREDICTED)
    case = find_triggers(tables, as_of=NOW, predictions=predictions).iloc[0]
    assert (case["subject"], case["urgency"]) == ("o", "predicted")
    assert json.loads(case["evidence"]) == {
        "order_id": "o",
        "promised_on": "2026-03-11",
        "urgency": "predicted",
        "late_percent": 61,
        "expected_on": "2026-03-15",
    }
    assert case["began_at"] == NOW - 9 * DAY
    assert case["expires_at"] == NOW + DAY - TICK
    assert find_triggers(tables, as_of=NOW).empty
    passed = find_triggers(tables, as_of=NOW + DAY, predictions=predictions)
    assert T.DELIVERY_DELAY not in set(passed["trigger"])


def test_an_expected_delay_is_told_once_and_again_when_it_happens(make_tables: MakeTables) -> None:
    predictions = pd.DataFrame(PREDICTED)
    key = find_triggers(make_tables(on_the_way()), as_of=NOW, predictions=predictions)["key"][0]
    sent = {"message_id": "m", "trigger": T.DELIVERY_DELAY, "sent_at": NOW, "case_key": key}
    told = make_tables(on_the_way(messages=[sent]))
    assert find_triggers(told, as_of=NOW + HOUR, predictions=predictions).empty
    late = {"tracking_id": "o", "updated_at": NOW + HOUR, "estimated_at": NOW + 4 * DAY}
    told["shipments"] = make_tables({"shipments": [late]})["shipments"]
    then = find_triggers(told, as_of=NOW + 2 * HOUR, predictions=predictions)
    delays = then.loc[then["trigger"] == T.DELIVERY_DELAY]
    assert delays["urgency"].to_list() == ["moderate"]
    assert not set(delays["key"]) & {key}


def test_predictions_of_another_shape_are_refused(make_tables: MakeTables) -> None:
    wrong = pd.DataFrame({**PREDICTED, "p_late": [0.5, 0.5, 1.5]})
    with pytest.raises(BadInputError, match="predictions of late deliveries"):
        find_triggers(make_tables(on_the_way()), as_of=NOW, predictions=wrong)


def test_one_customer_alone_has_the_same_cases_as_among_all(
    draw_history: Callable[..., Frames],
) -> None:
    full = draw_history(3, around=NOW)
    together = find_triggers(full, as_of=NOW)
    for customer_id in sorted(together["customer_id"].unique())[:3]:
        alone = dict(full)
        for name, frame in full.items():
            if "customer_id" in CONTRACTS[name].key or name in ("activity", "orders", "messages"):
                alone[name] = frame.loc[frame["customer_id"] == customer_id].reset_index(drop=True)
        own = together.loc[together["customer_id"] == customer_id].reset_index(drop=True)
        pd.testing.assert_frame_equal(find_triggers(alone, as_of=NOW), own)
        assert len(own)


def test_cases_hold_until_they_expire_with_the_same_key(
    draw_history: Callable[..., Frames],
) -> None:
    """Where nothing more becomes known, a case is found at its last moment and not after it."""
    checked = set()
    for seed in (1,):
        known = known_before(draw_history(seed, around=NOW), pd.Timestamp(NOW))
        cases = find_triggers(known, as_of=NOW)
        assert (cases["expires_at"] >= NOW).all()
        assert (cases["began_at"] < NOW).all()
        for case in cases.groupby("trigger").head(1).itertuples():
            last = find_triggers(known, as_of=case.expires_at.to_pydatetime())
            after = find_triggers(known, as_of=case.expires_at.to_pydatetime() + TICK)
            assert case.key in set(last["key"]), case
            later = after.loc[after["key"] == case.key]
            # A delay whose day of estimate is over goes on without it; one cart leaves another.
            if case.trigger != T.DELIVERY_DELAY:
                assert later.empty, case
            checked.add(case.trigger)
    assert len(checked) >= 8


def test_written_cases_are_those_that_are_found(
    draw_history: Callable[..., Frames], tmp_path: Path
) -> None:
    full = draw_history(5, around=NOW)
    files = {}
    for name, frame in full.items():
        files[name] = tmp_path / f"{name}.parquet"
        frame.to_parquet(files[name])
    out = tmp_path / "out" / "cases.parquet"
    assert write_triggers(TableFiles(files), out, as_of=NOW) > 20
    written = pq.read_table(out).to_pandas()
    order = ["trigger", "customer_id", "subject"]
    found = find_triggers(full, as_of=NOW).sort_values(order, ignore_index=True)
    written = written.sort_values(order, ignore_index=True)
    assert list(written) == list(found)
    for name in found:
        assert np.array_equal(
            written[name].astype("object").fillna(""), found[name].astype("object").fillna("")
        )
    assert list((tmp_path / "out").iterdir()) == [out]


def test_companies_with_customers_alone_write_no_cases(
    make_tables: MakeTables, tmp_path: Path
) -> None:
    assert write_triggers(make_tables({}), tmp_path / "cases.parquet", as_of=NOW) == 0
    assert pq.read_table(tmp_path / "cases.parquet").num_rows == 0


def test_every_trigger_found_in_tables_has_one_rule() -> None:
    triggers = [rule.trigger for rule in RULES]
    assert sorted(triggers) == sorted(set(Trigger) - {T.CHURN_RISK, T.INCIDENT_UPDATE})


def test_what_is_left_out_of_activity_no_trigger_would_have_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = SimulatedWorld(seed=6, n_customers=300, days=90)
    tables = world.tables(world.start)
    found = find_triggers(tables, as_of=world.start)

    def write_all(at: int, settings: TriggerSettings) -> dict[str, str]:
        return {**write_shared(at, settings), "recent_activity": "SELECT * FROM activity"}

    monkeypatch.setattr("features.triggers.cases.write_shared", write_all)

    assert found["trigger"].nunique() >= 7
    pd.testing.assert_frame_equal(find_triggers(tables, as_of=world.start), found)
