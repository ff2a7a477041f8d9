"""How often the better one of two siblings is ranked first."""

from dataclasses import dataclass

import numpy as np

from training.evaluation import Estimate
from training.measures import Floats, Integers
from training.variant_prior.finished import FinishedTests

_APART = 1.96  # standard errors between two siblings that surely differ
_LEVEL = 1.96


@dataclass(frozen=True)
class Ranking:
    """Shares of pairs of siblings ranked as their clicks are, with 95 % intervals over families.

    A tie of scores counts half; pairs with the same measured share of clicks are left out.

    Attributes:
        all_pairs: Of all; chance decides many of them, so that even the truth stays below 1.
        sure_pairs: Of those whose clicks surely differ, each pair at 5 %; None without any.
        n_pairs: How many pairs.
        n_sure: How many of them surely differ.
    """

    all_pairs: Estimate
    sure_pairs: Estimate | None
    n_pairs: int
    n_sure: int


def rank_pairs(tests: FinishedTests, scores: Floats) -> Ranking:
    """Compare scores (n,) with what was clicked, within tests."""
    right, count, sure_right, sure_count = (np.zeros(tests.n_tests) for _ in range(4))
    order = np.argsort(tests.position, kind="stable")
    ends = np.searchsorted(tests.position[order], np.arange(tests.n_tests + 1))
    for test in range(tests.n_tests):
        rows = order[ends[test] : ends[test + 1]]
        one, other = (rows[at] for at in np.triu_indices(len(rows), 1))
        gap = tests.log_odds[one] - tests.log_odds[other]
        told = np.sign(scores[one] - scores[other])
        differ = gap != 0.0
        won = np.where(told == 0.0, 0.5, told == np.sign(gap))[differ]
        error = np.sqrt(tests.sampling_variance[one] + tests.sampling_variance[other])
        sure = (np.abs(gap) > _APART * error)[differ]
        right[test], count[test] = won.sum(), len(won)
        sure_right[test], sure_count[test] = won[sure].sum(), sure.sum()
    family = np.zeros(tests.n_tests, dtype=np.int64)
    family[tests.position] = tests.family
    return Ranking(
        _share(right, count, family=family),
        _share(sure_right, sure_count, family=family) if sure_count.sum() else None,
        int(count.sum()),
        int(sure_count.sum()),
    )


def _share(right: Floats, count: Floats, *, family: Integers) -> Estimate:
    """A ratio of sums over tests (tests,), with its interval by linearisation."""
    share = float(right.sum() / count.sum())
    influence = np.bincount(family, right - share * count)
    half = _LEVEL * float(np.sqrt((influence**2).sum()) / count.sum())
    return Estimate(share, share - half, share + half)
