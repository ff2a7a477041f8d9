import numpy as np
import pytest

from features.vocabulary import Trigger
from training.world.clock import DAY, HOUR, NEVER, day_start
from training.world.codes import INDEX
from training.world.life.cases import NO_CASE, Cases, NewCases

NOW = day_start(20)


def open_case(
    cases: Cases,
    *,
    customer: int,
    trigger: Trigger,
    opened_at: int,
    closes_at: int = NEVER,
    onset_at: int | None = None,
    p_event: float = 0.0,
    p_exit: float = 0.0,
) -> int:
    whole = {
        "customer": customer,
        "trigger": INDEX[trigger],
        "opened_at": opened_at,
        "closes_at": closes_at,
        "onset_at": opened_at if onset_at is None else onset_at,
        "happens_at": NEVER,
        "amount_cents": 1000,
        "item": -1,
    }
    numbers = {"rate": 0.1, "p_event": p_event, "p_exit": p_exit}
    columns = {name: np.array([value]) for name, value in (whole | numbers).items()}
    return int(cases.open(NewCases(**columns))[0])


def latest(cases: Cases, customer: int, trigger: Trigger) -> int:
    return int(cases.latest(np.array([customer]), np.array([INDEX[trigger]]), now=NOW)[0])


def test_latest_is_the_last_case_opened_and_only_while_it_is_true() -> None:
    cases = Cases()
    cart = Trigger.ABANDONED_CART
    open_case(cases, customer=3, trigger=cart, opened_at=NOW - 9 * HOUR)
    second = open_case(cases, customer=3, trigger=cart, opened_at=NOW - 2 * HOUR)
    open_case(cases, customer=3, trigger=cart, opened_at=NOW + HOUR)
    open_case(cases, customer=4, trigger=cart, opened_at=NOW - HOUR, closes_at=NOW)
    open_case(cases, customer=5, trigger=cart, opened_at=NOW)
    assert latest(cases, 3, cart) == second
    assert latest(cases, 3, Trigger.PRICE_DROP) == NO_CASE
    assert latest(cases, 4, cart) == NO_CASE
    assert latest(cases, 5, cart) == NO_CASE


def test_latest_of_an_incident_update_is_the_disruption() -> None:
    cases = Cases()
    row = open_case(cases, customer=1, trigger=Trigger.SERVICE_DISRUPTION, opened_at=NOW - HOUR)
    assert latest(cases, 1, Trigger.INCIDENT_UPDATE) == row


def test_p_undecided_falls_with_time_and_by_itself() -> None:
    cases = Cases()
    call = open_case(
        cases, customer=0, trigger=Trigger.ORDER_SHIPPED, opened_at=NOW - 10 * HOUR, p_event=0.4
    )
    card = open_case(
        cases,
        customer=0,
        trigger=Trigger.PAYMENT_FAILURE_RISK,
        opened_at=NOW - 15 * DAY,
        onset_at=NOW + 15 * DAY,
        p_event=0.3,
        p_exit=0.5,
    )
    undecided = cases.p_undecided(np.array([call, card]), now=NOW)
    assert undecided == pytest.approx([1 - 0.4 * (1 - np.exp(-1.0)), 1 - 0.5 / 2])


def test_cases_keep_their_rows_as_they_grow() -> None:
    cases = Cases()
    rows = [
        open_case(cases, customer=n, trigger=Trigger.PRICE_DROP, opened_at=NOW - HOUR)
        for n in range(2_100)
    ]
    assert rows == list(range(2_100))
    assert cases.customer[: cases.n].tolist() == rows


def test_forget_before_leaves_out_only_what_is_long_past() -> None:
    cases = Cases()
    open_case(cases, customer=0, trigger=Trigger.PRICE_DROP, opened_at=NOW - 60 * DAY)
    young = open_case(cases, customer=1, trigger=Trigger.PRICE_DROP, opened_at=NOW - 3 * DAY)
    cases.forget_before(NOW)
    assert cases.live() == slice(young, young + 1)
    assert latest(cases, 0, Trigger.PRICE_DROP) == NO_CASE
    assert latest(cases, 1, Trigger.PRICE_DROP) == young
    cases.forget_before(NOW + 90 * DAY)
    assert cases.live() == slice(2, 2)
