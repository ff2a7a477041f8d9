"""When and on what a model was trained, as its run says it: what `opportune retrain` goes by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from features.contracts import CONTRACTS
from features.tables import Tables
from training.datasets.provenance import fingerprint_tables

PERIOD_TAG: Final = "opportune.period"
DATA_TAG: Final = "opportune.data"


@dataclass(frozen=True)
class TrainedOn:
    """When and on what a model was trained.

    Attributes:
        period: Month until which the tables were known, in UTC.
        data: Fingerprint of all tables, those that the model does not read among them.
    """

    period: str
    data: str

    @classmethod
    def of(cls, tables: Tables, *, known_until: datetime) -> Self:
        """Of a training on these tables; nothing known at `known_until` or later counts."""
        data = fingerprint_tables(tables, names=CONTRACTS, known_until=known_until)
        return cls(period_of(known_until), data)

    def to_tags(self) -> Mapping[str, str]:
        """The tags of the run."""
        return {PERIOD_TAG: self.period, DATA_TAG: self.data}


def period_of(moment: datetime) -> str:
    """The month of a moment in UTC.

    >>> period_of(datetime(2026, 6, 30, 23, tzinfo=UTC))
    '2026-06'
    """
    return f"{moment.astimezone(UTC):%Y-%m}"
