"""Prices of budgets: what a contact or a cent must bring while many cases draw on one account.

Cutting a list at its end spends a budget on whoever comes first. Instead each unit has a price (a
Lagrange multiplier) that is taken off the value of every action that uses it, the lowest price at
which the use to be expected of the whole batch is what is left (Everett 1963). Then the last unit
brings everywhere the same. Use falls as a price rises, so it is found as a root; with several
accounts in turns, since what one refuses goes to another: a message waits for the next day. What
the accounts of one budget have in common is moved first, else their prices would overtake each
other in small steps. The ledger stands behind it: chance may use more than is expected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy.optimize import brentq

from serving.policy.actions import ActionGrid
from serving.policy.budgets import MICRO, BudgetUnit, Headroom
from serving.policy.cases import Cases, Flags, Floats
from serving.policy.choice import soft_choice
from serving.policy.settings import CHANNELS, LearnedSettings, TriggerRule

Prices = Mapping[str, float]
"""Cents for each unit of an account, by its name."""

NO_PRICES: Final[Prices] = MappingProxyType({})

_TOLERANCE = 1e-9
"""By which a price is found, of the highest."""

_SETTLED = 0.01
"""Share of what is left by which the expected use may miss it when turns come to an end."""

_N_TURNS = 40
"""Turns at most: each account that is priced moves some of the use to others."""


@dataclass(frozen=True)
class Need:
    """What actions take of one account.

    Attributes:
        by_set: Units by channel set, (n, K).
        at: Slots that are booked on the account, (n, S).
    """

    by_set: Floats
    at: Flags

    def of_actions(self) -> Floats:
        """Units of each action, (n, K, S)."""
        units: Floats = self.by_set[:, :, None] * self.at[:, None, :]
        return units


@dataclass(frozen=True)
class Drawing:
    """Cases of one trigger that draw on accounts.

    Attributes:
        net: Values before prices, (n, K, S).
        grid: Allowed actions.
        unsure: Error of the values, (n,).
        is_learned: Cases that the learned policy decides, (n,): only they heed prices.
        otherwise: Distribution of the other cases, (n, K * S + 1).
        needs: By account.
    """

    net: Floats
    grid: ActionGrid
    unsure: Floats
    is_learned: Flags
    otherwise: Floats
    needs: Mapping[str, Need]

    def expect_use(self, prices: Prices, *, learned: LearnedSettings) -> dict[str, float]:
        """Units to be expected of each account under these prices."""
        p = soft_choice(
            take_prices(self.net, self.needs, prices=prices),
            self.grid,
            unsure=self.unsure,
            learned=learned,
        )
        p = np.where(self.is_learned[:, None], p, self.otherwise)[:, :-1]
        used = p.reshape(self.net.shape)
        return {
            account: float((used * need.of_actions()).sum()) for account, need in self.needs.items()
        }


def take_prices(net: Floats, needs: Mapping[str, Need], *, prices: Prices) -> Floats:
    """Values less what their actions use at these prices, (n, K, S)."""
    for account, need in needs.items():
        if (price := prices.get(account, 0.0)) > 0.0:
            net = net - price * need.of_actions()
    return net


def find_prices(
    drawings: Sequence[Drawing], *, left: Mapping[str, float], learned: LearnedSettings
) -> dict[str, float]:
    """The lowest prices under which the expected use of each account is at most what is left.

    Where even the highest price leaves more (what explores, and other arms, use something too), the
    price is the highest: twice what the best action brings for a unit.

    Args:
        drawings: Cases of all triggers of the batch.
        left: Units, by account.
        learned: Of the learned policy.

    Returns:
        Prices above zero, by account.
    """
    market = _Market(drawings, left, learned)
    prices = dict.fromkeys(left, 0.0)
    for _ in range(_N_TURNS):
        use = market.expect_use(prices)
        unsettled = [a for a in left if market.is_unsettled(a, use=use, price=prices[a])]
        if not unsettled:
            break
        short = [a for a in left if prices[a] > 0.0 or use[a] > left[a]]
        for _, of_one in groupby(sorted(short), key=_name_budget):
            if len(accounts := list(of_one)) > 1:
                prices |= market.shift(prices, accounts=accounts)
        for account in unsettled:
            prices |= market.shift(prices, accounts=[account])
    return {account: price for account, price in prices.items() if price > 0.0}


@dataclass(frozen=True)
class _Market:
    """Cases that draw on accounts, and what is left of these.

    Attributes:
        drawings: Cases of all triggers of the batch.
        left: Units, by account.
        learned: Of the learned policy.
    """

    drawings: Sequence[Drawing]
    left: Mapping[str, float]
    learned: LearnedSettings

    @cached_property
    def highest(self) -> Mapping[str, float]:
        """The highest price of each account."""
        return {account: _find_highest(self.drawings, account) for account in self.left}

    def expect_use(self, prices: Prices, *, of: Sequence[str] | None = None) -> dict[str, float]:
        """Units to be expected of the accounts; of some only, those who draw on them are asked."""
        asked = self.left if of is None else of
        total = dict.fromkeys(asked, 0.0)
        for drawing in self.drawings:
            if not any(account in drawing.needs for account in asked):
                continue
            for account, use in drawing.expect_use(prices, learned=self.learned).items():
                if account in total:
                    total[account] += use
        return total

    def is_unsettled(self, account: str, *, use: Mapping[str, float], price: float) -> bool:
        """Whether another price would bring the use nearer to what is left."""
        left = self.left[account]
        near = _SETTLED * left
        is_over = use[account] > left + near and price < self.highest[account]
        return is_over or (price > 0.0 and use[account] < left - near)

    def shift(self, prices: Prices, *, accounts: Sequence[str]) -> dict[str, float]:
        """Prices of these accounts, all moved by as much: then they use what is left of them.

        By no more than to 0 or to the highest, if even that is too much or not enough.
        """
        left = sum(self.left[account] for account in accounts)

        def moved(by: float) -> dict[str, float]:
            return {
                account: min(max(prices[account] + by, 0.0), self.highest[account])
                for account in accounts
            }

        def lacking(by: float) -> float:
            use = self.expect_use({**prices, **moved(by)}, of=accounts)
            return sum(use.values()) - left

        down, up = -max(prices[a] for a in accounts), max(self.highest[a] for a in accounts)
        if lacking(down) <= 0.0:
            return moved(down)
        if lacking(up) >= 0.0:
            return moved(up)
        tolerance = _TOLERANCE * (up - down)
        return moved(float(brentq(lacking, down, up, xtol=tolerance, rtol=_TOLERANCE)))


def _name_budget(account: str) -> str:
    return account.split("/", 1)[0]


def _find_highest(drawings: Sequence[Drawing], account: str) -> float:
    """A price at which nothing that uses the account is worth it, nor nearly worth it."""
    highest = 0.0
    for drawing in drawings:
        if account in drawing.needs:
            units = drawing.needs[account].of_actions()
            uses = (units > 0.0) & drawing.grid.allowed
            per_unit = np.divide(drawing.net, units, out=np.zeros_like(drawing.net), where=uses)
            highest = max(highest, float(per_unit.max(initial=0.0)))
    return 2.0 * highest


def find_needs(
    cases: Cases, grid: ActionGrid, *, rule: TriggerRule, cents: Floats, headroom: Headroom
) -> dict[str, Need]:
    """What the cases' actions take of each account.

    Args:
        cases: The cases.
        grid: Their actions.
        rule: Of their trigger.
        cents: What a message costs by channel, (n, 5).
        headroom: The budgets.
    """
    needs: dict[str, Need] = {}
    for budget in headroom.covering(cases.trigger, priority=rule.priority):
        by_set = []
        for channels in grid.sets:
            at = [CHANNELS.index(channel) for channel in channels if budget.takes(channel)]
            in_cents = cents[:, at].sum(axis=1)
            once = np.full(cases.n, float(bool(at)))
            by_set.append(once if budget.unit is BudgetUnit.CONTACTS else in_cents)
        units = np.stack(by_set, axis=1)
        accounts, places = budget.accounts_at(grid.slots_us)
        booked_on = np.array(accounts)[places]
        for account in sorted(set(accounts)):
            needs[account] = Need(units, booked_on == account)
    return needs


def find_left(headroom: Headroom, accounts: Sequence[str]) -> dict[str, float]:
    """Units left on these accounts."""
    by_name = {budget.name: budget for budget in headroom.budgets}
    return {
        account: headroom.left(by_name[_name_budget(account)], account) / MICRO
        for account in accounts
    }
