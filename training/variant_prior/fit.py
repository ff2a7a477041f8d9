"""Learning from finished tests: ridge regression within tests, judged on tests it has not seen."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from training.datasets.provenance import NotEnoughData
from training.measures import Floats
from training.variant_prior.describing import describe_texts
from training.variant_prior.finished import FinishedTests
from training.variant_prior.prior import Skill, VariantPrior
from training.variant_prior.ranking import rank_pairs
from training.variant_prior.siblings import centre, centre_columns, find_spread

_FEWEST_FAMILIES = 20
_N_FOLDS = 5
_PENALTIES = (0.5, 1.0, 2.0, 4.0, 8.0)
_SURE = 1.96  # standard errors by which what it tells must be above nothing
_MOST_STRETCH = 1.5
_LEAST_LEFT = 0.1
_NOTHING = 1e-9  # of what was seen: rounding


@dataclass(frozen=True)
class NoPrior:
    """The tests foretell nothing that could be told from chance, and why. Not an error."""

    reason: str


@dataclass(frozen=True)
class _Material:
    """Tests as numbers; rows weigh as much as their measured log odds are known."""

    tests: FinishedTests
    columns: sparse.csr_array
    weights: Floats
    spread: float


@dataclass(frozen=True)
class _Foretold:
    """What a penalty gave on tests that were left out.

    Attributes:
        penalty: Of the ridge regression.
        scores: Foretold log odds, (n,).
        stretch: By what they must be multiplied to be right on average.
        error: Standard error of the stretch, over families of tests.
        loss: Weighted squared error of the deviations.
    """

    penalty: float
    scores: Floats
    stretch: float
    error: float
    loss: float


def train_variant_prior(
    tests: FinishedTests, *, seed: int
) -> VariantPrior | NoPrior | NotEnoughData:
    """A prior for wordings that have not been sent, from tests that are over.

    Each wording is compared with its siblings only. Penalty, shrinkage and what is left unknown are
    found by cross-validation over whole tests; those that share words are left out together, since
    a new wording shares none.

    Args:
        tests: Of every language it is to know.
        seed: Of the folds.

    Returns:
        `NoPrior` where siblings do not differ, or where what was foretold of tests left out is not
        surely better than nothing.
    """
    n_families = len(np.unique(tests.family))
    if n_families < _FEWEST_FAMILIES:
        return NotEnoughData(
            f"{n_families} finished tests of two wordings or more, those that share words counted "
            f"once; at least {_FEWEST_FAMILIES} are needed"
        )
    spread = find_spread(
        tests.log_odds, tests=tests.position, sampling_variance=tests.sampling_variance
    )
    if spread == 0.0:
        return NoPrior("wordings of a test differ no more than by chance")
    weights = 1.0 / (tests.sampling_variance + spread)
    material = _Material(tests, describe_texts(tests.texts), weights, spread)
    best = min(
        (_foretell(material, penalty, seed=seed) for penalty in _PENALTIES),
        key=lambda each: each.loss,
    )
    if not best.stretch > _SURE * best.error:
        return NoPrior(
            f"on tests left out its expectations are worth {best.stretch:.2f} of themselves, "
            f"standard error {best.error:.2f}: not surely above nothing"
        )
    stretch = min(best.stretch, _MOST_STRETCH)
    rest = find_spread(
        tests.log_odds - stretch * best.scores,
        tests=tests.position,
        sampling_variance=tests.sampling_variance,
    )
    every = np.ones(len(tests), dtype=bool)
    return VariantPrior(
        languages=tuple(sorted(set(tests.languages))),
        weights=stretch * _fit(material, every, penalty=best.penalty),
        left=float(np.clip(rest / spread, _LEAST_LEFT, 1.0)),
        rate=tests.rate,
        spread=spread,
        skill=Skill(
            rank_pairs(tests, best.scores).all_pairs,
            explained=1.0 - rest / spread,
            n_tests=tests.n_tests,
            n_texts=len(tests),
        ),
    )


def _foretell(material: _Material, penalty: float, *, seed: int) -> _Foretold:
    tests = material.tests
    scores = np.zeros(len(tests))
    folds = GroupKFold(_N_FOLDS, shuffle=True, random_state=seed)
    for fitted, left_out in folds.split(scores, groups=tests.family):
        rows = np.zeros(len(tests), dtype=bool)
        rows[fitted] = True
        scores[left_out] = material.columns[left_out] @ _fit(material, rows, penalty=penalty)
    weights = material.weights
    seen = centre(tests.log_odds, tests=tests.position, weights=weights)
    told = centre(scores, tests=tests.position, weights=weights)
    power = float((weights * told**2).sum())
    if power <= _NOTHING * float((weights * seen**2).sum()):  # siblings described alike
        return _Foretold(penalty, scores, 0.0, np.inf, np.inf)
    stretch = float((weights * told * seen).sum()) / power
    by_family = np.bincount(tests.family, weights * told * (seen - stretch * told))
    error = float(np.sqrt((by_family**2).sum())) / power
    loss = float((weights * (seen - told) ** 2).sum())
    return _Foretold(penalty, scores, stretch, error, loss)


def _fit(material: _Material, rows: npt.NDArray[np.bool_], *, penalty: float) -> Floats:
    at = np.flatnonzero(rows)
    position = np.unique(material.tests.position[at], return_inverse=True)[1]
    weights = material.weights[at]
    # Weights are on the scale of the spread, so that a penalty means the same for every company.
    ridge = Ridge(alpha=penalty / material.spread, fit_intercept=False, solver="sparse_cg")
    ridge.fit(
        centre_columns(material.columns[at], tests=position, weights=weights),
        centre(material.tests.log_odds[at], tests=position, weights=weights),
        sample_weight=weights,
    )
    coefficients: Floats = np.asarray(ridge.coef_, dtype=np.float64).ravel()
    return coefficients
