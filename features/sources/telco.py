"""IBM's Telco customer churn file (7,043 customers of a fictional company) as tables of ours.

The file is a cross-section without times: what each customer had at the end of a quarter, and
whether they left. It becomes a history with one moment to predict at, `SNAPSHOT_AT`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from features.checks import require_valid
from features.errors import BadInputError, SourceUnreadableError
from features.sources.adapted import Adapted, paragraphs
from features.vocabulary import Channel

SNAPSHOT_AT = pd.Timestamp("2020-01-01T00:00:00Z")
"""The moment of the cross-section: features are known before it, churn comes at it."""

TIME_ZONE = "America/Los_Angeles"

_EXTRA = {
    "gender": "gender",
    "SeniorCitizen": "senior_citizen",
    "Partner": "partner",
    "Dependents": "dependents",
    "PhoneService": "phone_service",
    "MultipleLines": "multiple_lines",
    "InternetService": "internet_service",
    "OnlineSecurity": "online_security",
    "OnlineBackup": "online_backup",
    "DeviceProtection": "device_protection",
    "TechSupport": "tech_support",
    "StreamingTV": "streaming_tv",
    "StreamingMovies": "streaming_movies",
    "PaperlessBilling": "paperless_billing",
    "PaymentMethod": "payment_method",
}
"""Columns that are kept as they are, under our names."""

_MONTHS = range(1200)

_OTHER = ("customerID", "tenure", "Contract", "MonthlyCharges", "TotalCharges", "Churn")

ASSUMPTIONS = paragraphs(
    f"""
    Moment: the file has no times. It is taken as the state just before {SNAPSHOT_AT.isoformat()},
    which is the only moment for which features can be built from it.

    Sign-up: that moment less the tenure in months and one day, so that customers in their first
    month (tenure 0) are known at the moment.

    Churn: customers who left get a canceled subscription exactly at the moment, so that the label
    lies after everything that a feature may see. The others stay active.

    Subscription: one for each customer since sign-up. The plan is the contract, the monthly
    charge its revenue. Earlier plans and prices, limits and card expiry are unknown, and an
    upsell is taken as not shown.

    Language and time zone: English, {TIME_ZONE} (IBM places the company in California).

    Consent: unknown, which is no consent. Nobody in this file can be written to.

    Further columns are extra columns of customers as they were at the moment. Total charges are
    blank for customers in their first month, and null here.
    """
)
"""What the data does not say, one paragraph for each point."""


def read_telco(path: Path) -> Adapted:
    """The Telco file as customers and subscriptions.

    Args:
        path: The CSV file as IBM publishes it, plain or gzipped.

    Raises:
        SourceUnreadableError: The file is missing or is no CSV.
        BadInputError: A column is missing or holds something else than in IBM's file.
    """
    raw = _read(path)
    tenure = _numbers(raw, "tenure", path=path)
    _require(tenure.isin(_MONTHS), raw, column="tenure", path=path, expected="whole months")
    churned = _churned(raw, path=path)
    signed_up_at = _months_before_snapshot(tenure)
    tables = {
        "customers": _make_customers(
            raw, signed_up_at, total=_numbers(raw, "TotalCharges", path=path, optional=True)
        ),
        "subscriptions": _make_subscriptions(
            raw, signed_up_at, churned, monthly=_numbers(raw, "MonthlyCharges", path=path)
        ),
    }
    return Adapted(require_valid(tables), ASSUMPTIONS)


def _read(path: Path) -> pd.DataFrame:
    try:
        raw = pd.read_csv(path, dtype="str", keep_default_na=False)
    except (OSError, ValueError) as error:
        raise SourceUnreadableError(f"{path}: cannot be read: {error}") from error
    expected = (*_EXTRA, *_OTHER)
    missing = [column for column in expected if column not in raw]
    if missing:
        raise BadInputError(f"{path}: lacks {', '.join(missing)}; expected {', '.join(expected)}")
    return raw


def _numbers(
    raw: pd.DataFrame, column: str, *, path: Path, optional: bool = False
) -> "pd.Series[float]":
    """Numbers of a column; blanks are NaN where they are allowed."""
    text = raw[column].str.strip()
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    usable = numbers.between(0, np.inf, inclusive="left")
    if optional:
        usable |= text == ""
    _require(usable, raw, column=column, path=path, expected="a number of 0 or more")
    return numbers


def _churned(raw: pd.DataFrame, *, path: Path) -> "pd.Series[bool]":
    _require(raw["Churn"].isin(["Yes", "No"]), raw, column="Churn", path=path, expected="Yes or No")
    return raw["Churn"] == "Yes"


def _require(
    usable: "pd.Series[bool]", raw: pd.DataFrame, *, column: str, path: Path, expected: str
) -> None:
    if not usable.all():
        row = int(np.flatnonzero(~usable)[0])
        raise BadInputError(
            f"{path}: row {row} (customerID={raw['customerID'].iloc[row]}): {column}="
            f"{raw[column].iloc[row]!r}, expected {expected}; {(~usable).sum()} such rows"
        )


def _months_before_snapshot(tenure: "pd.Series[float]") -> "pd.Series[pd.Timestamp]":
    moments = {
        months: SNAPSHOT_AT - pd.DateOffset(months=int(months), days=1)
        for months in tenure.unique()
    }
    return tenure.map(moments)


def _make_customers(
    raw: pd.DataFrame,
    signed_up_at: "pd.Series[pd.Timestamp]",
    *,
    total: "pd.Series[float]",
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": raw["customerID"],
            "signed_up_at": signed_up_at,
            "language": "en",
            "timezone": TIME_ZONE,
            **{f"consent_{channel}": pd.NA for channel in Channel},
            **{ours: raw[theirs] for theirs, ours in _EXTRA.items()},
            "total_charges_cents": (total * 100).round().astype("Int64"),
        }
    )


def _make_subscriptions(
    raw: pd.DataFrame,
    signed_up_at: "pd.Series[pd.Timestamp]",
    churned: "pd.Series[bool]",
    *,
    monthly: "pd.Series[float]",
) -> pd.DataFrame:
    active = pd.DataFrame(
        {
            "customer_id": raw["customerID"],
            "valid_from": signed_up_at,
            "plan": raw["Contract"],
            "mrr_cents": (monthly * 100).round(),
            "status": "active",
            "upsell_shown": False,
        }
    )
    canceled = active[churned].assign(valid_from=SNAPSHOT_AT, status="canceled")
    return pd.concat([active, canceled], ignore_index=True)
