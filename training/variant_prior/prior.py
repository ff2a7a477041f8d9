"""What a model of past tests says of new wordings, and its state as JSON."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import BadInputError
from training.bandit.beliefs import ArmPrior
from training.evaluation import Estimate
from training.measures import Floats
from training.variant_prior.describing import N_COLUMNS, describe_texts

FORMAT = "opportune.variant-prior/1"

_MOST_SHIFT = 1.0  # a text alone never speaks for more


@dataclass(frozen=True)
class Skill:
    """How well it did on tests and words that it had not seen, by cross-validation.

    Attributes:
        pairs_ranked: Share of pairs of siblings of which it ranked the better one first; .5 is
            chance. Measured clicks decide which one is better, so even the truth stays below 1.
        explained: Share of the variance between the true log odds of siblings that it tells.
        n_tests: Tests that it learned from.
        n_texts: Wordings in them.
    """

    pairs_ranked: Estimate
    explained: float
    n_tests: int
    n_texts: int


@dataclass(frozen=True)
class VariantPrior:
    """A linear model of how the log odds of a click stray from those of a wording's siblings.

    Attributes:
        languages: Codes of the languages that it has learned; it says nothing of others.
        weights: Of the columns of a description, (N_COLUMNS,), shrunk so that what it expects is
            right on average.
        left: Share of the variance between siblings that it leaves unknown, in [.1, 1].
        rate: Of clicks, of the middle test.
        spread: Variance between the true log odds of siblings.
        skill: What it is known to be worth.
    """

    languages: tuple[str, ...]
    weights: Floats
    left: float
    rate: float
    spread: float
    skill: Skill

    def score(self, texts: Sequence[str]) -> Floats:
        """Log odds of each text, (n,), up to a constant: only differences mean anything."""
        scores: Floats = describe_texts(texts) @ self.weights
        return scores

    def believe(self, texts: Sequence[str], *, language: str) -> tuple[ArmPrior, ...] | None:
        """What to expect of siblings before the first is sent, in their order.

        Args:
            texts: What competes, all of it: expectations are relative to their mean.
            language: Of the texts.

        Returns:
            None where it has not learned this language.
        """
        if language not in self.languages:
            return None
        if not texts:
            return ()
        scores = self.score(texts)
        shifts = np.clip(scores - scores.mean(), -_MOST_SHIFT, _MOST_SHIFT)
        return tuple(ArmPrior(shift, self.left) for shift in shifts.tolist())

    def to_json(self) -> str:
        """Everything it knows as text; weights as base64 of 32-bit floats, low byte first."""
        pairs = self.skill.pairs_ranked
        record = _Record(
            format=FORMAT,
            languages=self.languages,
            weights=b64encode(self.weights.astype("<f4").tobytes()).decode("ascii"),
            left=self.left,
            rate=self.rate,
            spread=self.spread,
            pairs_ranked=(pairs.value, pairs.low, pairs.high),
            explained=self.skill.explained,
            n_tests=self.skill.n_tests,
            n_texts=self.skill.n_texts,
        )
        return record.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> "VariantPrior":
        """What `to_json` wrote; BadInputError says what is wrong with another text."""
        try:
            record = _Record.model_validate_json(text)
        except ValidationError as fault:
            first = fault.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise BadInputError(f"not a prior of variants: {place}: {first['msg']}") from fault
        return cls(
            languages=record.languages,
            weights=_read_weights(record.weights),
            left=record.left,
            rate=record.rate,
            spread=record.spread,
            skill=Skill(
                Estimate(*record.pairs_ranked),
                explained=record.explained,
                n_tests=record.n_tests,
                n_texts=record.n_texts,
            ),
        )


def _read_weights(text: str) -> Floats:
    try:
        raw = b64decode(text, validate=True)
    except ValueError as fault:
        raise BadInputError(f"not a prior of variants: weights: {fault}") from fault
    if len(raw) != 4 * N_COLUMNS:
        raise BadInputError(
            f"not a prior of variants: weights of {len(raw)} bytes, expected {4 * N_COLUMNS}"
        )
    weights = np.frombuffer(raw, dtype="<f4").astype(np.float64)
    if not np.isfinite(weights).all():
        raise BadInputError("not a prior of variants: weights that are no finite numbers")
    return weights


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal["opportune.variant-prior/1"]
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    weights: str
    left: Annotated[float, Field(ge=0.1, le=1.0)]
    rate: Annotated[float, Field(gt=0.0, lt=1.0)]
    spread: Annotated[float, Field(gt=0.0)]
    pairs_ranked: tuple[float, float, float]
    explained: float
    n_tests: Annotated[int, Field(ge=1)]
    n_texts: Annotated[int, Field(ge=2)]
