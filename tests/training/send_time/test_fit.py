from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.point_in_time import count_hours_of_week, make_spine
from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.measures import Floats
from training.registry.servable import N_WEEK_HOURS, SendTimeModel
from training.send_time import (
    STRENGTHS,
    SendTimeDataset,
    TrainedSendTime,
    Weeks,
    build_send_time_dataset,
    find_population,
    judge_customer_only,
    judge_population,
    judge_send_time,
    train_send_time,
)
from training.send_time.weeks import MAX_CUSTOMERS, draw_customers


def draw_weeks(rng: np.random.Generator, shares: Floats, *, n_before: int, n_after: int) -> Weeks:
    return Weeks(
        before=rng.multinomial(n_before, shares).astype(float),
        after=rng.multinomial(n_after, shares).astype(float),
        customers=np.arange(len(shares)).astype(str).astype(object),
    )


def draw_dataset(seed: int, *, concentration: float) -> SendTimeDataset:
    """Customers whose weeks are Dirichlet draws around an uneven population week."""
    rng = np.random.default_rng(seed)
    population = rng.dirichlet(np.full(N_WEEK_HOURS, 1.0))
    shares = rng.dirichlet(concentration * population + 1e-3, size=400)
    return SendTimeDataset(
        validation=draw_weeks(rng, shares, n_before=60, n_after=30),
        test=draw_weeks(rng, shares, n_before=60, n_after=30),
        test_from=datetime(2026, 1, 1, tzinfo=UTC),
        fingerprint="f",
        tables=("activity",),
    )


@pytest.mark.parametrize("concentration", [10.0, 100.0])
def test_strength_found_is_the_concentration_that_made_the_weeks(concentration: float) -> None:
    trained = train_send_time(draw_dataset(1, concentration=concentration), seed=1)
    assert concentration / 2.5 < trained.model.strength < concentration * 2.5
    assert trained.over_population.high < 0
    assert trained.over_customer.high < 0


def test_customers_who_are_all_alike_are_shrunk_to_the_population() -> None:
    trained = train_send_time(draw_dataset(2, concentration=1e6), seed=1)
    assert trained.model.strength >= 1000
    assert trained.over_population.value == pytest.approx(0, abs=0.01)
    assert trained.over_customer.high < -0.5


def test_strength_is_the_best_of_all_that_were_tried() -> None:
    trained = train_send_time(draw_dataset(3, concentration=20), seed=1)
    assert [score.strength for score in trained.scores] == list(STRENGTHS)
    best = max(trained.scores, key=lambda score: score.log_likelihood)
    assert trained.model.strength == best.strength


def test_loss_is_nats_of_an_event() -> None:
    even = np.full((2, N_WEEK_HOURS), 1 / N_WEEK_HOURS)
    weeks = draw_weeks(np.random.default_rng(1), even, n_before=0, n_after=7)
    model = SendTimeModel("", (1 / N_WEEK_HOURS,) * N_WEEK_HOURS, 1.0)
    assert judge_send_time(model, weeks).losses.mean() == pytest.approx(np.log(168))
    assert judge_population(weeks).losses.mean() == pytest.approx(np.log(168))
    assert judge_customer_only(weeks).losses.mean() == pytest.approx(np.log(168))


def test_population_is_a_distribution_without_impossible_hours() -> None:
    population = np.array(find_population(draw_dataset(4, concentration=5).test))
    assert population.sum() == pytest.approx(1.0)
    assert population.min() > 0


def test_shop_is_cut_at_sixty_and_thirty_days_before_its_end(
    shop_tables: Tables, shop_end: datetime
) -> None:
    dataset = build_send_time_dataset(shop_tables, known_until=shop_end)
    assert isinstance(dataset, SendTimeDataset)
    assert dataset.test_from == shop_end - timedelta(days=30)
    activity = shop_tables["activity"]
    outcomes = shop_tables["outcomes"]
    opens = outcomes.loc[outcomes["outcome"] == "opened", "at"]
    n_later = (activity["at"] >= dataset.test_from).sum() + (
        (opens >= dataset.test_from) & (opens < shop_end)
    ).sum()
    assert dataset.test.after.sum() == n_later
    for weeks, days in ((dataset.validation, 60), (dataset.test, 30)):
        spine = make_spine(weeks.customers, as_of=shop_end - timedelta(days=days))
        np.testing.assert_array_equal(weeks.before, count_hours_of_week(shop_tables, spine))


def test_evening_customers_of_the_shop_are_open_in_the_evening(
    shop_tables: Tables, shop_end: datetime
) -> None:
    dataset = build_send_time_dataset(shop_tables, known_until=shop_end)
    assert isinstance(dataset, SendTimeDataset)
    trained = train_send_time(dataset, seed=1)
    assert isinstance(trained, TrainedSendTime)
    assert trained.over_population.high < 0
    test = dataset.test
    openness = trained.model.relative_openness(test.before, segments=test.known_segments)
    evening = np.arange(N_WEEK_HOURS) % 24 == 20
    is_evening = np.array([int(customer[1:]) % 2 == 0 for customer in dataset.test.customers])
    assert openness[is_evening][:, evening].mean() > 1.1 * openness[~is_evening][:, evening].mean()


def draw_kinds(seed: int, *, n: int, burst: int = 1) -> SendTimeDataset:
    """Morning, evening and weekend people; a visit leaves `burst` events at once."""
    rng = np.random.default_rng(seed)
    hour, is_free = np.arange(N_WEEK_HOURS) % 24, np.arange(N_WEEK_HOURS) >= 120
    kinds = np.array([abs(hour - 8) < 3, abs(hour - 20) < 3, is_free & (hour > 9)]) + 0.02
    kind = np.arange(n) % 3
    shares = (kinds / kinds.sum(axis=1, keepdims=True))[kind]

    def draw(n_visits: int) -> Floats:
        return burst * rng.multinomial(n_visits, shares).astype(float)

    def weeks() -> Weeks:
        return Weeks(
            before=draw(12),
            after=draw(6),
            customers=np.arange(n).astype(str).astype(object),
            segments=tuple("free" if one == 2 else "busy" for one in kind),
        )

    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return SendTimeDataset(weeks(), weeks(), moment, fingerprint="f", tables=("activity",))


def test_kinds_of_customers_are_found_where_one_strength_misses_them() -> None:
    trained = train_send_time(draw_kinds(1, n=400), seed=1)
    assert trained.shrinkage.n_directions > 0
    assert trained.over_pooled.high < -0.1
    assert trained.over_customer.high < -0.1


def test_bursts_of_events_count_as_noise() -> None:
    single, burst = (train_send_time(draw_kinds(1, n=400, burst=n), seed=1) for n in (1, 8))
    assert burst.shrinkage.noise > 2 * single.shrinkage.noise
    # The same visits in bursts say no more: what is believed of everybody is as good as before.
    assert burst.loss == pytest.approx(single.loss, abs=0.1)


def test_customer_of_whom_nothing_is_known_gets_the_week_of_the_segment() -> None:
    model = train_send_time(draw_kinds(2, n=400), seed=1).model
    nothing = np.zeros((3, N_WEEK_HOURS))
    openness = model.relative_openness(nothing, segments=("free", "busy", None))
    sunday_noon = 6 * 24 + 12
    assert openness[0, sunday_noon] > 2.0 * openness[2, sunday_noon]
    assert openness[1, sunday_noon] < 0.5 * openness[2, sunday_noon]
    np.testing.assert_allclose(openness[2], np.array(model.population) * N_WEEK_HOURS)


def test_customers_of_a_large_company_are_drawn_the_same_whoever_else_is_there() -> None:
    ids = pd.Series([f"c{n:06d}" for n in range(MAX_CUSTOMERS + 5_000)])
    drawn = draw_customers(ids)
    assert len(drawn) == MAX_CUSTOMERS
    assert drawn.is_monotonic_increasing
    again = draw_customers(ids.drop(index=ids.index[~ids.isin(drawn)][:1_000]))
    assert set(again) == set(drawn)


def test_young_log_is_not_enough(shop_tables: Tables, shop_end: datetime) -> None:
    verdict = build_send_time_dataset(shop_tables, known_until=shop_end - timedelta(days=160))
    assert isinstance(verdict, NotEnoughData)
