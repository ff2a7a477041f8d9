"""What a whole case does to a customer, as a server asks for it: the law of contact by reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from features.errors import BadInputError
from features.vocabulary import Factor
from training.registry.servable.retention import AtRisk, ContactEffects, RetentionModel
from training.registry.servable.signature import FeatureSignature, Floats

CASE_LEVERS: Final = (*(factor.value for factor in Factor), "none")
"""The steps that a strongest reason calls for; `none`: those of a tier alone."""

CASE_SIGNATURE: Final = FeatureSignature(("p_churn", "n_refused", "segment", "factor"), "case-1")
"""What was known of a customer when the case was opened, and which form of that this is."""

_MANY_REFUSED: Final = 3
_LEAST_P: Final = 1e-6  # a calibrated model may say 0 or 1
_SEED: Final = 0  # of the draws: asked again, the model says the same


@dataclass(frozen=True)
class AtOpening:
    """Customers as they were when their cases were opened, n of them.

    Attributes:
        p_churn: Of the churn model, (n,).
        n_refused: Channels without consent, (n,); NaN where unknown.
        segments: None where unknown.
        factors: The strongest reason; None where there is none.
    """

    p_churn: Floats
    n_refused: Floats
    segments: Sequence[str | None]
    factors: Sequence[Factor | None]

    def __post_init__(self) -> None:
        lengths = [len(one) for one in (self.p_churn, self.n_refused, self.segments, self.factors)]
        if len(set(lengths)) != 1:
            raise BadInputError(f"customers at opening want columns of one length, got {lengths}")

    def describe(self, segments: Sequence[str]) -> AtRisk:
        """As the law reads them, with these segments; no reason is answered better by a lever."""
        n = len(self.p_churn)
        X = describe_contact(
            self.p_churn, n_refused=self.n_refused, own=self.segments, segments=segments
        )
        return AtRisk(self.p_churn, X, np.zeros((n, len(CASE_LEVERS))))

    def find_levers(self) -> npt.NDArray[np.int64]:
        """Positions in `CASE_LEVERS`, (n,)."""
        names = ["none" if one is None else one.value for one in self.factors]
        return np.array([CASE_LEVERS.index(name) for name in names], dtype=np.int64)

    def take(self, rows: npt.NDArray[np.int64]) -> Self:
        """Those rows."""
        return type(self)(
            self.p_churn[rows],
            self.n_refused[rows],
            [self.segments[row] for row in rows],
            [self.factors[row] for row in rows],
        )


@dataclass(frozen=True)
class CaseModel:
    """What a case does: all that follows from opening one, against opening one and doing nothing.

    Attributes:
        law: With `CASE_LEVERS`.
        segments: That it knows, sorted.
        horizon_days: Who stays is looked at so many days after the opening.
        signature: What it reads.
        version: In the registry; empty before it is registered.
    """

    law: RetentionModel
    segments: tuple[str, ...]
    horizon_days: int
    signature: FeatureSignature = CASE_SIGNATURE
    version: str = ""

    def __post_init__(self) -> None:
        if self.law.levers != CASE_LEVERS:
            raise BadInputError(
                f"a model of cases has the levers {', '.join(CASE_LEVERS)}, "
                f"got {', '.join(self.law.levers)}"
            )

    def effects(self, customers: AtOpening) -> ContactEffects:
        """Effect of a case with the steps that each customer's reason calls for, (n, 1)."""
        told = self.law.effects(customers.describe(self.segments), rng=np.random.default_rng(_SEED))
        return told.choose(customers.find_levers())

    def to_json(self) -> dict[str, Any]:
        """The model as JSON."""
        return {
            "kind": "case_effect",
            "version": self.version,
            "signature": {"names": list(self.signature.names), "digest": self.signature.digest},
            "segments": list(self.segments),
            "horizon_days": self.horizon_days,
            "law": self.law.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The model that `to_json` wrote."""
        said = data["signature"]
        return cls(
            RetentionModel.from_json(data["law"]),
            tuple(data["segments"]),
            int(data["horizon_days"]),
            FeatureSignature(tuple(said["names"]), said["digest"]),
            data["version"],
        )


def describe_contact(
    p_churn: Floats, *, n_refused: Floats, own: Sequence[str | None], segments: Sequence[str]
) -> Floats:
    """What may tell whom contact drives away, (n, 3 + segments); NaN is null.

    Args:
        p_churn: Of the churn model, (n,).
        n_refused: Channels without consent, (n,); NaN where unknown.
        own: Segment of each customer; None where unknown.
        segments: That are told apart.
    """
    many = np.where(np.isnan(n_refused), np.nan, n_refused >= _MANY_REFUSED)
    risk = logit(np.clip(p_churn, _LEAST_P, 1.0 - _LEAST_P))
    member = [[float(one == segment) for segment in segments] for one in own]
    columns = [n_refused, many, risk]
    return np.column_stack([*columns, np.array(member).reshape(len(own), len(segments))])
