"""Intervals hold a known truth, and the naive ones miss it; `opportune bench ope` shows more."""

import numpy as np
import pytest

from training.benchmarks.ope.simulated import Judged, find_coverage, find_width, judge_runs

N_RUNS = 40
Runs = dict[str, dict[str, list[Judged]]]


@pytest.fixture(scope="module")
def runs() -> Runs:
    return judge_runs(n_runs=N_RUNS, seed=7, n_rows=4_000)


def test_intervals_hold_on_the_log_of_a_policy_that_stays(runs: Runs) -> None:
    static = runs["static logs"]
    assert find_coverage(static["dr normal"]) >= 0.85
    assert find_coverage(static["dr martingale"]) >= 0.85
    assert find_coverage(static["dm normal"]) < 0.6


def test_martingale_interval_holds_on_the_log_of_a_policy_that_learns(runs: Runs) -> None:
    adaptive = runs["adaptive logs"]
    assert find_coverage(adaptive["dr martingale"]) >= 0.87
    assert find_coverage(adaptive["dr martingale"]) >= find_coverage(adaptive["ips normal"])
    assert find_coverage(adaptive["dm normal"]) < 0.4
    assert find_width(adaptive["dr martingale"]) < 1.6 * find_width(adaptive["dr normal"])


def test_tuned_estimators_report_what_they_know_not_what_they_hope(runs: Runs) -> None:
    for by_name in runs.values():
        for by in ("dros", "switch_dr"):
            assert find_coverage(by_name[f"{by} tuned"]) >= 0.8
            assert find_coverage(by_name[f"{by} naive"]) < 0.6


def test_weighting_has_no_bias_where_the_model_alone_has(runs: Runs) -> None:
    adaptive = runs["adaptive logs"]
    errors = {
        name: np.array([one.found.value / one.truth - 1 for one in adaptive[name]])
        for name in ("dr martingale", "dm normal")
    }
    spread = errors["dr martingale"].std() / np.sqrt(N_RUNS)
    assert abs(errors["dr martingale"].mean()) < 3.5 * spread
    assert errors["dm normal"].mean() < -0.05
