"""What contact does to a customer: told by a model, or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from features.uplift_groups import UpliftGroup, assign_groups, default_borders
from features.vocabulary import Trigger
from serving.playbooks.seen import Seen
from serving.snapshot.state import Snapshot
from training.registry.servable import Belonging, UpliftModel


@dataclass(frozen=True)
class Judged:
    """What a model says of one customer.

    Attributes:
        group: What contact does; None: no model could tell, and nothing is offered.
        effects: Change of the chance to stay by offer, where a model of such interventions tells
            it; offers that are not listed do what is believed of them.
    """

    group: UpliftGroup | None
    effects: Mapping[str, float] = field(default_factory=dict)


class Judge(Protocol):
    """Says what contact does to customers."""

    def judge(self, customers: Sequence[Seen], snapshot: Snapshot) -> list[Judged]:
        """One answer for each customer, in their order."""
        ...


_ASKED = (Trigger.CHURN_RISK, Trigger.INACTIVITY)
"""Messages that come nearest to the contact of a playbook, the nearest first."""


class ServedJudge:
    """Judges by the served uplift model: by what a message like the playbook's does.

    That model knows messages, not calls or offers; it is asked for the group alone. Without it, or
    where it knows neither trigger, nobody can tell.
    """

    def judge(self, customers: Sequence[Seen], snapshot: Snapshot) -> list[Judged]:
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
        return [Judged(UpliftGroup(str(group))) for group in groups]


def _find_trigger(model: UpliftModel) -> Trigger | None:
    return next((trigger for trigger in _ASKED if trigger in model.groups), None)
