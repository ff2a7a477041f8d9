"""Who picks the customers that get a case, and by which offers: all on the same machinery."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np
import pandas as pd

from features.economics import Economics
from features.vocabulary import Arm, UpliftGroup
from serving.playbooks.batch import start_cases
from serving.playbooks.following import RiskFollower
from serving.playbooks.judges import Judged
from serving.playbooks.opening import Opener
from serving.playbooks.seen import Seen, see_snapshot
from serving.playbooks.settings import Playbooks
from serving.policy.cases import Floats
from serving.rehearsal.playbooks.levers import OFFERS, TASK_CENTS
from serving.snapshot.state import Snapshot
from serving.store.cases import CaseRow, CaseState
from serving.store.store import Store
from training.world.acting.protocol import ActingWorld, Lever


class PlaybookPolicy(StrEnum):
    """What can be rehearsed."""

    OURS = "ours"  # the best by expected net value, as the learned arm does it
    SHIPPED = "shipped"  # the same with all four arms and the exploring: what knowing costs
    RISKIEST = "riskiest"  # the highest p_churn first, the first offer that fits
    RANDOM = "random"  # anybody, any offer
    ORACLE = "oracle"  # by the world's own truth
    NOBODY = "nobody"  # nothing is done


BY_VALUE: Final = frozenset({PlaybookPolicy.OURS, PlaybookPolicy.SHIPPED})

_TINY: Final = 1e-9  # arms never switch off
_LEVERS: Final = tuple(Lever)


def set_playbooks(policy: PlaybookPolicy, playbooks: Playbooks) -> Playbooks:
    """The playbooks with the arms of that policy, and people's time at the world's prices.

    `shipped` has all arms as they are. In the others chance decides nothing but the holdout, which
    is the same share of the same customers: so policies are compared, and not how much they try.
    """
    priced = playbooks.model_copy(update={"task_cents": dict(TASK_CENTS)})
    if policy is PlaybookPolicy.SHIPPED:
        return priced
    arm = {PlaybookPolicy.RISKIEST: Arm.RULES, PlaybookPolicy.RANDOM: Arm.RANDOM}.get(
        policy, Arm.LEARNED
    )
    holdout = playbooks.arms[Arm.HOLDOUT]
    shares = dict.fromkeys(Arm, _TINY)
    shares |= {arm: 1.0 - holdout - 2 * _TINY, Arm.HOLDOUT: holdout}
    choice = playbooks.choice.model_copy(update={"explore": 0.0})
    return priced.model_copy(update={"arms": shares, "choice": choice})


class EverybodyJudge:
    """Takes everybody for persuadable, as who targets by risk alone does."""

    def judge(self, customers: Sequence[Seen], snapshot: Snapshot) -> list[Judged]:  # noqa: ARG002  # of the protocol
        """The same of everybody; offers do what is believed of them."""
        return [Judged(UpliftGroup.PERSUADABLE)] * len(customers)


@dataclass(frozen=True)
class TrueJudge:
    """Judges by the world's own truth of the moment.

    Attributes:
        world: Asked for scoring, and by this reference.
        economics: Customers are valued as others value them, so that effects make true cents.
        clock: What time it is in the world.
    """

    world: ActingWorld
    economics: Economics
    clock: Callable[[], datetime]

    def judge(self, customers: Sequence[Seen], snapshot: Snapshot) -> list[Judged]:  # noqa: ARG002  # of the protocol
        """Whom contact does harm, and what each offer changes."""
        here = [one for one in customers if one.p_churn is not None]
        cents = find_true_values(self.world, [one.customer_id for one in here], now=self.clock())
        said = {
            one.customer_id: _judge_truly(cents[row], worth=one.value_cents(self.economics))
            for row, one in enumerate(here)
        }
        return [said.get(one.customer_id, Judged(None)) for one in customers]


def find_true_values(world: ActingWorld, customer_ids: Sequence[str], *, now: datetime) -> Floats:
    """True cents of each lever, pulled now, before its cost, (n, levers)."""
    rows = {"customer_id": pd.Series(list(customer_ids), dtype="str"), "begins_at": now}
    asked = [pd.DataFrame({**rows, "lever": lever.value}) for lever in _LEVERS]
    return np.column_stack([world.true_save_value(frame) for frame in asked])


def _judge_truly(cents: Floats, *, worth: float | None) -> Judged:
    if not worth:
        return Judged(None)
    helps = bool(cents.max() > 0.0)
    effects = {name: float(cents[_LEVERS.index(one)] / worth) for name, one in OFFERS.items()}
    return Judged(UpliftGroup.PERSUADABLE if helps else UpliftGroup.DO_NOT_DISTURB, effects)


@dataclass(frozen=True)
class Picker:
    """Whom a policy gives a case.

    Attributes:
        policy: Which.
        opener: Opens cases; its judge is the policy's.
        rng: Of the policy that picks anybody.
    """

    policy: PlaybookPolicy
    opener: Opener
    rng: np.random.Generator

    def open(
        self, store: Store, snapshot: Snapshot, *, world: ActingWorld, now: datetime
    ) -> list[CaseRow]:
        """Fill the room there is for cases, and tell open ones what changed."""
        if self.policy in BY_VALUE:
            return start_cases(store, self.opener, snapshot, now=now).opened
        opener, capacity = self.opener, self.opener.playbooks.start.capacity
        ids = snapshot.customers.profile["customer_id"].tolist()
        seen = see_snapshot(snapshot, ids, rules=opener.rules)
        with store.transaction() as session:
            RiskFollower(opener).tell_open(session, seen, now=now)
            room = capacity.cases - len(session.cases.list(state=CaseState.OPEN))
            free = opener.list_free(session, seen, now=now)
            picked = self._rank(free, world=world, now=now)[: max(room, 0)]
            return opener.open(
                session, picked, snapshot, source="rehearsal", now=now, tier=capacity.tier
            )

    def _rank(self, free: Sequence[Seen], *, world: ActingWorld, now: datetime) -> list[Seen]:
        """Those who may have a case, the first choice first; the oracle leaves out the hopeless."""
        match self.policy:
            case PlaybookPolicy.RISKIEST:
                return sorted(free, key=lambda one: -(one.p_churn or 0.0))
            case PlaybookPolicy.RANDOM:
                return [free[row] for row in self.rng.permutation(len(free))]
            case _:
                best = find_true_values(world, [one.customer_id for one in free], now=now).max(
                    axis=1
                )
                return [free[row] for row in np.argsort(-best) if best[row] > 0.0]
