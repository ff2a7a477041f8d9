"""From proposals to decisions: what is drawn, why, and in which words; a lot in columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.vocabulary import Arm
from serving.assemble import CaseBook
from serving.lots.lot import (
    REASONS,
    TERMS,
    UNKNOWN_US,
    ActionColumns,
    DecisionLot,
    LotHead,
    WordColumns,
)
from serving.policy.actions import NO_MESSAGE
from serving.policy.arms import ARMS, draw_rows, stable_uniforms
from serving.policy.cases import Flags, Floats, Ints
from serving.policy.settings import PolicySettings
from serving.propose import Proposal
from serving.records import ModelVersions, Reason
from serving.snapshot.state import Snapshot
from serving.words import Addressed, Copywriter
from training.bandit.context import LAYOUT

_SURE = 1.0 - 1e-12
"""A probability above it is 1: sums of many can miss it by their last digit."""

_CROWDED = frozenset(
    {Reason.COOL_DOWN, Reason.FATIGUE_DAY, Reason.FATIGUE_WEEK, Reason.FATIGUE_UNOPENED}
)
"""Reasons that other messages to the customer are."""


@dataclass(frozen=True)
class Chooser:
    """Draws actions and words; every draw is a stable hash of the decision's identity."""

    snapshot: Snapshot
    settings: PolicySettings
    copywriter: Copywriter

    def choose(
        self,
        proposal: Proposal,
        book: CaseBook,
        positions: Sequence[int],
        *,
        decision_ids: Sequence[str],
    ) -> DecisionLot:
        """The decisions about the proposal's cases.

        Args:
            proposal: About the cases at these positions of the book.
            book: What is known.
            positions: Which cases.
            decision_ids: Of the records, in that order.
        """
        valued = proposal.valued
        grid = valued.grid
        at = np.asarray(positions, dtype=np.int64)
        is_open = np.array([refusal is None for refusal in proposal.refusals], dtype=bool)
        taken = _draw_actions(proposal, is_open, decision_ids)
        is_sent = taken != grid.n_actions - 1
        reasons = _find_reasons(proposal, is_sent=is_sent)
        requests = [book.requests[position] for position in positions]
        return DecisionLot(
            head=self._describe(proposal),
            decision_ids=decision_ids,
            customer_ids=[request.customer_id for request in requests],
            keys=[request.idempotency_key for request in requests],
            decided_us=book.moments_us[at],
            features_us=book.find_features_us(unknown=UNKNOWN_US)[at],
            p_churn=book.p_churn[at],
            arm=valued.arms,
            reason=np.array([REASONS.index(reason) for reason in reasons], dtype=np.int64),
            is_scored=valued.scored,
            is_open=is_open,
            lost_to=[
                _find_winner(book, position, reason=reason, place_us=place_us)
                for position, reason, place_us in zip(
                    positions, reasons, grid.slots_us[:, 0].tolist(), strict=True
                )
            ],
            actions=_list_actions(proposal, taken, is_open),
            words=self._write(proposal, book, at, taken, is_sent, decision_ids),
        )

    @cached_property
    def _versions(self) -> ModelVersions:
        models = self.snapshot.models
        return ModelVersions(
            churn=models.churn.version if models.churn else None,
            channel=models.channel.version if models.channel else None,
            send_time=models.send_time.version if models.send_time else None,
            uplift=models.uplift.version if models.uplift else None,
            bandit=self.copywriter.bandit.version,
        )

    def _describe(self, proposal: Proposal) -> LotHead:
        valued = proposal.valued
        trigger, sets = valued.cases.trigger, valued.grid.sets
        return LotHead(
            trigger=trigger,
            priority=valued.rule.priority,
            sets=sets,
            variants=self.copywriter.variants_of(trigger, sets),
            models=self._versions,
            policy_version=self.settings.version,
            feature_hash=self.snapshot.feature_hash,
            experiment=self.settings.experiment,
            prices=dict(proposal.prices),
            layout=LAYOUT,
        )

    def _write(
        self,
        proposal: Proposal,
        book: CaseBook,
        positions: Ints,
        taken: Ints,
        is_sent: Flags,
        decision_ids: Sequence[str],
    ) -> WordColumns:
        """The words where there is something to say."""
        valued = proposal.valued
        rows = np.flatnonzero(is_sent)
        sets, slots = np.divmod(taken[rows], valued.grid.n_slots)
        return self.copywriter.write(
            Addressed(
                trigger=valued.cases.trigger,
                row=rows,
                sets=[valued.grid.sets[k] for k in sets.tolist()],
                arm=valued.arms[rows],
                decision_ids=[decision_ids[row] for row in rows.tolist()],
                people=[book.addressees[position] for position in positions[rows].tolist()],
                engagement=valued.cases.engagement[rows],
                terms=_pick_terms(proposal, rows, sets, slots),
                send_us=valued.grid.slots_us[rows, slots],
            )
        )


def _draw_actions(proposal: Proposal, is_open: Flags, decision_ids: Sequence[str]) -> Ints:
    """Position of the action drawn for each case, (n,); *no message* where a guard refused it."""
    p = proposal.probabilities
    u = stable_uniforms("action", names=decision_ids)
    return np.where(is_open, draw_rows(p, u=u), p.shape[1] - 1)


def _list_actions(proposal: Proposal, taken: Ints, is_open: Flags) -> ActionColumns:
    """What could be done; zeros where a guard refused the case."""
    valued = proposal.valued
    grid = valued.grid
    return ActionColumns(
        slots_us=grid.slots_us,
        allowed=grid.allowed & is_open[:, None, None],
        p=np.where(is_open[:, None], proposal.probabilities, 0.0),
        net_cents=np.where(is_open[:, None, None], valued.net_cents, 0.0),
        unsure_cents=valued.unsure,
        by_rules=grid.rule_action(),
        taken=taken,
    )


def _pick_terms(proposal: Proposal, rows: Ints, sets: Ints, slots: Ints) -> Floats:
    """Terms of the value of each action, (m, 7), as `TERMS` has them; NaN without values."""
    values = proposal.valued.values
    if values is None:
        return np.full((len(rows), len(TERMS)), np.nan)
    by_name = {
        "outcome_cents": values.outcome,
        "support_cents": values.support,
        "send_cents": values.send,
        "wearing_out_cents": values.wearing,
        "kept_cents": values.kept,
        "annoyed_cents": values.annoyed,
        "saturation_cents": values.saturation,
    }
    shape = proposal.valued.grid.allowed.shape
    columns = [np.broadcast_to(by_name[name], shape)[rows, sets, slots] for name in TERMS]
    return np.stack(columns, axis=1)


def _find_reasons(proposal: Proposal, *, is_sent: Flags) -> list[Reason]:
    """Why each case came out as it did."""
    reasons: list[Reason] = []
    for row, (refusal, sent) in enumerate(zip(proposal.refusals, is_sent.tolist(), strict=True)):
        if refusal is not None:
            reasons.append(refusal)
        else:
            reasons.append(Reason.CHOSEN if sent else _why_nothing(proposal, row))
    return reasons


def _why_nothing(proposal: Proposal, row: int) -> Reason:
    """Why *no message* came out: the arm, a choice, or a guard of what the rules would do."""
    valued = proposal.valued
    grid = valued.grid
    if ARMS[valued.arms[row]] is Arm.HOLDOUT:
        return Reason.HOLDOUT
    if proposal.probabilities[row][-1] < _SURE:
        return Reason.NOTHING_CHOSEN
    set_index = int(grid.rule_set[row])
    if set_index == NO_MESSAGE:  # every channel of the rules is closed
        set_index = grid.sets.index(valued.rule.ranked[:1])
    guard = grid.verdicts.first_reason(row, set_index, 0)
    return Reason.NOTHING_CHOSEN if guard is None else guard


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
