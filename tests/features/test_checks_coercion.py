import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.checks.coercion import coerce
from features.contracts import DTYPES, Kind
from features.vocabulary import Channel

ALMATY = dt.timezone(dt.timedelta(hours=5))
MOMENT = pd.Timestamp("2024-01-01T00:00:00Z")
DAY = dt.date(2024, 1, 1)

LOSSLESS = [
    (Kind.ID, [1, 2], "int32", ["1", "2"]),
    (Kind.ID, [1, None], "Int64", ["1", None]),
    (Kind.ID, ["a", 7, None], "object", ["a", "7", None]),
    (Kind.ID, ["a", ""], "str", ["a", None]),
    (Kind.TEXT, [Channel.SMS, None], "object", ["sms", None]),
    (Kind.TEXT, ["a", None], "string", ["a", None]),
    (Kind.TEXT, ["a", "b", "a"], "category", ["a", "b", "a"]),
    (Kind.TEXT, [None, None], "float64", [None, None]),
    (Kind.CENTS, [1, 2], "uint8", [1, 2]),
    (Kind.CENTS, [2**53 + 1, None], "Int64", [2**53 + 1, None]),
    (Kind.CENTS, [3.0, None], "float64", [3, None]),
    (Kind.CENTS, [Decimal("3.00"), 4, 5.0, np.int16(6), None], "object", [3, 4, 5, 6, None]),
    (Kind.NUMBER, [1, None], "Int64", [1.0, None]),
    (Kind.NUMBER, [0.5], "float32", [0.5]),
    (Kind.NUMBER, [Decimal("0.5"), 2, None], "object", [0.5, 2.0, None]),
    (Kind.FLAG, [True, False], "boolean", [True, False]),
    (Kind.FLAG, [True, np.False_], "object", [True, False]),
    (Kind.CONSENT, [True, None], "object", [True, None]),
    (Kind.TIME, [MOMENT, None], "datetime64[s, UTC]", [MOMENT, None]),
    (Kind.TIME, [MOMENT], "datetime64[ns, Asia/Almaty]", [MOMENT]),
    (Kind.TIME, [dt.datetime(2024, 1, 1, 5, tzinfo=ALMATY), MOMENT], "object", [MOMENT, MOMENT]),
    (Kind.TIME, [MOMENT], pd.ArrowDtype(pa.timestamp("us", "Asia/Almaty")), [MOMENT]),
    (Kind.DATE, [DAY, None], "object", [MOMENT, None]),
    (Kind.DATE, [DAY, None], "datetime64[s]", [MOMENT, None]),
    (Kind.DATE, [MOMENT], "datetime64[us, UTC]", [MOMENT]),
]


@pytest.mark.parametrize(("kind", "cells", "dtype", "expected"), LOSSLESS)
def test_coerce_converts_where_nothing_is_lost(
    kind: Kind, cells: list[object], dtype: str, expected: list[object]
) -> None:
    coerced = coerce(pd.Series(cells, dtype=dtype), kind)
    pd.testing.assert_series_equal(coerced.values, pd.Series(expected, dtype=DTYPES[kind]))
    assert not coerced.wrong_type.any()
    assert not coerced.naive_time.any()


REFUSED = [
    (Kind.ID, [1.0], "float64"),
    (Kind.ID, [True], "bool"),
    (Kind.TEXT, [5], "int64"),
    (Kind.TEXT, [b"a"], "object"),
    (Kind.CENTS, [0.5], "float64"),
    (Kind.CENTS, [float("inf")], "float64"),
    (Kind.CENTS, [2.0**53], "float64"),  # it may have been 2**53 + 1
    (Kind.CENTS, [2**63], "uint64"),
    (Kind.CENTS, [2**70], "object"),
    (Kind.CENTS, [Decimal("0.1")], "object"),
    (Kind.CENTS, ["5"], "str"),
    (Kind.CENTS, [True], "bool"),
    (Kind.NUMBER, ["5"], "object"),
    (Kind.NUMBER, [True], "boolean"),
    (Kind.NUMBER, [float("-inf")], "float32"),
    (Kind.NUMBER, [float("inf")], "object"),
    (Kind.NUMBER, [1j], "complex128"),
    (Kind.NUMBER, [10**400], "object"),
    (Kind.NUMBER, [dt.timedelta(1)], "timedelta64[ns]"),
    (Kind.FLAG, [1], "int64"),
    (Kind.FLAG, ["true"], "str"),
    (Kind.TIME, ["2024-01-01T00:00:00Z"], "str"),
    (Kind.TIME, [1704067200], "int64"),
    (Kind.DATE, [dt.datetime(2024, 1, 1, 7)], "datetime64[us]"),
    (Kind.DATE, ["2024-01-01"], "str"),
]


@pytest.mark.parametrize(("kind", "cells", "dtype"), REFUSED)
def test_coerce_refuses_what_would_be_guessed(kind: Kind, cells: list[object], dtype: str) -> None:
    coerced = coerce(pd.Series(cells, dtype=dtype), kind)
    assert coerced.wrong_type.tolist() == [True]
    assert coerced.values.isna().tolist() == [True]


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([dt.datetime(2024, 1, 1)], "datetime64[us]"),
        ([dt.datetime(2024, 1, 1)], "object"),
        ([DAY], "object"),
        ([MOMENT.tz_localize(None)], pd.ArrowDtype(pa.timestamp("us"))),
    ],
)
def test_coerce_tells_naive_times_from_wrong_types(cells: list[object], dtype: str) -> None:
    coerced = coerce(pd.Series(cells, dtype=dtype), Kind.TIME)
    assert coerced.naive_time.tolist() == [True]
    assert not coerced.wrong_type.any()


def test_coerce_drops_only_what_is_below_a_microsecond() -> None:
    fine = pd.Series(pd.DatetimeIndex(["2024-01-01T00:00:00.123456999Z"]).as_unit("ns"))
    assert coerce(fine, Kind.TIME).values[0] == pd.Timestamp("2024-01-01T00:00:00.123456Z")


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.integers(-(2**64), 2**64),
            st.floats(allow_nan=False),
            st.booleans(),
            st.text(max_size=3),
        ),
        min_size=1,
    )
)
def test_coerce_keeps_or_reports_every_cell(cells: list[object]) -> None:
    """Columns of one dtype and mixed ones follow the same rule: equal value, null or reported."""
    for kind in (Kind.CENTS, Kind.NUMBER, Kind.TEXT):
        coerced = coerce(pd.Series(cells, dtype="object"), kind)
        for cell, value, wrong in zip(cells, coerced.values, coerced.wrong_type, strict=True):
            if cell is None:
                assert pd.isna(value)
                assert not wrong
            elif wrong:
                assert pd.isna(value)
            else:
                assert isinstance(cell, str) == (kind is Kind.TEXT)
                assert value == (float(cell) if kind is Kind.NUMBER else cell)
