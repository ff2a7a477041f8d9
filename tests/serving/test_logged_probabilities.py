"""The probability in the record is how often the action comes out, after all that had a say in it.

Decided by the whole engine: guards, what is left of budgets and its prices, rivals about the same
customer. The draw of a decision is a hash of its identity alone, so that one decision can be
repeated 200,000 times under other identities.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

import serving.choose
from features.vocabulary import Arm, Trigger
from serving.assemble import CaseBook
from serving.choose import Chooser
from serving.decide import Engine
from serving.lots.lot import DecisionLot
from serving.policy.actions import ActionGrid
from serving.policy.budgets import Budget
from serving.policy.cases import Floats
from serving.propose import Proposal
from serving.records import AllowedAction, Decision, DecisionRequest, Reason
from serving.snapshot.state import Snapshot

EngineMaker = Callable[[Snapshot], Engine]

N_REPEATS = 200_000
N_AT_ONCE = 5_000
BUDGETS = (
    Budget(name="all", unit="contacts", limit=12, per="campaign"),
    Budget(name="sms", unit="cents", limit=30, per="week", channels=("sms",)),
)


@dataclass(frozen=True)
class Drawn:
    """What a case's action was drawn from, as often as the engine drew it; the last counts."""

    proposal: Proposal
    row: int


@pytest.fixture
def last_drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Drawn]:
    """By decision."""
    drawn: dict[str, Drawn] = {}
    choose = Chooser.choose

    def note(
        self: Chooser,
        proposal: Proposal,
        book: CaseBook,
        positions: Sequence[int],
        *,
        decision_ids: Sequence[str],
    ) -> DecisionLot:
        drawn.update({name: Drawn(proposal, row) for row, name in enumerate(decision_ids)})
        return choose(self, proposal, book, positions, decision_ids=decision_ids)

    monkeypatch.setattr(Chooser, "choose", note)
    return drawn


def decide_all(engine: Engine, *, arm: Arm) -> list[Decision]:
    """Three triggers for everybody at once, under budgets that cannot pay for them."""
    arms = {one: float(one is arm) for one in Arm}
    settings = engine.settings.model_copy(update={"arms": arms, "budgets": BUDGETS})
    return replace(engine, settings=settings).decide_many(
        [
            DecisionRequest(
                customer_id=f"c{n:03d}", trigger=trigger, idempotency_key=f"{n}/{trigger}"
            )
            for n in range(60)
            for trigger in (Trigger.PRICE_DROP, Trigger.ABANDONED_CART, Trigger.ORDER_SHIPPED)
        ]
    )


def list_actions(grid: ActionGrid, row: int, allowed: Sequence[AllowedAction]) -> list[int]:
    """Where the record's actions are among those that are drawn from."""
    moments = grid.slots_us[row].tolist()
    places = []
    for action in allowed:
        if action.send_at is None:
            places.append(grid.n_actions - 1)
            continue
        slot = moments.index(int(action.send_at.timestamp() * 1_000_000))
        places.append(grid.sets.index(action.channels) * grid.n_slots + slot)
    return places


def draw_again(drawn: Drawn, *, seed: int) -> Counter[int]:
    """How often each action comes out under other identities, by its place."""
    counts: Counter[int] = Counter()
    p = drawn.proposal.probabilities[drawn.row]
    many = replace(drawn.proposal, probabilities=np.tile(p, (N_AT_ONCE, 1)))
    is_open = np.full(N_AT_ONCE, drawn.proposal.refusals[drawn.row] is None)
    for start in range(0, N_REPEATS, N_AT_ONCE):
        names = [f"{seed}/{n}" for n in range(start, start + N_AT_ONCE)]
        counts.update(serving.choose._draw_actions(many, is_open, names).tolist())
    return counts


def compare(counts: Counter[int], places: Sequence[int], p: Floats) -> float:
    """p-value of the frequencies under the logged probabilities; small cells make up one."""
    assert set(counts) <= {place for place, one in zip(places, p, strict=True) if one > 0}
    observed = np.array([counts[place] for place in places], dtype=np.float64)
    often = p * N_REPEATS >= 10
    grouped = [np.append(x[often], x[~often].sum()) for x in (observed, p * N_REPEATS)]
    if grouped[1][-1] == 0:
        grouped = [x[:-1] for x in grouped]
    return float(stats.chisquare(*grouped).pvalue)


@pytest.mark.parametrize("arm", [Arm.LEARNED, Arm.RANDOM])
def test_logged_probabilities_are_true_under_budgets_and_among_rivals(
    arm: Arm, snapshot: Snapshot, engine_of: EngineMaker, last_drawn: dict[str, Drawn]
) -> None:
    records = decide_all(engine_of(snapshot), arm=arm)
    reasons = Counter(record.reason for record in records)
    assert reasons[Reason.CHOSEN] > 5
    narrowed = [r for r in records if len(r.allowed) > 1 and r.propensity < 1]
    # The first, before anything is spent; the last, when little is left; and one with a rival.
    chosen = [narrowed[0], narrowed[-1], max(narrowed[1:-1], key=lambda r: len(r.prices))]
    assert len({record.decision_id for record in chosen}) == 3
    if arm is Arm.LEARNED:
        assert any(any(price > 0 for price in record.prices.values()) for record in chosen)

    for seed, record in enumerate(chosen):
        drawn = last_drawn[record.decision_id]
        p = np.array([action.probability for action in record.allowed])
        places = list_actions(drawn.proposal.valued.grid, drawn.row, record.allowed)
        assert compare(draw_again(drawn, seed=seed), places, p) > 0.001


@pytest.mark.parametrize("arm", [Arm.RULES, Arm.HOLDOUT])
def test_arms_without_chance_log_certainty(
    arm: Arm, snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    for record in decide_all(engine_of(snapshot), arm=arm):
        assert record.arm is arm
        assert [a.probability for a in record.allowed if a.probability] in ([], [1.0])
