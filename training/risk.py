"""Whether the playbook's rules help or harm: the risk score against the probability it is made of.

A rule multiplies the probability by a constant. Where the model knows the rule's feature and is
calibrated, the rule counts the risk twice; where the model is blind to it, the rule adds what is
missing. Only later rows can tell.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import numpy as np

from features.churn import CHURN_FEATURES
from features.churn.risk import RiskRules, TierSource
from features.errors import BadInputError
from features.tables import Tables
from features.vocabulary import Tier
from training.datasets.churn import build_churn_dataset
from training.datasets.provenance import Moments, NotEnoughData, sign
from training.datasets.split import is_from
from training.evaluation import (
    Comparison,
    Estimate,
    HeldOut,
    Window,
    compare,
    estimate,
    judge,
)
from training.evaluation.capacity import DEFAULT, Capacity, CapacityReport, measure_capacity
from training.evaluation.judged import ONLY_OUTCOME
from training.measures import Bools, Floats
from training.registry.entries import ModelVersion
from training.registry.servable import ChurnModel

_N_RESAMPLES = 400
_FEWEST_CUSTOMERS = 50
_FEWEST_FORETOLD = 10.0
_NONE_LOST = -math.log(0.025)
"""Upper end of the 95 % interval of a Poisson mean of which nothing was seen (Garwood 1936)."""


class Verdict(StrEnum):
    """What the rules do to the probability."""

    HELP = "help"
    HARM = "harm"
    MIXED = "help and harm"
    NO_DIFFERENCE = "make no difference that these rows could show"
    TOO_FEW = "fired too seldom to be judged"
    SILENT = "never fired"


@dataclass(frozen=True)
class JudgedRule:
    """One rule where it fired.

    Attributes:
        name: Of the rule.
        factor: What it multiplies by.
        n_fired: Rows on which it fired.
        wanted: What the rows themselves would multiply by: customers lost over the sum of their
            probabilities; 1 where the model is right there. None where it cannot be told: of fewer
            than 50 customers, or with fewer than 10 foretold to be lost.
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
        tiers: Rows of each tier, by the score that decides it.
        comparison: Every measure of both; None where no rule fired, for then they are the same,
            and where too few rows had one to tell, by the measure of `JudgedRule.wanted`.
        calls: What comes of a team's calls by either; None where `comparison` is.
        rules: Each rule by itself.
    """

    n_rows: int
    n_fired: int
    n_moved: int
    tiers: Mapping[TierSource, Mapping[Tier, int]]
    comparison: Comparison | None
    calls: CapacityReport | None
    rules: tuple[JudgedRule, ...]

    @property
    def verdict(self) -> Verdict:
        """From the intervals of AUC, the precision of the calls, and the Brier score."""
        if self.comparison is None or self.calls is None:
            return Verdict.TOO_FEW if self.n_fired else Verdict.SILENT
        gains = (self.comparison.difference.auc, self.calls.gain.precision)
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
    moments: Moments,
    rng: np.random.Generator,
    capacity: Capacity = DEFAULT,
) -> JudgedRules:
    """Judge the rules on rows that the model has not seen.

    Args:
        rules: The rules.
        p_churn: What the model said of the rows, (n,).
        features: Their features, (n, features); NaN is null.
        names: Columns of that matrix.
        window: What happened, and to whom.
        moments: As of when, (n,): the rows of one moment are a list to call from.
        rng: Of the bootstrap, which draws customers.
        capacity: Customers of a list that a team can call.
    """
    risk = rules.assess(p_churn, features=features, names=names)
    fired: Bools = np.asarray(risk.fired.any(axis=1))
    comparison = calls = None
    if _is_enough(p_churn, fired, window=window):
        comparison = compare(risk.risk_score, other=p_churn, window=window, rng=rng)
        held_out = HeldOut(
            customers=window.customers,
            moments=moments,
            ours=judge(risk.risk_score, labels=window.labels),
            baseline=judge(p_churn, labels=window.labels),
            is_list=True,
        )
        calls = measure_capacity(held_out, outcome=ONLY_OUTCOME, capacity=capacity, rng=rng)
    tiers = {source: replace(risk, tier_from=source).tiers for source in TierSource}
    return JudgedRules(
        n_rows=len(p_churn),
        n_fired=int(fired.sum()),
        n_moved=sum(a is not b for a, b in zip(*tiers.values(), strict=True)),
        tiers={source: {t: of_rows.count(t) for t in Tier} for source, of_rows in tiers.items()},
        comparison=comparison,
        calls=calls,
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


def judge_later(
    rules: RiskRules,
    version: ModelVersion,
    tables: Tables,
    *,
    known_until: datetime,
    seed: int,
    capacity: Capacity = DEFAULT,
) -> JudgedRules | NotEnoughData:
    """Judge the rules with a model that is trained already, on days that it has not seen.

    Args:
        rules: The rules.
        version: A churn model of the running features.
        tables: Conformed tables: those it was trained on, or later ones.
        known_until: Aware moment; nothing known at it or later is read.
        seed: Of the bootstrap.
        capacity: Customers of a list that a team can call.

    Raises:
        BadInputError: The version is no churn model.
        IncompatibleModelError: It was made with other feature definitions.
    """
    model = version.model
    if not isinstance(model, ChurnModel):
        raise BadInputError(f"expected a churn model in the registry, found {model!r}")
    model.signature.require(sign(CHURN_FEATURES), model="churn")
    dataset = build_churn_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    later = dataset.take(is_from(version.trained_until, moments=dataset.moments))
    n_lost = int(later.labels.sum())
    if not 0 < n_lost < len(later.labels):
        return NotEnoughData(
            f"{n_lost} of {len(later.labels)} rows later than {version.trained_until.isoformat()} "
            "were lost: nothing to judge the rules on"
        )
    return judge_rules(
        rules,
        model.predict(later.X),
        features=later.X,
        names=model.signature.names,
        window=Window(later.labels, later.customers),
        moments=later.moments,
        rng=np.random.default_rng(seed),
        capacity=capacity,
    )


def _find_wanted(
    p_churn: Floats, fired: Bools, *, window: Window, rng: np.random.Generator
) -> Estimate | None:
    """What would make the probabilities right where the rule fired, with its interval."""
    if not _is_enough(p_churn, fired, window=window):
        return None
    lost, foretold = window.labels[fired].astype(np.float64), p_churn[fired]

    def wanted(weights: Floats) -> float:
        return float((weights * lost).sum() / (weights * foretold).sum())

    customers = window.customers[fired]
    if not lost.any():
        # Every draw would say 0. A customer is lost at most once, however many rows tell of it.
        n_rows = len(customers) / len(set(customers.tolist()))
        return Estimate(0.0, 0.0, float(_NONE_LOST * n_rows / foretold.sum()))
    return estimate(wanted, customers=customers, rng=rng, n_resamples=_N_RESAMPLES)


def _is_enough(p_churn: Floats, fired: Bools, *, window: Window) -> bool:
    """Whether the rows on which a rule fired can tell anything of it."""
    n_customers = len(set(window.customers[fired].tolist()))
    return n_customers >= _FEWEST_CUSTOMERS and bool(p_churn[fired].sum() >= _FEWEST_FORETOLD)
