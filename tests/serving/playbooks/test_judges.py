"""Who is to be left alone, as served models say it; without one nobody can tell."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from scipy.special import logit

from features.churn.risk import default_rules
from features.errors import IncompatibleModelError
from features.vocabulary import Trigger, UpliftGroup
from serving.playbooks.judges import Judged, ServedJudge
from serving.playbooks.seen import see_snapshot
from serving.policy.cases import Floats
from serving.snapshot.files import load_snapshot, publish_snapshot
from serving.snapshot.state import Models, Snapshot
from tests.serving.playbooks.small import with_risk
from training.registry.servable import CaseModel, FeatureSignature, UpliftModel
from training.registry.servable.case_effect import CASE_LEVERS
from training.registry.servable.retention import RetentionModel, Scale
from training.registry.servable.uplift import Effects, NetValues

IDS = ["c001", "c002", "c003"]


@dataclass(frozen=True)
class SaidUplift:
    """Says of each customer in turn that a message moves, does nothing, and drives away.

    The second channel is worth most, and what the first one says does not count.
    """

    groups: tuple[str, ...]
    version: str = "7"

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

    assert {one.by for one in judged} == {"uplift 7"}
    assert [one.group for one in judged] == [
        UpliftGroup.PERSUADABLE, UpliftGroup.SURE_THING, UpliftGroup.DO_NOT_DISTURB,
    ]  # fmt: skip


@pytest.mark.parametrize("groups", [None, (), (Trigger.PRICE_DROP.value,)])
def test_without_a_model_of_such_messages_nobody_can_tell(
    snapshot: Snapshot, groups: tuple[str, ...] | None
) -> None:
    assert judge(snapshot, groups) == [Judged(None)] * 3


def make_case_model(*, kept: float, woken_by_refusal: float) -> CaseModel:
    """Cases keep a share of those who would leave; who refuses channels may be driven away."""
    m, k = len(CASE_LEVERS), 3
    mode = np.zeros(5 + m + k)
    mode[1], mode[2], mode[4 + m], mode[5 + m] = 1.0, logit(kept), -6.0, woken_by_refusal
    scale = Scale(np.zeros(k), np.zeros(k), np.array([1.0, np.inf, np.inf]))
    law = RetentionModel(CASE_LEVERS, scale, 0.05, mode, np.eye(len(mode)) * 1e-6)
    return CaseModel(law, (), horizon_days=60, version="3")


def test_model_of_cases_comes_before_that_of_messages(snapshot: Snapshot) -> None:
    uplift = cast("UpliftModel", SaidUplift((Trigger.CHURN_RISK,)))
    model = make_case_model(kept=0.5, woken_by_refusal=2.0)
    known = with_risk(snapshot, {"c001": 0.6, "c002": 0.6, "c003": 0.1})
    seen = see_snapshot(known, IDS, rules=default_rules())
    refusing = [replace(seen[0], n_refused=0), replace(seen[1], n_refused=3), seen[2]]
    both = replace(known, models=Models(uplift=uplift, retention=model))
    kept, driven_away, safe = ServedJudge().judge(refusing, both)
    assert {one.by for one in (kept, driven_away, safe)} == {"retention 3"}
    assert kept.group is UpliftGroup.PERSUADABLE
    assert kept.case_effect == pytest.approx(0.5 * 0.55, abs=0.02)
    assert driven_away.group is UpliftGroup.DO_NOT_DISTURB
    assert safe.case_effect is not None
    assert safe.case_effect < kept.case_effect
    gone = replace(seen[0], p_churn=None)
    assert ServedJudge().judge([gone], both) == [Judged(None)]


def test_model_of_cases_is_published_with_a_snapshot(snapshot: Snapshot, tmp_path: Path) -> None:
    model = make_case_model(kept=0.5, woken_by_refusal=2.0)
    publish_snapshot(replace(snapshot, models=Models(retention=model)), tmp_path)
    again = load_snapshot(tmp_path).models.retention
    assert again is not None
    assert again.to_json() == model.to_json()
    other = replace(model, signature=FeatureSignature(("p_churn",), "case-0"))
    with pytest.raises(IncompatibleModelError, match="retention"):
        Models(retention=other).require_running_features()
