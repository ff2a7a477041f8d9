"""Offers are chosen by what they bring, within the budget, and never for those to leave alone."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInputError
from features.vocabulary import UpliftGroup
from serving.playbooks.choose import Candidates, OfferBeliefs, choose_offers

BELIEFS = OfferBeliefs(
    ("a", "b", "c"),
    np.array([0.5, 0.25, 1.0]),
    np.array([0.1, 0.1, 0.1]),
    {
        UpliftGroup.PERSUADABLE: 1.0,
        UpliftGroup.SURE_THING: 0.5,
        UpliftGroup.LOST_CAUSE: 0.5,
    },
)


def make_candidates(
    rows: list[tuple[int, int, float, float, float]],
    *,
    group: UpliftGroup | None = UpliftGroup.PERSUADABLE,
    **columns: list[object],
) -> Candidates:
    """Rows of customer, offer, p_churn, value and cost."""
    n = len(rows)
    made: dict[str, np.ndarray] = {
        "customer": np.array([row[0] for row in rows], dtype=np.int64),
        "offer": np.array([row[1] for row in rows], dtype=np.int64),
        "p_churn": np.array([row[2] for row in rows], dtype=float),
        "value_cents": np.array([row[3] for row in rows], dtype=float),
        "cost_cents": np.array([row[4] for row in rows], dtype=float),
        "fit": np.ones(n),
        "group": np.full(n, group, dtype=object),
        "is_new": np.ones(n, dtype=bool),
        "effect": np.full(n, np.nan),
    }
    made |= {name: np.array(values) for name, values in columns.items()}
    return Candidates(**made)


def find_optimum(candidates: Candidates, budget: float) -> float:
    """By trying everything."""
    net = choose_offers(candidates, beliefs=BELIEFS, budget_cents=np.finfo(float).max).net_cents
    customers = sorted(set(candidates.customer.tolist()))
    choices = [[-1, *np.flatnonzero(candidates.customer == one).tolist()] for one in customers]
    best = 0.0
    for rows in product(*choices):
        taken = [row for row in rows if row >= 0]
        if candidates.cost_cents[taken].sum() <= budget:
            best = max(best, float(net[taken].sum()))
    return best


candidate_rows = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 2),
        st.floats(0.0, 1.0),
        st.floats(0.0, 10_000.0),
        st.floats(0.0, 3_000.0),
    ),
    max_size=8,
)


@given(rows=candidate_rows, budget=st.floats(0.0, 6_000.0))
def test_choice_is_feasible_and_its_distance_from_the_best_is_told(
    rows: list[tuple[int, int, float, float, float]], budget: float
) -> None:
    candidates = make_candidates(rows)

    chosen = choose_offers(candidates, beliefs=BELIEFS, budget_cents=budget)

    optimum = find_optimum(candidates, budget)
    assert chosen.spent_cents <= budget + 1e-6
    assert len(set(candidates.customer[chosen.rows].tolist())) == len(chosen.rows)
    assert chosen.value_cents <= optimum + 1e-6 <= chosen.bound_cents + 2e-6
    dearest = max((net for net in chosen.net_cents.tolist() if net > 0), default=0.0)
    assert chosen.bound_cents - chosen.value_cents <= dearest + 1e-6  # one offer at most is split
    assert (chosen.net_cents[chosen.rows] > 0).all()


def test_choice_takes_the_best_density_where_money_is_short() -> None:
    """The riskiest brings less for a cent than two others together."""
    candidates = make_candidates(
        [(0, 0, 0.9, 4_000, 1_000), (1, 0, 0.5, 4_000, 400), (2, 0, 0.6, 4_000, 600)]
    )

    chosen = choose_offers(candidates, beliefs=BELIEFS, budget_cents=1_000)

    assert chosen.rows.tolist() == [1, 2]
    assert chosen.value_cents == pytest.approx(600 + 600)
    assert chosen.price > 0
    free = choose_offers(candidates, beliefs=BELIEFS, budget_cents=10_000)
    assert free.rows.tolist() == [0, 1, 2]
    assert free.price == 0


@pytest.mark.parametrize(
    ("group", "n_chosen"),
    [
        (UpliftGroup.PERSUADABLE, 1),
        (UpliftGroup.LOST_CAUSE, 1),
        (UpliftGroup.DO_NOT_DISTURB, 0),
        (None, 0),
    ],
)
def test_whom_contact_drives_away_and_whom_nobody_judged_gets_nothing(
    group: UpliftGroup | None, n_chosen: int
) -> None:
    """Whatever a model says of the effect."""
    for effect in (np.nan, 0.9):
        candidates = make_candidates([(0, 2, 0.9, 10_000, 10)], group=group, effect=[effect])

        chosen = choose_offers(candidates, beliefs=BELIEFS, budget_cents=1_000)

        assert len(chosen.rows) == n_chosen


def test_had_before_and_unknown_worth_or_cost_get_nothing() -> None:
    rows = [(0, 0, 0.9, 10_000, 10), (1, 0, 0.9, np.nan, 10), (2, 0, 0.9, 10_000, np.nan)]
    candidates = make_candidates(rows, is_new=[False, True, True])

    assert choose_offers(candidates, beliefs=BELIEFS, budget_cents=1_000).rows.tolist() == []


def test_effect_of_a_model_counts_before_belief() -> None:
    rows = [(0, 0, 0.9, 1_000, 100), (1, 0, 0.9, 1_000, 100), (2, 0, 0.9, 1_000, 100)]
    candidates = make_candidates(rows, effect=[0.05, -0.2, np.nan])

    chosen = choose_offers(candidates, beliefs=BELIEFS, budget_cents=1_000)

    assert chosen.rows.tolist() == [2]
    assert chosen.net_cents.tolist() == pytest.approx([-50.0, -300.0, 350.0])


def test_faults_of_candidates_are_named_together() -> None:
    candidates = make_candidates([(0, 7, 0.9, 1_000, -1)], fit=[1.0, 2.0])

    with pytest.raises(BadInputError) as fault:
        choose_offers(candidates, beliefs=BELIEFS, budget_cents=float("nan"))

    for words in ("fit: expected the shape (1,)", "from 0 to 2", "nothing below 0", "got nan"):
        assert words in str(fault.value)
