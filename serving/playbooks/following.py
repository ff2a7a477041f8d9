"""What new facts mean for cases: one is opened where the risk rises, and an open one is told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from features.vocabulary import Arm, Tier
from serving.playbooks.opening import Opener
from serving.playbooks.plans import KIND, RISK
from serving.playbooks.seen import Seen, see_snapshot
from serving.playbooks.settings import StartBy
from serving.policy.cases import to_us
from serving.snapshot.state import Snapshot
from serving.store.cases import CaseRow, CaseState, RiskLevel
from serving.store.notices import Notice, Party, PartyKind
from serving.store.store import StoreSession

SOURCE = "events"

_RANKS = (None, Tier.LOW, Tier.MEDIUM, Tier.HIGH, Tier.CRITICAL)  # None: they were gone


@dataclass(frozen=True)
class RiskFollower:
    """Follows the risk of customers about whom facts arrive.

    Attributes:
        opener: Opens cases.
    """

    opener: Opener

    def follow(
        self, session: StoreSession, customers: Sequence[Seen], snapshot: Snapshot, *, now: datetime
    ) -> list[CaseRow]:
        """Open the cases of those who rose into a tier that acts; tell open cases what changed.

        Each is compared with the tier that was last seen by this; of whom none was, with that of
        the snapshot, so that who was at risk before anything arrived does not rise by it.

        Args:
            session: The transaction of the facts.
            customers: As the facts make them.
            snapshot: What the server knows.
            now: When the facts became known.
        """
        ids = [seen.customer_id for seen in customers]
        levels = session.cases.find_levels(ids)
        known = see_snapshot(
            snapshot, [one for one in ids if one not in levels], rules=self.opener.rules
        )
        before: dict[str, Tier | None] = {seen.customer_id: seen.tier for seen in known}
        before |= {one: level.tier for one, level in levels.items()}
        for seen in customers:
            if before.get(seen.customer_id, Tier.LOW) is not seen.tier:
                level = RiskLevel(seen.tier, seen.p_churn, now)
                session.cases.set_level(seen.customer_id, level)
        self.tell_open(session, customers, now=now)
        rose = [
            seen
            for seen in customers
            if self.opener.acts_on(seen.tier)
            and _RANKS.index(seen.tier) > _RANKS.index(before.get(seen.customer_id, Tier.LOW))
        ]
        return self._open(session, rose, snapshot, now=now)

    def tell_open(self, session: StoreSession, customers: Sequence[Seen], *, now: datetime) -> int:
        """Tell the open cases of customers what changed; how many have reason to end."""
        past = session.cases.find_of([seen.customer_id for seen in customers])
        return sum(
            self._tell(session, case, seen, now=now)
            for seen in customers
            for case in past.get(seen.customer_id, ())
            if case.state is CaseState.OPEN
        )

    def _open(
        self, session: StoreSession, rose: list[Seen], snapshot: Snapshot, *, now: datetime
    ) -> list[CaseRow]:
        start = self.opener.playbooks.start
        if not rose:
            return []
        if start.by is StartBy.TIER:
            return self.opener.open(session, rose, snapshot, source=SOURCE, now=now)
        room = start.capacity.cases - len(session.cases.list(state=CaseState.OPEN))
        riskiest = sorted(rose, key=lambda seen: -(seen.p_churn or 0.0))[: max(room, 0)]
        tier = start.capacity.tier
        return self.opener.open(session, riskiest, snapshot, source=SOURCE, now=now, tier=tier)

    def _tell(self, session: StoreSession, case: CaseRow, seen: Seen, *, now: datetime) -> bool:
        """Wake the case where that may end it; tell its people, if any, where it got worse."""
        if seen.score is None or seen.score < find_exit(self.opener, case):
            body = json.dumps({"p_churn": seen.p_churn, "tier": seen.tier})
            key = f"{RISK}/{to_us(now)}"
            flow = f"{KIND}/{case.case_id}"
            return session.flows.signal(flow, topic=RISK, at=now, key=key, body_json=body)
        got_worse = _RANKS.index(seen.tier) > _RANKS.index(case.tier)
        if got_worse and case.arm is not Arm.HOLDOUT:  # nobody acts on those, so nobody is told
            session.notices.add(_say_worse(case, seen, now=now))
        return False


def find_exit(opener: Opener, case: CaseRow) -> float:
    """The score under which the customer of a case has recovered."""
    start = opener.playbooks.start
    border = opener.rules.borders.find_border(start.acts_from)
    return start.exit_share * min(border, case.p_churn)


def _say_worse(case: CaseRow, seen: Seen, *, now: datetime) -> Notice:
    return Notice(
        key=f"{KIND}/{case.case_id}/worse/{seen.tier}",
        to=Party(PartyKind.CSM, "default"),
        subject=f"Worse: {case.customer_id} is {seen.tier} now",
        body=(
            f"Customer {case.customer_id} had tier {case.tier} when their case was opened, and has "
            f"{seen.tier} now (p {seen.p_churn or 0.0:.2f}). The steps stay as they are."
        ),
        language="en",
        made_at=now,
        workflow_id=f"{KIND}/{case.case_id}",
    )
