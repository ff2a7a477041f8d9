"""What came of each decision, in cents: named terms, within a window after it.

Read from the company's tables, a decision earns what the customer did in the window, whatever made
them do it: then *no message* has its due, and policies can be compared. Without tables all that is
known is what came of messages, and *no message* earns nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from features.economics import Economics
from features.tables import Tables
from features.vocabulary import Outcome
from serving.evaluate.columns import DecisionLog
from serving.policy.cases import DAY_US, Floats, Ints, to_us
from serving.records import OutcomeEvent

_MONTH_US = 30 * DAY_US
_WITHDRAWALS = (Outcome.UNSUBSCRIBED, Outcome.COMPLAINED)


class Reading(StrEnum):
    """From what the rewards were read."""

    CUSTOMERS = "customers"  # orders and tickets of the customer
    MESSAGES = "messages"  # reported outcomes of messages only


@dataclass(frozen=True)
class Told:
    """What was reported of the log's messages.

    Attributes:
        n_counted: Outcomes within the window of their decision, each once.
        n_early: Outcomes from before their decision: not counted.
        n_of_others: Outcomes of messages that no judged decision sent.
    """

    n_counted: int
    n_early: int
    n_of_others: int


@dataclass(frozen=True)
class Rewards:
    """Cents by decision, (n,) each; all but the margin are 0 or below.

    Attributes:
        margin: Margin of what was bought.
        support: Calls to support.
        send: Cost of sending.
        wearing_out: Channels lost by unsubscribes and complaints.
        reading: From what they were read.
        told: What was reported of messages.
    """

    margin: Floats
    support: Floats
    send: Floats
    wearing_out: Floats
    reading: Reading
    told: Told

    @property
    def net(self) -> Floats:
        """All terms together, (n,)."""
        net: Floats = self.margin + self.support + self.send + self.wearing_out
        return net

    @property
    def is_silent(self) -> bool:
        """Whether nothing came of any decision, as far as is known: only their cost is."""
        return not (self.told.n_counted or self.margin.any() or self.support.any())

    def terms(self) -> Mapping[str, Floats]:
        """Each term by its name."""
        return {
            "margin_cents": self.margin,
            "support_cents": self.support,
            "send_cents": self.send,
            "wearing_out_cents": self.wearing_out,
        }


def read_rewards(
    log: DecisionLog,
    outcomes: Iterable[OutcomeEvent],
    *,
    economics: Economics,
    window_days: int,
    tables: Tables | None = None,
) -> Rewards:
    """Cents of each decision within the window.

    Args:
        log: Decisions whose window has closed.
        outcomes: Of their messages; a machine's are not counted, nor anything twice.
        economics: Prices.
        window_days: Days after a decision that belong to it.
        tables: The company's; without orders and tickets only messages are read.
    """
    window_us = window_days * DAY_US
    told, counts = _told(log, outcomes, window_us=window_us)
    withdrawn = told[told["outcome"].isin(_WITHDRAWALS)].drop_duplicates("row")
    if tables is not None and knows_customers(tables):
        reading, bought, called = Reading.CUSTOMERS, tables["orders"], tables["tickets"]
        spent = _sum_in_window(
            log, bought, moment="ordered_at", amount="amount_cents", window_us=window_us
        )
        calls = _sum_in_window(log, called, moment="opened_at", amount=None, window_us=window_us)
    else:
        reading = Reading.MESSAGES
        spent = _count(log, told[told["outcome"] == Outcome.CONVERTED], amount="value_cents")
        calls = _count(
            log, told[told["outcome"] == Outcome.CONTACTED_SUPPORT].drop_duplicates("row")
        )
    return Rewards(
        margin=economics.margin_share * spent,
        support=-economics.support_call_cents * calls,
        send=-log.cost_cents,
        wearing_out=-price_channel(log, told, economics=economics) * _count(log, withdrawn),
        reading=reading,
        told=counts,
    )


def knows_customers(tables: Tables) -> bool:
    """Whether they say what customers did, message or not."""
    return {"orders", "tickets"} <= set(tables)


def _count(log: DecisionLog, told: pd.DataFrame, *, amount: str | None = None) -> Floats:
    """Per decision how many outcomes, or the sum of their amounts, (n,)."""
    rows = told["row"].to_numpy(dtype=np.int64)
    amounts = None if amount is None else told[amount].to_numpy(dtype=np.float64)
    return np.bincount(rows, amounts, minlength=log.n).astype(np.float64)


def price_channel(log: DecisionLog, told: pd.DataFrame, *, economics: Economics) -> float:
    """Cents lost with a channel: its months times the margin that messages bring in a month.

    What messages bring a customer is what followed them in the log: more than they caused, so that
    a channel is held dear rather than cheap.
    """
    if not log.n:
        return 0.0
    bought = float(told.loc[told["outcome"] == Outcome.CONVERTED, "value_cents"].sum())
    months = max(float(np.ptp(log.decided_at_us)) / _MONTH_US, 1.0)
    n_customers = len(np.unique(log.customers))
    per_month = economics.margin_share * bought / (months * n_customers)
    return economics.channel_loss_months * per_month


def _told(
    log: DecisionLog, outcomes: Iterable[OutcomeEvent], *, window_us: int
) -> tuple[pd.DataFrame, Told]:
    """Outcomes of the log's messages within their decisions' windows, and what is not among them.

    Columns: row, outcome, at_us, value_cents.
    """
    found: set[tuple[str, str, int, int]] = set()
    by_machines: set[tuple[str, str, int]] = set()
    n_early = n_of_others = 0
    for event in outcomes:
        row, at_us = log.messages.get(event.message_id), to_us(event.at)
        if row is None:
            n_of_others += 1
            continue
        what = event.message_id, event.outcome.value, at_us
        if event.machine:
            by_machines.add(what)
            continue
        n_early += at_us < log.decided_at_us[row]
        if 0 <= at_us - log.decided_at_us[row] < window_us:
            found.add((*what, event.value_cents or 0))
    # Senders find out later that a machine made it: whoever told it before was mistaken.
    rows = {(log.messages[what[0]], *what[1:]) for what in found if what[:3] not in by_machines}
    told = pd.DataFrame(sorted(rows), columns=["row", "outcome", "at_us", "value_cents"])
    told = told.astype({"row": "int64", "value_cents": "float64"})
    return told, Told(len(told), int(n_early), n_of_others)


def _sum_in_window(
    log: DecisionLog, facts: pd.DataFrame, *, moment: str, amount: str | None, window_us: int
) -> Floats:
    """Per decision the sum over the customer's facts within the window after it, (n,)."""
    codes, _ = pd.factorize(np.concatenate([log.customers, facts["customer_id"]]))
    of_log, of_facts = codes[: log.n].astype(np.int64), codes[log.n :].astype(np.int64)
    at_us = facts[moment].to_numpy("datetime64[us]").astype(np.int64)
    order = np.lexsort((at_us, of_facts))
    of_facts, at_us = of_facts[order], at_us[order]
    amounts = np.ones(len(facts)) if amount is None else facts[amount].to_numpy(float)[order]
    total = np.concatenate([[0.0], amounts.cumsum()])
    bounds = [_find(of_facts, at_us, of_log, log.decided_at_us + shift) for shift in (0, window_us)]
    within: Floats = total[bounds[1]] - total[bounds[0]]
    return within


def _find(of_facts: Ints, at_us: Ints, of_log: Ints, moments: Ints) -> Ints:
    """Position of the first fact of each decision's customer after its moment, (n,)."""
    distinct, ranks = np.unique(np.concatenate([at_us, moments]), return_inverse=True)
    width = len(distinct) + 1
    keys = of_facts * width + ranks[: len(at_us)]
    asked = of_log * width + ranks[len(at_us) :]
    return np.searchsorted(keys, asked, side="right")
