"""Why customers are riskier than others: what the model's features add, grouped into factors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.churn.factors import FACTORS, FactorMap
from features.vocabulary import Factor
from serving.policy.cases import Floats
from training.registry.servable import ChurnModel

N_REASONS = 3
_LEAST_SHARE = 0.05
"""A factor that adds less than this is noise to whoever reads the reasons."""


@dataclass(frozen=True)
class Grounds:
    """What sets n customers apart from the others.

    Attributes:
        excess: What each feature adds to the log-odds over what it adds to the population's mean,
            (n, features); 0 for who is no riskier than others.
        shares: Share of each factor in everything that speaks for leaving, (n, factors); 0 where it
            speaks against it, and for who is no riskier than others.
    """

    excess: Floats
    shares: Floats

    def strongest(self, row: int) -> list[tuple[Factor, float]]:
        """At most three factors with their shares, most important first."""
        order = np.argsort(-self.shares[row], kind="stable")[:N_REASONS]
        found = ((FACTORS[n], float(self.shares[row, n])) for n in order)
        return [(factor, share) for factor, share in found if share >= _LEAST_SHARE]


def find_grounds(model: ChurnModel, features: Floats, *, factors: FactorMap) -> Grounds:
    """The grounds of customers, vectorised.

    Contributions add up to the log-odds (Lundberg et al. 2020), so less the population's mean they
    add up to how much riskier a customer is. Within a factor they may cancel; neutral features
    count as one nameless factor, so that the shares of the others stay honest. Contributions cost
    some ten times as much as scores, so they are computed for who is riskier than others alone.

    Args:
        model: The served model.
        features: Of the customers, (n, features); NaN is null.
        factors: Which factor each feature speaks of.
    """
    names = model.signature.names
    excess = np.zeros_like(features)
    is_riskier = model.is_riskier(features)
    if is_riskier.any():
        mean = np.asarray(model.reference.contributions)
        excess[is_riskier] = model.contributions(features[is_riskier]) - mean
    speaks = np.maximum(factors.add_up(excess, names=names), 0.0)
    neutral = np.maximum(excess[:, _find_neutral(names, factors)].sum(axis=1), 0.0)
    total = np.maximum(speaks.sum(axis=1) + neutral, np.finfo(float).tiny)
    return Grounds(excess, speaks / total[:, None])


def find_features(
    factor: Factor, excess: Floats, *, names: Sequence[str], factors: FactorMap, most: int
) -> list[int]:
    """Positions of a factor's features that add most to the score of one customer, (features,)."""
    mine = [n for n, name in enumerate(names) if factors.factor_of.get(name) is factor]
    mine.sort(key=lambda n: -excess[n])
    return [n for n in mine if excess[n] > 0.0][:most]


def _find_neutral(names: Sequence[str], factors: FactorMap) -> list[int]:
    return [n for n, name in enumerate(names) if name not in factors.factor_of]
