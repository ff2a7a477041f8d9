"""One customer's state: the order of facts, what waits, what is forgotten, and its bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.churn import CHURN_FEATURES
from features.declared.hours import PRESENCE
from features.engagement import ENGAGEMENT_FEATURES
from features.errors import BadInputError, ConflictError, IncompatibleModelError
from features.online import CustomerState, Fact, Layout, compile_layout
from features.online.columns import ColumnReader, ColumnWriter
from features.online.state import MOST_WAITING
from features.point_in_time.spine import MICROS_PER_DAY

DAY = MICROS_PER_DAY
NOON = 20_000 * DAY + DAY // 2


def order(order_id: str, at: int, cents: int, *, of: str = "c", told: int | None = None) -> Fact:
    cells = {"order_id": order_id, "customer_id": of, "ordered_at": at, "amount_cents": cents}
    return Fact("orders", cells, told)


def message(at: int) -> Fact:
    cells = {"message_id": "m", "customer_id": "c", "sent_at": at, "channel": "push"}
    return Fact("messages", {**cells, "trigger": "inactivity"})


def outcome(at: int, *, what: str = "opened", told: int | None = None) -> Fact:
    cells = {"message_id": "m", "outcome": what, "at": at, "machine": False}
    return Fact("outcomes", cells, told)


def login(at: int, *, told: int | None = None, event_id: str | None = None) -> Fact:
    cells = {"customer_id": "c", "at": at, "kind": "login", "event_id": event_id}
    return Fact("activity", cells, told)


def number(state: CustomerState, name: str, *, at: int) -> float:
    for features in (CHURN_FEATURES, ENGAGEMENT_FEATURES):
        if name in features.names:
            return float(state.features(at, features)[features.names.index(name)])
    raise KeyError(name)


@pytest.fixture
def state(layout: Layout) -> CustomerState:
    return CustomerState(layout, "c")


def test_a_fact_shows_from_the_microsecond_after_it_was_told(state: CustomerState) -> None:
    state.apply(login(NOON))
    assert number(state, "logins_7d", at=NOON) == 0.0
    assert number(state, "logins_7d", at=NOON + 1) == 1.0
    assert number(state, "logins_7d", at=NOON) == 0.0  # reading changes nothing
    assert number(state, "logins_7d", at=NOON + 30 * DAY) == 0.0
    assert number(state, "logins_7d", at=NOON + 1) == 1.0


def test_a_fact_of_the_future_waits_for_its_moment(state: CustomerState) -> None:
    state.apply(login(NOON + 2 * DAY, told=NOON))
    state.apply(login(NOON, told=NOON + 1))
    assert number(state, "logins_7d", at=NOON + DAY) == 1.0
    assert number(state, "logins_7d", at=NOON + 2 * DAY + 1) == 2.0
    assert number(state, "logins_7d", at=NOON + DAY) == 1.0


def test_facts_told_before_the_last_one_are_refused(state: CustomerState) -> None:
    state.apply(login(NOON))
    with pytest.raises(ConflictError, match=rf"activity was told at {NOON - 1}, expected not befo"):
        state.apply(login(NOON - 1))
    state.apply(login(NOON - 1, told=NOON))
    assert number(state, "logins_7d", at=NOON + 1) == 2.0


def test_moments_before_the_last_fact_are_refused(state: CustomerState) -> None:
    state.apply(login(NOON))
    for read in (lambda: state.features(NOON - 1, CHURN_FEATURES), lambda: state.hours(NOON - 1)):
        with pytest.raises(BadInputError, match=f"cannot say what was known at {NOON - 1}"):
            read()


def test_more_waiting_facts_than_allowed_are_refused(state: CustomerState) -> None:
    for _ in range(MOST_WAITING):
        state.apply(login(NOON + DAY, told=NOON))
    with pytest.raises(ConflictError, match="1024 facts wait"):
        state.apply(login(NOON + DAY, told=NOON))


def test_facts_whose_moment_has_come_wait_no_longer(state: CustomerState) -> None:
    for _ in range(MOST_WAITING):
        state.apply(login(NOON + DAY, told=NOON))
    state.apply(login(NOON + 2 * DAY, told=NOON + 2 * DAY))
    assert len(state.waiting) == 1


def test_a_settled_state_has_nothing_to_fold(state: CustomerState) -> None:
    state.apply(login(NOON))
    state.settle()
    assert state.waiting == ()
    assert state.known_us == NOON + 1
    assert number(state, "logins_7d", at=NOON + 1) == 1.0
    CustomerState(state.layout, "new").settle()


def test_an_outcome_before_its_message_waits_for_it(state: CustomerState) -> None:
    state.apply(outcome(NOON))
    assert number(state, "opened_7d", at=NOON + 5) == 0.0
    state = CustomerState.from_bytes(state.to_bytes(), layout=state.layout)
    state.apply(message(NOON + 10))
    assert number(state, "opened_7d", at=NOON + 10) == 0.0
    assert number(state, "push_opened_7d", at=NOON + 11) == 1.0
    assert number(state, "days_since_last_opened", at=NOON + 11) == 1 / DAY


def test_the_first_outcome_counts_once_and_may_become_known_later(state: CustomerState) -> None:
    for fact in (
        message(NOON),
        outcome(NOON + 9),
        outcome(NOON + 10),
        outcome(NOON + 4, told=NOON + 20),
    ):
        state.apply(fact)
    assert number(state, "opened_7d", at=NOON + 50) == 1.0
    assert number(state, "days_since_last_opened", at=NOON + 20) == 11 / DAY
    assert number(state, "days_since_last_opened", at=NOON + 24) == 20 / DAY


def test_a_later_version_holds_and_may_move_to_another_customer(state: CustomerState) -> None:
    state.apply(order("o", NOON, 500))
    state.apply(order("o", NOON, 700, told=NOON + 5))
    assert number(state, "order_cents_30d", at=NOON + 5) == 500.0
    assert number(state, "order_cents_30d", at=NOON + 6) == 700.0
    state.apply(order("o", NOON, 700, of="d", told=NOON + 9))
    assert number(state, "orders_30d", at=NOON + 10) == 0.0


def test_an_event_that_comes_again_counts_once(state: CustomerState) -> None:
    for told in (NOON, NOON + 80 * DAY):
        state.apply(login(NOON, told=told, event_id="e"))
        state = CustomerState.from_bytes(state.to_bytes(), layout=state.layout)
    state.settle()
    assert number(state, "logins_90d", at=NOON + 81 * DAY) == 1.0


def test_old_rows_of_usage_and_old_tiles_are_forgotten(state: CustomerState) -> None:
    for day in range(400):
        at = NOON + day * DAY
        state.apply(login(at, event_id=f"e{day}"))
        state.apply(Fact("usage", {"customer_id": "c", "at": at, "used": float(day)}))
        state.apply(Fact("subscriptions", {
            "customer_id": "c", "valid_from": at, "mrr_cents": day, "status": "active"
        }))  # fmt: skip
    state.settle()
    assert state.rows.n == 1 + 92  # one of usage; subscriptions of 90 days, and one before
    assert state.tiles.n <= 93
    assert len(state.tiles.seen) <= 93
    assert number(state, "mrr_cents_90d_ago", at=NOON + 400 * DAY) == 309.0
    assert len(state.to_bytes()) < 8_000


def test_features_of_tables_that_are_not_there_are_null(state: CustomerState) -> None:
    names = CHURN_FEATURES.names
    numbers = state.features(NOON, CHURN_FEATURES, present=frozenset({"activity", "customers"}))
    assert numbers[names.index("logins_7d")] == 0.0
    assert np.isnan(numbers[names.index("orders_30d")])


def test_bytes_of_another_layout_are_refused(state: CustomerState) -> None:
    other = compile_layout((ENGAGEMENT_FEATURES,), histogram=PRESENCE)
    with pytest.raises(IncompatibleModelError, match=f"the running one is {other.digest}"):
        CustomerState.from_bytes(state.to_bytes(), layout=other)


def test_bytes_that_are_no_state_or_end_too_early_are_refused(state: CustomerState) -> None:
    state.apply(login(NOON))
    blob = state.to_bytes()
    for wrong in (b"", b"pickle", blob[:30], blob[: len(blob) // 2], blob[:-1]):
        with pytest.raises(BadInputError, match="stored state"):
            CustomerState.from_bytes(wrong, layout=state.layout)


def test_a_number_beyond_what_sums_can_hold_is_refused(state: CustomerState) -> None:
    cells = {"customer_id": "c", "at": NOON, "kind": "session", "value": 1e13}
    state.apply(Fact("activity", cells))
    with pytest.raises(BadInputError, match="beyond 9e12"):
        number(state, "sessions_7d", at=NOON + 1)


_NUMBERS = st.one_of(
    st.floats(allow_infinity=False), st.integers(-(2**53), 2**53).map(float), st.just(float("nan"))
)


@given(
    numbers=st.lists(_NUMBERS),
    whole=st.lists(st.integers(-(2**53), 2**53)),
    scale=st.sampled_from([1, 10**6]),
)
def test_columns_are_read_as_they_were_written(
    numbers: list[float], whole: list[int], scale: int
) -> None:
    written = np.array(numbers, dtype=np.float64)
    counts = np.array(whole, dtype=np.float64) // scale * scale
    writer = ColumnWriter()
    writer.write_numbers(written)
    writer.write_whole(counts)
    writer.write_raw(b"end")
    reader = ColumnReader(writer.to_bytes())
    np.testing.assert_array_equal(reader.read(), written)
    np.testing.assert_array_equal(reader.read(), counts)
    assert reader.read_raw() == b"end"
