"""Prices of budgets: what a contact or a cent must bring while many cases draw on one account.

Cutting a list at its end spends a budget on whoever comes first. Instead each unit has a price (a
Lagrange multiplier) that is taken off the value of every action that uses it, the lowest price at
which the use to be expected of the whole batch is what is left (Everett 1963). Then the last unit
brings everywhere the same. Use falls as a price rises, so it is found by bisection; with several
accounts in turns. The ledger stands behind it: chance may use more than is expected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from serving.policy.actions import ActionGrid
from serving.policy.budgets import MICRO, BudgetUnit, Headroom
from serving.policy.cases import Cases, Flags, Floats
from serving.policy.choice import soft_choice
from serving.policy.settings import CHANNELS, LearnedSettings, TriggerRule

Prices = Mapping[str, float]
"""Cents for each unit of an account, by its name."""

NO_PRICES: Final[Prices] = MappingProxyType({})

_N_HALVINGS = 30
_N_TURNS = 3


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
    prices = dict.fromkeys(left, 0.0)
    highest = {account: _find_highest(drawings, account) for account in left}
    for _ in range(_N_TURNS):
        use = _sum_use(drawings, prices, learned=learned)
        tight = [a for a in left if use.get(a, 0.0) > left[a] or prices[a] > 0.0]
        for account in tight:
            prices[account] = _bisect(
                drawings, prices, account, left=left, top=highest[account], learned=learned
            )
        if len(tight) < 2:
            break
    return {account: price for account, price in prices.items() if price > 0.0}


def _bisect(
    drawings: Sequence[Drawing],
    prices: dict[str, float],
    account: str,
    *,
    left: Mapping[str, float],
    top: float,
    learned: LearnedSettings,
) -> float:
    drawings = [drawing for drawing in drawings if account in drawing.needs]

    def is_short(price: float) -> bool:
        use = _sum_use(drawings, prices | {account: price}, learned=learned)
        return use[account] > left[account]

    low, high = 0.0, top
    if not is_short(low):
        return low
    for _ in range(_N_HALVINGS):
        middle = 0.5 * (low + high)
        if is_short(middle):
            low = middle
        else:
            high = middle
    return high


def _sum_use(
    drawings: Sequence[Drawing], prices: Prices, *, learned: LearnedSettings
) -> dict[str, float]:
    total: dict[str, float] = {}
    for drawing in drawings:
        for account, use in drawing.expect_use(prices, learned=learned).items():
            total[account] = total.get(account, 0.0) + use
    return total


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
        account: headroom.left(by_name[account.split("/", 1)[0]], account) / MICRO
        for account in accounts
    }
