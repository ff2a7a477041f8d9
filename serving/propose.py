"""From cases of one trigger to what may be done with them: actions, values, probabilities."""

from dataclasses import dataclass

import numpy as np

from features.economics import Economics
from features.vocabulary import Arm
from serving.assemble import CaseBook
from serving.policy.actions import ActionGrid, propose_actions
from serving.policy.arms import ARMS, assign_arms
from serving.policy.budgets import NO_BUDGETS, Headroom
from serving.policy.cases import Cases, Flags, Floats, Ints
from serving.policy.choice import choose_by_arm, soft_choice
from serving.policy.guards import refuse_cases
from serving.policy.prices import (
    NO_PRICES,
    Drawing,
    Need,
    Prices,
    find_left,
    find_needs,
    find_prices,
    take_prices,
)
from serving.policy.settings import PolicySettings, TriggerRule
from serving.policy.value import ValueGrid, ValueModels, find_send_cents, value_actions
from serving.records import Reason
from serving.snapshot.state import Models


@dataclass(frozen=True)
class ValuedCases:
    """Cases of one trigger with their actions and what these are worth.

    Attributes:
        cases: The cases.
        rule: Of their trigger.
        grid: Their actions.
        values: Terms of the values; None where no model can score.
        net_cents: Net values, (n, K, S).
        unsure: Error of the values in cents, (n,).
        arms: Arm of each case, as its position in `ARMS`, (n,).
    """

    cases: Cases
    rule: TriggerRule
    grid: ActionGrid
    values: ValueGrid | None
    net_cents: Floats
    unsure: Floats
    arms: Ints

    @property
    def scored(self) -> Flags:
        """Whether the values mean something, (n,)."""
        return self.cases.scored if self.values is not None else np.zeros(self.cases.n, dtype=bool)


@dataclass(frozen=True)
class Proposal:
    """Everything about the cases of one trigger before anything is drawn.

    Attributes:
        valued: The cases.
        refusals: Guard that refuses each case as a whole; None where none does.
        probabilities: Of the actions, (n, K * S + 1).
        prices: That were taken off the values.
    """

    valued: ValuedCases
    refusals: list[Reason | None]
    probabilities: Floats
    prices: Prices


@dataclass(frozen=True)
class Proposer:
    """Proposes by the models of a snapshot."""

    models: Models
    settings: PolicySettings
    economics: Economics

    def propose(
        self, cases: Cases, *, headroom: Headroom = NO_BUDGETS, prices: Prices = NO_PRICES
    ) -> Proposal:
        """What may be done with the cases, and how likely.

        Args:
            cases: Of one trigger; each as if it alone drew on the budgets (`serving.spending`).
            headroom: What is left of the budgets.
            prices: Of what is left, see `price`.
        """
        valued = self._value(cases, headroom)
        learned = None
        if valued.values is not None:
            needs = self._find_needs(valued, headroom) if prices else {}
            learned = soft_choice(
                take_prices(valued.net_cents, needs, prices=prices),
                valued.grid,
                unsure=valued.unsure,
                learned=self.settings.learned,
            )
            learned[~cases.scored] = np.nan
        probabilities = choose_by_arm(valued.arms, valued.grid, learned=learned)
        return Proposal(valued, refuse_cases(cases), probabilities, prices)

    def price(self, book: CaseBook, headroom: Headroom) -> Prices:
        """Prices under which all cases of the book together are expected to use what is left.

        One case alone needs none: whatever the guards allow it can be paid.
        """
        if not headroom.budgets or len(book.requests) == 1:
            return NO_PRICES
        drawings = [
            self._draw(self._value(book.cases(positions), headroom), headroom)
            for positions in book.by_trigger()
        ]
        accounts = sorted({account for drawing in drawings for account in drawing.needs})
        return find_prices(
            drawings, left=find_left(headroom, accounts), learned=self.settings.learned
        )

    def best_cents(self, book: CaseBook) -> Floats:
        """What the best allowed action of each case of the book is worth, (n,); 0 if nothing is."""
        best = np.zeros(len(book.requests))
        for positions in book.by_trigger():
            valued = self._value(book.cases(positions), NO_BUDGETS)
            net = np.where(valued.grid.allowed, valued.net_cents, 0.0)
            highest = net.reshape(len(net), -1).max(axis=1, initial=0.0)
            best[np.asarray(positions)] = np.where(valued.scored, highest, 0.0)
        return best

    def _draw(self, valued: ValuedCases, headroom: Headroom) -> Drawing:
        """The cases as they draw on the budgets; who is not scored does what the arm does."""
        is_learned = (valued.arms == ARMS.index(Arm.LEARNED)) & valued.scored
        return Drawing(
            net=valued.net_cents,
            grid=valued.grid,
            unsure=valued.unsure,
            is_learned=is_learned,
            otherwise=choose_by_arm(valued.arms, valued.grid, learned=None),
            needs=self._find_needs(valued, headroom),
        )

    def _find_needs(self, valued: ValuedCases, headroom: Headroom) -> dict[str, Need]:
        cents = find_send_cents(
            valued.cases, learned=self.settings.learned, economics=self.economics
        )
        return find_needs(
            valued.cases, valued.grid, rule=valued.rule, cents=cents, headroom=headroom
        )

    def _value(self, cases: Cases, headroom: Headroom) -> ValuedCases:
        """The actions and their values; none while the models are missing (cold start)."""
        rule = self.settings.triggers[cases.trigger]
        grid = propose_actions(cases, settings=self.settings, headroom=headroom)
        arms = assign_arms(
            cases.customer_ids,
            experiment=self.settings.experiment,
            shares=self.settings.arms,
            priority=rule.priority,
        )
        models = self.models
        nothing = np.zeros(cases.n)
        if models.channel is None or models.send_time is None or not cases.scored.any():
            return ValuedCases(cases, rule, grid, None, np.zeros(grid.allowed.shape), nothing, arms)
        values = value_actions(
            cases,
            grid,
            models=ValueModels(models.channel, models.send_time, models.uplift),
            rule=rule,
            learned=self.settings.learned,
            economics=self.economics,
        )
        return ValuedCases(cases, rule, grid, values, values.net(), values.unsure(grid), arms)
