"""Where rows come from: which data, which features, until when; or why there are too few."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.contracts import CONTRACTS
from features.declarations import FeatureSet
from features.frames import take_matrix
from features.point_in_time import build_features
from features.tables import Tables, known_before
from training.measures import Floats, Integers
from training.registry.servable import FeatureSignature

Customers = npt.NDArray[np.object_]
"""customer_id of each row, (n,)."""

Moments = npt.NDArray[np.datetime64]
"""Moment of each row, (n,), UTC microseconds without a zone."""


@dataclass(frozen=True)
class NotEnoughData:
    """Nothing can be learned yet, and why. Not an error: every company begins like this."""

    reason: str


@dataclass(frozen=True)
class Provenance:
    """Where rows come from.

    Attributes:
        signature: Features of the matrix.
        fingerprint: Of the data, see `fingerprint_tables`.
        tables: Tables that had rows.
        known_until: Nothing known at this moment or later was read.
    """

    signature: FeatureSignature
    fingerprint: str
    tables: tuple[str, ...]
    known_until: datetime


def describe_source(
    tables: Tables, *, features: FeatureSet, also: Iterable[str], known_until: datetime
) -> Provenance:
    """Provenance of rows made from a feature set and the tables of their labels."""
    names = sorted(features.tables | set(also))
    return Provenance(
        signature=sign(features),
        fingerprint=fingerprint_tables(tables, names=names, known_until=known_until),
        tables=tuple(name for name in names if name in tables and len(tables[name])),
        known_until=known_until,
    )


def sign(features: FeatureSet) -> FeatureSignature:
    """What a model carries of the features it was made with."""
    return FeatureSignature(features.names, features.digest)


def fingerprint_tables(tables: Tables, *, names: Iterable[str], known_until: datetime) -> str:
    """SHA-256, in hexadecimal, over what those tables said before `known_until`.

    Columns of the contract count; neither the order of rows nor that of columns does. Tables that
    are absent or empty add nothing.
    """
    digest = hashlib.sha256()
    wanted = {name: tables[name] for name in sorted(names) if name in tables}
    for name, frame in known_before(wanted, pd.Timestamp(known_until)).items():
        if frame.empty:
            continue
        columns = sorted(c.name for c in CONTRACTS[name].columns if c.name in frame)
        row_hashes = pd.util.hash_pandas_object(frame[columns], index=False).to_numpy()
        digest.update(f"{name}:{','.join(columns)}:{len(frame)}".encode())
        digest.update(np.sort(row_hashes).astype("<u8").tobytes())
    return digest.hexdigest()


def build_matrix(tables: Tables, spine: pd.DataFrame, *, features: FeatureSet) -> Floats:
    """Features of the spine's rows as a matrix (n, features); NaN is null."""
    frame = build_features(tables, spine, features=features)
    return take_matrix(frame, features=features)


def find_positions(values: "pd.Series[str]", *, among: tuple[str, ...]) -> Integers:
    """Position of each value in a closed set, (n,); -1 where it is not in it."""
    positions: Integers = pd.Index(list(among)).get_indexer(pd.Index(values)).astype(np.int64)
    return positions


def to_moments(moments: "pd.Series[pd.Timestamp]") -> Moments:
    """Aware moments as UTC microseconds without a zone."""
    return moments.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
