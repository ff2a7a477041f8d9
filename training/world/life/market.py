"""The catalogue: items, their prices, and the days on which they get cheaper."""

import numpy as np

from training.world.clock import HOUR, SECOND, Floats, Ints, day_start
from training.world.facts.ledger import Facts
from training.world.luck import Luck
from training.world.people.places import N_ITEMS
from training.world.people.population import Population

_P_CHEAPER = 1.0 / 70.0  # per item and day


class Market:
    """Prices of all items, cheapest first.

    Attributes:
        base_cents: Normal prices, (items,).
        price_cents: Prices of the day, (items,).
    """

    def __init__(self, luck: Luck, facts: Facts) -> None:
        rng = luck.of_day(0, subject="catalogue")
        drawn = np.clip(3_500.0 * np.exp(rng.normal(0.0, 0.75, N_ITEMS)), 400.0, 30_000.0)
        self.base_cents: Ints = np.sort(np.round(drawn / 10.0) * 10.0).astype(np.int64)
        self.price_cents = self.base_cents.copy()
        self._back_on = np.full(N_ITEMS, -1)
        self._luck = luck
        opening = np.full(N_ITEMS, day_start(0) - 24 * HOUR)
        facts.add("prices", item=np.arange(N_ITEMS), at=opening, price_cents=self.base_cents)

    def live_day(self, day: int, facts: Facts) -> tuple[Ints, Ints]:
        """Change prices; the items that got cheaper and when."""
        rng = self._luck.of_day(day, subject="market")
        chance, depth, length = rng.random((3, N_ITEMS))
        back = self._back_on == day
        cheaper = (self._back_on < day) & (chance < _P_CHEAPER)
        self.price_cents[back] = self.base_cents[back]
        cut = np.round(self.base_cents * (0.9 - 0.25 * depth) / 10.0) * 10.0
        self.price_cents[cheaper] = cut[cheaper].astype(np.int64)
        self._back_on[cheaper] = day + 8 + (12 * length[cheaper]).astype(np.int64)
        changed = np.flatnonzero(back | cheaper)
        at = day_start(day) + 5 * HOUR + changed * 61 * SECOND
        facts.add("prices", item=changed, at=at, price_cents=self.price_cents[changed])
        return np.flatnonzero(cheaper), at[cheaper[changed]]

    def pick(self, thrift: Floats, luck: Floats) -> Ints:
        """The item each customer is drawn to: a thriftier one looks at cheaper items."""
        return np.minimum((N_ITEMS * luck**thrift).astype(np.int64), N_ITEMS - 1)

    def mean_price_cents(self, people: Population, *, customer: Ints) -> Floats:
        """Mean normal price of what these customers pick, (m,)."""
        thrift = people.taste.thrift[customer, None]
        edges = (np.arange(N_ITEMS + 1) / N_ITEMS)[None, :] ** (1.0 / thrift)
        mean: Floats = np.diff(edges, axis=1) @ self.base_cents
        return mean
