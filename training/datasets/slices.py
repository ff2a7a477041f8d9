"""Parts of the customers on which a model is judged by itself.

What a customer belonged to is read as it was known at the row's moment, like a feature.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.contracts import CONTRACTS
from features.errors import BadInputError
from features.tables import Tables, find_known
from training.datasets.provenance import Customers, Moments
from training.measures import Bools

UNKNOWN: Final = "unknown"
"""Of customers who are not in the table at the moment, or have no such value."""

TENURE: Final = "tenure"
_COLUMNS: Final = ("language", "region", "segment")
_TENURE_BANDS: Final = ((30, "under 30 days"), (90, "30 to 90 days"), (365, "90 to 365 days"))
_LONGEST: Final = "over 365 days"

Values = npt.NDArray[np.object_]


@dataclass(frozen=True)
class SliceTable:
    """To which slices rows belong.

    Attributes:
        values: By dimension (language, region, segment, tenure) the value of each row, (n,).
    """

    values: Mapping[str, Values]

    def take(self, rows: Bools) -> Self:
        """The rows of that mask."""
        return type(self)({name: values[rows] for name, values in self.values.items()})


def slice_rows(tables: Tables, *, customers: Customers, moments: Moments) -> SliceTable:
    """Language, region, segment and tenure band of each row's customer at its moment.

    A dimension in which all rows have one value divides nothing and is left out.

    Args:
        tables: Conformed tables; `customers` is read.
        customers: customer_id of each row, (n,).
        moments: Moment of each row, (n,), UTC microseconds without a zone.
    """
    if customers.shape != moments.shape:
        raise BadInputError(
            f"slices want customers and moments of one length, got {customers.shape} and "
            f"{moments.shape}"
        )
    at = pd.Series(moments).astype("datetime64[us]").dt.tz_localize("UTC")
    rows = pd.DataFrame({"customer_id": pd.Series(customers, dtype="str"), "at": at})
    known = _join_profile(rows, tables["customers"])
    found = {name: _name_values(known[name]) for name in _COLUMNS if name in known}
    found[TENURE] = _band_tenure(known["at"] - known["signed_up_at"])
    return SliceTable({name: values for name, values in found.items() if len(set(values)) > 1})


def _join_profile(rows: pd.DataFrame, customers: pd.DataFrame) -> pd.DataFrame:
    """The rows, in their order, with the last that was known of the customer before the moment."""
    columns = ["signed_up_at", *(name for name in _COLUMNS if name in customers)]
    profile = customers[["customer_id", *columns]].assign(
        known=find_known(customers, CONTRACTS["customers"])
    )
    joined = pd.merge_asof(
        rows.assign(row=np.arange(len(rows))).sort_values("at", kind="stable"),
        profile.sort_values(["known", *columns], kind="stable"),
        left_on="at",
        right_on="known",
        by="customer_id",
        allow_exact_matches=False,
    )
    return joined.sort_values("row").reset_index(drop=True)


def _name_values(values: "pd.Series[str]") -> Values:
    return values.astype("str").fillna(UNKNOWN).to_numpy(dtype=object)


def _band_tenure(tenure: "pd.Series[pd.Timedelta]") -> Values:
    days = (tenure / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)
    bands = [name for _, name in _TENURE_BANDS]
    chosen = np.select([days < border for border, _ in _TENURE_BANDS], bands, default=_LONGEST)
    return np.where(np.isnan(days), UNKNOWN, chosen).astype(object)
