import numpy as np
import pandas as pd
import pytest

from features.checks import require_valid
from features.errors import BadInputError
from features.tables import Tables
from training.datasets.slices import slice_rows


def make_customers(**columns: object) -> Tables:
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "b", "b", "c"],
            "signed_up_at": pd.to_datetime(
                ["2025-01-01", "2026-01-01", "2026-01-01", "2026-02-20"], utc=True
            ),
            "known_at": pd.to_datetime([None, None, "2026-03-01", None], utc=True),
            "language": ["ru", "ru", "kk", "en"],
            "timezone": "UTC",
            **{
                f"consent_{channel}": True
                for channel in ("email", "sms", "push", "in_app", "whatsapp")
            },
            **columns,
        }
    )
    return require_valid({"customers": frame})


def moments(*days: str) -> np.ndarray:
    return np.array(days, dtype="datetime64[us]")


def ids(*names: str) -> np.ndarray:
    return np.array(names, dtype=object)


def test_slices_are_those_known_at_the_moment_of_the_row() -> None:
    days = moments("2026-02-28", "2026-03-01", "2026-03-02", "2026-03-02")
    found = slice_rows(make_customers(), customers=ids("b", "b", "b", "a"), moments=days)
    assert found.values["language"].tolist() == ["ru", "ru", "kk", "ru"]  # corrected on 1 March


def test_tenure_is_counted_to_the_moment_and_unknown_before_the_customer_is() -> None:
    days = moments("2026-03-01", "2026-03-01", "2026-01-31", "2026-02-01", "2026-02-01")
    found = slice_rows(make_customers(), customers=ids("a", "c", "b", "b", "c"), moments=days)
    assert found.values["tenure"].tolist() == [
        "over 365 days",
        "under 30 days",
        "30 to 90 days",
        "30 to 90 days",
        "unknown",
    ]
    assert found.values["language"].tolist()[-1] == "unknown"


def test_dimension_with_one_value_and_one_that_is_absent_divide_nothing() -> None:
    tables = make_customers(segment=["s", "s", "s", None])
    days = moments("2026-03-02", "2026-03-02")
    found = slice_rows(tables, customers=ids("a", "b"), moments=days)
    assert set(found.values) == {"language", "tenure"}
    assert found.take(np.array([False, True])).values["language"].tolist() == ["kk"]
    with_null = slice_rows(tables, customers=ids("a", "c"), moments=days)
    assert with_null.values["segment"].tolist() == ["s", "unknown"]


def test_slices_refuse_rows_of_two_lengths() -> None:
    with pytest.raises(BadInputError, match="one length"):
        slice_rows(make_customers(), customers=ids("a"), moments=moments())
