"""What every model has in common: training, the gate and monitoring know none by name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from features.errors import BadInputError
from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.evaluation import Judged
from training.evaluation.leakage import LeakageCheck
from training.gate import GateWindow
from training.registry.entries import ModelName
from training.registry.servable import FeatureSignature, Servable
from training.registry.tracking import TrainingRecord
from training.search import SearchBudget

Judge = Callable[[Servable], Judged]
"""How a model did on rows that it has not seen."""

M = TypeVar("M", bound=Servable)


@dataclass(frozen=True)
class LaterRows:
    """Rows that no contender has seen, and how a model is judged on them."""

    window: GateWindow
    judge: Judge


class Learn(Protocol):
    """Fits a model, judges it on later rows and writes down everything about it."""

    def __call__(
        self, tables: Tables, /, *, known_until: datetime, seed: int
    ) -> TrainingRecord | NotEnoughData:
        """What is logged; nothing known at `known_until` or later is read."""
        ...


class LearnWithSearch(Protocol):
    """As `Learn`, with settings that were searched for; see `training.search`."""

    def __call__(
        self, tables: Tables, /, *, known_until: datetime, seed: int, budget: SearchBudget
    ) -> TrainingRecord | NotEnoughData:
        """What is logged, the search among it."""
        ...


class FindLaterRows(Protocol):
    """Finds rows that are later than anything the contenders have seen."""

    def __call__(
        self, tables: Tables, /, *, known_until: datetime, seen_until: datetime, fit_until: datetime
    ) -> LaterRows | NotEnoughData:
        """The rows from `seen_until` on; the baseline is made of those known by `fit_until`."""
        ...


class FindLeak(Protocol):
    """Looks whether features or labels know the future; see `training.datasets.shuffled`."""

    def __call__(
        self, tables: Tables, /, *, known_until: datetime, seed: int
    ) -> LeakageCheck | NotEnoughData:
        """What is still foretold after the future was shuffled."""
        ...


@dataclass(frozen=True)
class Recipe:
    """One model from tables to the gate.

    Attributes:
        name: Under which it is registered.
        learn: How it is made.
        find_later_rows: How it is judged again.
        signature: Features that the running code gives it; None where it reads none.
        find_leak: How it is looked at for leaks; None where there is no such check.
        learn_with_search: How it is made with a search; None where there is none.
    """

    name: ModelName
    learn: Learn
    find_later_rows: FindLaterRows
    signature: FeatureSignature | None
    find_leak: FindLeak | None = None
    learn_with_search: LearnWithSearch | None = None


def too_early(
    seen_until: datetime, *, known_until: datetime, label_span: timedelta
) -> NotEnoughData:
    """Why there are no later rows, and from which day on there may be.

    Args:
        seen_until: Only rows of this moment or later count.
        known_until: What is known at it or later is not read.
        label_span: From a row's moment until its label is known, at the least.
    """
    first, ready, now = (
        f"{moment.astimezone(UTC):%Y-%m-%d}"
        for moment in (seen_until, seen_until + label_span, known_until)
    )
    why = (
        f"no label of these is known before {ready}"
        if known_until < seen_until + label_span
        else f"no such row has a label yet on {now}, though labels take {label_span.days} days"
    )
    return NotEnoughData(f"nothing to judge on: only rows from {first} on count, and {why}")


def require(model: Servable, kind: type[M]) -> M:
    """The model as what it must be; BadInputError where the registry holds another kind."""
    if not isinstance(model, kind):
        raise BadInputError(f"expected a {kind.__name__} in the registry, found {model!r}")
    return model
