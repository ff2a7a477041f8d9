"""The headlines' bench on a made-up archive whose truth is known, and on the real one's file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import BadInputError, SourceUnreadableError
from tests.training.variant_prior.planted import plant
from training.bandit.beliefs import ArmPrior
from training.bandit.contextual import ContextualBandit
from training.benchmarks.headlines.bench import HeadlinesPlan, bench_headlines, judge_prior
from training.benchmarks.headlines.replay import draw_rates, list_looks, lose_by_chance, play
from training.benchmarks.headlines.upworthy import read_headline_tests
from training.variant_prior.finished import FinishedTests
from training.variant_prior.fit import train_variant_prior
from training.variant_prior.prior import VariantPrior

_FILE = "upworthy_exploratory_clean.parquet"


def write_archive(tests: FinishedTests, folder: Path, *, weeks: np.ndarray) -> None:
    pd.DataFrame(
        {
            "clickability_test_id": [str(name).removesuffix("|en") for name in tests.tests],
            "headline": tests.texts,
            "impressions": tests.n_shown,
            "clicks": tests.n_clicked,
            "test_week": weeks,
        }
    ).to_parquet(folder / _FILE)


def test_faulty_weeks_are_left_out_and_later_weeks_held_out(tmp_path: Path) -> None:
    tests = plant(1, n_tests=90)
    weeks = np.array([201320, 201330, 201420])[tests.position % 3]
    write_archive(tests, tmp_path, weeks=weeks)
    found = read_headline_tests(tmp_path)
    assert found.tests.n_tests == 60
    earlier, later = found.split(share_late=0.3)
    assert earlier.n_tests == later.n_tests == 30
    assert not set(earlier.tests) & set(later.tests)


def test_weeks_that_cannot_be_split_are_refused(tmp_path: Path) -> None:
    tests = plant(1, n_tests=5)
    write_archive(tests, tmp_path, weeks=np.full(len(tests), 201420))
    with pytest.raises(BadInputError, match="of 1 weeks"):
        read_headline_tests(tmp_path).split(share_late=0.3)


def test_missing_or_other_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadableError, match=_FILE):
        read_headline_tests(tmp_path)
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / _FILE)
    with pytest.raises(SourceUnreadableError, match="expected the Upworthy archive"):
        read_headline_tests(tmp_path)


def test_bench_tells_of_ranking_calibration_and_loss(tmp_path: Path) -> None:
    tests = plant(2, n_tests=200)
    write_archive(tests, tmp_path, weeks=201410 + tests.position % 20)
    plan = HeadlinesPlan(tmp_path, range(1), horizons=(300,), n_tests=6)
    told: list[str] = []
    rows = {(row.case, row.metric): row for row in bench_headlines(plan, tell=told.append)}
    ranked = rows["upworthy, later weeks", "pairs_ranked"]
    assert ranked.low is not None
    assert ranked.low > 0.5
    assert rows["upworthy, tests left out", "pairs_ranked"].ours > 0.55
    assert 0.6 < rows["upworthy, later weeks", "slope"].ours < 1.4
    came = [rows["upworthy, later weeks", f"came_in_fifth_{at}"] for at in range(1, 6)]
    assert came[0].ours < came[4].ours
    assert sum(row.n for row in came) == rows["upworthy, later weeks", "slope"].n
    lost = rows["served bandit, 300 impressions", "clicks_lost"]
    chance = rows["served bandit, 300 impressions", "clicks_lost_by_chance"]
    assert 0.0 < lost.ours < chance.ours
    assert ("informed bandit, 300 impressions", "loss_saved") in rows
    assert any("6 tests" in text for text in told)


def test_past_tests_that_foretell_nothing_stop_the_bench(tmp_path: Path) -> None:
    tests = plant(3, n_tests=100, worth=0.0)
    write_archive(tests, tmp_path, weeks=201410 + tests.position % 20)
    plan = HeadlinesPlan(tmp_path, range(1), horizons=(300,), n_tests=2)
    with pytest.raises(BadInputError, match="not surely above nothing"):
        bench_headlines(plan, tell=lambda _: None)


def test_drawn_rates_have_the_spread_of_the_truth() -> None:
    tests = plant(4, n_tests=600)
    rates = draw_rates(tests, spread=0.15, rng=np.random.default_rng(0))
    logit = np.log(rates / (1.0 - rates))
    errors = (logit - tests.log_odds) ** 2 / tests.sampling_variance
    assert 0.5 < errors.mean() < 1.3  # they lie about what was measured as chance would have it
    assert np.corrcoef(logit, tests.log_odds)[0, 1] > 0.9


def test_looks_add_up_to_the_horizon() -> None:
    assert sum(list_looks(3_130)) == 3_130
    assert max(list_looks(3_130)) == 250


def test_play_is_repeatable_and_a_true_belief_saves() -> None:
    rates = np.array([0.02, 0.02, 0.03, 0.06])
    truth = np.log(rates / (1.0 - rates))
    beliefs = {at: ArmPrior(shift, 0.1) for at, shift in enumerate(truth - truth.mean())}
    bandit, horizons = ContextualBandit.start(), (100, 300)
    lost, saved, again = (
        np.array(
            [
                play(bandit, rates=rates, horizons=horizons, beliefs=known, seed=seed)
                for seed in range(6)
            ]
        )
        for known in ({}, beliefs, {})
    )
    np.testing.assert_array_equal(lost, again)
    chance = lose_by_chance(rates, horizons=horizons)
    np.testing.assert_allclose(lost[:, 0], chance[0], rtol=1e-3)  # before the first look
    assert saved[:, 1].mean() < 0.5 * lost[:, 1].mean()
    assert (np.diff(lost, axis=1) > 0.0).all()


def test_prior_that_expects_the_opposite_is_found_out() -> None:
    learned = train_variant_prior(plant(5), seed=0)
    assert isinstance(learned, VariantPrior)
    later = plant(6, n_tests=100, worth=-1.0)
    rows = {row.metric: row for row in judge_prior(learned, later)}
    assert rows["pairs_ranked"].high is not None
    assert rows["pairs_ranked"].high < 0.5
    assert rows["slope"].ours < 0.0


def test_real_archive_is_ranked_better_than_chance(shared_data: Path) -> None:
    """Fitted on a quarter of the earlier tests, to be quick; docs/scoring.md has the whole."""
    earlier, later = read_headline_tests(shared_data).split(share_late=0.3)
    assert earlier.n_tests + later.n_tests == 2_067
    learned = train_variant_prior(earlier.take(earlier.position % 4 == 0), seed=0)
    assert isinstance(learned, VariantPrior)
    rows = {row.metric: row for row in judge_prior(learned, later)}
    assert rows["pairs_ranked"].low is not None
    assert rows["pairs_ranked"].low > 0.5
