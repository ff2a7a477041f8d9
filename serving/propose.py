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
from serving.policy.cases import Cases, Floats, from_us
from serving.policy.choice import choose_by_arm, soft_choice
from serving.policy.guards import refuse_cases
from serving.policy.settings import PolicySettings, TriggerRule
from serving.policy.value import ValueGrid, value_actions
from serving.records import AllowedAction, Decision, ModelVersions, Reason
from serving.snapshot.state import Snapshot
from serving.words import Copywriter


@dataclass(frozen=True)
class _Proposal:
    """Everything about the cases of one trigger before the records are written."""

    cases: Cases
    rule: TriggerRule
    grid: ActionGrid
    values: ValueGrid | None
    net_cents: Floats | None
    arms: tuple[Arm, ...]
    refusals: list[Reason | None]
    probabilities: Floats


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
        self, book: CaseBook, positions: Sequence[int], *, decision_ids: Sequence[str]
    ) -> list[Decision]:
        """Records of the cases at these positions of the book, which share a trigger."""
        proposal = self._propose(book.cases(positions))
        return [
            self._record(proposal, row, book=book, position=position, decision_id=decision_id)
            for row, (position, decision_id) in enumerate(zip(positions, decision_ids, strict=True))
        ]

    def _propose(self, cases: Cases) -> _Proposal:
        rule = self.settings.triggers[cases.trigger]
        grid = propose_actions(cases, settings=self.settings)
        values = self._value(cases, grid, rule)
        arms = tuple(
            assign_arm(
                customer_id,
                experiment=self.settings.experiment,
                shares=self.settings.arms,
                priority=rule.priority,
            )
            for customer_id in cases.customer_ids
        )
        net_cents = None if values is None else values.net()
        learned = None
        if net_cents is not None:
            learned = soft_choice(net_cents, grid, learned=self.settings.learned)
            learned[~cases.scored] = np.nan
        probabilities = choose_by_arm(arms, grid, learned=learned)
        return _Proposal(
            cases, rule, grid, values, net_cents, arms, refuse_cases(cases), probabilities
        )

    def _value(self, cases: Cases, grid: ActionGrid, rule: TriggerRule) -> ValueGrid | None:
        """Values of the actions; None while the models are missing (cold start)."""
        models = self.snapshot.models
        if models.channel is None or models.send_time is None or not cases.scored.any():
            return None
        return value_actions(
            cases,
            grid,
            channel_model=models.channel,
            send_time_model=models.send_time,
            rule=rule,
            learned=self.settings.learned,
            economics=self.economics,
        )

    def _record(
        self, proposal: _Proposal, row: int, *, book: CaseBook, position: int, decision_id: str
    ) -> Decision:
        request = book.requests[position]
        is_scored = proposal.values is not None and bool(proposal.cases.scored[row])
        p_churn = book.p_churn(position)
        as_of_us = book.features_as_of_us(position)
        models = self.snapshot.models
        common = Decision(
            decision_id=decision_id,
            customer_id=request.customer_id,
            trigger=request.trigger,
            decided_at=from_us(int(book.moments_us[position])),
            arm=proposal.arms[row],
            send=False,
            reason=proposal.refusals[row] or Reason.NOTHING_CHOSEN,
            propensity=1.0,
            priority=proposal.rule.priority,
            cold_start=not is_scored,
            p_churn=None if np.isnan(p_churn) else p_churn,
            models=ModelVersions(
                churn=models.churn.version if models.churn else None,
                channel=models.channel.version if models.channel else None,
                send_time=models.send_time.version if models.send_time else None,
                bandit=self._bandit_version,
            ),
            policy_version=self.settings.version,
            feature_hash=self.snapshot.feature_hash,
            features_as_of=None if as_of_us is None else from_us(as_of_us),
            idempotency_key=request.idempotency_key,
        )
        if proposal.refusals[row] is not None:
            return common
        return self._choose(proposal, row, book=book, position=position, record=common)

    def _choose(
        self, proposal: _Proposal, row: int, *, book: CaseBook, position: int, record: Decision
    ) -> Decision:
        """Draw the action, and the words when there is something to say."""
        grid, p = proposal.grid, proposal.probabilities[row]
        action = draw(p, u=stable_uniform("action", record.decision_id))
        is_scored = not record.cold_start
        allowed = _list_allowed(proposal, row, with_values=is_scored)
        if action == grid.n_actions - 1:
            return record.model_copy(
                update={
                    "reason": _why_nothing(proposal, row),
                    "propensity": float(p[action]),
                    "allowed": allowed,
                }
            )
        set_index, slot = divmod(action, grid.slots_us.shape[1])
        channels = grid.sets[set_index]
        words = self.copywriter.write(
            record.trigger,
            channels,
            arm=record.arm,
            addressee=book.addressee(position),
            decision_id=record.decision_id,
        )
        values = proposal.values
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
                "scores": values.terms(row, set_index, slot) if values and is_scored else None,
            }
        )


def _list_allowed(proposal: _Proposal, row: int, *, with_values: bool) -> tuple[AllowedAction, ...]:
    """The allowed actions of one case with their probabilities; *no message* comes last."""
    grid, p = proposal.grid, proposal.probabilities[row].tolist()
    n_slots = grid.slots_us.shape[1]
    send_at = [from_us(moment_us) for moment_us in grid.slots_us[row].tolist()]
    net: list[float | None] = [None] * len(p)
    if with_values and proposal.net_cents is not None:
        net = [*proposal.net_cents[row].ravel().tolist(), 0.0]
    listed = [
        AllowedAction(grid.sets[at // n_slots], send_at[at % n_slots], p[at], net[at])
        for at in np.flatnonzero(grid.allowed[row]).tolist()
    ]
    return (*listed, AllowedAction((), None, p[-1], net[-1]))


def _why_nothing(proposal: _Proposal, row: int) -> Reason:
    """Why *no message* came out: the arm, a guard, or a choice."""
    grid = proposal.grid
    if proposal.arms[row] is Arm.HOLDOUT:
        return Reason.HOLDOUT
    if proposal.probabilities[row][-1] < 1.0:
        return Reason.NOTHING_CHOSEN
    if (guard := grid.verdicts.first_reason(row, 0)) is not None:
        return guard
    return Reason.NO_CONSENT if grid.rule_set[row] == NO_MESSAGE else Reason.NOTHING_CHOSEN
