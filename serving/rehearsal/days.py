"""What came of one policy in one world, day by day and by the arm its customers are in.

The arm is the one that the shipped policy gives a customer, whichever policy was rehearsed: so
every policy can be measured on the very same customers, who live the same lives where nobody
writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.churn import eligible_customers
from features.tables import Tables, empty_table
from features.vocabulary import Arm, Outcome, Priority, Trigger
from serving.policy.arms import assign_arm
from serving.policy.settings import PolicySettings
from serving.rehearsal.loop import RehearsalLog

COUNTS = ("value_cents", "messages", "unsubscribed", "support_calls")
"""What is summed by day and arm."""

CALLS = [trigger.value for trigger in Trigger]
"""Topics of calls about problems: columns of `PolicyDays.customers`."""


@dataclass(frozen=True)
class PolicyDays:
    """What came of a policy.

    Attributes:
        policy: Its name.
        case: The world's.
        seed: The world's.
        daily: By day and arm: customers (known that morning), then `COUNTS`.
        customers: By customer_id: arm, could_be_lost (at the start), retained (of those, at the
            end), and in `CALLS`, a column for each trigger, the support calls about it.
        seconds: It took.
        without_models: Models that were not served at the start, and why.
    """

    policy: str
    case: str
    seed: int
    daily: pd.DataFrame
    customers: pd.DataFrame
    seconds: float
    without_models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Period:
    """The days of a rehearsal."""

    start: datetime
    n_days: int

    @property
    def end(self) -> datetime:
        """First moment after it."""
        return self.start + timedelta(days=self.n_days)

    def days_of(self, moments: pd.Series) -> pd.Series:
        """Number of the day in which each moment lies."""
        return (moments - pd.Timestamp(self.start)) // pd.Timedelta(days=1)

    def holds(self, moments: pd.Series) -> "pd.Series[bool]":
        """Whether each moment lies in it."""
        return (moments >= self.start) & (moments < self.end)


def count_days(
    log: RehearsalLog, before: Tables, after: Tables, *, period: Period, settings: PolicySettings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`PolicyDays.daily` and `PolicyDays.customers` of a rehearsal.

    Args:
        log: What was decided.
        before: Tables at the start.
        after: Tables at the end.
        period: From when to when.
        settings: The shipped ones, which give the arms.
    """
    arm_of = _arms(after["customers"], settings)
    calls = _list_calls(after, period=period)
    events = pd.concat(_list_events(log, after, calls, period=period), ignore_index=True)
    events["arm"] = events["customer_id"].map(arm_of)
    index = pd.MultiIndex.from_product(
        [range(period.n_days), [arm.value for arm in Arm]], names=["day", "arm"]
    )
    counted = events.groupby(["day", "arm", "what"])["amount"].sum().unstack("what")
    daily = counted.reindex(index=index, columns=list(COUNTS)).fillna(0.0)
    daily.insert(0, "customers", _customers_by_day(after["customers"], arm_of, period, index))
    return daily, _count_customers(calls, arm_of, before=before, after=after, period=period)


def _arms(customers: pd.DataFrame, settings: PolicySettings) -> "pd.Series[str]":
    """Arm by customer_id."""
    ids = customers["customer_id"].drop_duplicates()
    arms = [
        assign_arm(
            customer_id,
            experiment=settings.experiment,
            shares=settings.arms,
            priority=Priority.MEDIUM,
        ).value
        for customer_id in ids
    ]
    return pd.Series(arms, index=ids.to_numpy())


def _list_calls(after: Tables, *, period: Period) -> pd.DataFrame:
    """Tickets of the period whose topic is a trigger."""
    calls = after.get("tickets", empty_table("tickets"))
    return calls[period.holds(calls["opened_at"]) & calls["topic"].isin(CALLS)]


def _list_events(
    log: RehearsalLog, after: Tables, calls: pd.DataFrame, *, period: Period
) -> list[pd.DataFrame]:
    """What happened: day, customer_id, what, amount."""
    cases = log.cases
    found = [
        _events(cases["day"], cases["customer_id"], what, amount)
        for what, amount in (
            ("value_cents", cases["true_value_cents"]),
            ("messages", cases["n_messages"]),
        )
    ]
    found.append(_once(calls, "opened_at", "support_calls", period))
    outcomes = after.get("outcomes", empty_table("outcomes"))
    left = outcomes[period.holds(outcomes["at"]) & (outcomes["outcome"] == Outcome.UNSUBSCRIBED)]
    messages = after.get("messages", empty_table("messages"))[["message_id", "customer_id"]]
    found.append(_once(left.merge(messages, on="message_id"), "at", "unsubscribed", period))
    return found


def _once(rows: pd.DataFrame, moment: str, what: str, period: Period) -> pd.DataFrame:
    """Rows that count once each."""
    amount = pd.Series(1.0, index=rows.index)
    return _events(period.days_of(rows[moment]), rows["customer_id"], what, amount)


def _events(day: pd.Series, customer_id: pd.Series, what: str, amount: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "day": day.astype("int64"),
            "customer_id": customer_id,
            "what": what,
            "amount": amount.astype("float64"),
        }
    )


def _customers_by_day(
    customers: pd.DataFrame, arm_of: "pd.Series[str]", period: Period, index: pd.MultiIndex
) -> "pd.Series[float]":
    """Customers who had signed up by the morning, by day and arm."""
    first = customers.groupby("customer_id")["signed_up_at"].min()
    day = np.maximum(period.days_of(first - pd.Timedelta(microseconds=1)) + 1, 0)
    joined = pd.DataFrame({"day": day.astype("int64"), "arm": arm_of.reindex(first.index)})
    by_day = joined.groupby(["day", "arm"]).size().unstack("arm", fill_value=0)
    running = by_day.reindex(range(period.n_days), fill_value=0).cumsum()
    arms = index.get_level_values("arm").unique()
    table = running.reindex(columns=arms, fill_value=0).to_numpy(dtype=np.float64)
    return pd.Series(table.ravel(), index=index)


def _count_customers(
    calls: pd.DataFrame,
    arm_of: "pd.Series[str]",
    *,
    before: Tables,
    after: Tables,
    period: Period,
) -> pd.DataFrame:
    """By customer: arm, could_be_lost, retained and the calls about each trigger."""
    topics = calls.groupby(["customer_id", "topic"]).size().unstack("topic")
    staying = set(eligible_customers(before, as_of=period.start))
    kept = set(eligible_customers(after, as_of=period.end)) & staying
    customers = pd.DataFrame(
        {
            "arm": arm_of,
            "could_be_lost": arm_of.index.isin(list(staying)),
            "retained": arm_of.index.isin(list(kept)),
        }
    )
    counted = topics.reindex(index=customers.index, columns=CALLS).fillna(0.0).astype("float64")
    return customers.join(counted)
