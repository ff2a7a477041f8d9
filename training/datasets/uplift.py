"""Rows for uplift: every decision that chance made, those not to write included.

What a message changes is seen only against customers who could have had it and, by chance, had
none. The log of messages does not tell who they are; the table `decisions` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

import numpy as np
import pandas as pd

from features.contracts import CONTRACTS
from features.economics import default_economics
from features.engagement import ENGAGEMENT_FEATURES
from features.tables import Tables, empty_table, rows_that_hold
from features.triggers.settings import TriggerSettings
from features.vocabulary import Arm, Outcome, Trigger
from training.datasets.channel import look_up
from training.datasets.looked_at import find_bought, is_about_item
from training.datasets.provenance import (
    Moments,
    NotEnoughData,
    Provenance,
    build_matrix,
    describe_source,
    find_positions,
    to_moments,
)
from training.datasets.split import (
    ForwardSplit,
    split_last_fifths,
)
from training.measures import Bools, Floats, Integers
from training.registry.servable import CHANNELS, TRIGGERS, Belonging
from training.uplift.trial import NONE, Trial

EFFECT_DAYS: Final = 7
"""What happens for so long after a decision counts. A message also hastens purchases that would
have come anyway; a shorter time would count those as its effect."""

FORESEEN_DAYS: Final[Mapping[Trigger, int]] = {
    Trigger.PAYMENT_FAILURE_RISK: TriggerSettings().card_within_days
}
"""Problems that are told of so many days before they come. Calls about them come later than the
days after a decision that count: whoever looks at those alone sees a message prevent nothing."""

RANDOMISED_ARMS: Final = (Arm.RANDOM, Arm.LEARNED)
NO_LOG: Final = (
    "no decisions: what a message changes is learned against those whom chance left without one, "
    "and the log of messages does not tell who they are; give the table `decisions`"
)
_SPAN = timedelta(days=EFFECT_DAYS)
_SURE = 1e-6
_P_COLUMNS = [f"p_{channel}" for channel in CHANNELS]


@dataclass(frozen=True)
class UpliftDataset:
    """A trial with what else is known of its rows.

    Attributes:
        trial: Rows of chance; `reach` is 1 until a model of it is there.
        booked: Whether an order was booked to the message within 7 days, (n,).
        noticed: Whether a person opened or clicked it within 7 days, (n,).
        called_in_the_end: Whether the customer called about a problem that was foreseen once it had
            come, (n,); NaN where it was not foreseen, or where its time is not over.
        belonging: Segments and languages of the customers.
        moments: When it was decided, (n,).
        value_cents: What a good outcome is worth, by position in `TRIGGERS`.
        randomised: Whether chance decided. If not, somebody chose whom to write to, and
            differences are associations, not effects.
        provenance: Where the rows come from.
    """

    trial: Trial
    booked: Bools
    noticed: Bools
    called_in_the_end: Floats
    belonging: Belonging
    moments: Moments
    value_cents: tuple[float, ...]
    randomised: bool
    provenance: Provenance

    @property
    def label_span(self) -> timedelta:
        """From a decision until its outcome is known."""
        return _SPAN

    def take(self, rows: Bools) -> Self:
        """The rows of that mask."""
        return replace(
            self,
            trial=self.trial.take(rows),
            booked=self.booked[rows],
            noticed=self.noticed[rows],
            called_in_the_end=self.called_in_the_end[rows],
            belonging=self.belonging.take(rows),
            moments=self.moments[rows],
        )


def build_uplift_dataset(tables: Tables, *, known_until: datetime) -> UpliftDataset | NotEnoughData:
    """One row per decision made at least 7 days before `known_until` and, if possible, by chance.

    A good outcome is an order (marketing), or no call about it (service), within 7 days; where the
    message is about an item, the order is one of an item that the customer had looked at.
    """
    log = rows_that_hold(tables.get("decisions", empty_table("decisions")), CONTRACTS["decisions"])
    if log.empty:
        return NotEnoughData(NO_LOG)
    mature = log[log["decided_at"] + _SPAN <= known_until]
    if mature.empty:
        return NotEnoughData(f"no decision is {EFFECT_DAYS} days old on {known_until.date()}")
    given = mature.sort_values(["decided_at", "decision_id"], kind="stable").reset_index(drop=True)
    rows = _pick_random(given)
    is_random = rows is not None
    rows = rows if rows is not None else _take_all(given, tables=tables)
    spine = rows.frame[["customer_id"]].assign(as_of=rows.frame["decided_at"])
    outcome, values = _find_outcomes(tables, rows.frame)
    n, k = rows.eligible.shape
    trial = Trial(
        X=build_matrix(tables, spine, features=ENGAGEMENT_FEATURES),
        group=find_positions(rows.frame["trigger"], among=TRIGGERS),
        treatment=find_positions(rows.frame["channel"], among=CHANNELS),
        p_each=rows.p_each,
        eligible=rows.eligible,
        outcome=outcome,
        reach=np.ones((n, k)),
        customers=rows.frame["customer_id"].to_numpy(dtype=object),
        other=np.where(outcome > 0, _find_others(tables, rows.frame), NONE),
        crowded=frozenset(at for at, t in enumerate(TRIGGERS) if not t.is_service),
    )
    return UpliftDataset(
        trial=trial,
        booked=_find_made(tables, rows.frame, outcomes=(Outcome.CONVERTED,)),
        noticed=_find_made(tables, rows.frame, outcomes=(Outcome.OPENED, Outcome.CLICKED)),
        called_in_the_end=_find_late_calls(tables, rows.frame, known_until=known_until),
        belonging=Belonging(
            segments=look_up("segment", tables, ids=rows.frame["customer_id"]),
            languages=look_up("language", tables, ids=rows.frame["customer_id"]),
        ),
        moments=to_moments(rows.frame["decided_at"]),
        value_cents=values,
        randomised=is_random,
        provenance=describe_source(
            tables,
            features=ENGAGEMENT_FEATURES,
            also=("customers", "decisions", "messages", "outcomes", "orders", "tickets"),
            known_until=known_until,
        ),
    )


def split_uplift(dataset: UpliftDataset) -> ForwardSplit | NotEnoughData:
    """See `split_last_fifths`; NotEnoughData where a part lacks one kind of decision."""
    split = split_last_fifths(dataset.moments, label_span=_SPAN)
    for name, rows in {"train": split.train, "calibration": split.calibration}.items():
        n_treated, n_without = dataset.trial.take(rows).count_both()
        if min(n_treated, n_without) < 1:
            return NotEnoughData(
                f"the {name} part has {n_treated} decisions to write and {n_without} not to: both "
                "kinds are needed"
            )
    return split


@dataclass(frozen=True)
class _Rows:
    """Decisions, the probability of each channel, and what could have been done."""

    frame: pd.DataFrame
    p_each: Floats
    eligible: Bools


def _pick_random(log: pd.DataFrame) -> _Rows | None:
    """Decisions of chance; None where they do not hold both kinds.

    The holdout arm is left out: it never hears anything, which a customer's history of messages
    shows, so that customers like them have no chance of a message, and those who were written to
    no like among them. Chance inside an arm is known for every row.
    """
    p = log[_P_COLUMNS].fillna(0.0).to_numpy(dtype=np.float64)
    p_none = 1.0 - p.sum(axis=1)
    at = find_positions(log["channel"], among=CHANNELS)
    took = np.where(at == NONE, p_none, p[np.arange(len(p)), np.maximum(at, 0)])
    in_arms = log["arm"].isin(list(RANDOMISED_ARMS)).to_numpy(dtype=bool)
    is_open = (p_none > _SURE) & (p_none < 1.0 - _SURE) & (took > _SURE)
    kept: Bools = np.logical_and(in_arms, is_open)
    if not (kept & (at != NONE)).any() or not (kept & (at == NONE)).any():
        return None
    return _Rows(log[kept].reset_index(drop=True), p[kept], p[kept] > _SURE)


def _take_all(log: pd.DataFrame, *, tables: Tables) -> _Rows:
    """Every decision with the shares of its trigger in place of probabilities: not a trial."""
    consented = _find_consent(tables, log)
    at = find_positions(log["channel"], among=CHANNELS)
    consented[np.flatnonzero(at != NONE), at[at != NONE]] = True
    took = pd.DataFrame(at[:, None] == np.arange(len(CHANNELS)), dtype="float64")
    share = took.groupby(log["trigger"].to_numpy()).transform("mean").to_numpy(dtype=np.float64)
    kept: Bools = consented.sum(axis=1) > 0
    return _Rows(log[kept].reset_index(drop=True), share[kept], consented[kept])


def _find_consent(tables: Tables, log: pd.DataFrame) -> Bools:
    """Channels that each decision's customer agrees to, (n, channels)."""
    columns = [f"consent_{channel}" for channel in CHANNELS]
    customers = rows_that_hold(tables["customers"], CONTRACTS["customers"])
    table = customers.set_index("customer_id")[columns].fillna(value=False).astype("bool")
    return table.reindex(log["customer_id"], fill_value=False).to_numpy(dtype=bool)


def _find_outcomes(tables: Tables, rows: pd.DataFrame) -> tuple[Floats, tuple[float, ...]]:
    """Good outcomes, (n,), and what one is worth by trigger."""
    economics = default_economics()
    starts = rows["decided_at"]
    orders = _orders(tables)
    ordered = _happened(orders, rows, starts=starts) > 0
    called = np.zeros(len(rows), dtype=bool)
    values = []
    cents = orders["cents"].dropna().astype("float64")
    mean = float(cents.mean()) if len(cents) else 0.0
    for trigger in TRIGGERS:
        mine = (rows["trigger"] == trigger).to_numpy()
        if trigger.is_service:
            about = _find_calls(tables, trigger)
            called[mine] = _happened(about, rows[mine], starts=starts[mine]) > 0
            values.append(economics.support_call_cents)
        else:
            values.append(economics.margin_share * mean)
    is_service = rows["trigger"].map(lambda name: Trigger(name).is_service).to_numpy(dtype=bool)
    good = np.where(is_service, ~called, _find_orders_in_question(tables, rows, ordered=ordered))
    return good.astype(np.float64), tuple(values)


def _find_late_calls(tables: Tables, rows: pd.DataFrame, *, known_until: datetime) -> Floats:
    """See `UpliftDataset.called_in_the_end`."""
    called = np.full(len(rows), np.nan)
    for trigger, days in FORESEEN_DAYS.items():
        span = timedelta(days=days) + _SPAN
        is_over = rows["decided_at"] + span <= known_until
        mine = ((rows["trigger"] == trigger) & is_over).to_numpy()
        starts = rows["decided_at"][mine]
        about = _find_calls(tables, trigger)
        called[mine] = _happened(about, rows[mine], starts=starts, span=span) > 0
    return called


def _find_calls(tables: Tables, trigger: Trigger) -> pd.DataFrame:
    """Calls about such a problem: customer_id, at."""
    tickets = tables.get("tickets", empty_table("tickets")).rename(columns={"opened_at": "at"})
    return tickets[tickets["topic"] == trigger]


def _find_orders_in_question(tables: Tables, rows: pd.DataFrame, *, ordered: Bools) -> Bools:
    """Orders that a message about each row may bring, (n,): see `looked_at`."""
    bought = find_bought(
        tables.get("activity", empty_table("activity")),
        customers=rows["customer_id"],
        starts=rows["decided_at"],
        span=_SPAN,
    )
    if bought is None:
        return ordered
    group = find_positions(rows["trigger"], among=TRIGGERS)
    return np.where(is_about_item(group), bought, ordered)


def _orders(tables: Tables) -> pd.DataFrame:
    """Orders, or purchases where there are none: customer_id, at, cents."""
    if len(tables.get("orders", ())):
        orders = rows_that_hold(tables["orders"], CONTRACTS["orders"])
        return pd.DataFrame(
            {
                "customer_id": orders["customer_id"],
                "at": orders["ordered_at"],
                "cents": orders["amount_cents"],
            }
        )
    activity = tables.get("activity", empty_table("activity"))
    bought = activity[activity["kind"] == "purchase"]
    return pd.DataFrame(
        {"customer_id": bought["customer_id"], "at": bought["at"], "cents": bought["value"]}
    )


def _happened(
    events: pd.DataFrame,
    rows: pd.DataFrame,
    *,
    starts: "pd.Series[pd.Timestamp]",
    span: timedelta = _SPAN,
) -> Integers:
    """Events of each row's customer from the start on until the span is over, (n,)."""
    codes, names = pd.factorize(rows["customer_id"])
    whose = pd.Index(names).get_indexer(pd.Index(events["customer_id"]))
    seconds = events["at"].astype("int64").to_numpy()[whose >= 0] // 1_000_000
    keys = np.sort((whose[whose >= 0].astype(np.int64) << 36) + seconds)
    first = (codes.astype(np.int64) << 36) + starts.astype("int64").to_numpy() // 1_000_000
    last = first + int(span.total_seconds())
    n: Integers = np.searchsorted(keys, last) - np.searchsorted(keys, first)
    return n


def _find_others(tables: Tables, rows: pd.DataFrame) -> Integers:
    """Trigger of another message to which each row's only order is booked, (n,), else `NONE`."""
    booked = _read_booked(tables)
    asked = rows[["decision_id", "customer_id", "decided_at"]].assign(row=np.arange(len(rows)))
    near = asked.merge(booked, on="customer_id", suffixes=("", "_booked"))
    waited = near["at"] - near["decided_at"]
    near = near[(waited >= timedelta(0)) & (waited < _SPAN)]
    near = near[near["decision_id"] != near["decision_id_booked"]].drop_duplicates("row")
    found = np.full(len(rows), NONE, dtype=np.int64)
    found[near["row"].to_numpy()] = find_positions(near["trigger"], among=TRIGGERS)
    is_service = rows["trigger"].map(lambda name: Trigger(name).is_service).to_numpy(dtype=bool)
    n_orders = _happened(_orders(tables), rows, starts=rows["decided_at"])
    found[is_service | (n_orders != 1)] = NONE
    return found


def _read_booked(tables: Tables) -> pd.DataFrame:
    """Orders booked to messages: customer_id, decision_id, trigger, at."""
    reported = tables.get("outcomes", empty_table("outcomes"))
    messages = tables.get("messages", empty_table("messages"))
    made = reported[(reported["outcome"] == Outcome.CONVERTED) & ~reported["machine"]]
    joined = made[["message_id", "at"]].merge(
        messages[["message_id", "decision_id", "customer_id", "trigger"]], on="message_id"
    )
    return joined.drop(columns="message_id")


def _find_made(tables: Tables, rows: pd.DataFrame, *, outcomes: tuple[Outcome, ...]) -> Bools:
    """Whether a person made such an outcome of the decision's message within 7 days, (n,)."""
    reported = tables.get("outcomes", empty_table("outcomes"))
    messages = tables.get("messages", empty_table("messages"))
    made = reported[reported["outcome"].isin(list(outcomes)) & ~reported["machine"]]
    joined = made[["message_id", "at"]].merge(
        messages[["message_id", "decision_id", "sent_at"]], on="message_id"
    )
    in_time = joined.loc[joined["at"] < joined["sent_at"] + _SPAN, "decision_id"]
    found: Bools = rows["decision_id"].isin(in_time).to_numpy(dtype=bool)
    return found
