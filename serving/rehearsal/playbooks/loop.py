"""One policy in one world: cases are opened week by week, worked on day by day, and counted."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pandas as pd

from features.churn import eligible_customers
from features.errors import ConflictError
from features.tables import Tables
from serving.playbooks.measures import CaseOutcomes
from serving.playbooks.outcomes import collect_outcomes, read_books
from serving.rehearsal.playbooks.knowledge import Knowledge
from serving.rehearsal.playbooks.levers import TASK_CENTS
from serving.rehearsal.playbooks.office import Contact
from serving.rehearsal.playbooks.policies import PlaybookPolicy
from serving.rehearsal.playbooks.stage import Stage
from serving.runtime import EngineParts
from serving.store.cases import OfferState
from training.world.acting.protocol import ActingWorld

_AT_HOUR: Final = timedelta(hours=7)  # UTC: noon in Almaty
_DAY: Final = timedelta(days=1)
_WEEK_DAYS: Final = 7


@dataclass(frozen=True)
class Span:
    """How long is acted and watched.

    Attributes:
        open_weeks: Weeks in which cases are opened, on the first day of each.
        horizon_days: Days after its opening that a case is watched.
    """

    open_weeks: int
    horizon_days: int

    @property
    def n_days(self) -> int:
        """Until the last case has been watched for as long."""
        return (self.open_weeks - 1) * _WEEK_DAYS + 1 + self.horizon_days


@dataclass(frozen=True)
class PlaybookRun:
    """What came of a policy in a world.

    Attributes:
        policy: Which.
        case: The world's.
        seed: The world's.
        n_customers: Who could be lost at the start.
        outcomes: Of its cases.
        contacts: Everybody who was spoken with.
        offer_cents: What offers that were taken cost, as the ledger has it.
        task_cents: People's time.
        disturbed: Of those who were spoken with, whom contact may drive away.
        share_disturbed: Of those who could be lost at the start.
        worth: Cents that hang on each of those, by customer_id.
        retained: Who of them was still a customer in the end.
        mrr_cents: Their monthly revenue at the start.
        seconds: It took.
    """

    policy: PlaybookPolicy
    case: str
    seed: int
    n_customers: int
    outcomes: CaseOutcomes
    contacts: tuple[Contact, ...]
    offer_cents: float
    task_cents: float
    disturbed: frozenset[str]
    share_disturbed: float
    worth: "pd.Series[float]"
    retained: "pd.Series[bool]"
    mrr_cents: "pd.Series[float]"
    seconds: float

    @property
    def cost_cents(self) -> float:
        """Offers and people's time."""
        return self.offer_cents + self.task_cents

    @property
    def net_cents(self) -> float:
        """True value of every contact, less all costs."""
        return sum(contact.true_cents for contact in self.contacts) - self.cost_cents


def rehearse_playbooks(
    policy: PlaybookPolicy,
    world: ActingWorld,
    *,
    parts: EngineParts,
    knowledge: Knowledge,
    span: Span,
    home: Path,
    case: str,
    seed: int,
) -> PlaybookRun:
    """Let a policy act in a world of its own, on a store of its own.

    Args:
        policy: Which.
        world: At its start; it is moved on.
        parts: Settings, prices, an empty store.
        knowledge: What was learned from the history.
        span: How long.
        home: Folder of its own.
        case: Name of the world's case.
        seed: Of the world, and of who picks anybody.
    """
    began = time.perf_counter()
    start = world.start
    stage = Stage.set_up(policy, world, parts=parts, knowledge=knowledge, home=home, seed=seed)
    before = pd.Series(eligible_customers(world.tables(start), as_of=start), dtype="str")
    for day in range(span.n_days if policy is not PlaybookPolicy.NOBODY else 0):
        now = start + day * _DAY + _AT_HOUR
        world.advance(now)
        if day % _WEEK_DAYS == 0:
            stage.look(now)
            if day // _WEEK_DAYS < span.open_weeks:
                stage.open(now)
        stage.live(now)
    end = start + span.n_days * _DAY + _AT_HOUR
    world.advance(end)
    return _count(
        policy,
        stage,
        before,
        end=end,
        span=span,
        case=case,
        seed=seed,
        seconds=time.perf_counter() - began,
    )


def _count(
    policy: PlaybookPolicy,
    stage: Stage,
    before: "pd.Series[str]",
    *,
    end: datetime,
    span: Span,
    case: str,
    seed: int,
    seconds: float,
) -> PlaybookRun:
    """What came of it, from the store, the tables and the world."""
    world, store = stage.world, stage.parts.store
    with store.reading() as session:
        books, faults = read_books(session), session.holds.find_faults()
    if faults:
        raise ConflictError(f"the ledger does not add up: {'; '.join(faults)}")
    tables = dict(world.tables(end))
    contacts = tuple(stage.office.contacts)
    spoken = pd.Series(sorted({one.customer_id for one in contacts}), dtype="str")
    disturbed = world.true_do_not_disturb(spoken)
    taken = [one for one in books.offers if one.state is OfferState.ACCEPTED]
    return PlaybookRun(
        policy=policy,
        case=case,
        seed=seed,
        n_customers=len(before),
        outcomes=collect_outcomes(
            books,
            tables,
            known_until=end,
            horizon_days=span.horizon_days,
            task_cents=TASK_CENTS,
        ),
        contacts=contacts,
        offer_cents=float(sum(one.cost_cents for one in taken)),
        task_cents=stage.office.task_cents,
        disturbed=frozenset(spoken[disturbed]),
        share_disturbed=float(world.true_do_not_disturb(before).mean()),
        worth=pd.Series(world.true_worth(before), index=before.to_numpy()),
        retained=pd.Series(
            before.isin(eligible_customers(tables, as_of=end)).to_numpy(), index=before.to_numpy()
        ),
        mrr_cents=_read_mrr(tables, before, at=world.start),
        seconds=seconds,
    )


def _read_mrr(
    tables: Tables, customer_ids: "pd.Series[str]", *, at: datetime
) -> "pd.Series[float]":
    """Monthly revenue of these customers at a moment."""
    rows = tables["subscriptions"]
    rows = rows[rows["valid_from"] < pd.Timestamp(at)].sort_values("valid_from", kind="stable")
    latest = rows.drop_duplicates("customer_id", keep="last").set_index("customer_id")["mrr_cents"]
    return latest.reindex(customer_ids.to_numpy()).astype("float64").fillna(0.0)
