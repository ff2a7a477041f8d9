from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import BadInputError
from training.benchmarks.models.bg_nbd import BgNbd, Purchases, fit_bg_nbd, log_likelihood

PUBLISHED = BgNbd(0.2426, 4.4135, 0.7929, 2.4258, -9582.43)


def histories(*rows: tuple[float, float, float]) -> Purchases:
    frequency, recency, age = np.array(rows, dtype=np.float64).T
    return Purchases(frequency, recency, age)


def simulate(n: int, *, weeks: float, seed: int) -> tuple[Purchases, np.ndarray, np.ndarray]:
    """Histories, who is alive at their end, and who buys within the next ten weeks."""
    rng = np.random.default_rng(seed)
    rate, p_drop = rng.gamma(0.8, 1 / 6.0, n), rng.beta(0.8, 2.5, n)
    frequency, recency = np.zeros(n), np.zeros(n)
    alive, buys = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    for i in range(n):
        t = 0.0
        while True:
            t += rng.exponential(1 / max(rate[i], 1e-12))
            if t > weeks:
                buys[i] = t <= weeks + 10
                break
            frequency[i] += 1
            recency[i] = t
            if rng.random() < p_drop[i]:
                alive[i] = False
                break
    return Purchases(frequency, recency, np.full(n, weeks)), alive, buys


def test_bg_nbd_reproduces_the_published_fit(shared_data: Path) -> None:
    summary = pd.read_csv(shared_data / "cdnow" / "cdnow_customers_summary.csv").astype("float64")
    known = Purchases(*(summary[c].to_numpy(np.float64) for c in ("frequency", "recency", "T")))
    fitted = fit_bg_nbd(known)
    assert fitted.r == pytest.approx(PUBLISHED.r, abs=1e-4)
    assert fitted.alpha == pytest.approx(PUBLISHED.alpha, abs=1e-3)
    assert fitted.a == pytest.approx(PUBLISHED.a, abs=1e-3)
    assert fitted.b == pytest.approx(PUBLISHED.b, abs=2e-3)
    assert fitted.log_likelihood == pytest.approx(PUBLISHED.log_likelihood, abs=0.01)


def test_bg_nbd_is_right_on_average_where_its_story_is_true() -> None:
    known, alive, buys = simulate(4_000, weeks=40.0, seed=3)
    fitted = fit_bg_nbd(known)
    p_alive, p_buy = fitted.p_alive(known), fitted.p_purchase(known, within=10.0)
    assert p_alive.mean() == pytest.approx(alive.mean(), abs=0.03)
    assert p_buy.mean() == pytest.approx(buys.mean(), abs=0.02)
    likely = p_buy > np.median(p_buy)
    assert p_buy[likely].mean() == pytest.approx(buys[likely].mean(), abs=0.03)


def test_p_alive_is_one_without_a_repeat_and_falls_with_silence() -> None:
    asked = histories((0, 0, 39), (5, 38, 39), (5, 20, 39), (5, 5, 39))
    p = PUBLISHED.p_alive(asked)
    assert p[0] == 1.0
    assert (np.diff(p[1:]) < 0).all()
    assert PUBLISHED.p_purchase(asked, within=0.0) == pytest.approx(np.zeros(4))
    assert PUBLISHED.p_purchase(asked, within=1e9) == pytest.approx(p, abs=0.02)


def test_fit_is_at_least_as_likely_as_any_neighbour() -> None:
    known, _, _ = simulate(1_000, weeks=40.0, seed=4)
    found = fit_bg_nbd(known)
    for factor in (0.9, 1.1):
        assert log_likelihood(known, found.r * factor, found.alpha, found.a, found.b) < (
            found.log_likelihood
        )


@pytest.mark.parametrize("row", [(-1, 0, 3), (1, 4, 3), (0, -1, 3)])
def test_impossible_histories_are_refused(row: tuple[float, float, float]) -> None:
    with pytest.raises(BadInputError, match="first row 1"):
        histories((0, 0, 3), row)
