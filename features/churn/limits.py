"""Whether a feature lies beyond a limit: the one kind of condition that rules and signals make."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

from features.churn.features import CHURN_FEATURES

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_TESTS: Mapping[str, Callable[[Floats, float], Bools]] = MappingProxyType(
    {
        "above": np.greater,
        "at_least": np.greater_equal,
        "below": np.less,
        "at_most": np.less_equal,
    }
)
"""What each border asks of a value; a comparison with NaN is false."""


class FrozenData(BaseModel):
    """Data that ship as YAML: nothing unknown is taken, nothing is changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Limit(FrozenData):
    """A feature of the churn model and the border beyond which the condition holds.

    Attributes:
        feature: Its name.
        above: Holds beyond this value; exactly one of the four borders is given.
        at_least: Holds from this value on.
        below: Holds under this value.
        at_most: Holds up to this value.
    """

    feature: str
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _is_one_border_of_a_feature(self) -> Self:
        faults = []
        if self.feature not in CHURN_FEATURES.names:
            faults.append(f"{self.feature!r} is no feature of the churn model")
        if sum(getattr(self, name) is not None for name in _TESTS) != 1:
            faults.append(f"expected exactly one of {', '.join(_TESTS)}")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def holds(self, features: Floats, *, names: Sequence[str]) -> Bools:
        """Whether it holds for each row, (n,), of a matrix (n, features); of null it never does."""
        value = features[:, names.index(self.feature)]
        borders = [(test, getattr(self, name)) for name, test in _TESTS.items()]
        met = [test(value, border) for test, border in borders if border is not None]
        return np.asarray(np.all(met, axis=0))
