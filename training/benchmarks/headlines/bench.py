"""Headlines: is a prior learned from past tests right about later ones, and what is it worth?"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from features.errors import BadInputError
from training.bandit.arms import BanditSettings
from training.bandit.beliefs import ArmPrior
from training.bandit.contextual import ContextualBandit
from training.bandit.memories import BanditPrior
from training.bandit.sites import Spread
from training.benchmarks.headlines.replay import draw_rates, lose_by_chance, play
from training.benchmarks.headlines.upworthy import read_headline_tests
from training.benchmarks.rows import BenchRow
from training.measures import Floats, Integers
from training.variant_prior.finished import FinishedTests
from training.variant_prior.fit import train_variant_prior
from training.variant_prior.prior import VariantPrior
from training.variant_prior.ranking import rank_pairs
from training.variant_prior.siblings import centre, find_spread

_CASE = "upworthy, later weeks"
_UNSEEN = "upworthy, tests left out"
_SHARE_LATE = 0.3
_Z = 1.96
_N_BINS = 5


@dataclass(frozen=True)
class HeadlinesPlan:
    """What is measured.

    Attributes:
        data: Folder of the archive's file, or the folder above.
        seeds: Of the true rates, clicks and choices.
        horizons: Impressions of a test, ascending.
        n_tests: Held-out tests that are played again, at most; None plays all.
    """

    data: Path
    seeds: range
    horizons: tuple[int, ...] = (300, 1_000, 3_000)
    n_tests: int | None = None


def bench_headlines(plan: HeadlinesPlan, *, tell: Callable[[str], None]) -> list[BenchRow]:
    """Ranking, calibration and regret saved, on tests of weeks after those learned from.

    Raises:
        BadInputError: The folder does not hold enough, or the past tests foretell nothing.
        SourceUnreadableError: The file is not there.
    """
    earlier, later = read_headline_tests(plan.data).split(share_late=_SHARE_LATE)
    tell(f"learning from {earlier.n_tests} tests")
    prior = train_variant_prior(earlier, seed=plan.seeds.start)
    if not isinstance(prior, VariantPrior):
        raise BadInputError(f"{plan.data}: {prior.reason}")
    return [
        *_judge_unseen(prior),
        *judge_prior(prior, later),
        *_play_again(prior, later, plan=plan, tell=tell),
    ]


def _judge_unseen(prior: VariantPrior) -> list[BenchRow]:
    """What cross-validation over whole tests said before the later weeks were looked at."""
    skill = prior.skill
    pairs, n = skill.pairs_ranked, skill.n_texts
    return [
        BenchRow(
            _UNSEEN, "pairs_ranked", pairs.value, pairs.low, pairs.high, 0.5, "chance", "1", n
        ),
        BenchRow(_UNSEEN, "explained", skill.explained, None, None, 0.0, "nothing", "1", n),
    ]


def judge_prior(prior: VariantPrior, later: FinishedTests) -> list[BenchRow]:
    """Ranking and calibration of a prior on tests that it has not seen."""
    scores = prior.score(later.texts)
    ranking = rank_pairs(later, scores)
    pairs, sure = ranking.all_pairs, ranking.sure_pairs
    shortest = rank_pairs(later, -np.array([float(len(text)) for text in later.texts]))
    rows = [
        BenchRow(
            _CASE,
            "pairs_ranked",
            pairs.value,
            pairs.low,
            pairs.high,
            0.5,
            "chance",
            "1",
            ranking.n_pairs,
        ),
        BenchRow(
            _CASE,
            "pairs_ranked_by_shortness",
            shortest.all_pairs.value,
            shortest.all_pairs.low,
            shortest.all_pairs.high,
            0.5,
            "chance",
            "1",
            ranking.n_pairs,
        ),
    ]
    if sure is not None:
        rows.append(
            BenchRow(
                _CASE,
                "sure_pairs_ranked",
                sure.value,
                sure.low,
                sure.high,
                0.5,
                "chance",
                "1",
                ranking.n_sure,
            )
        )
    return [*rows, *_judge_calibration(prior, later, scores)]


def _judge_calibration(prior: VariantPrior, later: FinishedTests, scores: Floats) -> list[BenchRow]:
    """Whether what is expected comes, and whether what is left unknown is right.

    The slope of what came on what was expected is 1 for true expectations. Deviations, divided by
    the standard deviation that prior and chance together say, have a variance of 1.
    """
    n, variance = len(later), later.sampling_variance
    weights = 1.0 / (variance + prior.spread)
    seen = centre(later.log_odds, tests=later.position, weights=weights)
    told = centre(scores, tests=later.position, weights=weights)
    power = float((weights * told**2).sum())
    slope = float((weights * told * seen).sum()) / power
    by_test = np.bincount(later.position, weights * told * (seen - slope * told))
    half = _Z * float(np.sqrt((by_test**2).sum())) / power
    spread = find_spread(later.log_odds, tests=later.position, sampling_variance=variance)
    rest = find_spread(later.log_odds - scores, tests=later.position, sampling_variance=variance)
    explained = 1.0 - rest / spread if spread else 0.0
    return [
        BenchRow(_CASE, "slope", slope, slope - half, slope + half, 1.0, "true", "1", n),
        BenchRow(_CASE, "explained", explained, None, None, 0.0, "nothing", "1", n),
        BenchRow(
            _CASE,
            "left_unknown",
            prior.left * prior.spread,
            None,
            None,
            rest,
            "later weeks",
            "log odds squared",
            n,
        ),
        *_judge_bins(told, seen, weights=weights),
    ]


def _judge_bins(told: Floats, seen: Floats, *, weights: Floats) -> list[BenchRow]:
    """What came beside what was expected, by fifths of what was expected."""
    edges = np.quantile(told, np.linspace(0.0, 1.0, _N_BINS + 1)[1:-1])
    at = np.searchsorted(edges, told, side="right")
    rows = []
    for fifth in range(_N_BINS):
        inside = at == fifth
        weight = weights[inside]
        mean = float(np.average(seen[inside], weights=weight))
        error = float(np.sqrt((weight**2 * (seen[inside] - mean) ** 2).sum()) / weight.sum())
        rows.append(
            BenchRow(
                _CASE,
                f"came_in_fifth_{fifth + 1}",
                mean,
                mean - _Z * error,
                mean + _Z * error,
                float(np.average(told[inside], weights=weight)),
                "expected",
                "log odds",
                int(inside.sum()),
            )
        )
    return rows


@dataclass(frozen=True)
class _Played:
    """Clicks lost in each play, (plays, horizons) each, and the test of each play, (plays,)."""

    tests: Integers
    chance: Floats
    without: Floats
    given: Floats


def _play_again(
    prior: VariantPrior,
    later: FinishedTests,
    *,
    plan: HeadlinesPlan,
    tell: Callable[[str], None],
) -> list[BenchRow]:
    rows: list[BenchRow] = []
    for name, settings in _starts(prior).items():
        n_tests = later.n_tests if plan.n_tests is None else min(plan.n_tests, later.n_tests)
        tell(f"playing {n_tests} tests, {name} bandit")
        played = _play_all(prior, later, settings, plan=plan)
        for at, horizon in enumerate(plan.horizons):
            rows += _compare(f"{name} bandit, {horizon} impressions", played, at)
    return rows


def _starts(prior: VariantPrior) -> dict[str, BanditSettings | None]:
    """The bandit as it is served, and one that knows level and spread of past tests."""
    spread = Spread(BanditPrior().spread.shared, base=prior.spread, slope=0.1)
    return {
        "served": None,
        "informed": BanditSettings(prior=BanditPrior(rate=prior.rate, spread=spread)),
    }


def _play_all(
    prior: VariantPrior,
    later: FinishedTests,
    settings: BanditSettings | None,
    *,
    plan: HeadlinesPlan,
) -> _Played:
    bandit = ContextualBandit.start(settings)
    tests: list[int] = []
    chance: list[Floats] = []
    without: list[Floats] = []
    given: list[Floats] = []
    for seed in plan.seeds:
        rng = np.random.default_rng(seed)
        rates = draw_rates(later, spread=prior.spread, rng=rng)
        for test in rng.permutation(later.n_tests)[: plan.n_tests].tolist():
            mine = np.flatnonzero(later.position == test)
            told = prior.believe(
                [later.texts[at] for at in mine], language=later.languages[mine[0]]
            )
            beliefs: dict[int, ArmPrior] = dict(enumerate(told or ()))
            luck = int(rng.integers(2**31))
            tests.append(test)
            chance.append(lose_by_chance(rates[mine], horizons=plan.horizons))
            nothing: dict[int, ArmPrior] = {}
            for lost, known in ((without, nothing), (given, beliefs)):
                lost.append(
                    play(
                        bandit,
                        rates=rates[mine],
                        horizons=plan.horizons,
                        beliefs=known,
                        seed=luck,
                    )
                )
    return _Played(np.array(tests), np.array(chance), np.array(without), np.array(given))


def _compare(case: str, played: _Played, at: int) -> list[BenchRow]:
    """Clicks lost a test, and the share of that loss that the prior saved; intervals over tests."""
    chance, without, given = (
        _mean_by_test(lost[:, at], tests=played.tests)
        for lost in (played.chance, played.without, played.given)
    )
    n = len(played.tests)
    saved = float((without - given).mean() / without.mean())
    influence = (without - given - saved * without) / without.mean()
    t = float(stats.t.ppf(0.975, len(without) - 1))
    half = t * float(influence.std(ddof=1) / np.sqrt(len(without)))
    lost = float(given.mean())
    error = t * float(given.std(ddof=1) / np.sqrt(len(given)))
    return [
        BenchRow(
            case,
            "clicks_lost",
            lost,
            lost - error,
            lost + error,
            float(without.mean()),
            "without the prior",
            "clicks a test",
            n,
        ),
        BenchRow(
            case,
            "clicks_lost_by_chance",
            float(chance.mean()),
            None,
            None,
            None,
            None,
            "clicks a test",
            n,
        ),
        BenchRow(case, "loss_saved", saved, saved - half, saved + half, 0.0, "nothing", "1", n),
    ]


def _mean_by_test(lost: Floats, *, tests: Integers) -> Floats:
    position = np.unique(tests, return_inverse=True)[1]
    mean: Floats = np.bincount(position, lost) / np.bincount(position)
    return mean
