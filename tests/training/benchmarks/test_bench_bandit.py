"""The streams and the contest of bandits."""

from dataclasses import replace

import numpy as np
import pytest

from training.benchmarks.bandit.bench import BanditPlan, bench_bandit
from training.benchmarks.bandit.contest import run_course
from training.benchmarks.bandit.ours import OurBandit
from training.benchmarks.bandit.peers import BetaThompson, LinUcb, Uniform
from training.benchmarks.bandit.streams import Scenario, Stream, make_stream


def begin(stream: Stream, n: int) -> Stream:
    """Its first n decisions."""
    names = ("contexts", "rates", "luck", "batch", "delay")
    return replace(stream, **{name: getattr(stream, name)[:n] for name in names})


@pytest.mark.parametrize("scenario", list(Scenario))
def test_stream_is_the_same_for_the_same_seed_and_has_its_rates(scenario: Scenario) -> None:
    first, again = (make_stream(scenario, seed=1, n_rounds=2_000) for _ in range(2))
    np.testing.assert_array_equal(first.contexts, again.contexts)
    np.testing.assert_array_equal(first.rates, again.rates)
    assert (first.contexts[:, 0] == 1.0).all()
    means = first.rates[:1_000].mean(axis=0)
    limits = (0.05, 0.15) if scenario is Scenario.D else (0.02, 0.2)
    assert limits[0] < means.min() < means.max() < limits[1]


def test_chance_captures_nothing_and_the_best_arm_everything() -> None:
    stream = make_stream(Scenario.S3, seed=2, n_rounds=4_000)
    best = stream.rates.argmax(axis=1)
    assert stream.captured(best) == pytest.approx(1.0)
    course = run_course(stream, Uniform(), seed=0)
    assert abs(stream.captured(course.arms)) < 0.05
    assert course.mean_weight == pytest.approx(1.0)


def test_new_arm_is_chosen_only_once_it_is_there() -> None:
    stream = make_stream(Scenario.S4, seed=2, n_rounds=2_000)
    course = run_course(stream, OurBandit(stream.contexts.shape[1]), seed=0)
    assert course.arms[:1_000].max() == 9
    assert (course.arms[1_000:] == 10).any()


def test_outcomes_are_not_known_before_their_delay() -> None:
    """A contestant that is told at once wins more than one that is told after three days."""
    prompt = make_stream(Scenario.S1, seed=3, n_rounds=6_000)
    late = begin(make_stream(Scenario.S2B, seed=3, n_rounds=40_000), 6_000)
    shares = []
    for stream in (prompt, late):
        course = run_course(stream, BetaThompson(), seed=0)
        shares.append(stream.captured(course.arms))
    assert shares[0] > shares[1]


def test_ours_learns_from_delayed_outcomes_with_true_probabilities() -> None:
    stream = begin(make_stream(Scenario.S2B, seed=3, n_rounds=40_000), 6_000)
    course = run_course(stream, OurBandit(stream.contexts.shape[1]), seed=0)
    assert stream.captured(course.arms) > 0.3
    assert 0.7 < course.mean_weight < 1.4
    linear = run_course(stream, LinUcb(stream.contexts.shape[1]), seed=0)
    assert stream.captured(linear.arms) < stream.captured(course.arms)


def test_bench_bandit_has_a_row_for_every_figure() -> None:
    plan = BanditPlan(range(2), scenarios=("S1",), n_rounds=300, peers=False)
    rows = bench_bandit(plan, tell=lambda _: None, with_speed=False)
    assert [row.metric for row in rows] == ["captured", "mean_inverse_probability"]
    assert all(row.n == 2 and row.low is not None and row.high is not None for row in rows)
