"""Budgets: so many contacts or cents per day, week or campaign. What they cover, what is left.

All of this is arithmetic on numbers that the ledger of the store keeps (`serving.store.budgets`).
Amounts are whole millionths of a contact or of a cent, so that sums are exact whatever their order.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from features.time_zones import TimezoneName
from features.vocabulary import Channel, Priority, Trigger
from serving.policy.cases import QUARTER_US, Ints, from_us

MICRO = 1_000_000
"""Millionths in one contact or cent."""

_CAMPAIGN = "campaign"


class BudgetUnit(StrEnum):
    """What a budget counts."""

    CONTACTS = "contacts"  # notices; one over several channels counts once
    CENTS = "cents"  # what their messages cost


class BudgetPeriod(StrEnum):
    """How long a limit lasts before there is a new one."""

    DAY = "day"
    WEEK = "week"  # from Monday
    CAMPAIGN = "campaign"  # for as long as the budget has its name


class Budget(BaseModel):
    """So much may be spent on messages that are sent in one period.

    Attributes:
        name: Its name in the ledger; a new name is a new account.
        unit: What it counts.
        limit: How much per period, in that unit.
        per: The period, by the moment of sending.
        triggers: Which it covers; all where none is named.
        channels: Which it covers; all where none is named.
        timezone: Whose days and weeks they are.
        includes_critical: Whether critical messages count and are held back; else they pass.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^/\s]+$")
    unit: BudgetUnit
    limit: float = Field(ge=0, allow_inf_nan=False)
    per: BudgetPeriod
    triggers: tuple[Trigger, ...] = ()
    channels: tuple[Channel, ...] = ()
    timezone: TimezoneName = "UTC"
    includes_critical: bool = False

    @property
    def limit_micro(self) -> int:
        """The limit in millionths, never rounded up."""
        return math.floor(self.limit * MICRO + 1e-3)

    def covers(self, trigger: Trigger, *, priority: Priority) -> bool:
        """Whether messages about this trigger count."""
        if priority is Priority.CRITICAL and not self.includes_critical:
            return False
        return not self.triggers or trigger in self.triggers

    def takes(self, channel: Channel) -> bool:
        """Whether messages on this channel count."""
        return not self.channels or channel in self.channels

    def need(self, cents_by_channel: Mapping[Channel, float]) -> int:
        """What a notice on these channels takes, each at that cost, in millionths."""
        taken = [cents for channel, cents in cents_by_channel.items() if self.takes(channel)]
        if self.unit is BudgetUnit.CONTACTS:
            return MICRO if taken else 0
        return sum(to_micro(cents) for cents in taken)

    def period_of(self, at: datetime) -> str:
        """Name of the period in which this aware moment lies."""
        if self.per is BudgetPeriod.CAMPAIGN:
            return _CAMPAIGN
        day = at.astimezone(ZoneInfo(self.timezone)).date()
        if self.per is BudgetPeriod.WEEK:
            day -= timedelta(days=day.weekday())
        return day.isoformat()

    def account_of(self, at: datetime) -> str:
        """Where a message sent at this aware moment is booked."""
        return f"{self.name}/{self.period_of(at)}"

    def accounts_at(self, at_us: Ints) -> tuple[list[str], Ints]:
        """Where messages sent at these moments are booked.

        Returns:
            Accounts, which may repeat, and the place among them of each moment, in its shape.
        """
        # Every day begins on a quarter of an hour, wherever it is.
        quarters, places = np.unique(at_us // QUARTER_US, return_inverse=True)
        accounts = [self.account_of(from_us(int(quarter) * QUARTER_US)) for quarter in quarters]
        return accounts, places.reshape(at_us.shape)


def to_micro(amount: float) -> int:
    """Millionths of an amount, never rounded down.

    >>> to_micro(0.02), to_micro(0.1), to_micro(1e-9)
    (20000, 100000, 1)
    """
    return math.ceil(amount * MICRO - 1e-6)


@dataclass(frozen=True)
class Headroom:
    """What is left of some budgets; accounts that nothing was booked on have their whole limit.

    Attributes:
        budgets: The policy's budgets.
        spent: Millionths booked, by account.
        dearest_cents: The most that one message may cost, by channel.
    """

    budgets: tuple[Budget, ...] = ()
    spent: Mapping[str, int] = field(default_factory=dict)
    dearest_cents: Mapping[Channel, float] = field(default_factory=dict)

    def left(self, budget: Budget, account: str) -> int:
        """Millionths left on one account; never negative."""
        return max(0, budget.limit_micro - self.spent.get(account, 0))

    def covering(self, trigger: Trigger, *, priority: Priority) -> list[Budget]:
        """Budgets that count messages about this trigger."""
        return [budget for budget in self.budgets if budget.covers(trigger, priority=priority)]

    def left_at(self, budget: Budget, at_us: Ints) -> Ints:
        """Millionths left at each moment of sending, in the shape of the moments."""
        accounts, places = budget.accounts_at(at_us)
        left = [self.left(budget, account) for account in accounts]
        return np.array(left, dtype=np.int64)[places]

    def after(self, claims: Iterable["Claim"]) -> "Headroom":
        """What is left when these have been booked as well."""
        spent = dict(self.spent)
        for claim in claims:
            spent[claim.account] = spent.get(claim.account, 0) + claim.amount
        return Headroom(self.budgets, spent, self.dearest_cents)

    def most(self, budget: Budget, channels: Iterable[Channel]) -> int:
        """The most that a notice on these channels may take from a budget, in millionths."""
        return budget.need({channel: self.dearest_cents[channel] for channel in channels})


NO_BUDGETS = Headroom()
"""Where the policy names no budget."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one notice takes from one account.

    Attributes:
        decision_id: Of the notice.
        account: Where it is booked.
        amount: How much, in millionths.
        limit: Of the account, in millionths.
        parts: What each message takes, by message_id.
        is_shared: A contact: the notice takes as much as its dearest part, not their sum.
    """

    decision_id: str
    account: str
    amount: int
    limit: int
    parts: Mapping[str, int]
    is_shared: bool


def list_accounts(budgets: Sequence[Budget], *, since_us: int, until_us: int) -> list[str]:
    """The accounts of messages sent between two moments, both included."""
    accounts: set[str] = set()
    for budget in budgets:
        accounts.add(budget.account_of(from_us(until_us)))
        at, end = from_us(since_us), from_us(until_us)
        while budget.per is not BudgetPeriod.CAMPAIGN and at < end:
            accounts.add(budget.account_of(at))
            at += timedelta(hours=12)  # half a day, so that no short day is stepped over
    return sorted(accounts)
