"""What every view has in common: the rows that a model is asked about in a stretch of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import pandas as pd

from features.tables import Tables
from training.datasets.provenance import Moments, NotEnoughData
from training.measures import Floats
from training.registry.servable import Servable

MOST_CUSTOMERS = 2_000


@dataclass(frozen=True)
class Asked:
    """Rows that a model is asked about.

    Attributes:
        names: Columns of the matrix.
        X: What the model is given, (n, columns); NaN is null.
        moments: As of when, (n,).
        scores: What the model answers, (n,) each, by what it foretells.
    """

    names: tuple[str, ...]
    X: Floats
    moments: Moments
    scores: Mapping[str, Floats]


class ReadAsked(Protocol):
    """Reads what a model is asked about."""

    def __call__(
        self, tables: Tables, /, *, model: Servable, since: datetime, until: datetime
    ) -> Asked | NotEnoughData:
        """Rows from `since` until `until`; nothing known at `until` or later is read."""
        ...


def sample_customers(ids: "pd.Series[str]", *, n: int = MOST_CUSTOMERS) -> "pd.Series[str]":
    """At most n customers, always the same ones: those whose ids have the smallest hashes."""
    if len(ids) <= n:
        return ids
    hashes = pd.util.hash_pandas_object(ids, index=False).to_numpy()
    return ids[np.sort(np.argsort(hashes, kind="stable")[:n])].reset_index(drop=True)
