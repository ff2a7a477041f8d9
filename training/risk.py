"""Whether the playbook's rules help or harm: the risk score against the probability it is made of.

A rule multiplies the probability by a constant. Where the model knows the rule's feature and is
calibrated, the risk is counted twice; where the model is blind to it, the rule adds what is missing.
Only later rows can tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from features.churn.risk import Risk, RiskRules, TierSource
from training.evaluation import Comparison, Estimate, Window, compare, draw_weights
from training.measures import Bools, Floats, Measure

CAPACITY_SHARE = 0.1
"""Share of the customers whom a team can call."""

_N_RESAMPLES = 400
_TAILS = (2.5, 97.5)


class Verdict(StrEnum):
    """What the rules do to the probability."""

    HELP = "help"
    HARM = "harm"
    MIXED = "help and harm"
    NO_DIFFERENCE = "make no difference that these rows could show"
    SILENT = "never fired"


@dataclass(frozen=True)
class Paired:
    """One measure of the risk score and of p_churn on the same draws.

    Attributes:
        risk_score: Of the risk score.
        p_churn: Of the probability.
        difference: The first minus the second.
    """

    risk_score: Estimate
    p_churn: Estimate
    difference: Estimate


@dataclass(frozen=True)
class JudgedRule:
    """One rule where it fired.

    Attributes:
        name: Of the rule.
        factor: What it multiplies by.
        n_fired: Rows on which it fired.
        wanted: What the rows themselves would multiply by: customers lost over the sum of their
            probabilities; 1 where the model is right there. None where it cannot be told.
    """

    name: str
    factor: float
    n_fired: int
    wanted: Estimate | None


@dataclass(frozen=True)
class JudgedRules:
    """The risk score against p_churn on later rows.

    Attributes:
        n_rows: Rows judged on.
        n_fired: Rows on which any rule fired.
        n_moved: Rows whose tier is another by the risk score than by p_churn.
        comparison: Every measure of both; None where no rule fired, for then they are the same.
        precision: Share lost among the riskiest tenth; None where no rule fired.
        rules: Each rule by itself.
    """

    n_rows: int
    n_fired: int
    n_moved: int
    comparison: Comparison | None
    precision: Paired | None
    rules: tuple[JudgedRule, ...]

    @property
    def verdict(self) -> Verdict:
        """Of the intervals of AUC, precision among the riskiest tenth, and Brier score."""
        if self.comparison is None or self.precision is None:
            return Verdict.SILENT
        gains = (self.comparison.difference.auc, self.precision.difference)
        loss = self.comparison.difference.brier
        helps = any(gain.low > 0 for gain in gains) or loss.high < 0
        harms = any(gain.high < 0 for gain in gains) or loss.low > 0
        if helps and harms:
            return Verdict.MIXED
        if helps:
            return Verdict.HELP
        return Verdict.HARM if harms else Verdict.NO_DIFFERENCE

    @property
    def favours(self) -> TierSource:
        """The score that the tier should come from: the probability unless the rules only help."""
        helps = self.verdict is Verdict.HELP
        return TierSource.RISK_SCORE if helps else TierSource.P_CHURN


def judge_rules(
    rules: RiskRules,
    p_churn: Floats,
    *,
    features: Floats,
    names: Sequence[str],
    window: Window,
    rng: np.random.Generator,
) -> JudgedRules:
    """Judge the rules on rows that the model has not seen.

    Args:
        rules: The rules.
        p_churn: What the model said of the rows, (n,).
        features: Their features, (n, features); NaN is null.
        names: Columns of that matrix.
        window: What happened, and to whom.
        rng: Of the bootstrap, which draws customers.
    """
    risk = rules.assess(p_churn, features=features, names=names)
    fired = risk.fired.any(axis=1)
    comparison = precision = None
    if fired.any():
        comparison = compare(risk.risk_score, other=p_churn, window=window, rng=rng)
        precision = _compare_precision(risk, window=window, rng=rng)
    by_tiers = (
        rules.model_copy(update={"tier_from": source}).assess(
            p_churn, features=features, names=names
        )
        for source in TierSource
    )
    return JudgedRules(
        n_rows=len(p_churn),
        n_fired=int(fired.sum()),
        n_moved=sum(a is not b for a, b in zip(*(r.tiers for r in by_tiers), strict=True)),
        comparison=comparison,
        precision=precision,
        rules=tuple(
            JudgedRule(
                rule.name,
                rule.factor,
                int(risk.fired[:, n].sum()),
                _find_wanted(p_churn, risk.fired[:, n], window=window, rng=rng),
            )
            for n, rule in enumerate(rules.rules)
        ),
    )


def make_precision(p: Floats, labels: Bools, *, share: float) -> Measure:
    """Share of positives among the riskiest `share` of the weight; ties at the border count in part.

    >>> precision = make_precision(
    ...     np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]), share=0.5
    ... )
    >>> precision(np.ones(4))
    0.75
    """
    order = np.argsort(-p, kind="stable")
    ranked, positive = p[order], labels[order].astype(np.float64)
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))

    def precision(weights: Floats) -> float:
        w = weights[order]
        mass = np.add.reduceat(w, starts)
        found = np.add.reduceat(w * positive, starts)
        room = share * float(mass.sum())
        taken = np.clip(room - (np.cumsum(mass) - mass), 0.0, mass)
        rates = found / np.maximum(mass, np.finfo(float).tiny)
        return float((taken * rates).sum() / room)

    return precision


def _compare_precision(risk: Risk, *, window: Window, rng: np.random.Generator) -> Paired:
    measures = [
        make_precision(p, window.labels, share=CAPACITY_SHARE)
        for p in (risk.risk_score, risk.p_churn)
    ]
    draws = draw_weights(window.customers, rng=rng, n_resamples=_N_RESAMPLES)
    full = np.ones(len(window.labels))
    values = np.array([[measure(w) for measure in measures] for w in (full, *draws)])
    risk_score, p_churn = (_estimate(values[:, n]) for n in range(2))
    return Paired(risk_score, p_churn, _estimate(values[:, 0] - values[:, 1]))


def _find_wanted(
    p_churn: Floats, fired: Bools, *, window: Window, rng: np.random.Generator
) -> Estimate | None:
    """What would make the probabilities right where the rule fired, with its interval."""
    if not fired.any():
        return None
    lost, foretold = window.labels[fired].astype(np.float64), p_churn[fired]
    draws = draw_weights(window.customers[fired], rng=rng, n_resamples=_N_RESAMPLES)
    weights = (np.ones(len(lost)), *draws)
    return _estimate(np.array([(w * lost).sum() / (w * foretold).sum() for w in weights]))


def _estimate(values: Floats) -> Estimate:
    """The first value, and the percentiles of the others."""
    low, high = np.percentile(values[1:], _TAILS)
    return Estimate(float(values[0]), float(low), float(high))
