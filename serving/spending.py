"""Deciding within budgets: what many cases take together, and where a batch must look again.

A batch is decided as if each case alone drew on what is left. That is what deciding one after the
other would have given, up to the first case from which the ones before it have taken an action:
from there on it is decided again with what is left by then. So every probability in a record is
over the actions that were affordable when its turn came, and the ledger is never asked for too
much.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from features.economics import Economics
from features.errors import ConfigurationError
from features.vocabulary import Channel
from serving.copy.sizes import LIMITS
from serving.policy.budgets import NO_BUDGETS, Budget, BudgetUnit, Claim, Headroom, list_accounts
from serving.policy.cases import DAY_US, HOUR_US
from serving.policy.settings import PolicySettings
from serving.records import Decision
from serving.store.budgets import Ledger

_NEXT_ACTIVE_HOURS = 48
_NIGHT_US = 2 * DAY_US  # quiet hours end within a day, and clocks change within another

Decide = Callable[[Sequence[int], Headroom], list[Decision]]
"""Records of the cases at some positions, decided with what is left."""


@dataclass(frozen=True)
class Spending:
    """Records within the budgets.

    Attributes:
        records: In the order of the positions.
        claims: What they take.
        headroom: What is left after them.
    """

    records: list[Decision]
    claims: list[Claim]
    headroom: Headroom


def decide_within(positions: Sequence[int], headroom: Headroom, *, decide: Decide) -> Spending:
    """Decide cases in their order, each with what is left when its turn comes."""
    records: list[Decision] = []
    claims: list[Claim] = []
    rest = list(positions)
    while rest:
        made = decide(rest, headroom)
        kept = _take_affordable(made, headroom)
        records += kept.records
        claims += kept.claims
        headroom = kept.headroom
        rest = rest[len(kept.records) :]
    return Spending(records, claims, headroom)


def claims_of(record: Decision, headroom: Headroom) -> list[Claim]:
    """What a decision's messages take of each budget."""
    if record.send_at is None:
        return []
    claims = []
    for budget in headroom.covering(record.trigger, priority=record.priority):
        taken = [message for message in record.messages if budget.takes(message.channel)]
        parts = {m.message_id: budget.need({m.channel: m.cost_cents}) for m in taken}
        amount = budget.need({m.channel: m.cost_cents for m in taken})
        if amount:
            claims.append(
                Claim(
                    record.decision_id,
                    budget.account_of(record.send_at),
                    amount,
                    budget.limit_micro,
                    parts,
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


def _take_affordable(made: Sequence[Decision], headroom: Headroom) -> Spending:
    """The first of these records, up to the one whose choice the ones before it have narrowed."""
    records: list[Decision] = []
    claims: list[Claim] = []
    left = headroom
    for record in made:
        if left is not headroom and _is_narrowed(record, left):
            break
        records.append(record)
        new = claims_of(record, left)
        if new:
            claims += new
            left = left.after(new)
    return Spending(records, claims, left)


def _is_narrowed(record: Decision, left: Headroom) -> bool:
    """Whether something that was allowed to this record might not be affordable any more."""
    return any(
        left.most(budget, action.channels) > left.left(budget, budget.account_of(action.send_at))
        for budget in left.covering(record.trigger, priority=record.priority)
        if _is_tight(budget, left)
        for action in record.allowed
        if action.send_at is not None
    )


def _is_tight(budget: Budget, left: Headroom) -> bool:
    """Whether any account of a budget has less left than the dearest notice may take."""
    most = left.most(budget, left.dearest_cents)
    return budget.limit_micro < most or any(
        left.left(budget, account) < most
        for account in left.spent
        if account.startswith(f"{budget.name}/")
    )
