"""Splits forward in time: train, calibration and test, each strictly later than the one before.

A label looks ahead (30 days for churn, 7 for the outcomes of a message), and so rows are dropped
whose label would reach into the next part.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from training.datasets.provenance import Moments
from training.measures import Bools


@dataclass(frozen=True)
class ForwardSplit:
    """Masks (n,) of three parts.

    Attributes:
        train: Fits the trees.
        calibration: Stops them early and calibrates them.
        test: Judges.
        test_from: No label of `train` or `calibration` looks at this moment or beyond: what was
            made from them is trained until here.
    """

    train: Bools
    calibration: Bools
    test: Bools
    test_from: datetime


def split_forward(
    moments: Moments, *, calibration_from: datetime, test_from: datetime, label_span: timedelta
) -> ForwardSplit:
    """Rows by moment; a row's label is known `label_span` after its moment."""
    return ForwardSplit(
        train=is_known_by(calibration_from, moments=moments, label_span=label_span),
        calibration=(moments >= _to_utc64(calibration_from))
        & is_known_by(test_from, moments=moments, label_span=label_span),
        test=is_from(test_from, moments=moments),
        test_from=test_from,
    )


def split_last_fifths(moments: Moments, *, label_span: timedelta) -> ForwardSplit:
    """The last fifth of the time tests and the fifth before calibrates."""
    first, last = to_datetime(moments.min()), to_datetime(moments.max())
    fifth = (last - first) / 5
    test_from = last - fifth
    return split_forward(
        moments,
        calibration_from=test_from - label_span - fifth,
        test_from=test_from,
        label_span=label_span,
    )


def is_known_by(moment: datetime, *, moments: Moments, label_span: timedelta) -> Bools:
    """Which rows have a label that looks no further than `moment`."""
    known: Bools = moments + np.timedelta64(label_span) <= _to_utc64(moment)
    return known


def is_from(moment: datetime, *, moments: Moments) -> Bools:
    """Which rows are of `moment` or later."""
    later: Bools = moments >= _to_utc64(moment)
    return later


def to_datetime(moment: np.datetime64) -> datetime:
    """An aware moment of UTC microseconds without a zone.

    >>> to_datetime(np.datetime64("2026-03-01T10:00:00", "us")).isoformat()
    '2026-03-01T10:00:00+00:00'
    """
    naive: datetime = moment.astype("datetime64[us]").item()
    return naive.replace(tzinfo=UTC)


def _to_utc64(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
