from functools import cache

import numpy as np
import pytest

from tests.training.variant_prior.planted import plant, worth_of
from training.datasets.provenance import NotEnoughData
from training.variant_prior.finished import FinishedTests
from training.variant_prior.fit import NoPrior, train_variant_prior
from training.variant_prior.prior import VariantPrior
from training.variant_prior.ranking import rank_pairs
from training.variant_prior.siblings import centre, find_spread


@cache
def learn_planted() -> VariantPrior:
    learned = train_variant_prior(plant(1, n_tests=200), seed=0)
    assert isinstance(learned, VariantPrior)
    return learned


def test_planted_words_are_found_again_in_tests_not_seen() -> None:
    prior, later = learn_planted(), plant(2, n_tests=200)
    ranking = rank_pairs(later, prior.score(later.texts))
    truth = rank_pairs(later, np.array([worth_of(text) for text in later.texts]))
    assert ranking.all_pairs.low > 0.6
    assert ranking.all_pairs.value > truth.all_pairs.value - 0.06


def test_what_is_expected_comes_and_what_is_left_unknown_is_right() -> None:
    prior, later = learn_planted(), plant(3, n_tests=400)
    scores = prior.score(later.texts)
    weights = 1.0 / (later.sampling_variance + prior.spread)
    seen = centre(later.log_odds, tests=later.position, weights=weights)
    told = centre(scores, tests=later.position, weights=weights)
    slope = (weights * told * seen).sum() / (weights * told**2).sum()
    assert slope == pytest.approx(1.0, abs=0.15)
    rest = find_spread(
        later.log_odds - scores, tests=later.position, sampling_variance=later.sampling_variance
    )
    assert prior.left * prior.spread == pytest.approx(rest, rel=0.25)


def test_its_own_account_of_its_skill_holds_on_tests_not_seen() -> None:
    prior, later = learn_planted(), plant(4, n_tests=400)
    later_share = rank_pairs(later, prior.score(later.texts)).all_pairs.value
    claimed = prior.skill.pairs_ranked
    assert claimed.low - 0.03 < later_share < claimed.high + 0.05
    assert prior.skill.n_tests == 200
    assert prior.skill.n_texts == 800


def test_words_worth_nothing_give_no_prior() -> None:
    learned = [
        train_variant_prior(plant(seed, n_tests=100, worth=0.0), seed=0) for seed in (5, 6, 7)
    ]
    assert all(isinstance(each, NoPrior) for each in learned)
    assert "not surely above nothing" in learned[0].reason


def test_siblings_that_do_not_differ_give_no_prior() -> None:
    learned = train_variant_prior(plant(9, worth=0.0, noise=0.0, n_shown=300), seed=0)
    assert isinstance(learned, NoPrior)


def test_texts_that_differ_in_nothing_described_give_no_prior() -> None:
    n = 30
    tests = FinishedTests.collect(
        [f"t{at}" for at in range(n) for _ in range(2)],
        texts=[f"{chr(0x4E00 + at)}{end}" for at in range(n) for end in (" ", "\t")],
        languages=["zh"] * 2 * n,
        n_shown=np.full(2 * n, 1_000),
        n_clicked=np.tile([80, 40], n),
    )
    learned = train_variant_prior(tests, seed=0)
    assert isinstance(learned, NoPrior)


def test_few_tests_are_too_few() -> None:
    learned = train_variant_prior(plant(8, n_tests=19), seed=0)
    assert isinstance(learned, NotEnoughData)
    assert "19 finished tests" in learned.reason


def test_same_words_again_and_again_are_one_test() -> None:
    """Two variants in sixty months: remembering which was better is no skill with new words."""
    n = 120
    tests = FinishedTests.collect(
        [f"month {at // 2:02d}" for at in range(n)],
        texts=["warm words", "clear words"] * (n // 2),
        languages=["en"] * n,
        n_shown=np.full(n, 1_000),
        n_clicked=np.tile([80, 40], n // 2),
    )
    assert set(tests.family) == {0}
    learned = train_variant_prior(tests, seed=0)
    assert isinstance(learned, NotEnoughData)
    assert "1 finished tests" in learned.reason


def test_texts_that_are_lucky_by_themselves_give_no_prior() -> None:
    """Every text has its luck, the same in each of its three tests: nothing to foretell."""
    rng = np.random.default_rng(2)
    names, texts, clicked = [], [], []
    for family in range(80):
        for _ in range(2):
            text, luck = f"{family} {rng.integers(10**6)}", rng.normal(-3.0, 0.5)
            for month in range(3):
                names.append(f"{family}.{month}")
                texts.append(text)
                clicked.append(rng.binomial(2_000, 1.0 / (1.0 + np.exp(-luck))))
    tests = FinishedTests.collect(
        names,
        texts=texts,
        languages=["en"] * len(names),
        n_shown=np.full(len(names), 2_000),
        n_clicked=np.array(clicked),
    )
    assert len(set(tests.family)) == 80
    assert isinstance(train_variant_prior(tests, seed=0), NoPrior)


def test_same_seed_learns_the_same() -> None:
    tests = plant(1, n_tests=60)
    one, other = (train_variant_prior(tests, seed=3) for _ in range(2))
    assert isinstance(one, VariantPrior)
    assert isinstance(other, VariantPrior)
    assert one.to_json() == other.to_json()
