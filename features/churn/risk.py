"""The risk score of the playbook beside the calibrated probability of churn, and the tier.

The rules are data (`risk.yaml`). Whoever needs a tier asks `RiskRules.assess`: no other way leads
from a score to one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from math import isnan
from pathlib import Path
from typing import Self

import numpy as np
import yaml
from pydantic import Field, model_validator

from features.churn.limits import Bools, Floats, FrozenData, Limit
from features.errors import BadInputError
from features.vocabulary import Tier

_DEFAULTS = Path(__file__).with_name("risk.yaml")


class TierSource(StrEnum):
    """The score that decides the tier."""

    P_CHURN = "p_churn"
    RISK_SCORE = "risk_score"


class RiskRule(FrozenData):
    """One rule of the playbook.

    Attributes:
        name: What it is called where it fired.
        when: On which customers it fires.
        factor: What the score is multiplied by.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    when: Limit
    factor: float = Field(gt=0)


class TierBorders(FrozenData):
    """Where the tiers begin: a tier holds the scores above its border.

    >>> TierBorders().find_tier(0.8), TierBorders(medium=0.1, high=0.2, critical=0.4).find_tier(0.8)
    (<Tier.HIGH: 'high'>, <Tier.CRITICAL: 'critical'>)

    Attributes:
        medium: Scores up to this are low.
        high: Scores up to this are medium.
        critical: Scores up to this are high.
    """

    medium: float = Field(default=0.3, ge=0, lt=1)
    high: float = Field(default=0.6, gt=0, lt=1)
    critical: float = Field(default=0.8, gt=0, lt=1)

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if not self.medium < self.high < self.critical:
            raise ValueError("expected medium < high < critical")
        return self

    def find_tier(self, score: float) -> Tier:
        """Tier of a score from 0 to 1."""
        if not 0.0 <= score <= 1.0:
            raise BadInputError(f"a churn score lies in [0, 1], got {score!r}")
        if score > self.critical:
            return Tier.CRITICAL
        if score > self.high:
            return Tier.HIGH
        return Tier.MEDIUM if score > self.medium else Tier.LOW

    def find_border(self, tier: Tier) -> float:
        """The score above which a tier begins; 0 of the low one."""
        borders = {Tier.MEDIUM: self.medium, Tier.HIGH: self.high, Tier.CRITICAL: self.critical}
        return borders.get(tier, 0.0)


@dataclass(frozen=True)
class Risk:
    """The churn risk of n customers.

    Attributes:
        p_churn: Calibrated probability, (n,); NaN where there is none.
        risk_score: The same after the rules, (n,); NaN where p_churn is.
        fired: Which rules fired, (n, rules); none without a probability.
        tier_from: The score that decides the tier.
        borders: Where the tiers begin.
    """

    p_churn: Floats
    risk_score: Floats
    fired: Bools
    tier_from: TierSource
    borders: TierBorders = field(default_factory=TierBorders)

    @property
    def deciding(self) -> Floats:
        """The score that decides the tier, (n,)."""
        return self.risk_score if self.tier_from is TierSource.RISK_SCORE else self.p_churn

    @cached_property
    def tiers(self) -> tuple[Tier | None, ...]:
        """The tier of each customer; None where there is no score."""
        scores = self.deciding.tolist()
        return tuple(None if isnan(score) else self.borders.find_tier(score) for score in scores)


class RiskRules(FrozenData):
    """How a probability becomes a risk score, and which of the two decides the tier.

    Attributes:
        tier_from: The score that decides the tier.
        cap: The score is at most this.
        rules: All that fire multiply.
        borders: Where the tiers begin.
    """

    tier_from: TierSource
    cap: float = Field(gt=0, le=1)
    rules: tuple[RiskRule, ...]
    borders: TierBorders = TierBorders()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        if twice := [name for name, n in Counter(self.names).items() if n > 1]:
            raise ValueError(f"rules of one name: {', '.join(twice)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rules, in order."""
        return tuple(rule.name for rule in self.rules)

    def assess(self, p_churn: Floats, *, features: Floats, names: Sequence[str]) -> Risk:
        """Score and tier of customers.

        >>> X = np.array([[31.0, np.nan], [31.0, 8.0], [np.nan, np.nan]])
        >>> risk = default_rules().assess(
        ...     np.array([0.4, 0.6, 0.2]),
        ...     features=X,
        ...     names=("days_since_last_login", "oldest_open_ticket_days"),
        ... )
        >>> risk.risk_score.round(3).tolist(), [str(tier) for tier in risk.tiers]
        ([0.6, 1.0, 0.2], ['medium', 'medium', 'low'])

        Args:
            p_churn: Calibrated probabilities, (n,); NaN where there is none.
            features: Features of the same customers, (n, features); NaN is null.
            names: Columns of that matrix; those that the rules read among them.

        Raises:
            BadInputError: The shapes differ, or a rule reads a column that is not there.
        """
        if features.shape != (len(p_churn), len(names)):
            raise BadInputError(
                f"risk of {len(p_churn)} customers by {len(names)} features: the matrix has the "
                f"shape {features.shape}"
            )
        if missing := [r.when.feature for r in self.rules if r.when.feature not in names]:
            raise BadInputError(f"the risk rules need {', '.join(missing)}, which is not there")
        known = ~np.isnan(p_churn)
        fired = np.zeros((len(p_churn), len(self.rules)), dtype=bool)
        for n, rule in enumerate(self.rules):
            fired[:, n] = rule.when.holds(features, names=names) & known
        factors = np.array([rule.factor for rule in self.rules])
        raised = np.where(fired, factors, 1.0).prod(axis=1)
        risk_score = np.minimum(p_churn * raised, self.cap)
        return Risk(p_churn, risk_score, fired, self.tier_from, self.borders)


@cache
def default_rules() -> RiskRules:
    """The rules that ship with Opportune.

    >>> [(rule.name, rule.factor) for rule in default_rules().rules]
    [('last_login_long_ago', 1.5), ('open_ticket_old', 1.3)]
    """
    return RiskRules.model_validate(yaml.safe_load(_DEFAULTS.read_text(encoding="utf-8")))
