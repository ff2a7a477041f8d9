"""Cases: one trigger being true for one customer, and what happens if nobody writes.

A service case may end in a call to support, a marketing case in the purchase that the customer
would have made anyway. The moment is drawn when the case opens and lies hidden until it comes; a
message that is seen before it may prevent the call, or bring a purchase that would not have come.
Cases are kept in the order in which they are opened and never moved, so their rows are names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

import numpy as np

from features.vocabulary import Trigger
from training.world.clock import DAY, NEVER, Flags, Floats, Ints, Micros, hours_between
from training.world.codes import TRIGGERS

NO_CASE: Final = -1

_OPEN_DAYS = 45  # no case can be acted on for longer
_ALIAS = {Trigger.INCIDENT_UPDATE: Trigger.SERVICE_DISRUPTION}
_BOUND_TO = np.array([TRIGGERS.index(_ALIAS.get(t, t)) for t in TRIGGERS])


@dataclass(frozen=True)
class NewCases:
    """Cases to open, (n,) each.

    Attributes:
        customer: Position in the population.
        trigger: Position in `TRIGGERS`.
        opened_at: The trigger becomes true.
        closes_at: It stops being true, if nothing closes it before; NEVER where that is open.
        onset_at: The call (purchase) comes at onset + Exp(rate), if it comes.
        rate: Per hour.
        p_event: Chance that it comes.
        p_exit: Chance that the case ends by itself, evenly between opening and onset.
        happens_at: The drawn moment of the event; NEVER where it doesn't come.
        amount_cents: Marketing: amount of the order.
        item: Item of the order, -1 for none.
    """

    customer: Ints
    trigger: Ints
    opened_at: Micros
    closes_at: Micros
    onset_at: Micros
    rate: Floats
    p_event: Floats
    p_exit: Floats
    happens_at: Micros
    amount_cents: Ints
    item: Ints


_DTYPES: Mapping[str, type[np.int64 | np.float64 | np.bool_]] = MappingProxyType(
    dict.fromkeys(("customer", "trigger", "opened_at", "closes_at", "onset_at"), np.int64)
    | dict.fromkeys(("rate", "p_event", "p_exit"), np.float64)
    | dict.fromkeys(("happens_at", "amount_cents", "item", "message", "seen_at"), np.int64)
    | dict.fromkeys(("done", "won"), np.bool_)
)


class Cases:
    """All cases so far, in columns of `n` rows (the arrays have room for more).

    Attributes:
        n: Number of cases.
        done: The event has been written to the facts.
        won: A message has had its effect already.
        message: Position of the last message about it that was seen, -1 for none.
        seen_at: When that was.
    """

    customer: Ints
    trigger: Ints
    opened_at: Micros
    closes_at: Micros
    onset_at: Micros
    rate: Floats
    p_event: Floats
    p_exit: Floats
    happens_at: Micros
    amount_cents: Ints
    item: Ints
    message: Ints
    seen_at: Micros
    done: Flags
    won: Flags

    def __init__(self) -> None:
        self.n = 0
        self._first_live = 0
        self._index: tuple[Ints, Ints] | None = None
        for name, dtype in _DTYPES.items():
            setattr(self, name, np.zeros(1024, dtype=dtype))

    def open(self, new: NewCases) -> Ints:
        """Add cases; their rows."""
        rows = np.arange(self.n, self.n + len(new.customer))
        self.n += len(rows)
        self._make_room()
        for column in fields(new):
            getattr(self, column.name)[rows] = getattr(new, column.name)
        self.message[rows] = -1
        self.seen_at[rows] = NEVER
        self._index = None
        return rows

    def live(self) -> slice:
        """Rows that something can still come of."""
        return slice(self._first_live, self.n)

    def forget_before(self, moment: int) -> None:
        """Leave cases out of `live` that opened long before the moment."""
        opened = self.opened_at[self.live()]
        old = opened < moment - _OPEN_DAYS * DAY
        self._first_live += int(np.argmin(old)) if len(old) and not old.all() else len(old)
        self._index = None

    def due(self, until: int) -> Ints:
        """Rows whose event came before `until` and is not written yet."""
        live = self.live()
        rows: Ints = np.arange(live.start, live.stop)
        return rows[(self.happens_at[live] < until) & ~self.done[live]]

    def latest(self, customer: Ints, trigger: Ints, *, now: int) -> Ints:
        """The row of each customer's last case of the trigger if it is true at `now`, else NO_CASE.

        An incident update is about the disruption in the customer's region.
        """
        order, keys = self._sorted()
        if not len(order):
            return np.full(len(customer), NO_CASE)
        start = self._start()
        wanted = self._key(customer, _BOUND_TO[trigger], np.full(len(customer), now))
        place = np.searchsorted(keys, wanted) - 1
        row = order[np.maximum(place, 0)]
        found = (
            (place >= 0)
            & (self.customer[row] == customer)
            & (self.trigger[row] == _BOUND_TO[trigger])
            & (self.opened_at[row] >= start)
            & (self.closes_at[row] > now)
        )
        return np.where(found, row, NO_CASE)

    def true_at(self, now: int) -> Ints:
        """Rows of all cases true at `now`, one by customer and trigger, in that order."""
        live = self.live()
        open_now = (self.opened_at[live] < now) & (self.closes_at[live] > now)
        rows = np.flatnonzero(open_now) + live.start
        rows = rows[self.latest(self.customer[rows], self.trigger[rows], now=now) == rows]
        ordered: Ints = rows[np.lexsort([self.trigger[rows], self.customer[rows]])]
        return ordered

    def p_undecided(self, row: Ints, *, now: int) -> Floats:
        """P(by `now` the event has not come nor the case ended by itself), as of its opening."""
        waited = np.maximum(hours_between(self.onset_at[row], now), 0.0)
        come = self.p_event[row] * -np.expm1(-self.rate[row] * waited)
        span = np.maximum(self.onset_at[row] - self.opened_at[row], 1)
        elapsed = np.clip((now - self.opened_at[row]) / span, 0.0, 1.0)
        undecided: Floats = 1.0 - come - self.p_exit[row] * elapsed
        return undecided

    def _make_room(self) -> None:
        room = len(self.customer)
        if self.n <= room:
            return
        for name, dtype in _DTYPES.items():
            grown = np.zeros(2 * self.n, dtype=dtype)
            grown[:room] = getattr(self, name)
            setattr(self, name, grown)

    def _start(self) -> int:
        return int(self.opened_at[self.live()].min(initial=NEVER))

    def _key(self, customer: Ints, trigger: Ints, at: Micros) -> Ints:
        """Sorts by customer, trigger, moment; seconds since the first live case fit 40 bits."""
        seconds = np.clip(-(-(at - self._start()) // 1_000_000), 0, 2**40 - 1)
        return ((customer * len(TRIGGERS) + trigger) << 40) + seconds

    def _sorted(self) -> tuple[Ints, Ints]:
        if self._index is None:
            live = self.live()
            keys = self._key(self.customer[live], self.trigger[live], self.opened_at[live])
            order = np.argsort(keys, kind="stable")
            self._index = (order + live.start, keys[order])
        return self._index
