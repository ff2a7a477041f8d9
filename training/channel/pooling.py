"""Partial pooling of rates: log-odds that add up, each part shrunk as far as its messages are few.

    logit P = prior[trigger, channel] + everybody + channel + trigger + trigger x channel
              + segment + segment x channel + language + language x channel
              + trigger x segment, of what follows reading: who reads is told apart by channel, but
                who acts on it by what it is about

All parts but the prior are normal around 0. Their spreads are learned from the messages (empirical
Bayes by expectation and maximisation; Gelman & Hill 2007, ch. 12-14), the parts by Newton's method
on counts by cell: a million messages are a few thousand cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from features.channel_priors import ChannelPriors
from features.vocabulary import Outcome
from training.channel.cells import Cells
from training.measures import Floats
from training.registry.servable import CHANNELS, TRIGGERS, GroupEffects, PooledRates
from training.registry.servable.pooled import N_HOURS, logit, relate_reading

_N_EXPECTATIONS = 60
_N_STEPS = 30
_PSEUDO_PARTS = 2.0
"""A spread is learned as if so many parts had shown the spread that is assumed beforehand."""

_FOLLOWS_SD = 0.25
_INTEREST_SD = 0.15
_N_C, _N_T = len(CHANNELS), len(TRIGGERS)
_INTEREST = 8  # position of trigger x segment among the kinds of parts


@dataclass(frozen=True)
class PartKind:
    """Parts that share a spread: how many there are, what is assumed, whether it is learned."""

    n: int
    sd: float
    is_learned: bool = True


@dataclass(frozen=True)
class FittedParts:
    """Parts (p,), their covariance (p, p), and the spread of each (p,)."""

    parts: Floats
    covariance: Floats
    sd: Floats

    def combine(self, weights: Floats) -> tuple[Floats, Floats]:
        """Sums of weighted parts (k, p), and the share of each that the messages decided."""
        prior = (weights**2) @ self.sd**2
        left = np.einsum("kp,pq,kq->k", weights, self.covariance, weights)
        known = 1.0 - np.minimum(left / np.maximum(prior, 1e-12), 1.0)
        return weights @ self.parts, np.asarray(known, dtype=np.float64)


def pool_rates(
    cells: Cells,
    outcome: Outcome,
    *,
    priors: ChannelPriors,
    opened: PooledRates | None = None,
) -> PooledRates:
    """Pooled log-odds of an outcome, without what the hour adds.

    Args:
        cells: Messages and those with the outcome, by cell.
        outcome: Which one.
        priors: What is believed before any message.
        opened: Rates of *opened*, where this outcome should follow what groups add to them.
    """
    prior = _read_prior(outcome, priors)
    layout = _Layout(
        len(cells.segments),
        len(cells.languages),
        is_following=opened is not None,
        leaves=outcome is Outcome.UNSUBSCRIBED,
    )
    follows = np.zeros(len(cells.n))
    if opened is not None:
        # What is believed of this outcome is believed of messages that are opened as often as
        # those of this company are.
        prior = prior + opened.base - _read_prior(Outcome.OPENED, priors)
        follows = relate_reading(
            opened.base[cells.trigger, cells.channel],
            opened.segments.effect[cells.segment, cells.channel]
            + opened.languages.effect[cells.language, cells.channel],
        )
    X = layout.write(cells, follows=follows)
    fit = fit_parts(
        X,
        kinds=layout.kinds,
        n=cells.n,
        n_with=cells.n_with,
        offset=prior[cells.trigger, cells.channel] + follows,
    )
    base, known = fit.combine(layout.weigh_base(cells))
    return PooledRates(
        base=prior + base.reshape(_N_T, _N_C),
        known=known.reshape(_N_T, _N_C),
        segments=_find_effects(fit, cells.segments, layout.weigh_segments(cells)),
        languages=_find_effects(fit, cells.languages, layout.weigh_languages(cells)),
        hours=np.zeros((_N_C, N_HOURS + 1)),
        follows=0.0 if opened is None else float(1.0 + fit.parts[-1]),
        interests=None if opened is None else layout.read_interests(fit, cells),
    )


def _read_prior(outcome: Outcome, priors: ChannelPriors) -> Floats:
    """Log-odds before any message, (triggers, channels)."""
    p = [[priors.rate(outcome, trigger=t, channel=c) for c in CHANNELS] for t in TRIGGERS]
    return logit(np.array(p))


def _find_effects(fit: FittedParts, values: tuple[str, ...], weights: Floats) -> GroupEffects:
    effect, known = fit.combine(weights)
    shape = (len(values), _N_C)
    unknown = np.zeros((1, _N_C))
    return GroupEffects(
        values,
        np.vstack([effect.reshape(shape), unknown]),
        np.vstack([known.reshape(shape), unknown]),
    )


class _Layout:
    """Which part stands in which column."""

    def __init__(
        self, n_segments: int, n_languages: int, *, is_following: bool, leaves: bool
    ) -> None:
        # Who follows what readers do differs from it less than readers differ among each other; but
        # patience is another matter than reading.
        own = 0.3 if is_following else 1.0
        self.kinds = (
            PartKind(1, 1.0, is_learned=False),
            PartKind(_N_C, 0.5),
            PartKind(_N_T, 0.5),
            PartKind(_N_T * _N_C, 0.3 * own),
            PartKind(n_segments, 0.3 if leaves else 0.3 * own),
            PartKind(n_segments * _N_C, 0.3 * own),
            PartKind(n_languages, 0.2 * own),
            PartKind(n_languages * _N_C, 0.2 * own),
            PartKind(_N_T * n_segments if is_following else 0, _INTEREST_SD),
            PartKind(1, _FOLLOWS_SD, is_learned=False),
        )
        ends = np.cumsum([kind.n for kind in self.kinds])
        self.starts = ends - [kind.n for kind in self.kinds]
        self.n = int(ends[-1])

    def write(self, cells: Cells, *, follows: Floats) -> Floats:
        """The matrix of the cells, (m, p)."""
        X = np.zeros((len(cells.n), self.n))
        X[:, 0] = 1.0
        rows = np.arange(len(cells.n))
        _, channel, trigger, both, segment, on_segment, language, on_language, interest, _ = (
            self.starts
        )
        X[rows, channel + cells.channel] = 1.0
        X[rows, trigger + cells.trigger] = 1.0
        X[rows, both + cells.trigger * _N_C + cells.channel] = 1.0
        for at, start, start_on in (
            (cells.segment, segment, on_segment),
            (cells.language, language, on_language),
        ):
            known = at >= 0
            X[rows[known], start + at[known]] = 1.0
            X[rows[known], start_on + (at * _N_C + cells.channel)[known]] = 1.0
        if self.kinds[_INTEREST].n:
            known = cells.segment >= 0
            at = cells.trigger * len(cells.segments) + cells.segment
            X[rows[known], interest + at[known]] = 1.0
        X[:, -1] = follows
        return X

    def weigh_base(self, cells: Cells) -> Floats:
        """Parts of every trigger and channel for the mean customer, (triggers x channels, p)."""
        weights = np.zeros((_N_T * _N_C, self.n))
        weights[:, 0] = 1.0
        rows = np.arange(_N_T * _N_C)
        weights[rows, self.starts[1] + rows % _N_C] = 1.0
        weights[rows, self.starts[2] + rows // _N_C] = 1.0
        weights[rows, self.starts[3] + rows] = 1.0
        for kind, shares in ((4, cells.segment_shares), (6, cells.language_shares)):
            for value, share in enumerate(shares):
                weights[:, self.starts[kind] + value] = share
                weights[rows, self.starts[kind + 1] + value * _N_C + rows % _N_C] = share
        if self.kinds[_INTEREST].n:
            for value, share in enumerate(cells.segment_shares):
                at = self.starts[_INTEREST] + rows // _N_C * len(cells.segments) + value
                weights[rows, at] = share
        return weights

    def read_interests(self, fit: FittedParts, cells: Cells) -> Floats:
        """What each segment adds on each trigger against the mean customer; see `PooledRates`."""
        start, n = int(self.starts[_INTEREST]), len(cells.segments)
        added = fit.parts[start : start + _N_T * n].reshape(_N_T, n)
        mean = added @ np.array(cells.segment_shares).reshape(n, 1)
        return np.column_stack([added - mean, np.zeros(_N_T)])

    def weigh_segments(self, cells: Cells) -> Floats:
        """Parts of each segment on each channel against the mean customer, (segments x 5, p)."""
        return self._contrast(4, cells.segment_shares)

    def weigh_languages(self, cells: Cells) -> Floats:
        """Parts of each language on each channel against the mean customer, (languages x 5, p)."""
        return self._contrast(6, cells.language_shares)

    def _contrast(self, kind: int, shares: Sequence[float]) -> Floats:
        n = len(shares)
        weights = np.zeros((n * _N_C, self.n))
        for value in range(n):
            for channel in range(_N_C):
                row = weights[value * _N_C + channel]
                row[self.starts[kind] : self.starts[kind] + n] -= shares
                start = self.starts[kind + 1] + channel
                row[start : start + n * _N_C : _N_C] -= shares
                row[self.starts[kind] + value] += 1.0
                row[start + value * _N_C] += 1.0
        return weights


def fit_parts(
    X: Floats, *, kinds: Sequence[PartKind], n: Floats, n_with: Floats, offset: Floats
) -> FittedParts:
    """Parts and their spreads in turn, until neither moves."""
    kind_of = np.repeat(np.arange(len(kinds)), [kind.n for kind in kinds])
    sd = np.array([kind.sd for kind in kinds])
    parts = np.zeros(X.shape[1])
    covariance = np.zeros((X.shape[1], X.shape[1]))
    for _ in range(_N_EXPECTATIONS):
        precision = sd[kind_of] ** -2.0
        parts, covariance = _find_parts(
            X, parts, precision=precision, n=n, n_with=n_with, offset=offset
        )
        size = parts**2 + np.diag(covariance)
        learned = np.array(
            [
                np.sqrt(
                    (size[kind_of == at].sum() + _PSEUDO_PARTS * kind.sd**2)
                    / (kind.n + _PSEUDO_PARTS)
                )
                if kind.is_learned
                else kind.sd
                for at, kind in enumerate(kinds)
            ]
        )
        is_settled = np.abs(np.log(learned / sd)).max() < 0.01
        sd = learned
        if is_settled:
            break
    return FittedParts(parts, covariance, sd[kind_of])


def _find_parts(
    X: Floats, parts: Floats, *, precision: Floats, n: Floats, n_with: Floats, offset: Floats
) -> tuple[Floats, Floats]:
    """Most probable parts under these spreads, and their covariance there (Laplace)."""
    covariance = np.diag(1.0 / precision)
    for _ in range(_N_STEPS):
        p = expit(X @ parts + offset)
        gradient = X.T @ (n_with - n * p) - precision * parts
        curvature = (X * (n * p * (1.0 - p))[:, None]).T @ X + np.diag(precision)
        covariance = np.asarray(np.linalg.inv(curvature), dtype=np.float64)
        step = covariance @ gradient
        # Far from the optimum a full Newton step may overshoot; a log-odds moves by 1 at most.
        parts = parts + step * min(1.0, 1.0 / max(float(np.abs(X @ step).max(initial=0)), 1e-12))
        if np.abs(step).max() < 1e-4:
            break
    return parts, covariance
