from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.datasets.split import is_from, is_known_by, split_forward, to_datetime

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=50),
    st.integers(1, 40),
    st.integers(60, 150),
    st.integers(0, 100),
)
def test_no_label_reaches_into_the_next_part(
    days: list[int], span_days: int, calibration_day: int, later_days: int
) -> None:
    moments = np.datetime64("2026-01-01", "us") + np.array(days) * np.timedelta64(1, "D")
    calibration_from = START + timedelta(days=calibration_day)
    test_from = calibration_from + timedelta(days=later_days)
    split = split_forward(
        moments,
        calibration_from=calibration_from,
        test_from=test_from,
        label_span=timedelta(days=span_days),
    )
    ends = np.array(days) + span_days
    parts = np.stack([split.train, split.calibration, split.test])
    assert (parts.sum(axis=0) <= 1).all()
    assert (ends[split.train] <= calibration_day).all()
    assert (ends[split.calibration] <= calibration_day + later_days).all()
    assert (np.array(days)[split.calibration] >= calibration_day).all()
    assert (np.array(days)[split.test] >= calibration_day + later_days).all()
    kept = parts.any(axis=0)
    crosses = (np.array(days) < calibration_day) & (ends > calibration_day)
    crosses |= (np.array(days) < calibration_day + later_days) & (
        ends > calibration_day + later_days
    )
    assert (kept == ~crosses).all()


def test_border_belongs_to_the_later_part() -> None:
    moments = np.array(["2026-01-01", "2026-01-31"], dtype="datetime64[us]")
    border = datetime(2026, 1, 31, tzinfo=UTC)
    span = timedelta(days=30)
    assert is_from(border, moments=moments).tolist() == [False, True]
    assert is_known_by(border, moments=moments, label_span=span).tolist() == [True, False]


def test_moment_keeps_its_instant_whatever_the_zone() -> None:
    almaty = datetime.fromisoformat("2026-01-01T05:00:00+05:00")
    moments = np.array(["2026-01-01T00:00:00"], dtype="datetime64[us]")
    assert is_from(almaty, moments=moments).all()
    assert to_datetime(moments[0]) == almaty
