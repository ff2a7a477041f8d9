"""Cases are opened: for whom, in which arm, with which steps; each once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.churn.risk import RiskRules
from features.economics import Economics
from features.vocabulary import Arm, Priority, Tier, UpliftGroup
from serving.audit.entries import EntryKind
from serving.playbooks.judges import Judge, Judged
from serving.playbooks.plans import KIND, CaseGiven, name_playbook
from serving.playbooks.seen import Seen
from serving.playbooks.settings import ACTING, Playbooks
from serving.playbooks.words import wants_no_contact
from serving.policy.arms import assign_arm
from serving.policy.cases import to_us
from serving.snapshot.state import Snapshot
from serving.store.cases import CaseRow
from serving.store.store import StoreSession


@dataclass(frozen=True)
class Opener:
    """Opens cases.

    Attributes:
        playbooks: What is done.
        rules: How a probability becomes a tier.
        economics: What a customer is worth.
        judge: Says what contact does to a customer.
    """

    playbooks: Playbooks
    rules: RiskRules
    economics: Economics
    judge: Judge

    def acts_on(self, tier: Tier | None) -> bool:
        """Whether something is done about customers of that tier."""
        if tier not in ACTING:
            return False
        return ACTING.index(tier) >= ACTING.index(self.playbooks.start.acts_from)

    def open(
        self,
        session: StoreSession,
        customers: Sequence[Seen],
        snapshot: Snapshot,
        *,
        source: str,
        now: datetime,
        tier: Tier | None = None,
    ) -> list[CaseRow]:
        """Open cases of those customers who may have one; those that were opened.

        None is opened for who is gone, who has one that is open, whose last one ended less than
        the cool-down ago, and who once asked not to be contacted.

        Args:
            session: A transaction that writes; workflows are asked for in it.
            customers: At risk.
            snapshot: Whose models tell reasons and uplift groups.
            source: What opens them.
            now: Aware.
            tier: By whose steps; each customer's own where it is not given.
        """
        free = self.list_free(session, customers, now=now)
        judged = self.judge.judge(free, snapshot)
        opened = [
            self._make_case(seen, said, snapshot, source=source, now=now, tier=tier)
            for seen, said in zip(free, judged, strict=True)
        ]
        return [case for case in opened if self._keep(session, case)]

    def list_free(
        self, session: StoreSession, customers: Sequence[Seen], *, now: datetime
    ) -> list[Seen]:
        """Those who may get a case now."""
        alive = [seen for seen in customers if seen.p_churn is not None]
        past = session.cases.find_of([seen.customer_id for seen in alive])
        since = now - timedelta(days=self.playbooks.start.cool_down_days)
        return [
            seen for seen in alive if _is_free(session, past.get(seen.customer_id, []), since=since)
        ]

    def _make_case(
        self,
        seen: Seen,
        judged: Judged,
        snapshot: Snapshot,
        *,
        source: str,
        now: datetime,
        tier: Tier | None,
    ) -> CaseRow:
        playbooks, model = self.playbooks, snapshot.models.churn
        arm = assign_arm(
            seen.customer_id,
            experiment=playbooks.experiment,
            shares=playbooks.arms,
            priority=Priority.HIGH,
        )
        worked_as = tier or seen.tier or Tier.LOW
        factors = seen.find_factors(snapshot)
        factor = factors[0] if factors else None
        return CaseRow(
            case_id=make_case_id(seen.customer_id, opened_at=now),
            customer_id=seen.customer_id,
            source=source,
            tier=worked_as,
            arm=arm,
            p_arm=playbooks.arms[arm],
            factor=factor,
            factors=factors,
            p_churn=seen.p_churn or 0.0,
            mrr_cents=seen.mrr_cents,
            value_cents=seen.value_cents(self.economics),
            uplift_group=judged.group,
            judge=judged.by,
            n_refused=seen.n_refused,
            segment=seen.segment,
            language=seen.language,
            playbook=name_playbook(playbooks, tier=worked_as, factor=factor),
            model_version=None if model is None else model.version,
            opened_at=now,
        )

    def _keep(self, session: StoreSession, case: CaseRow) -> bool:
        """Keep the case and ask for its workflow; False: another one is open by now."""
        if not session.cases.open(case):
            return False
        given = CaseGiven(
            case_id=case.case_id,
            tier=case.tier,
            factor=case.factor,
            may_contact=case.uplift_group is not UpliftGroup.DO_NOT_DISTURB,
            acts=case.arm is not Arm.HOLDOUT,
        )
        session.flows.start(
            f"{KIND}/{case.case_id}",
            kind=KIND,
            subject=case.customer_id,
            given_json=given.model_dump_json(),
            at=case.opened_at,
        )
        _log(session, case, given=given)
        return True


def make_case_id(customer_id: str, *, opened_at: datetime) -> str:
    """Identity of the case that is opened for a customer at a moment.

    >>> from datetime import UTC
    >>> make_case_id("c1", opened_at=datetime(2026, 6, 1, tzinfo=UTC))
    'f87938d7a881d31c6c'
    """
    said = f"{customer_id}\x1f{to_us(opened_at)}"
    return hashlib.blake2b(said.encode(), digest_size=9).hexdigest()


def _is_free(session: StoreSession, past: list[CaseRow], *, since: datetime) -> bool:
    if any(case.closed_at is None or case.closed_at > since for case in past):
        return False
    return not wants_no_contact(session, past)


def _log(session: StoreSession, case: CaseRow, *, given: CaseGiven) -> None:
    session.audit.append(
        EntryKind.OBSERVATION,
        f"{KIND}/{case.case_id}",
        {
            "customer": case.customer_id,
            "tier": case.tier.value,
            "factors": [factor.value for factor in case.factors],
            "p_churn": round(case.p_churn, 4),
            "arm": case.arm.value,
            "p_arm": case.p_arm,
            "uplift_group": None if case.uplift_group is None else case.uplift_group.value,
            "model": case.model_version,
            "judge": case.judge,
        },
        by=case.source,
        at=case.opened_at,
        words=f"a customer may be lost: p {case.p_churn:.2f}, {case.tier}; {_say(case, given)}",
    )


def _say(case: CaseRow, given: CaseGiven) -> str:
    if not given.acts:
        return "in the holdout: nothing is done, the case is watched"
    if not given.may_contact:
        return f"arm {case.arm}; contact would drive them away: the customer hears nothing"
    if case.uplift_group is None:
        return f"arm {case.arm}; no model says what contact does: people alone act, no offer"
    return f"arm {case.arm}"
