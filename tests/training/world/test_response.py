import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.world.clock import HOUR, day_start
from training.world.codes import CHANNELS, TRIGGERS
from training.world.life.cases import NO_CASE
from training.world.luck import Luck
from training.world.mail.response import (
    DELAY_HOURS,
    DELAY_SHARES,
    Approach,
    Response,
    appeal,
    reads_in_time,
    respond,
    wordings_of,
)
from training.world.people.draw import draw_population
from training.world.scenario import Scenario

PEOPLE = draw_population(Luck(3), n=300, history_days=30)


def approach_all(*, variant: str | None = None, case: int = 0, seed: int = 0) -> Approach:
    """Every customer on every channel about every trigger, at hours all over a week."""
    grid = np.indices((PEOPLE.n, len(TRIGGERS), len(CHANNELS))).reshape(3, -1)
    n = grid.shape[1]
    season = np.zeros(n, dtype=np.int64)
    return Approach(
        customer=grid[0],
        trigger=grid[1],
        channel=grid[2],
        sent_at=day_start(10) + np.arange(n) % 168 * HOUR,
        wording=wordings_of(pd.Series([variant] * n, dtype="str"), season=season, seed=seed),
        season=season,
        case=np.full(n, case),
    )


def respond_all(
    approach: Approach, *, load: float = 0.0, scenario: Scenario | None = None
) -> Response:
    loads = np.full(len(approach.customer), load)
    return respond(approach, load=loads, people=PEOPLE, scenario=scenario or Scenario("calm"))


@pytest.mark.parametrize(("hours", "share"), [(1, 0.26), (6.4, 0.50), (24, 0.71), (168, 0.93)])
def test_opens_are_as_late_as_calibrated(hours: float, share: float) -> None:
    assert (1 - np.exp(-hours / DELAY_HOURS)) @ DELAY_SHARES == pytest.approx(share, abs=1e-6)


@given(
    sooner=st.floats(-200, 800),
    rate=st.floats(1e-4, 1.0),
    speed=st.sampled_from([0.03, 0.1, 0.4, 1.0]),
)
def test_reads_in_time_is_the_integral_over_the_delay(
    sooner: float, rate: float, speed: float
) -> None:
    # Midpoints of equal probability for each exponential of the mixture.
    middle = -np.log1p(-(np.arange(20_000) + 0.5) / 20_000)
    seen = speed * np.outer(DELAY_HOURS, middle)
    expected = np.exp(-rate * np.maximum(seen - sooner, 0)).mean(axis=1) @ DELAY_SHARES
    found = reads_in_time(sooner=np.array([sooner]), rate=np.array([rate]), speed=np.array([speed]))
    assert found[0] == pytest.approx(expected, abs=2e-4)


@given(
    load=st.floats(0, 60), effect=st.floats(0, 20), irritation=st.floats(0, 200), case=st.booleans()
)
def test_every_response_is_a_probability(
    load: float, effect: float, irritation: float, case: bool
) -> None:
    approach = approach_all(variant="bold", case=0 if case else NO_CASE)
    found = respond_all(
        approach, load=load, scenario=Scenario("x", effect=effect, irritation=irritation)
    )
    for name, p in vars(found).items():
        assert ((p >= 0) & (p < 1)).all(), name


def test_load_makes_less_seen_and_more_irritated() -> None:
    fresh, worn = (respond_all(approach_all(), load=load) for load in (0.0, 3.0))
    assert (worn.p_seen <= fresh.p_seen).all()
    assert worn.p_seen.mean() < 0.8 * fresh.p_seen.mean()
    assert (worn.p_irritate > fresh.p_irritate).all()
    assert (worn.p_unsubscribe > fresh.p_unsubscribe).all()


def test_a_message_about_nothing_irritates_more() -> None:
    about, nothing = (respond_all(approach_all(case=case)) for case in (0, NO_CASE))
    assert nothing.p_irritate == pytest.approx(2 * about.p_irritate)


def test_wordings_work_for_any_id_and_are_pinned_to_seed_and_season() -> None:
    ids = pd.Series(["never.seen", None, "never.seen", "другой"], dtype="str")
    points = wordings_of(ids, season=np.array([0, 0, 1, 0]), seed=5)
    assert (points[1] == 0).all()
    assert (points[0] != points[2]).all()
    assert (points[0] != points[3]).all()
    alone = wordings_of(ids[:1], season=np.zeros(1, dtype=np.int64), seed=5)
    assert (alone[0] == points[0]).all()
    assert (wordings_of(ids[:1], season=np.zeros(1, dtype=np.int64), seed=6) != alone).all()
    assert points[0] == pytest.approx(
        [-0.044272506383, -0.144658292314, -0.324848302284, 0.049584629437]
    )


def test_the_average_variant_has_the_mean_appeal() -> None:
    means = [appeal(approach_all(variant=f"v{n}"), PEOPLE).mean() for n in range(60)]
    assert (appeal(approach_all(), PEOPLE) == 1.0).all()
    assert np.mean(means) == pytest.approx(1.0, abs=3 * np.std(means) / np.sqrt(60))
    assert np.std(means) > 0.05


def test_customers_see_more_in_the_hours_in_which_they_come() -> None:
    who = np.repeat(np.arange(PEOPLE.n), 168)
    n = len(who)
    approach = Approach(
        customer=who,
        trigger=np.zeros(n, dtype=np.int64),
        channel=np.zeros(n, dtype=np.int64),
        sent_at=day_start(7) + np.tile(np.arange(168), PEOPLE.n) * HOUR,
        wording=np.zeros((n, 4)),
        season=np.zeros(n, dtype=np.int64),
        case=np.zeros(n, dtype=np.int64),
    )
    seen = respond_all(approach).p_seen.reshape(PEOPLE.n, 168)
    assert (seen.max(axis=1) > 1.5 * seen.min(axis=1)).all()
    # Almaty is five hours ahead of UTC all the year.
    at_home = np.flatnonzero(PEOPLE.identity.region == 0)
    local = np.roll(seen[at_home], 5, axis=1)
    week = PEOPLE.rhythm.week[at_home]
    assert np.corrcoef(local.ravel(), week.ravel())[0, 1] > 0.5
