"""Cases of churn: whose risk is worked on, in which arm, with which offers, and how it ended."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

from sqlalchemy import Connection, Row, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from features.vocabulary import Arm, Factor, Tier, UpliftGroup
from serving.policy.cases import from_us, to_us
from serving.store.engine import count_added, insert_into
from serving.store.lots import in_json_lots, is_listed
from serving.store.playbook_schema import playbook_cases, playbook_offers, risk_levels


class CaseState(StrEnum):
    """Whether a case is worked on."""

    OPEN = "open"
    CLOSED = "closed"


class CaseExit(StrEnum):
    """Why a case was closed."""

    RECOVERED = "recovered"  # the risk fell
    LEFT = "left"  # the customer is gone
    COMPLETED = "completed"  # every step was taken, and the risk is still there
    LEFT_ALONE = "left_alone"  # they asked not to be contacted
    ERASED = "erased"  # nobody knows the customer any more
    STOPPED = "stopped"  # a human ended it


class OfferState(StrEnum):
    """Where an offer stands."""

    PROPOSED = "proposed"  # it waits for approval
    MADE = "made"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"  # it was never made, and may be proposed again


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case.

    Attributes:
        source: What opened it: `events`, `scores` or the name of a person.
        tier: When it was opened.
        arm: `holdout`: nothing is done, so that the others have somebody to be compared with.
        p_arm: Probability of that arm.
        factor: The strongest reason for the risk; None where the customer has none.
        factors: All that were told, strongest first.
        p_churn: When it was opened.
        mrr_cents: Monthly revenue when it was opened; None where it is not known.
        value_cents: Margin that is lost with the customer; None where it is not known.
        uplift_group: What contact does to the customer; None where no model could tell.
        playbook: Name of the steps that were begun.
        exit_reason: Why it was closed; None while it is open.
        judge: Model and version that told the group; None where none could.
        n_refused: Channels without consent when it was opened; None where that is not known.
        segment: When it was opened; None where unknown.
    """

    case_id: str
    customer_id: str
    source: str
    tier: Tier
    arm: Arm
    p_arm: float
    factor: Factor | None
    factors: tuple[Factor, ...]
    p_churn: float
    mrr_cents: int | None
    value_cents: float | None
    uplift_group: UpliftGroup | None
    language: str
    playbook: str
    model_version: str | None
    opened_at: datetime
    state: CaseState = CaseState.OPEN
    exit_reason: CaseExit | None = None
    closed_at: datetime | None = None
    p_churn_at_close: float | None = None
    judge: str | None = None
    n_refused: int | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One offer to a customer.

    Attributes:
        cost_cents: What it costs at most.
        propensity: Probability with which it was chosen.
        saved_share: Share of those who would leave whom it was believed to keep.
        at: When it was proposed; the budget of that month pays for it.
    """

    customer_id: str
    offer: str
    case_id: str
    state: OfferState
    cost_cents: int
    currency: str
    propensity: float
    saved_share: float
    at: datetime


@dataclass(frozen=True, slots=True)
class RiskLevel:
    """The tier that was last seen of a customer; None: they were gone."""

    tier: Tier | None
    p_churn: float | None
    at: datetime


_C, _O, _L = playbook_cases.c, playbook_offers.c, risk_levels.c
_CASES = select(playbook_cases).order_by(_C.opened_at_us.desc(), _C.case_id)
_ONE = _CASES.where(_C.case_id == bindparam("case_id"))
_OF = _CASES.where(is_listed(_C.customer_id, "customers"))
_CLOSE = (
    update(playbook_cases)
    .where(_C.case_id == bindparam("of_case"), _C.state == CaseState.OPEN.value)
    .values(
        state=CaseState.CLOSED.value,
        exit_reason=bindparam("why"),
        closed_at_us=bindparam("until_us"),
        p_churn_at_close=bindparam("p_then"),
    )
)
_BRIEF = select(_C.brief).where(_C.case_id == bindparam("case_id"))
_SET_BRIEF = (
    update(playbook_cases)
    .where(_C.case_id == bindparam("of_case"))
    .values(brief=bindparam("to_brief"))
)
_OFFERS = select(playbook_offers).order_by(_O.at_us, _O.offer)
_LEVELS = select(risk_levels).where(is_listed(_L.customer_id, "customers"))
_SPENT = select(func.coalesce(func.sum(_O.cost_cents), 0)).where(
    _O.at_us >= bindparam("since_us"), _O.state != OfferState.WITHDRAWN.value
)
_MOVE_OFFER = (
    update(playbook_offers)
    .where(_O.customer_id == bindparam("of_customer"), _O.offer == bindparam("of_offer"))
    .where(_O.case_id == bindparam("of_case"))
    .values(state=bindparam("to_state"))
)


class CaseBook:
    """The part of a transaction that is about cases; to change any, on one that may write."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def open(self, case: CaseRow) -> bool:
        """Keep a new case; False: it is there, or the customer has another that is open."""
        add = _open(self._connection.dialect.name)
        return count_added(self._connection, add, _write(case)) == 1

    def find(self, case_id: str) -> CaseRow | None:
        """The case of that identity."""
        row = self._connection.execute(_ONE, {"case_id": case_id}).first()
        return None if row is None else _read(row)

    def find_of(self, customer_ids: Iterable[str]) -> dict[str, list[CaseRow]]:
        """Cases of these customers, the newest first; those without one are left out."""
        found: dict[str, list[CaseRow]] = {}
        for ids in in_json_lots(customer_ids):
            for row in self._connection.execute(_OF, {"customers": ids}):
                found.setdefault(row.customer_id, []).append(_read(row))
        return found

    def list(
        self,
        *,
        state: CaseState | None = None,
        arm: Arm | None = None,
        since: datetime | None = None,
        most: int | None = None,
    ) -> Sequence[CaseRow]:
        """Cases, the newest first: in that state, of that arm, since then, at most as many."""
        wanted = _CASES
        if state is not None:
            wanted = wanted.where(_C.state == state.value)
        if arm is not None:
            wanted = wanted.where(_C.arm == arm.value)
        if since is not None:
            wanted = wanted.where(_C.opened_at_us >= to_us(since))
        if most is not None:
            wanted = wanted.limit(most)
        return [_read(row) for row in self._connection.execute(wanted)]

    def close(
        self, case_id: str, *, reason: CaseExit, at: datetime, p_churn: float | None = None
    ) -> bool:
        """Close a case; False: it is closed already, or there is none of that identity."""
        values = {"of_case": case_id, "why": reason.value, "until_us": to_us(at), "p_then": p_churn}
        return self._connection.execute(_CLOSE, values).rowcount == 1

    def set_brief(self, case_id: str, brief: str) -> None:
        """Keep what is known of the account, for whoever works on the case."""
        values = {"of_case": case_id, "to_brief": brief}
        self._connection.execute(_SET_BRIEF, values)

    def find_brief(self, case_id: str) -> str | None:
        """What was collected last; None: nothing was."""
        row = self._connection.execute(_BRIEF, {"case_id": case_id}).first()
        return None if row is None else row.brief

    # ------------------------------------------------------------ offers

    def propose_offer(self, offer: OfferRow) -> bool:
        """Keep an offer to a customer; False: they were made or promised it before.

        The same case may propose it again, as after a crash; then what was kept stays.
        """
        found = self.find_offer(offer.customer_id, offer=offer.offer)
        if found is None:
            self._connection.execute(playbook_offers.insert(), _write_offer(offer))
            return True
        if found.state is OfferState.WITHDRAWN:
            is_this = (_O.customer_id == offer.customer_id) & (_O.offer == offer.offer)
            again = update(playbook_offers).where(is_this).values(**_write_offer(offer))
            self._connection.execute(again)
            return True
        return found.case_id == offer.case_id and found.state is OfferState.PROPOSED

    def find_offer(self, customer_id: str, *, offer: str) -> OfferRow | None:
        """What is known of one offer to one customer."""
        wanted = _OFFERS.where(_O.customer_id == customer_id, _O.offer == offer)
        row = self._connection.execute(wanted).first()
        return None if row is None else _read_offer(row)

    def list_offers(
        self, *, case_id: str | None = None, customer_ids: Sequence[str] | None = None
    ) -> Sequence[OfferRow]:
        """Offers in their order: all, of a case, or of customers."""
        wanted = _OFFERS if case_id is None else _OFFERS.where(_O.case_id == case_id)
        if customer_ids is None:
            return [_read_offer(row) for row in self._connection.execute(wanted)]
        wanted = wanted.where(is_listed(_O.customer_id, "customers"))
        return [
            _read_offer(row)
            for ids in in_json_lots(customer_ids)
            for row in self._connection.execute(wanted, {"customers": ids})
        ]

    def set_offer(self, customer_id: str, *, offer: str, case_id: str, state: OfferState) -> bool:
        """Move an offer of that case; False: there is none."""
        values = {
            "of_customer": customer_id,
            "of_offer": offer,
            "of_case": case_id,
            "to_state": state.value,
        }
        return self._connection.execute(_MOVE_OFFER, values).rowcount == 1

    def sum_offers(self, *, since: datetime) -> int:
        """Cents promised and spent by offers that were proposed since then."""
        found = self._connection.execute(_SPENT, {"since_us": to_us(since)})
        return int(found.scalar_one())

    # ------------------------------------------------------------ levels

    def find_levels(self, customer_ids: Iterable[str]) -> dict[str, RiskLevel]:
        """The tiers that were last seen; those of whom none was seen are left out."""
        return {
            row.customer_id: RiskLevel(
                None if row.tier is None else Tier(row.tier), row.p_churn, from_us(row.at_us)
            )
            for ids in in_json_lots(customer_ids)
            for row in self._connection.execute(_LEVELS, {"customers": ids})
        }

    def set_level(self, customer_id: str, level: RiskLevel) -> None:
        """Keep the tier that is seen now."""
        row = {
            "customer_id": customer_id,
            "tier": None if level.tier is None else level.tier.value,
            "p_churn": level.p_churn,
            "at_us": to_us(level.at),
        }
        self._connection.execute(_put_level(self._connection.dialect.name), row)


@cache
def _open(dialect: str) -> "sqlite.Insert | postgresql.Insert":
    """Whichever key is taken: its own, or that of the customer's one open case."""
    return insert_into(dialect, playbook_cases).on_conflict_do_nothing()


@cache
def _put_level(dialect: str) -> "sqlite.Insert | postgresql.Insert":
    put = insert_into(dialect, risk_levels)
    names = ("tier", "p_churn", "at_us")
    return put.on_conflict_do_update(
        index_elements=["customer_id"], set_={name: put.excluded[name] for name in names}
    )


def _write(case: CaseRow) -> dict[str, str | int | float | None]:
    return {
        "case_id": case.case_id,
        "customer_id": case.customer_id,
        "source": case.source,
        "tier": case.tier.value,
        "arm": case.arm.value,
        "p_arm": case.p_arm,
        "factor": None if case.factor is None else case.factor.value,
        "factors": json.dumps([factor.value for factor in case.factors]),
        "p_churn": case.p_churn,
        "mrr_cents": case.mrr_cents,
        "value_cents": case.value_cents,
        "uplift_group": None if case.uplift_group is None else case.uplift_group.value,
        "language": case.language,
        "playbook": case.playbook,
        "model_version": case.model_version,
        "opened_at_us": to_us(case.opened_at),
        "state": case.state.value,
        "exit_reason": None if case.exit_reason is None else case.exit_reason.value,
        "closed_at_us": None if case.closed_at is None else to_us(case.closed_at),
        "p_churn_at_close": case.p_churn_at_close,
        "judge": case.judge,
        "n_refused": case.n_refused,
        "segment": case.segment,
    }


def _read(row: Row[*tuple[object, ...]]) -> CaseRow:
    cells = row._mapping  # noqa: SLF001  # the public name of a row's columns
    factor, group, why = cells["factor"], cells["uplift_group"], cells["exit_reason"]
    until_us = cells["closed_at_us"]
    return CaseRow(
        case_id=cells["case_id"],
        customer_id=cells["customer_id"],
        source=cells["source"],
        tier=Tier(cells["tier"]),
        arm=Arm(cells["arm"]),
        p_arm=cells["p_arm"],
        factor=None if factor is None else Factor(factor),
        factors=tuple(Factor(name) for name in json.loads(cells["factors"])),
        p_churn=cells["p_churn"],
        mrr_cents=cells["mrr_cents"],
        value_cents=cells["value_cents"],
        uplift_group=None if group is None else UpliftGroup(group),
        language=cells["language"],
        playbook=cells["playbook"],
        model_version=cells["model_version"],
        opened_at=from_us(cells["opened_at_us"]),
        state=CaseState(cells["state"]),
        exit_reason=None if why is None else CaseExit(why),
        closed_at=None if until_us is None else from_us(until_us),
        p_churn_at_close=cells["p_churn_at_close"],
        judge=cells["judge"],
        n_refused=cells["n_refused"],
        segment=cells["segment"],
    )


def _write_offer(offer: OfferRow) -> dict[str, str | int | float]:
    return {
        "customer_id": offer.customer_id,
        "offer": offer.offer,
        "case_id": offer.case_id,
        "state": offer.state.value,
        "cost_cents": offer.cost_cents,
        "currency": offer.currency,
        "propensity": offer.propensity,
        "saved_share": offer.saved_share,
        "at_us": to_us(offer.at),
    }


def _read_offer(row: Row[*tuple[object, ...]]) -> OfferRow:
    cells = row._mapping  # noqa: SLF001  # the public name of a row's columns
    return OfferRow(
        customer_id=cells["customer_id"],
        offer=cells["offer"],
        case_id=cells["case_id"],
        state=OfferState(cells["state"]),
        cost_cents=cells["cost_cents"],
        currency=cells["currency"],
        propensity=cells["propensity"],
        saved_share=cells["saved_share"],
        at=from_us(cells["at_us"]),
    )
