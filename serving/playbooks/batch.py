"""Cases opened from scores of everybody at once, as after a night in which nobody did anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from serving.playbooks.beliefs import make_beliefs
from serving.playbooks.candidates import Prospect, expect_case_cents
from serving.playbooks.choose import OfferBeliefs
from serving.playbooks.following import RiskFollower
from serving.playbooks.opening import Opener
from serving.playbooks.seen import Seen, see_snapshot
from serving.playbooks.settings import StartBy
from serving.snapshot.state import Snapshot
from serving.store.cases import CaseRow, CaseState, RiskLevel
from serving.store.store import Store, StoreSession

SOURCE = "scores"

_LOOKED_AT = 20
"""Reasons cost some ten scores: they are found for so many for each place, by what is at stake."""


@dataclass(frozen=True)
class Started:
    """What a look at everybody came to.

    Attributes:
        opened: Cases that were opened.
        n_at_risk: Customers in a tier that acts.
        n_told: Open cases that were told that their customer recovered or left.
    """

    opened: list[CaseRow]
    n_at_risk: int
    n_told: int

    @property
    def n_unjudged(self) -> int:
        """Cases of customers of whom no model says what contact does to them."""
        return sum(case.uplift_group is None for case in self.opened)


def start_cases(store: Store, opener: Opener, snapshot: Snapshot, *, now: datetime) -> Started:
    """Open the cases that scores ask for, in one transaction; doing it again opens no other.

    By tier: everybody in one that acts, whether the risk rose or was there before. By capacity:
    those of whom a case is expected to bring most, until there is no room; who is not to be
    disturbed is none of them.

    Args:
        store: Where cases are kept.
        opener: Opens them.
        snapshot: Scores and features of everybody.
        now: Aware.
    """
    ids = snapshot.customers.profile["customer_id"].tolist()
    seen = see_snapshot(snapshot, ids, rules=opener.rules)
    at_risk = [one for one in seen if opener.acts_on(one.tier)]
    with store.transaction() as session:
        n_told = RiskFollower(opener).tell_open(session, seen, now=now)
        _keep_levels(session, seen, now=now)
        if opener.playbooks.start.by is StartBy.TIER:
            opened = opener.open(session, at_risk, snapshot, source=SOURCE, now=now)
        else:
            opened = _fill_room(session, opener, seen, snapshot, now=now)
    return Started(opened, len(at_risk), n_told)


def _fill_room(
    session: StoreSession,
    opener: Opener,
    seen: Sequence[Seen],
    snapshot: Snapshot,
    *,
    now: datetime,
) -> list[CaseRow]:
    capacity = opener.playbooks.start.capacity
    room = max(capacity.cases - len(session.cases.list(state=CaseState.OPEN)), 0)
    free = opener.list_free(session, seen, now=now)
    beliefs = make_beliefs(
        opener.playbooks, session.cases.list(), session.cases.list_offers(), now=now
    )
    likely = sorted(free, key=lambda one: -_find_at_stake(one, opener))[: _LOOKED_AT * room]
    best = _rank(likely, opener, snapshot, beliefs=beliefs)[:room]
    return opener.open(session, best, snapshot, source=SOURCE, now=now, tier=capacity.tier)


def _find_at_stake(seen: Seen, opener: Opener) -> float:
    return (seen.p_churn or 0.0) * (seen.value_cents(opener.economics) or 0.0)


def _rank(
    free: Sequence[Seen], opener: Opener, snapshot: Snapshot, *, beliefs: OfferBeliefs
) -> list[Seen]:
    """Those of whom a case is expected to bring something, the most first."""
    tier = opener.playbooks.start.capacity.tier
    judged = opener.judge.judge(free, snapshot)
    net = [
        expect_case_cents(
            Prospect(one, said, one.find_factors(snapshot), tier),
            playbooks=opener.playbooks,
            beliefs=beliefs,
            economics=opener.economics,
        )
        for one, said in zip(free, judged, strict=True)
    ]
    order = sorted(range(len(free)), key=lambda n: -net[n])
    return [free[n] for n in order if net[n] > 0.0]


def _keep_levels(session: StoreSession, seen: Sequence[Seen], *, now: datetime) -> None:
    """Tiers that differ from those last seen; who was never seen and does well needs none."""
    known = session.cases.find_levels([one.customer_id for one in seen])
    for one in seen:
        before = known.get(one.customer_id)
        if before is not None and before.tier is not one.tier:
            session.cases.set_level(one.customer_id, RiskLevel(one.tier, one.p_churn, now))
