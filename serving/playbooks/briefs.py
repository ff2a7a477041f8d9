"""What one should know of an account before calling: facts with their dates, no guesses."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from features.churn import CHURN_FEATURES
from features.contracts import CONTRACTS
from serving.copy.settings import CopySettings
from serving.moments import show_moment
from serving.online.facts import Fact
from serving.online.ledger import read_customers
from serving.playbooks.seen import Seen
from serving.policy.cases import from_us
from serving.risk.answer import find_reasons, find_signals
from serving.risk.words import choose_wording
from serving.snapshot.state import Snapshot
from serving.store.cases import CaseRow
from serving.store.store import StoreSession

_USAGE: Final = (
    "days_since_last_login",
    "logins_30d",
    "sessions_30d",
    "features_used_30d",
    "orders_90d",
    "plan_used_share",
    "nps",
)
"""Features that the part about usage shows; those that are null are left out."""

_TOLD: Final = {
    "subscriptions": ("plan", "status", "mrr_cents"),
    "tickets": ("topic", "resolved_at", "escalated"),
    "invoices": ("amount_cents", "due_at", "paid_at", "disputed"),
    "surveys": ("nps",),
    "orders": ("amount_cents", "delivered_at"),
}
"""Tables of the timeline, and the cells of theirs that it shows."""

_N_FACTS: Final = 15
_N_OPEN_TICKETS: Final = 10


def write_brief(
    session: StoreSession,
    case: CaseRow,
    seen: Seen,
    snapshot: Snapshot,
    *,
    copy_settings: CopySettings,
    language: str,
    zone: str,
    now: datetime,
) -> str:
    """A brief of an account as markdown; parts of which nothing is known say so.

    Names, addresses and texts of customers are not in it: only what tables count and date.

    Args:
        session: A transaction.
        case: About whom.
        seen: What is known of them.
        snapshot: Whose models tell the reasons.
        copy_settings: Currency, and which language stands in for another.
        language: Of the reasons.
        zone: IANA name of the clock of its moments; days are UTC's.
        now: Aware; nothing later is shown.
    """
    facts = _read_facts(session, case.customer_id, now=now)
    sections = [
        ("Risk", list(_tell_risk(seen, snapshot, copy_settings, language=language))),
        ("Plan", list(_tell_plan(facts, seen))),
        ("Usage", list(_tell_usage(seen))),
        ("Open tickets", list(_tell_tickets(facts))),
        ("Timeline, the newest first", list(_tell_timeline(facts))),
        ("Offered before", list(_tell_offers(session, case))),
    ]
    as_of = show_moment(now, zone=zone)
    head = f"Customer {case.customer_id}, as of {as_of}. Language {seen.language}."
    parts = [
        f"## {title}\n" + "\n".join(f"- {line}" for line in lines or ["nothing is known"])
        for title, lines in sections
    ]
    return "\n\n".join([head, *parts]) + "\n"


def _read_facts(session: StoreSession, customer_id: str, *, now: datetime) -> list[Fact]:
    """Facts that happened, the newest first; none where no history was rebuilt."""
    generation = session.online.current_generation()
    if generation is None:
        return []
    facts = read_customers(session.online, generation, [customer_id])[customer_id]
    happened = [fact for fact in facts if from_us(fact.moment_us) <= now]
    return sorted(happened, key=lambda fact: -fact.moment_us)


def _tell_risk(
    seen: Seen, snapshot: Snapshot, copy_settings: CopySettings, *, language: str
) -> Iterator[str]:
    model = snapshot.models.churn
    if model is None or seen.p_churn is None:
        return
    yield f"p {seen.p_churn:.2f} to be lost within 30 days, tier {seen.tier}"
    wording = choose_wording(language, settings=copy_settings)
    yield from (reason.words for reason in find_reasons(model, seen.churn, wording=wording))
    yield from (signal.words for signal in find_signals(seen.churn, wording=wording))


def _tell_plan(facts: Sequence[Fact], seen: Seen) -> Iterator[str]:
    current = next((fact for fact in facts if fact.table == "subscriptions"), None)
    if current is not None:
        yield f"{_say_cells(current)}, since {_day_of(current.moment_us)}"
    elif seen.mrr_cents is not None:
        yield f"{seen.mrr_cents / 100:,.2f} a month"


def _tell_usage(seen: Seen) -> Iterator[str]:
    units = {feature.name: feature.unit for feature in CHURN_FEATURES.features}
    for name in _USAGE:
        value = seen.churn[CHURN_FEATURES.names.index(name)]
        if not np.isnan(value):
            yield f"{name.replace('_', ' ')}: {value:,.1f} ({units[name]})"


def _tell_tickets(facts: Sequence[Fact]) -> Iterator[str]:
    newest: dict[str, Fact] = {}
    for fact in sorted(facts, key=lambda fact: -fact.knowable_us):
        if fact.table == "tickets":
            newest.setdefault(str(fact.row["ticket_id"]), fact)
    is_open = [fact for fact in newest.values() if "resolved_at" not in fact.row]
    for fact in sorted(is_open, key=lambda fact: fact.moment_us)[:_N_OPEN_TICKETS]:
        yield f"{fact.row['ticket_id']}, since {_day_of(fact.moment_us)}: {_say_cells(fact)}"


def _tell_timeline(facts: Sequence[Fact]) -> Iterator[str]:
    told = [fact for fact in facts if fact.table in _TOLD][:_N_FACTS]
    for fact in told:
        yield f"{_day_of(fact.moment_us)} {fact.table}: {_say_cells(fact)}"


def _tell_offers(session: StoreSession, case: CaseRow) -> Iterator[str]:
    for offer in session.cases.list_offers(customer_ids=[case.customer_id]):
        yield f"{offer.at:%Y-%m-%d} {offer.offer}: {offer.state}"


def _say_cells(fact: Fact) -> str:
    """The cells of a row that are not null, by the names of the table."""
    kinds = {column.name: column.kind for column in CONTRACTS[fact.table].columns}
    cells = []
    for name in _TOLD.get(fact.table, ()):
        if (value := fact.row.get(name)) is None:
            continue
        if name.endswith("_cents"):
            shown = f"{float(value) / 100:,.2f}"
        elif kinds[name].value in ("time", "date"):
            shown = _day_of(int(value))
        else:
            shown = str(value)
        cells.append(f"{name.removesuffix('_cents').replace('_', ' ')} {shown}")
    return ", ".join(cells) or "no more is known"


def _day_of(moment_us: int) -> str:
    return f"{from_us(moment_us):%Y-%m-%d}"
