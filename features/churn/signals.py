"""Named signals of churn: conditions on features that a person would notice, as data."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import yaml
from pydantic import Field, TypeAdapter

from features.churn.limits import Bools, Floats, FrozenData, Limit
from features.errors import BadInputError
from features.vocabulary import Factor

_DEFAULTS = Path(__file__).with_name("signals.yaml")


class Signal(FrozenData):
    """One signal.

    Attributes:
        name: What it is called.
        factor: Of which factor it speaks.
        when: Limits that must all hold; the first one is of the feature that it is about.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    factor: Factor
    when: Annotated[tuple[Limit, ...], Field(min_length=1)]

    @property
    def feature(self) -> str:
        """The feature that it is about."""
        return self.when[0].feature

    def holds(self, features: Floats, *, names: Sequence[str]) -> Bools:
        """Whether each row, (n,), of a matrix (n, features) shows it."""
        shown = [limit.holds(features, names=names) for limit in self.when]
        return np.asarray(np.all(shown, axis=0))


@cache
def default_signals() -> tuple[Signal, ...]:
    """The signals that ship with Opportune.

    >>> [signal.name for signal in default_signals() if signal.factor is Factor.RELATIONSHIP]
    ['would_not_recommend', 'recommends_less']
    """
    signals = TypeAdapter(tuple[Signal, ...]).validate_python(
        yaml.safe_load(_DEFAULTS.read_text(encoding="utf-8"))
    )
    if twice := [name for name, n in Counter(s.name for s in signals).items() if n > 1]:
        raise BadInputError(f"{_DEFAULTS}: signals of one name: {', '.join(twice)}")
    return signals
