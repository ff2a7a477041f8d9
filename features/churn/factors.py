"""What the features of the churn model say, grouped into the playbook's factors."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Self

import numpy as np
import yaml
from pydantic import model_validator

from features.churn.features import CHURN_FEATURES
from features.churn.limits import Floats, FrozenData
from features.vocabulary import Factor

_DEFAULTS = Path(__file__).with_name("factors.yaml")


FACTORS: tuple[Factor, ...] = tuple(Factor)


class FactorMap(FrozenData):
    """Which factor each feature of the churn model speaks of.

    Attributes:
        factors: Features of each factor; a factor without any is silent.
        neutral: Features that tell customers apart without being a reason that one could name.
    """

    factors: Mapping[Factor, tuple[str, ...]]
    neutral: tuple[str, ...]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        times = Counter([*(name for names in self.factors.values() for name in names)])
        times.update(self.neutral)
        faults = [f"{factor} is missing" for factor in FACTORS if factor not in self.factors]
        faults += [f"{name} stands {n} times" for name, n in times.items() if n > 1]
        faults += [
            f"{n} has neither a factor nor is neutral"
            for n in CHURN_FEATURES.names
            if n not in times
        ]
        faults += [
            f"{n} is no feature of the churn model" for n in times if n not in CHURN_FEATURES.names
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @cached_property
    def factor_of(self) -> Mapping[str, Factor]:
        """Factor by feature; neutral ones are left out."""
        return {name: factor for factor, names in self.factors.items() for name in names}

    def add_up(self, contributions: Floats, *, names: Sequence[str]) -> Floats:
        """Contributions of features (n, features), summed by factor: (n, factors).

        Within a factor they may cancel: a customer who was never busy has few logins now and had
        few before, and is not declining.
        """
        summed = np.zeros((len(contributions), len(FACTORS)))
        for column, name in enumerate(names):
            factor = self.factor_of.get(name)
            if factor is not None:
                summed[:, FACTORS.index(factor)] += contributions[:, column]
        return summed


@cache
def default_factors() -> FactorMap:
    """The map that ships with Opportune.

    >>> str(default_factors().factor_of["days_since_last_login"])
    'low_usage'
    """
    return FactorMap.model_validate(yaml.safe_load(_DEFAULTS.read_text(encoding="utf-8")))
