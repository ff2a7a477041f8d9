"""What is believed of a variant before its first trial, beside what its kin have shown.

The bandit believes that a variant nobody knows does as its trigger, channel and style do, and that
it may stray from them as far as variants usually do. Who knows more (a model of past tests, say)
moves that belief.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from features.errors import BadInputError
from training.bandit.sites import ArmPriors

_MOST_SHIFT = 2.0
_LEAST_LEFT = 0.1

_Name = TypeVar("_Name")


@dataclass(frozen=True)
class ArmPrior:
    """A belief about one variant.

    Attributes:
        shift: Expected log odds of success above its kin's, in [-2, 2].
        left: Share of the usual variance between kin that is still unknown, in [0.1, 1]: 1 where
            only the expectation moved, .9 where the belief tells a tenth of the variance.
    """

    shift: float
    left: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.shift) and abs(self.shift) <= _MOST_SHIFT):
            raise BadInputError(
                f"the shift of a belief lies in [-{_MOST_SHIFT}, {_MOST_SHIFT}], got {self.shift!r}"
            )
        if not _LEAST_LEFT <= self.left <= 1.0:
            raise BadInputError(
                f"what a belief leaves unknown lies in [{_LEAST_LEFT}, 1], got {self.left!r}"
            )


def collect_priors(arms: Sequence[_Name], priors: Mapping[_Name, ArmPrior]) -> ArmPriors | None:
    """The beliefs as arrays in the order of the arms; None where there are none."""
    if not priors:
        return None
    each = [priors.get(arm, ArmPrior(0.0)) for arm in arms]
    return ArmPriors(
        np.array([prior.shift for prior in each]), np.array([prior.left for prior in each])
    )
