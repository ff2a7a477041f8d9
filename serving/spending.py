"""Deciding within budgets: what many cases take together, and where a batch must look again.

A batch is decided as if each case alone drew on what is left. That is what deciding one after the
other would have given, up to the first case from which the ones before it have taken an action:
from there on it is decided again with what is left by then. So every probability in a record is
over the actions that were affordable when its turn came, and the ledger is never asked for too
much.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from features.economics import Economics
from features.errors import ConfigurationError
from features.vocabulary import Channel
from serving.copy.sizes import LIMITS
from serving.lots.lot import CHANNELS, DecisionLot
from serving.policy.budgets import NO_BUDGETS, Budget, BudgetUnit, Claim, Headroom, list_accounts
from serving.policy.cases import DAY_US, HOUR_US, from_us
from serving.policy.settings import PolicySettings
from serving.store.budgets import Ledger

_NEXT_ACTIVE_HOURS = 48
_NIGHT_US = 2 * DAY_US  # quiet hours end within a day, and clocks change within another

Decide = Callable[[Sequence[int], Headroom], DecisionLot]
"""Decisions about the cases at some positions, with what is left."""


@dataclass(frozen=True)
class Spending:
    """Decisions within the budgets.

    Attributes:
        lots: Of the positions, in their order.
        claims: What they take.
        headroom: What is left after them.
    """

    lots: list[DecisionLot]
    claims: list[Claim]
    headroom: Headroom


def decide_within(positions: Sequence[int], headroom: Headroom, *, decide: Decide) -> Spending:
    """Decide cases in their order, each with what is left when its turn comes."""
    lots: list[DecisionLot] = []
    claims: list[Claim] = []
    rest = list(positions)
    while rest:
        kept = _take_affordable(decide(rest, headroom), headroom)
        lots += kept.lots
        claims += kept.claims
        headroom = kept.headroom
        rest = rest[len(kept.lots[0]) :]
    return Spending(lots, claims, headroom)


def _find_claims(lot: DecisionLot, sent: int, headroom: Headroom) -> list[Claim]:
    """What the messages of one of a lot's cases take of each budget."""
    words = lot.words
    start, end = words.first_message[sent : sent + 2].tolist()
    costs = {
        CHANNELS[words.channel[at]]: (lot.message_id(at), float(words.cost_cents[at]))
        for at in range(start, end)
    }
    send_at = from_us(int(lot.send_us[sent]))
    claims = []
    for budget in headroom.covering(lot.head.trigger, priority=lot.head.priority):
        taken = {channel: found for channel, found in costs.items() if budget.takes(channel)}
        amount = budget.need({channel: cents for channel, (_, cents) in taken.items()})
        if amount:
            claims.append(
                Claim(
                    lot.decision_ids[int(words.row[sent])],
                    budget.account_of(send_at),
                    amount,
                    budget.limit_micro,
                    {id_: budget.need({channel: cents}) for channel, (id_, cents) in taken.items()},
                    is_shared=budget.unit is BudgetUnit.CONTACTS,
                )
            )
    return claims


def read_headroom(
    ledger: Ledger | None,
    settings: PolicySettings,
    *,
    economics: Economics,
    since_us: int,
    until_us: int,
) -> Headroom:
    """What is left for messages that are decided about between two moments, both included.

    Raises:
        ConfigurationError: The policy has budgets, and the store no ledger.
    """
    if not settings.budgets:
        return NO_BUDGETS
    if ledger is None:
        names = ", ".join(budget.name for budget in settings.budgets)
        raise ConfigurationError(
            f"policy {settings.name}: budgets ({names}) need a store that keeps a ledger of them"
        )
    accounts = list_accounts(
        settings.budgets, since_us=since_us, until_us=until_us + _longest_wait_us(settings)
    )
    return Headroom(settings.budgets, ledger.find_spent(accounts), dearest_costs(economics))


def dearest_costs(economics: Economics) -> dict[Channel, float]:
    """The most that one message may cost in cents, by channel: an SMS in all its parts."""
    return {
        channel: economics.send_cost_cents(channel, n_segments=LIMITS[channel].segments)
        for channel in economics.send_cents
    }


def _longest_wait_us(settings: PolicySettings) -> int:
    """No message is sent later than this after its decision."""
    delays = [rule.delay_hours for rule in settings.triggers.values()]
    hours = [_NEXT_ACTIVE_HOURS if isinstance(delay, str) else delay for delay in delays]
    longest = max(*hours, *settings.learned.slot_offsets_hours)
    return round(longest * HOUR_US) + _NIGHT_US


def _take_affordable(made: DecisionLot, headroom: Headroom) -> Spending:
    """The first decisions of a lot, up to the one whose choice the ones before it have narrowed."""
    if not headroom.covering(made.head.trigger, priority=made.head.priority):
        return Spending([made], [], headroom)
    claims: list[Claim] = []
    left = headroom
    sent_at = {int(row): sent for sent, row in enumerate(made.words.row)}
    for row in range(len(made)):
        if left is not headroom and _is_narrowed(made, row, left):
            return Spending([made.up_to(row)], claims, left)
        sent = sent_at.get(row)
        new = [] if sent is None else _find_claims(made, sent, left)
        if new:
            claims += new
            left = left.after(new)
    return Spending([made], claims, left)


def _is_narrowed(lot: DecisionLot, row: int, left: Headroom) -> bool:
    """Whether something that was allowed to this case might not be affordable any more."""
    allowed = lot.actions.allowed[row]
    for budget in left.covering(lot.head.trigger, priority=lot.head.priority):
        if _is_tight(budget, left):
            most = np.array([left.most(budget, channels) for channels in lot.head.sets])
            room = left.left_at(budget, lot.actions.slots_us[row])
            if (allowed & (most[:, None] > room[None, :])).any():
                return True
    return False


def _is_tight(budget: Budget, left: Headroom) -> bool:
    """Whether any account of a budget has less left than the dearest notice may take."""
    most = left.most(budget, left.dearest_cents)
    return budget.limit_micro < most or any(
        left.left(budget, account) < most
        for account in left.spent
        if account.startswith(f"{budget.name}/")
    )
