"""What customers have shown of their mood, read from the tables: sessions, tickets, bills, answers.

Times are days since the world's first moment, with fractions.
"""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import pandas as pd

from features.tables import Tables
from training.world.clock import DAY, Flags, Floats, Ints, day_start
from training.world.people.places import TICKET_TOPICS


@dataclass(frozen=True)
class _Events:
    """Rows of one kind, (m,) each.

    Attributes:
        customer: Position among those who are looked at.
        day: Day on which it happened.
    """

    customer: Ints
    day: Ints

    def rows(self, kept: Flags) -> Self:
        """The rows of that mask."""
        return type(self)(**{f.name: getattr(self, f.name)[kept] for f in fields(self)})

    def of_customers(self, first: int, last: int) -> Self:
        """The rows of these positions, counted from the first of them."""
        mine = self.rows((self.customer >= first) & (self.customer < last))
        return replace(mine, customer=mine.customer - first)


@dataclass(frozen=True)
class Tickets(_Events):
    """Tickets about anything, (m,) each; calls about a trigger's problem tell nothing of moods.

    Attributes:
        opened: When.
        resolved: When; infinite where that has not happened.
        escalated: Whether it was.
    """

    opened: Floats
    resolved: Floats
    escalated: Flags


@dataclass(frozen=True)
class Invoices(_Events):
    """Invoices, (m,) each.

    Attributes:
        issued: When.
        paid: When; infinite where that has not happened.
        disputed: Whether it is.
    """

    issued: Floats
    paid: Floats
    disputed: Flags


@dataclass(frozen=True)
class Answers(_Events):
    """Answers to surveys, (m,) each, 0 to 10."""

    nps: Floats


@dataclass(frozen=True)
class Shown:
    """What n customers have shown.

    Attributes:
        minutes: Length of the day's session, (days, n); NaN where there was none.
        tickets: See `Tickets`.
        invoices: See `Invoices`.
        answers: See `Answers`.
    """

    minutes: Floats
    tickets: Tickets
    invoices: Invoices
    answers: Answers

    def of_customers(self, first: int, last: int) -> Self:
        """What the customers at these positions have shown."""
        return replace(
            self,
            minutes=self.minutes[:, first:last],
            tickets=self.tickets.of_customers(first, last),
            invoices=self.invoices.of_customers(first, last),
            answers=self.answers.of_customers(first, last),
        )


def read_shown(tables: Tables, *, ids: pd.Index, n_days: int) -> Shown:
    """What the customers with these ids have shown in the world's first days."""
    sessions = _rows_of(tables["activity"], ids)
    sessions = sessions[sessions["kind"] == "session"]
    day = _day(sessions["at"])
    seen = (day >= 0) & (day < n_days)
    minutes = np.full((n_days, len(ids)), np.nan)
    minutes[day[seen], _who(sessions)[seen]] = sessions["value"].to_numpy(np.float64)[seen]
    tickets = _rows_of(tables["tickets"], ids)
    tickets = tickets[tickets["topic"].isin(TICKET_TOPICS)]
    invoices, surveys = _rows_of(tables["invoices"], ids), _rows_of(tables["surveys"], ids)
    return Shown(
        minutes=minutes,
        tickets=Tickets(
            customer=_who(tickets),
            day=_day(tickets["opened_at"]),
            opened=_days(tickets["opened_at"]),
            resolved=_days(tickets["resolved_at"]),
            escalated=tickets["escalated"].to_numpy(np.bool_),
        ),
        invoices=Invoices(
            customer=_who(invoices),
            day=_day(invoices["issued_at"]),
            issued=_days(invoices["issued_at"]),
            paid=_days(invoices["paid_at"]),
            disputed=invoices["disputed"].to_numpy(np.bool_),
        ),
        answers=Answers(
            customer=_who(surveys),
            day=_day(surveys["at"]),
            nps=surveys["nps"].to_numpy(np.float64),
        ),
    )


def _rows_of(frame: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    who = ids.get_indexer(pd.Index(frame["customer_id"]))
    return frame.assign(who=who)[who >= 0]


def _who(frame: pd.DataFrame) -> Ints:
    return frame["who"].to_numpy(np.int64)


def _days(times: "pd.Series[pd.Timestamp]") -> Floats:
    """Days since the first moment; infinite for what has not happened."""
    known = times.notna().to_numpy()
    days = np.full(len(times), np.inf)
    days[known] = (times[known].dt.as_unit("us").astype("int64") - day_start(0)) / DAY
    return days


def _day(times: "pd.Series[pd.Timestamp]") -> Ints:
    day: Ints = np.floor(_days(times)).astype(np.int64)
    return day
