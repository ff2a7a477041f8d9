"""The simulated world with people in it who do something for customers at risk."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.errors import BadInputError
from training.world.acting.contact import Contacts, land, value_contacts
from training.world.acting.pilot import Book, Decided, decide_round, next_round
from training.world.acting.protocol import Lever
from training.world.acting.reactions import LEVERS, Reactions, draw_reactions
from training.world.clock import NEVER, Ints, Micros, day_start, to_micros
from training.world.scenario import CALM, Scenario
from training.world.simulated import SimulatedWorld

_COLUMNS = ("customer_id", "lever", "begins_at")


class SimulatedActingWorld(SimulatedWorld):
    """`SimulatedWorld` whose customers can be acted upon; implements `protocol.ActingWorld`.

    Nothing is different for whoever is left alone: organic life and messages are those of the
    world without it.

    Args:
        seed: As of `SimulatedWorld`.
        n_customers: As of `SimulatedWorld`.
        days: As of `SimulatedWorld`.
        scenario: As of `SimulatedWorld`; `effect` multiplies nothing here.
        has_pilot: Whether the history holds the interventions of `pilot`.
    """

    def __init__(
        self,
        *,
        seed: int,
        n_customers: int = 20_000,
        days: int = 180,
        scenario: Scenario = CALM,
        has_pilot: bool = True,
    ) -> None:
        self._next_round = next_round(day_start(0)) if has_pilot else NEVER
        self._book = Book.empty(n_customers)
        self._contacts = Contacts.none(n_customers)
        self._waiting: list[tuple[int, str, int, int]] = []
        self._reactions: Reactions | None = None
        self._is_history = True
        super().__init__(seed=seed, n_customers=n_customers, days=days, scenario=scenario)
        self._is_history = False

    def intervene(self, interventions: pd.DataFrame) -> None:
        """Take interventions to come; those of one moment and customer land one after another.

        Args:
            interventions: intervention_id, customer_id, lever, begins_at (now or later);
                cost_cents where it is known.

        Raises:
            BadInputError: A column is missing, a value unknown, a moment past or an id taken.
        """
        who, lever, at = self._read(interventions, more=("intervention_id",))
        ids = [str(name) for name in interventions["intervention_id"]]
        known = {name for entry in self._book.entries for name in entry.ids}
        taken = [name for name in ids if name in known]
        if taken or len(set(ids)) < len(ids):
            raise BadInputError(f"intervention_id must be new and unique, {taken[:3]} are taken")
        cents = np.zeros(len(ids))
        if "cost_cents" in interventions:
            cents += interventions["cost_cents"].to_numpy(dtype=np.float64)
        by_chance = np.zeros(len(ids), dtype=np.bool_)
        self._add(Decided(ids, who, lever, at, by_chance=by_chance, cost_cents=cents))

    def interventions(self, until: datetime) -> pd.DataFrame:
        """See `protocol.ActingWorld`: what the company itself decided before `until`."""
        return self._book.frame(self._realm.people.identity.ids, until=to_micros(until))

    def true_save_value(self, interventions: pd.DataFrame) -> npt.NDArray[np.float64]:
        """See `protocol.ActingWorld` and `contact.value_contacts`; for scoring only.

        Args:
            interventions: customer_id, lever, begins_at (now or later).

        Raises:
            BadInputError: A column is missing, a value unknown or a moment past.
        """
        who, lever, at = self._read(interventions)
        return value_contacts(
            self._realm, self._contacts, self._known_reactions, who=who, lever=lever, at=at
        )

    def true_do_not_disturb(self, customer_ids: "pd.Series[str]") -> npt.NDArray[np.bool_]:
        """See `protocol.ActingWorld`; for scoring only."""
        return self._known_reactions.sleeps[self._find(customer_ids.tolist())]

    def true_worth(self, customer_ids: "pd.Series[str]") -> npt.NDArray[np.float64]:
        """See `protocol.ActingWorld`: 12 months of margin; for scoring only."""
        return self._realm.worth.lost[self._find(customer_ids.tolist())]

    @property
    def _known_reactions(self) -> Reactions:
        if self._reactions is None:
            self._reactions = draw_reactions(self._realm.people, self._realm.luck)
        return self._reactions

    def _live_until(self, until: int) -> None:
        """Live on, and let the pilot decide and interventions land at their moments."""
        while True:
            moment = self._next_moment(until)
            super()._live_until(moment)
            if moment == until:
                return
            if self._is_history and moment == self._next_round:
                self._decide(moment)
            self._land(moment)

    def _next_moment(self, until: int) -> int:
        """The next one at which something is decided or lands, at most `until`."""
        rounds = [self._next_round] if self._is_history else []
        return min([until, *rounds, *(at for at, *_ in self._waiting)])

    def _decide(self, moment: int) -> None:
        """A round of the pilot."""
        self._next_round = next_round(moment + 1)
        looked_at, n_before = self._book.looked_at, self._book.n
        self._add(decide_round(self._realm, looked_at, now=moment, n_before=n_before))

    def _add(self, decided: Decided) -> None:
        self._book.entries.append(decided)
        rows = zip(decided.at.tolist(), decided.ids, decided.who.tolist(), strict=True)
        done = zip(rows, decided.lever.tolist(), strict=True)
        self._waiting += [(at, name, who, lever) for (at, name, who), lever in done if lever >= 0]

    def _land(self, moment: int) -> None:
        """What lands at this moment, in the order of its names; a customer's one by one."""
        due = sorted(one for one in self._waiting if one[0] <= moment)
        self._waiting = [one for one in self._waiting if one[0] > moment]
        while due:
            first = {who: (at, name, who, lever) for at, name, who, lever in reversed(due)}
            now = sorted(first.values())
            due = [one for one in due if first[one[2]] != one]
            at, _, who, lever = (np.array(column) for column in zip(*now, strict=True))
            land(
                self._realm,
                self._contacts,
                self._known_reactions,
                who=who.astype(np.int64),
                lever=lever.astype(np.int64),
                at=at.astype(np.int64),
            )

    def _read(self, frame: pd.DataFrame, *, more: Sequence[str] = ()) -> tuple[Ints, Ints, Micros]:
        """Positions of customers and levers, and the moments, of a frame; it is checked."""
        missing = [name for name in (*more, *_COLUMNS) if name not in frame]
        if missing:
            raise BadInputError(f"interventions lack the columns {missing}")
        codes = {lever.value: code for code, lever in enumerate(LEVERS)}
        unknown = sorted({str(name) for name in frame["lever"]} - codes.keys())
        if unknown:
            raise BadInputError(f"lever: {unknown[:3]} are none of {[*codes]}")
        at = np.array([to_micros(moment) for moment in frame["begins_at"]], dtype=np.int64)
        if (at < self._clock).any():
            raise BadInputError(
                f"begins_at: {frame['begins_at'].min()} is past, it is {self.now.isoformat()}"
            )
        lever = np.array([codes[Lever(name).value] for name in frame["lever"]], dtype=np.int64)
        return self._find(frame["customer_id"].tolist()), lever, at
