"""What contact does to a customer: told by a model, or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from features.uplift_groups import assign_groups, default_borders
from features.vocabulary import Trigger, UpliftGroup
from serving.playbooks.seen import Seen, find_factors_of
from serving.snapshot.state import Snapshot
from training.registry.servable import AtOpening, Belonging, CaseModel, UpliftModel


@dataclass(frozen=True)
class Judged:
    """What a model says of one customer.

    Attributes:
        group: What contact does; None: no model could tell, and nothing is offered.
        effects: Change of the chance to stay by offer, where a model of such interventions tells
            it; offers that are not listed do what is believed of them.
        case_effect: Change of the chance to stay by a whole case, its offer in it, less a part of
            how unsure that is; None where no model of cases tells it.
        by: Name and version of the model.
    """

    group: UpliftGroup | None
    effects: Mapping[str, float] = field(default_factory=dict)
    case_effect: float | None = None
    by: str | None = None


class Judge(Protocol):
    """Says what contact does to customers."""

    def judge(self, customers: Sequence[Seen], snapshot: Snapshot) -> list[Judged]:
        """One answer for each customer, in their order."""
        ...


_ASKED = (Trigger.CHURN_RISK, Trigger.INACTIVITY)
"""Messages that come nearest to the contact of a playbook, the nearest first."""


CAUTION: Final = 0.5
"""Standard deviations that are taken off an effect: who is unsure picks lucky errors."""


class ServedJudge:
    """Judges by the served model of cases, or, where there is none, by the one of messages.

    The first knows what cases came to beside the holdout (`opportune playbooks learn`). The uplift
    model knows messages, not calls or offers; it is asked for the group alone. Without either, or
    where uplift knows neither trigger, nobody can tell.
    """

    def judge(self, customers: Sequence[Seen], snapshot: Snapshot) -> list[Judged]:
        """What a model says of each customer; nothing of who is gone."""
        if snapshot.models.retention is not None:
            return _judge_by_cases(customers, snapshot, snapshot.models.retention)
        return _judge_by_messages(customers, snapshot)


def _judge_by_cases(
    customers: Sequence[Seen], snapshot: Snapshot, model: CaseModel
) -> list[Judged]:
    here = [one for one in customers if one.p_churn is not None]
    if not here:
        return [Judged(None)] * len(customers)
    reasons = find_factors_of(here, snapshot)
    told = model.effects(
        AtOpening(
            p_churn=np.array([one.p_churn for one in here], dtype=np.float64),
            n_refused=np.array([one.n_refused for one in here], dtype=np.float64),
            segments=[one.segment for one in here],
            factors=[factors[0] if factors else None for factors in reasons],
        )
    )
    groups = told.find_groups(default_borders())
    cautious = (told.value - CAUTION * told.sd)[:, 0]
    by = f"retention {model.version}"
    said = {
        one.customer_id: Judged(UpliftGroup(str(group)), case_effect=float(effect), by=by)
        for one, group, effect in zip(here, groups, cautious, strict=True)
    }
    return [said.get(one.customer_id, Judged(None)) for one in customers]


def _judge_by_messages(customers: Sequence[Seen], snapshot: Snapshot) -> list[Judged]:
    """The group of each customer, by the channel that is worth most."""
    model = snapshot.models.uplift
    trigger = None if model is None else _find_trigger(model)
    if model is None or trigger is None or not customers:
        return [Judged(None)] * len(customers)
    X = np.vstack([one.engagement for one in customers])
    belonging = Belonging.of(
        len(customers),
        segments=[one.segment for one in customers],
        languages=[one.language for one in customers],
    )
    effects = model.effects(X, group=trigger, belonging=belonging)
    top = model.net_values(effects, group=trigger).cents.argmax(axis=1)
    rows = np.arange(len(customers))
    groups = assign_groups(
        effects.value[rows, top],
        sd=effects.sd[rows, top],
        p_without=model.p_without(X, group=trigger),
        borders=default_borders(),
    )
    by = f"uplift {model.version}"
    return [Judged(UpliftGroup(str(group)), by=by) for group in groups]


def _find_trigger(model: UpliftModel) -> Trigger | None:
    return next((trigger for trigger in _ASKED if trigger in model.groups), None)
