"""From cases of one trigger to their records: the middle of a decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.economics import Economics
from features.vocabulary import Arm
from serving.assemble import CaseBook
from serving.policy.actions import NO_MESSAGE, ActionGrid, propose_actions
from serving.policy.arms import assign_arm, draw, stable_uniform
from serving.policy.budgets import NO_BUDGETS, Headroom
from serving.policy.cases import Cases, Flags, Floats, from_us
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
from serving.records import AllowedAction, Decision, ModelVersions, Reason
from serving.snapshot.state import Snapshot
from serving.words import Copywriter

_CROWDED = frozenset(
    {Reason.COOL_DOWN, Reason.FATIGUE_DAY, Reason.FATIGUE_WEEK, Reason.FATIGUE_UNOPENED}
)
"""Reasons that other messages to the customer are."""


@dataclass(frozen=True)
class _Valued:
    """Cases of one trigger with their actions and what these are worth.

    Attributes:
        cases: The cases.
        rule: Of their trigger.
        grid: Their actions.
        values: Terms of the values; None where no model can score.
        net_cents: Net values, (n, K, S).
        unsure: Error of the values in cents, (n,).
        arms: Arm of each case.
    """

    cases: Cases
    rule: TriggerRule
    grid: ActionGrid
    values: ValueGrid | None
    net_cents: Floats
    unsure: Floats
    arms: tuple[Arm, ...]

    @property
    def scored(self) -> Flags:
        """Whether the values mean something, (n,)."""
        return self.cases.scored if self.values is not None else np.zeros(self.cases.n, dtype=bool)


@dataclass(frozen=True)
class _Proposal:
    """Everything about the cases of one trigger before the records are written.

    Attributes:
        valued: The cases.
        refusals: Guard that refuses each case as a whole; None where none does.
        probabilities: Of the actions, (n, K * S + 1).
        prices: That were taken off the values.
    """

    valued: _Valued
    refusals: list[Reason | None]
    probabilities: Floats
    prices: Prices


@dataclass(frozen=True)
class Proposer:
    """Decides cases of one trigger with everything it needs at hand."""

    snapshot: Snapshot
    settings: PolicySettings
    economics: Economics
    copywriter: Copywriter

    @cached_property
    def _bandit_version(self) -> int:
        return self.copywriter.bandit.version

    def decide(
        self,
        book: CaseBook,
        positions: Sequence[int],
        *,
        decision_ids: Sequence[str],
        headroom: Headroom = NO_BUDGETS,
        prices: Prices = NO_PRICES,
    ) -> list[Decision]:
        """Records of the cases at these positions of the book, which share a trigger.

        Each is decided as if it alone drew on the budgets; see `serving.spending`.

        Args:
            book: What is known.
            positions: Which cases.
            decision_ids: Of the records, in that order.
            headroom: What is left of the budgets.
            prices: Of what is left, see `price`.
        """
        proposal = self._propose(book.cases(positions), headroom=headroom, prices=prices)
        return [
            self._record(proposal, row, book=book, position=position, decision_id=decision_id)
            for row, (position, decision_id) in enumerate(zip(positions, decision_ids, strict=True))
        ]

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

    def _propose(
        self, cases: Cases, *, headroom: Headroom = NO_BUDGETS, prices: Prices = NO_PRICES
    ) -> _Proposal:
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
        return _Proposal(valued, refuse_cases(cases), probabilities, prices)

    def _draw(self, valued: _Valued, headroom: Headroom) -> Drawing:
        """The cases as they draw on the budgets; who is not scored does what the arm does."""
        is_learned = np.array([arm is Arm.LEARNED for arm in valued.arms]) & valued.scored
        return Drawing(
            net=valued.net_cents,
            grid=valued.grid,
            unsure=valued.unsure,
            is_learned=is_learned,
            otherwise=choose_by_arm(valued.arms, valued.grid, learned=None),
            needs=self._find_needs(valued, headroom),
        )

    def _find_needs(self, valued: _Valued, headroom: Headroom) -> dict[str, Need]:
        cents = find_send_cents(
            valued.cases, learned=self.settings.learned, economics=self.economics
        )
        return find_needs(
            valued.cases, valued.grid, rule=valued.rule, cents=cents, headroom=headroom
        )

    def _value(self, cases: Cases, headroom: Headroom) -> _Valued:
        """The actions and their values; none while the models are missing (cold start)."""
        rule = self.settings.triggers[cases.trigger]
        grid = propose_actions(cases, settings=self.settings, headroom=headroom)
        arms = tuple(
            assign_arm(
                customer_id,
                experiment=self.settings.experiment,
                shares=self.settings.arms,
                priority=rule.priority,
            )
            for customer_id in cases.customer_ids
        )
        models = self.snapshot.models
        nothing = np.zeros(cases.n)
        if models.channel is None or models.send_time is None or not cases.scored.any():
            return _Valued(cases, rule, grid, None, np.zeros(grid.allowed.shape), nothing, arms)
        values = value_actions(
            cases,
            grid,
            models=ValueModels(models.channel, models.send_time, models.uplift),
            rule=rule,
            learned=self.settings.learned,
            economics=self.economics,
        )
        return _Valued(cases, rule, grid, values, values.net(), values.unsure(grid), arms)

    def _record(
        self, proposal: _Proposal, row: int, *, book: CaseBook, position: int, decision_id: str
    ) -> Decision:
        request = book.requests[position]
        valued = proposal.valued
        is_scored = valued.values is not None and bool(valued.cases.scored[row])
        p_churn = book.p_churn(position)
        as_of_us = book.features_as_of_us(position)
        models = self.snapshot.models
        common = Decision(
            decision_id=decision_id,
            customer_id=request.customer_id,
            trigger=request.trigger,
            decided_at=from_us(int(book.moments_us[position])),
            arm=valued.arms[row],
            send=False,
            reason=proposal.refusals[row] or Reason.NOTHING_CHOSEN,
            propensity=1.0,
            priority=valued.rule.priority,
            cold_start=not is_scored,
            p_churn=None if np.isnan(p_churn) else p_churn,
            models=ModelVersions(
                churn=models.churn.version if models.churn else None,
                channel=models.channel.version if models.channel else None,
                send_time=models.send_time.version if models.send_time else None,
                uplift=models.uplift.version if models.uplift else None,
                bandit=self._bandit_version,
            ),
            policy_version=self.settings.version,
            feature_hash=self.snapshot.feature_hash,
            features_as_of=None if as_of_us is None else from_us(as_of_us),
            idempotency_key=request.idempotency_key,
            experiment=self.settings.experiment,
        )
        if proposal.refusals[row] is not None:
            return common
        return self._choose(proposal, row, book=book, position=position, record=common)

    def _choose(
        self, proposal: _Proposal, row: int, *, book: CaseBook, position: int, record: Decision
    ) -> Decision:
        """Draw the action, and the words when there is something to say."""
        valued, p = proposal.valued, proposal.probabilities[row]
        grid = valued.grid
        action = draw(p, u=stable_uniform("action", record.decision_id))
        is_scored = not record.cold_start
        allowed = _list_allowed(proposal, row, with_values=is_scored)
        record = record.model_copy(
            update={
                "unsure_cents": float(valued.unsure[row]) if is_scored else None,
                "rules_choice": _find_rules_choice(grid, row),
                "prices": dict(proposal.prices),
            }
        )
        if action == grid.n_actions - 1:
            reason = _why_nothing(proposal, row)
            place_us = int(grid.slots_us[row, 0])
            return record.model_copy(
                update={
                    "reason": reason,
                    "propensity": float(p[action]),
                    "allowed": allowed,
                    "lost_to": _find_winner(book, position, reason=reason, place_us=place_us),
                }
            )
        set_index, slot = divmod(action, grid.n_slots)
        channels = grid.sets[set_index]
        words = self.copywriter.write(
            record.trigger,
            channels,
            arm=record.arm,
            addressee=book.addressee(position),
            decision_id=record.decision_id,
            engagement=valued.cases.engagement[row],
        )
        values = valued.values
        return record.model_copy(
            update={
                "send": True,
                "reason": Reason.CHOSEN,
                "channels": channels,
                "send_at": from_us(int(grid.slots_us[row, slot])),
                "variant": words.variant,
                "content": words.messages[0].content,
                "messages": words.messages,
                "propensity": float(p[action]) * words.p_variant,
                "allowed": allowed,
                "variants": words.probabilities,
                "context": words.context,
                "scores": values.terms(row, set_index, slot) if values and is_scored else None,
            }
        )


def _list_allowed(proposal: _Proposal, row: int, *, with_values: bool) -> tuple[AllowedAction, ...]:
    """The allowed actions of one case with their probabilities; *no message* comes last."""
    grid, p = proposal.valued.grid, proposal.probabilities[row].tolist()
    n_slots = grid.n_slots
    send_at = [from_us(moment_us) for moment_us in grid.slots_us[row].tolist()]
    net: list[float | None] = [None] * len(p)
    if with_values:
        net = [*proposal.valued.net_cents[row].ravel().tolist(), 0.0]
    listed = [
        AllowedAction(grid.sets[at // n_slots], send_at[at % n_slots], p[at], net[at])
        for at in np.flatnonzero(grid.allowed[row]).tolist()
    ]
    return (*listed, AllowedAction((), None, p[-1], net[-1]))


def _find_rules_choice(grid: ActionGrid, row: int) -> int:
    """Position of the rules policy's action among the allowed ones."""
    return int(grid.flat_allowed()[row, : grid.rule_action()[row]].sum())


def _find_winner(book: CaseBook, position: int, *, reason: Reason, place_us: int) -> str | None:
    """The decision that took the place: its message lies nearest, of those the guard counts."""
    if reason not in _CROWDED:
        return None
    trigger = book.requests[position].trigger
    counted = [
        contact
        for contact in book.contacts[position]
        if reason is not Reason.COOL_DOWN or contact.trigger is trigger
    ]
    return min(counted, key=lambda contact: abs(contact.sent_at_us - place_us)).decision_id


def _why_nothing(proposal: _Proposal, row: int) -> Reason:
    """Why *no message* came out: the arm, a choice, or a guard of what the rules would do."""
    valued = proposal.valued
    grid = valued.grid
    if valued.arms[row] is Arm.HOLDOUT:
        return Reason.HOLDOUT
    if proposal.probabilities[row][-1] < 1.0:
        return Reason.NOTHING_CHOSEN
    set_index = int(grid.rule_set[row])
    if set_index == NO_MESSAGE:  # every channel of the rules is closed
        set_index = grid.sets.index(valued.rule.ranked[:1])
    guard = grid.verdicts.first_reason(row, set_index, 0)
    return Reason.NOTHING_CHOSEN if guard is None else guard
