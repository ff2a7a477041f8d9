"""The partly randomised past: account managers picked customers, and chance decided about them.

Every Monday of the history managers look at a few of the customers: at those who have stayed away
for longer than they use to, which everybody can see, more readily than at others, and at nobody
twice in sixty days. Moods are hidden from them. Then chance decides: nothing with probability .4,
else one of the levers evenly. The book holds every occasion, those on which nothing was done
included, so that the effect of contact can be told from what would have happened anyway.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.world.acting.reactions import LEVERS
from training.world.clock import DAY, HOUR, NEVER, Flags, Ints, day_start
from training.world.life.realm import Realm

P_NONE: Final = 0.4
PILOT_COST_CENTS: Final = 800
"""Of one contact: as much as a support call."""

_EVERY_DAYS: Final = 7
_AT_HOUR: Final = 6
_AWAY_FACTOR: Final = 3.0
_P_LOOKED_AT: Final = (0.03, 0.2)  # a week: others, those who have been away for long
_REST: Final = 60 * DAY

_NOTHING: Final = -1


def next_round(now: int) -> int:
    """The first moment of a round of the pilot at or after this one."""
    first = day_start(0) + _AT_HOUR * HOUR
    rounds = max(-(-(now - first) // (_EVERY_DAYS * DAY)), 0)
    return first + rounds * _EVERY_DAYS * DAY


@dataclass(frozen=True)
class Decided:
    """Interventions that were decided about, n rows.

    Attributes:
        ids: Identities.
        who: Positions of customers.
        lever: Positions in `LEVERS`, -1: nothing is done.
        at: Moments.
        by_chance: Whether chance decided.
        cost_cents: Of each.
    """

    ids: list[str]
    who: Ints
    lever: Ints
    at: Ints
    by_chance: Flags
    cost_cents: npt.NDArray[np.float64]


def decide_round(realm: Realm, looked_at: Ints, *, now: int, n_before: int) -> Decided:
    """One round of the pilot; who is looked at is noted in `looked_at`."""
    everybody = np.arange(realm.people.n)
    keys = realm.luck.keys(everybody, np.full(realm.people.n, now))
    usual = DAY / realm.people.rhythm.visits_per_day
    away = (now - realm.life.last_active_at > _AWAY_FACTOR * usual).astype(np.int64)
    drawn = realm.luck.uniform(keys, purpose="manager") < np.array(_P_LOOKED_AT)[away]
    who = np.flatnonzero(drawn & realm.life.present & (now - looked_at > _REST))
    looked_at[who] = now
    coin = realm.luck.uniform(keys[who], purpose="pilot coin")
    lever = ((coin - P_NONE) / (1.0 - P_NONE) * len(LEVERS)).astype(np.int64)
    lever = np.where(coin < P_NONE, _NOTHING, np.minimum(lever, len(LEVERS) - 1))
    return Decided(
        ids=[f"p{n_before + row:07d}" for row in range(len(who))],
        who=who,
        lever=lever,
        at=np.full(len(who), now),
        by_chance=np.ones(len(who), dtype=np.bool_),
        cost_cents=np.where(lever == _NOTHING, 0.0, float(PILOT_COST_CENTS)),
    )


@dataclass
class Book:
    """Every intervention ever decided about, for the company itself.

    Attributes:
        looked_at: When each customer was last looked at by the pilot, (n,).
        entries: In the order in which they came in.
    """

    looked_at: Ints
    entries: list[Decided] = field(default_factory=list)

    @classmethod
    def empty(cls, n: int) -> "Book":
        """Nothing yet, of n customers."""
        return cls(np.full(n, -NEVER))

    @property
    def n(self) -> int:
        """Rows."""
        return sum(len(entry.ids) for entry in self.entries)

    def frame(self, customer_ids: list[str], *, until: int) -> pd.DataFrame:
        """Its rows before a moment, as `ActingWorld.interventions` has them."""
        names = np.array([*(lever.value for lever in LEVERS), None], dtype=object)
        parts = [
            pd.DataFrame(
                {
                    "intervention_id": entry.ids,
                    "customer_id": [customer_ids[who] for who in entry.who],
                    "decided_at": pd.to_datetime(entry.at, unit="us", utc=True),
                    "lever": names[entry.lever],
                    "propensity": _propensities(entry),
                    "p_none": np.where(entry.by_chance, P_NONE, np.nan),
                    "cost_cents": entry.cost_cents,
                }
            )[entry.at < until]
            for entry in self.entries
        ]
        found = pd.concat(parts, ignore_index=True) if parts else _NO_ROWS.copy()
        return found.astype(_NO_ROWS.dtypes.to_dict())


def _propensities(entry: Decided) -> npt.NDArray[np.float64]:
    p = np.where(entry.lever == _NOTHING, P_NONE, (1.0 - P_NONE) / len(LEVERS))
    return np.where(entry.by_chance, p, np.nan)


_NO_ROWS: Final = pd.DataFrame(
    {
        "intervention_id": pd.Series(dtype="str"),
        "customer_id": pd.Series(dtype="str"),
        "decided_at": pd.Series(dtype="datetime64[us, UTC]"),
        "lever": pd.Series(dtype="str"),
        "propensity": pd.Series(dtype="float64"),
        "p_none": pd.Series(dtype="float64"),
        "cost_cents": pd.Series(dtype="float64"),
    }
)
