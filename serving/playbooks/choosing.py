"""Which offer a case gets: by its arm, within the month's budget, with the probability of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from features.vocabulary import Arm, UpliftGroup
from serving.playbooks.beliefs import make_beliefs
from serving.playbooks.candidates import Pair, fits_offer, list_candidates
from serving.playbooks.choose import Candidates, OfferBeliefs, choose_offers, expect_net_cents
from serving.playbooks.judges import Judged
from serving.playbooks.plans import has_offer
from serving.playbooks.settings import Playbooks
from serving.policy.arms import stable_uniform
from serving.store.cases import CaseRow, CaseState, OfferRow, OfferState
from serving.store.store import StoreSession

_TINY: Final = 1e-9


@dataclass(frozen=True)
class Offered:
    """What a case gets.

    Attributes:
        offer: Name of the offer.
        cost_cents: What it costs at most.
        propensity: Probability with which it was chosen.
        saved_share: Share of those who would leave whom it is believed to keep.
        net_cents: What it is expected to bring less its cost; None where that is not known.
        n_allowed: How many offers could have been chosen.
    """

    offer: str
    cost_cents: int
    propensity: float
    saved_share: float
    net_cents: float | None
    n_allowed: int


@dataclass(frozen=True)
class NoOffer:
    """Nothing is offered, and why; with the probability of that where chance decided."""

    why: str
    propensity: float = 1.0


def choose_for_case(
    session: StoreSession,
    case: CaseRow,
    *,
    playbooks: Playbooks,
    judged: Mapping[str, Judged],
    now: datetime,
) -> Offered | NoOffer:
    """The offer of a case.

    `learned` shares what is left of the month's budget out among all open cases that may still come
    to an offer, and takes what falls to this one, or with the probability `explore` any other;
    `random` takes any that is allowed, or none; `rules` the first.

    Args:
        session: A transaction that writes, so that two cases do not spend the same budget.
        case: An open case.
        playbooks: Offers, and how they are chosen.
        judged: What contact does, by customer; this one's customer among them.
        now: Aware.
    """
    group = judged[case.customer_id].group
    if refusal := _refuse(group, case, playbooks=playbooks):
        return NoOffer(refusal)
    left = playbooks.choice.cents_per_month - session.cases.sum_offers(since=_month_of(now))
    rivals = _list_rivals(session, case, playbooks=playbooks)
    had = {(row.customer_id, row.offer) for row in _list_had(session, rivals)}
    book = _OfferBook.of(rivals, playbooks=playbooks, judged=judged, had=had)
    beliefs = make_beliefs(playbooks, session.cases.list(), session.cases.list_offers(), now=now)
    own = [
        row
        for row in np.flatnonzero(book.candidates.customer == 0).tolist()
        if book.candidates.is_new[row] and book.candidates.cost_cents[row] <= left
    ]
    if not own:
        return NoOffer("no offer fits, is affordable, and is new to them")
    chances = _find_chances(case, own, book, beliefs, playbooks=playbooks, left=left)
    return _draw(case, own, chances, book, beliefs, playbooks=playbooks)


@dataclass(frozen=True)
class _OfferBook:
    """Candidates of some cases; customer 0 is the one that is decided about.

    Attributes:
        candidates: Pairs of customer and offer that fit each other.
        names: Of their offers.
    """

    candidates: Candidates
    names: tuple[str, ...]

    @classmethod
    def of(
        cls,
        cases: Sequence[CaseRow],
        *,
        playbooks: Playbooks,
        judged: Mapping[str, Judged],
        had: set[tuple[str, str]],
    ) -> "_OfferBook":
        pairs = [
            Pair(
                n,
                case.customer_id,
                offer,
                name,
                case.p_churn,
                case.value_cents,
                case.mrr_cents,
                case.factors,
            )
            for n, case in enumerate(cases)
            for offer, name in enumerate(playbooks.offer_names)
            if fits_offer(
                name, playbooks, tier=case.tier, factors=case.factors, mrr_cents=case.mrr_cents
            )
        ]
        candidates = list_candidates(pairs, playbooks=playbooks, judged=judged, had=had)
        return cls(candidates, tuple(pair.name for pair in pairs))


def _refuse(group: UpliftGroup | None, case: CaseRow, *, playbooks: Playbooks) -> str | None:
    if group is None:
        return "no model says what contact does to them: people alone act"
    if group is UpliftGroup.DO_NOT_DISTURB:
        return "contact would drive them away"
    if group not in playbooks.choice.group_scale:
        return f"who is {group} gets no offer (choice.group_scale)"
    if case.arm is Arm.HOLDOUT:
        return "in the holdout nothing is done"
    return None


def _list_rivals(session: StoreSession, case: CaseRow, *, playbooks: Playbooks) -> list[CaseRow]:
    """This case, and the open ones of the learned arm that had no offer and have a step for one."""
    busy = {case.case_id, *(row.case_id for row in session.cases.list_offers())}
    others = session.cases.list(state=CaseState.OPEN, arm=Arm.LEARNED)
    return [
        case,
        *(
            one
            for one in others
            if one.case_id not in busy and has_offer(one.tier, one.factor, playbooks=playbooks)
        ),
    ]


def _list_had(session: StoreSession, cases: Sequence[CaseRow]) -> Sequence[OfferRow]:
    rows = session.cases.list_offers(customer_ids=[case.customer_id for case in cases])
    return [row for row in rows if row.state is not OfferState.WITHDRAWN]


def _find_chances(
    case: CaseRow,
    own: Sequence[int],
    book: _OfferBook,
    beliefs: OfferBeliefs,
    *,
    playbooks: Playbooks,
    left: int,
) -> list[float]:
    """Probability of each own candidate; what is left to 1 is that of no offer."""
    n = len(own)
    if case.arm is Arm.RULES:
        return [1.0, *([0.0] * (n - 1))]
    if case.arm is Arm.RANDOM:
        return [1.0 / (n + 1)] * n
    explore = playbooks.choice.explore
    chosen = choose_offers(book.candidates, beliefs=beliefs, budget_cents=float(left))
    taken = set(chosen.rows.tolist())
    return [explore / (n + 1) + (1.0 - explore) * (row in taken) for row in own]


def _draw(
    case: CaseRow,
    own: Sequence[int],
    chances: Sequence[float],
    book: _OfferBook,
    beliefs: OfferBeliefs,
    *,
    playbooks: Playbooks,
) -> Offered | NoOffer:
    u = stable_uniform("offer", playbooks.experiment, case.case_id)
    drawn = int((np.cumsum(chances) <= u).sum())
    if drawn >= len(own):
        none = 1.0 - sum(chances)
        explored = playbooks.choice.explore / (len(own) + 1)
        by_chance = case.arm is Arm.RANDOM or none <= explored + _TINY
        why = "chance drew none" if by_chance else "none is worth its cost within the budget"
        return NoOffer(why, none)
    row = own[drawn]
    net = float(expect_net_cents(book.candidates, beliefs=beliefs)[row])
    return Offered(
        offer=book.names[row],
        cost_cents=int(book.candidates.cost_cents[row]),
        propensity=chances[drawn],
        saved_share=float(beliefs.mean[book.candidates.offer[row]]),
        net_cents=net if np.isfinite(net) else None,
        n_allowed=len(own),
    )


def _month_of(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
