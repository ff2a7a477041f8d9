"""The state of a contextual bandit as JSON: checked when read, exact to the last bit."""

import json
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from training.bandit.arms import BanditSettings
from training.bandit.context import N_FIXED
from training.bandit.delays import N_STEPS, DelayTally
from training.bandit.linear import LinearSettings
from training.bandit.memories import BanditPrior, MemorySettings
from training.bandit.sites import Floats, Sites, Spread

FORMAT = "opportune.bandit/2"

_CODES = [3, 4, 5, 6]  # columns of states that had hashed codes of segments


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ArmRecord(_Record):
    """One variant."""

    trigger: Trigger
    channel: Channel
    variant: str


class ArmPriorRecord(_Record):
    """What is believed of one variant beforehand."""

    arm: int  # place among the arms
    shift: float
    left: float


class SpreadRecord(_Record):
    """Variances of the pool."""

    shared: tuple[float, ...]
    base: float
    slope: float

    @classmethod
    def of(cls, spread: Spread) -> "SpreadRecord":
        """As a record."""
        return cls(shared=spread.shared, base=spread.base, slope=spread.slope)

    def spread(self) -> Spread:
        """What it records."""
        return Spread(self.shared, self.base, self.slope)


class SitesRecord(_Record):
    """Data of all variants: upper triangles of the precisions, and shifts."""

    precision: tuple[tuple[float, ...], ...]
    shift: tuple[tuple[float, ...], ...]

    def sites(self, n_arms: int, n_columns: int) -> Sites:
        """The data; ValueError where the shapes are others."""
        upper = np.array(self.precision, dtype=np.float64)
        shift = np.array(self.shift, dtype=np.float64)
        rows, columns = np.triu_indices(n_columns)
        if n_arms == 0 and shift.size == 0:
            return Sites.empty(0, n_columns)
        if upper.shape != (n_arms, len(rows)) or shift.shape != (n_arms, n_columns):
            raise ValueError(
                f"data of shape {upper.shape} and {shift.shape} for {n_arms} variants with "
                f"{n_columns} columns"
            )
        precision = np.zeros((n_arms, n_columns, n_columns))
        precision[:, rows, columns] = upper
        precision[:, columns, rows] = upper
        return Sites(precision, shift)


class MemoryRecord(SitesRecord):
    """One memory: its data, variances and length."""

    length: float | None  # null: it forgets nothing
    weight: float
    evidence: tuple[float, ...]
    spread: SpreadRecord


class LinearRecord(SitesRecord):
    """The linear model: its data, what it believes, and how far it is trusted."""

    weight: float
    trust: float
    noise: float
    shared: float
    own: float
    length: float

    def settings(self) -> LinearSettings:
        """What it believes."""
        return LinearSettings(self.trust, self.noise, self.shared, self.own, self.length)


class SettingsRecord(_Record):
    """How it learns and chooses."""

    rate: float
    strength: float
    spread: SpreadRecord
    spread_strength: float
    doubt: float = MemorySettings.doubt  # states of before had none
    share: float
    restart_at: float
    explore: float
    floor: float

    @classmethod
    def of(cls, settings: BanditSettings) -> "SettingsRecord":
        """As a record; lengths stand with the memories."""
        prior, memory = settings.prior, settings.memory
        return cls(
            rate=prior.rate,
            strength=prior.strength,
            spread=SpreadRecord.of(prior.spread),
            spread_strength=prior.spread_strength,
            doubt=memory.doubt,
            share=memory.share,
            restart_at=memory.restart_at,
            explore=settings.explore,
            floor=settings.floor,
        )

    def settings(self, lengths: Sequence[float], linear: LinearSettings) -> BanditSettings:
        """What it records."""
        prior = BanditPrior(self.rate, self.strength, self.spread.spread(), self.spread_strength)
        memory = MemorySettings(tuple(lengths), self.doubt, self.share, self.restart_at, linear)
        return BanditSettings(prior, memory, self.explore, self.floor)


class BanditRecord(_Record):
    """The whole state."""

    format: Literal["opportune.bandit/2"]
    layout: str
    n_trials: int
    arms: tuple[ArmRecord, ...]
    segments: tuple[str, ...] | None = None  # states of before had hashed codes
    settings: SettingsRecord
    successes: tuple[float, ...]
    failures: tuple[float, ...]
    memories: tuple[MemoryRecord, ...]
    linear: LinearRecord | None = None  # states of before had none
    priors: tuple[ArmPriorRecord, ...] = ()  # left out of the text where there are none

    @property
    def n_columns(self) -> int:
        """Columns of the data as they are kept."""
        n_segments = len(_CODES) if self.segments is None else len(self.segments)
        return N_FIXED + n_segments

    def restore(self, kept: SitesRecord) -> Sites:
        """Its data in today's columns; ValueError where the shapes are others.

        Of four hashed codes of segments nothing is kept: several segments shared each.
        """
        sites = kept.sites(len(self.arms), self.n_columns)
        return sites.without(_CODES) if self.segments is None else sites

    @property
    def lengths(self) -> tuple[float, ...]:
        """Of the memories."""
        return tuple(math.inf if m.length is None else m.length for m in self.memories)

    def delays(self) -> DelayTally:
        """How long outcomes took; ValueError where the steps are others."""
        if not len(self.successes) == len(self.failures) == N_STEPS:
            raise ValueError(f"delays want {N_STEPS} steps")
        return DelayTally(np.array(self.successes), np.array(self.failures))


def write_record(record: BanditRecord) -> str:
    """As text; equal records give equal text."""
    left_out = None if record.priors else {"priors"}
    return json.dumps(record.model_dump(mode="json", exclude=left_out))


def read_record(text: str) -> BanditRecord:
    """The record that `write_record` wrote; BadInputError says what is wrong with another text."""
    try:
        return BanditRecord.model_validate_json(text)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInputError(f"not the state of a bandit: {place}: {first['msg']}") from fault


def pack_memory(
    sites: Sites, spread: Spread, *, length: float, weight: float, evidence: Floats
) -> MemoryRecord:
    """One memory as a record."""
    return MemoryRecord(
        length=None if math.isinf(length) else length,
        weight=weight,
        evidence=tuple(evidence.tolist()),
        spread=SpreadRecord.of(spread),
        precision=_pack_precision(sites),
        shift=_pack_shift(sites),
    )


def pack_linear(sites: Sites, settings: LinearSettings, *, weight: float) -> LinearRecord:
    """The linear model as a record."""
    return LinearRecord(
        weight=weight,
        trust=settings.trust,
        noise=settings.noise,
        shared=settings.shared,
        own=settings.own,
        length=settings.length,
        precision=_pack_precision(sites),
        shift=_pack_shift(sites),
    )


def _pack_precision(sites: Sites) -> tuple[tuple[float, ...], ...]:
    rows, columns = np.triu_indices(sites.shift.shape[1])
    return tuple(tuple(row) for row in sites.precision[:, rows, columns].tolist())


def _pack_shift(sites: Sites) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in sites.shift.tolist())
