"""Intervals hold a known truth, and the naive ones miss it; `opportune bench ope` shows more."""

import numpy as np
import pytest

from training.benchmarks.ope.simulated import Judged, find_coverage, find_width, judge_runs
from training.benchmarks.ope.slates import PSEUDO_INVERSE, judge_slates
from training.ope.slates import Looking

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
            assert find_coverage(by_name[f"{by} tuned"]) >= 0.87
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


def test_slates_are_read_as_their_readers_look() -> None:
    """A reading that assumes too much is narrow and wrong; one that assumes nothing is wide."""
    judged = judge_slates(n_runs=30, seed=7)
    for looking, by_reading in judged.items():
        assert find_coverage(by_reading[looking.value]) >= 0.85
        assert find_coverage(by_reading[Looking.WHOLE.value]) >= 0.85
    assert find_coverage(judged[Looking.EACH_PLACE][PSEUDO_INVERSE]) >= 0.85
    assert find_coverage(judged[Looking.DOWN_THE_PLACES][Looking.EACH_PLACE.value]) < 0.75
    assert find_coverage(judged[Looking.WHOLE][Looking.DOWN_THE_PLACES.value]) < 0.85
    for looking, least in ((Looking.EACH_PLACE, 0.75), (Looking.DOWN_THE_PLACES, 0.9)):
        narrow, wide = judged[looking][looking.value], judged[looking][Looking.WHOLE.value]
        assert find_width(narrow) < least * find_width(wide)
