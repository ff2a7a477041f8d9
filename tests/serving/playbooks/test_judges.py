"""Who is to be left alone, as the served uplift model says it; without one nobody can tell."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest

from features.churn.risk import default_rules
from features.uplift_groups import UpliftGroup
from features.vocabulary import Trigger
from serving.playbooks.judges import Judged, ServedJudge
from serving.playbooks.seen import see_snapshot
from serving.policy.cases import Floats
from serving.snapshot.state import Models, Snapshot
from tests.serving.playbooks.small import with_risk
from training.registry.servable import UpliftModel
from training.registry.servable.uplift import Effects, NetValues

IDS = ["c001", "c002", "c003"]


@dataclass(frozen=True)
class SaidUplift:
    """Says of each customer in turn that a message moves, does nothing, and drives away.

    The second channel is worth most, and what the first one says does not count.
    """

    groups: tuple[str, ...]

    def effects(self, X: Floats, *, group: str, belonging: object) -> Effects:
        assert group in self.groups
        assert belonging is not None
        assert len(X) == 3
        second = np.array([0.2, 0.0, -0.2])
        value = np.column_stack([-second, second])
        sd = np.full_like(value, 0.05)
        return Effects(value, value - sd, value + sd, sd)

    def net_values(self, effects: Effects, *, group: str) -> NetValues:
        assert group in self.groups
        cents = np.zeros_like(effects.value) + np.array([0.0, 1.0])
        return NetValues(cents, cents, np.ones(3, dtype=np.int64))

    def p_without(self, X: Floats, *, group: str) -> Floats:
        assert group in self.groups
        return np.array([0.1, 0.9, 0.1])[: len(X)]


def judge(snapshot: Snapshot, groups: tuple[str, ...] | None) -> list[Judged]:
    uplift = None if groups is None else cast("UpliftModel", SaidUplift(groups))
    known = with_risk(snapshot, {})
    seen = see_snapshot(known, IDS, rules=default_rules())
    return ServedJudge().judge(seen, replace(known, models=Models(uplift=uplift)))


@pytest.mark.parametrize("trigger", [Trigger.CHURN_RISK, Trigger.INACTIVITY])
def test_served_model_says_the_group(snapshot: Snapshot, trigger: Trigger) -> None:
    judged = judge(snapshot, (Trigger.PRICE_DROP, trigger))

    assert [one.group for one in judged] == [
        UpliftGroup.PERSUADABLE, UpliftGroup.SURE_THING, UpliftGroup.DO_NOT_DISTURB,
    ]  # fmt: skip


@pytest.mark.parametrize("groups", [None, (), (Trigger.PRICE_DROP.value,)])
def test_without_a_model_of_such_messages_nobody_can_tell(
    snapshot: Snapshot, groups: tuple[str, ...] | None
) -> None:
    assert judge(snapshot, groups) == [Judged(None)] * 3
