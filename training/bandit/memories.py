"""Learning at several speeds of forgetting at once, each trusted as far as it foretells.

A stationary stream wants everything remembered, a stream that changed wants the past forgotten, and
nobody knows beforehand which it is. So a few memories run side by side. Their weights are those of
Bayesian model averaging with a fixed share (Herbster and Warmuth 1998), and a longer memory that a
shorter one has beaten by a cumulative sum of log likelihood ratios (Page 1954) starts again from
the shorter one's data: after a change it grows anew, without the past and without forgetting.
Both look at how arms and readers differ: a level that all share drifts with the season, and a short
memory that knows today's level must not bury what a long one knows of wordings.

Changes are rare, so a shorter memory is doubted until it foretells better: half-trusted without a
reason it costs a stationary stream more than a change costs that is noticed a little later.

Beside them stands a linear model (`linear.py`), trusted in the same way against all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import special

from features.errors import BadInputError
from training.bandit.ascent import Slope, climb
from training.bandit.linear import (
    LinearMemory,
    LinearSettings,
    foretell_linear,
    grow_trust,
    learn_linear,
    place_linear,
)
from training.bandit.sites import (
    Designs,
    Floats,
    Pool,
    Rows,
    Sites,
    Spread,
    add_rows,
    foretell,
    refit_spread,
    solve_pool,
)

_MAX_STEPS = 30
_TRIALS_EACH = 50  # for each coefficient
_SHORTEST = (2_000.0, 20_000.0)  # trials
_SAME = 0.1  # between two steps, on the scale of coefficients; the next step is far closer


@dataclass(frozen=True)
class BanditPrior:
    """What is believed before the first reward.

    Attributes:
        rate: Of success, of an arm nobody knows.
        strength: How many trials that belief is worth.
        spread: How far coefficients lie apart; the data move it.
        spread_strength: Coefficients that this belief is worth.
    """

    rate: float = 0.07
    strength: float = 30.0
    spread: Spread = field(default_factory=lambda: Spread((0.1,), base=0.25, slope=0.1))
    spread_strength: float = 4.0

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1.0 or self.strength <= 0.0:
            raise BadInputError(
                "a prior wants a rate in (0, 1) and a strength above 0, "
                f"got {self.rate!r} and {self.strength!r}"
            )

    @property
    def base_logit(self) -> float:
        """Log odds of the rate."""
        return float(np.log(self.rate / (1.0 - self.rate)))

    @property
    def base_variance(self) -> float:
        """Variance of the log odds that the strength stands for."""
        return 1.0 / (self.strength * self.rate * (1.0 - self.rate))

    @property
    def mean_rate(self) -> float:
        """Rate that is foretold for an arm nobody knows: that of the usual arm is not certain."""
        variance = self.base_variance + self.spread.base
        return float(special.expit(self.base_logit / np.sqrt(1.0 + np.pi / 8.0 * variance)))


@dataclass(frozen=True)
class MemorySettings:
    """How much is forgotten, and when.

    Attributes:
        lengths: What each memory spans, longest first, in multiples of the shortest useful
            memory: 50 trials for each coefficient (of every arm), within 2,000 and 20,000.
            Infinity forgets nothing.
        doubt: How far a memory is trusted before the first reward, as a multiple of the next
            longer one's trust.
        share: Of the weights, given back to that first trust with every batch.
        restart_at: Cumulative log likelihood ratio at which a longer memory starts again.
        linear: What the linear model believes.
    """

    lengths: tuple[float, ...] = (float("inf"), 6.0, 1.0)
    doubt: float = 0.02
    share: float = 1e-3
    restart_at: float = 10.0
    linear: LinearSettings = field(default_factory=LinearSettings)

    def __post_init__(self) -> None:
        if not self.lengths or list(self.lengths) != sorted(self.lengths, reverse=True):
            raise BadInputError(f"memories go from long to short, got {self.lengths}")
        if not 0.0 < self.doubt <= 1.0:
            raise BadInputError(f"doubt lies in (0, 1], got {self.doubt!r}")

    @property
    def first_weights(self) -> Floats:
        """How far each memory is trusted before the first reward; sums to 1."""
        weights = self.doubt ** np.arange(len(self.lengths), dtype=np.float64)
        trusted: Floats = weights / weights.sum()
        return trusted


@dataclass(frozen=True)
class Memory:
    """What one speed of forgetting has kept."""

    sites: Sites
    spread: Spread
    pool: Pool


@dataclass(frozen=True)
class Memories:
    """All speeds side by side.

    Attributes:
        each: Longest first.
        weights: How far each is trusted, (memories,); sums to 1.
        evidence: Cumulative log likelihood ratio of memory j against memory i, (i, j).
        linear: The linear model.
        p_linear: How far it is trusted against all of them together.
    """

    each: tuple[Memory, ...]
    weights: Floats
    evidence: Floats
    linear: LinearMemory
    p_linear: float


def start_memories(designs: Designs, *, prior: BanditPrior, settings: MemorySettings) -> Memories:
    """Before the first reward."""
    n_arms, n_columns, _ = designs.arms.shape
    sites = Sites.empty(n_arms, n_columns)
    spread = _complete(prior, designs)
    memory = Memory(sites, spread, _solve(sites, designs, spread, prior))
    n = len(settings.lengths)
    return Memories(
        (memory,) * n,
        settings.first_weights,
        np.zeros((n, n)),
        place_linear(sites, designs, rate=prior.mean_rate, settings=settings.linear),
        settings.linear.trust,
    )


def restore_memories(
    sites: Sequence[Sites],
    spreads: Sequence[Spread],
    *,
    weights: Floats,
    evidence: Floats,
    linear: Sites,
    p_linear: float,
    designs: Designs,
    prior: BanditPrior,
    settings: MemorySettings,
) -> Memories:
    """Memories from what was kept of them."""
    each = tuple(
        Memory(data, spread, _solve(data, designs, spread, prior))
        for data, spread in zip(sites, spreads, strict=True)
    )
    line = place_linear(linear, designs, rate=prior.mean_rate, settings=settings.linear)
    return Memories(each, weights, evidence, line, p_linear)


def widen_memories(
    memories: Memories, designs: Designs, *, prior: BanditPrior, settings: MemorySettings
) -> Memories:
    """The same knowledge with more arms or columns, or with arms that share otherwise."""
    n_arms, n_columns, _ = designs.arms.shape
    each = []
    for memory in memories.each:
        sites = memory.sites.widened(n_arms, n_columns)
        pool = _solve(sites, designs, memory.spread, prior)
        each.append(Memory(sites, memory.spread, pool))
    line = place_linear(
        memories.linear.sites.widened(n_arms, n_columns),
        designs,
        rate=prior.mean_rate,
        settings=settings.linear,
    )
    return replace(memories, each=tuple(each), linear=line)


def learn_rows(
    memories: Memories,
    rows: Rows,
    designs: Designs,
    *,
    prior: BanditPrior,
    settings: MemorySettings,
) -> Memories:
    """The memories after one batch; its order does not matter."""
    if not len(rows.arms):
        return memories
    found = [foretell(memory.pool, rows) for memory in memories.each]
    foretold = np.array([each.apart for each in found])
    unit = _find_shortest(designs)
    each = [
        _learn_one(memory, rows, designs, prior=prior, length=length * unit)
        for memory, length in zip(memories.each, settings.lengths, strict=True)
    ]
    weights = memories.weights * np.exp(foretold - foretold.max())
    weights = (
        1.0 - settings.share
    ) * weights / weights.sum() + settings.share * settings.first_weights
    evidence = np.maximum(0.0, memories.evidence + foretold[None, :] - foretold[:, None])
    for longer in range(len(each) - 1):
        shorter = longer + 1 + int(np.argmax(evidence[longer, longer + 1 :]))
        if evidence[longer, shorter] > settings.restart_at:
            each[longer] = each[shorter]
            weights[[longer, shorter]] = weights[[longer, shorter]].mean()
            evidence[longer, :] = 0.0
            evidence[:, longer] = 0.0
    line = learn_linear(
        memories.linear,
        rows,
        designs,
        rate=prior.mean_rate,
        keep=float(np.exp(-rows.weights.sum() / (settings.linear.length * unit))),
        settings=settings.linear,
    )
    together = special.logsumexp([each.whole for each in found], b=memories.weights)
    p_linear = grow_trust(
        memories.p_linear,
        lead=foretell_linear(memories.linear.pool, rows) - float(together),
        n_trials=float(rows.weights.sum()),
        first=settings.linear.trust,
        share=settings.share,
    )
    return Memories(tuple(each), weights, evidence, line, p_linear)


def blend(memories: Memories) -> tuple[Floats, Floats]:
    """Mean (arms, d) and covariance (arms, d, d) of the mixture of all memories."""
    mean = sum(
        (w * m.pool.mean for w, m in zip(memories.weights, memories.each, strict=True)),
        start=np.zeros_like(memories.each[0].pool.mean),
    )
    covariance = np.zeros_like(memories.each[0].pool.covariance)
    for weight, memory in zip(memories.weights, memories.each, strict=True):
        gap = memory.pool.mean - mean
        covariance += weight * (memory.pool.covariance + gap[:, :, None] * gap[:, None, :])
    return mean, covariance


def find_novelty(memories: Memories, designs: Designs) -> Floats:
    """How much of the arms' own intercepts is still unknown, (arms,): 1 without data, then less.

    What was believed of an arm beforehand makes it no less new.
    """
    parts = [
        weight * memory.pool.own_variance[:, 0] / (memory.spread.base * designs.priors.left)
        for weight, memory in zip(memories.weights, memories.each, strict=True)
    ]
    novelty: Floats = np.clip(np.sum(parts, axis=0), 0.0, 1.0)
    return novelty


def _learn_one(
    memory: Memory, rows: Rows, designs: Designs, *, prior: BanditPrior, length: float
) -> Memory:
    before = memory.sites.scaled(float(np.exp(-rows.weights.sum() / length)))
    spread, here = memory.spread, memory.pool
    start = _complete(prior, designs)
    for _ in range(_MAX_STEPS):
        spread = refit_spread(
            here, designs, now=spread, prior=start, strength=prior.spread_strength
        )
        sites = add_rows(before, rows, around=here.mean)
        pool = _solve(sites, designs, spread, prior)
        if np.abs(pool.mean - here.mean).max() < _SAME:
            return Memory(sites, spread, pool)
        slope = Slope(before, rows, designs, spread, base_mean=prior.base_logit)
        here = climb(here, pool, slope)
    sites = add_rows(before, rows, around=here.mean)
    return Memory(sites, spread, _solve(sites, designs, spread, prior))


def _find_shortest(designs: Designs) -> float:
    """Trials of the shortest memory that can still tell the arms apart."""
    n_arms, n_columns, _ = designs.arms.shape
    return float(np.clip(_TRIALS_EACH * n_arms * n_columns, *_SHORTEST))


def _complete(prior: BanditPrior, designs: Designs) -> Spread:
    """The prior's variances, one for each group that the designs have."""
    same = (prior.spread.shared[-1],) * designs.n_groups
    learned = (*prior.spread.shared, *same)[: designs.n_groups - 1]
    return Spread((prior.base_variance, *learned), prior.spread.base, prior.spread.slope)


def _solve(sites: Sites, designs: Designs, spread: Spread, prior: BanditPrior) -> Pool:
    return solve_pool(sites, designs, spread, base_mean=prior.base_logit)
