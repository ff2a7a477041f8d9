"""What an incident came to: who was told what, by whose words, at what cost, and what is open."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from serving.autopilot.acting.context import IncidentContext
from serving.autopilot.acting.pausing import STAGE as PAUSE
from serving.autopilot.acting.visits import find_visitors
from serving.autopilot.acting.writing import SENT, find_stage
from serving.corridor.actions import ActionState
from serving.corridor.held import Held
from serving.store.amends import AskState
from serving.store.bursts import BurstRow
from serving.store.store import StoreSession

_SHIPPED = "shipped"  # who approved the texts that come with Opportune
_STANDING = frozenset({AskState.OFFERED, AskState.BOOKED, AskState.CONFIRMED})
_OPEN = frozenset({ActionState.WAITING, ActionState.CLAIMED})


def write_report(session: StoreSession, *, context: IncidentContext, now: datetime) -> str:
    """The report for people, on the owner's clock and in the owner's language."""
    burst = context.read_burst(session)
    heads = context.pilot.words.report.heads
    holds = session.holds.find_of(context.workflow_id)
    parts = (
        (heads.when, _tell_when(context, burst, now=now)),
        (heads.who, _tell_letters(session, context, holds)),
        (heads.help, _tell_help(session, context)),
        (heads.money, _tell_money(session, context, holds)),
        (heads.said, _tell_words(session, context, holds)),
        (heads.unknown, _tell_unknown(session, context, burst)),
    )
    return "\n\n".join(_write_part(head, lines) for head, lines in parts)


def _write_part(head: str, lines: Iterable[str]) -> str:
    return "\n".join([head, *(f"- {line}" for line in lines)])


def _tell_when(context: IncidentContext, burst: BurstRow, *, now: datetime) -> Iterator[str]:
    words = context.pilot.words.report
    ended = words.not_ended
    if burst.ended_at is not None:
        ended = words.ended.format(ended=context.show_moment(burst.ended_at))
    yield words.when.format(
        since=context.show_moment(burst.since),
        seen=context.show_moment(burst.seen_at),
        ended=ended,
        closed=context.show_moment(now),
    )
    yield context.pilot.words.clock.format(zone=context.parts.zone)
    yield words.size.format(n=len(burst.customer_ids), strangers=burst.n_strangers)


def _tell_letters(
    session: StoreSession, context: IncidentContext, holds: list[Held]
) -> Iterator[str]:
    letters = [one for one in session.letters.find_of(context.workflow_id) if one.stage != PAUSE]
    words = context.pilot.words
    if not letters:
        yield words.report.nobody
    states = {held.request.action_id: held.state for held in holds}
    asked = [letter.request for letter in letters if letter.request is not None]
    decisions = {one.decision_id: one for one in session.find_by_keys(asked).values()}
    approvers = session.find_approvers(one.variant for one in decisions.values() if one.variant)
    for letter in letters:
        what = words.updates[find_stage(letter)]
        decision = decisions.get(letter.decision_id or "")
        if decision is None or letter.reason != SENT:
            state = states.get(letter.action_id, ActionState.RELEASED)
            why = letter.reason or words.states[state]
            yield words.report.not_written.format(customer=letter.customer_id, what=what, why=why)
            continue
        updates = context.pilot.updates
        yield words.report.written.format(
            customer=letter.customer_id,
            what=what,
            channels=", ".join(decision.channels),
            language="" if decision.content is None else decision.content.language,
            decision=decision.decision_id,
            variant=decision.variant,
            approver=approvers.get(decision.variant or "", _SHIPPED) or words.report.no_approver,
            version=updates.version,
            update_approver=updates.approved_by,
        )


def _tell_help(session: StoreSession, context: IncidentContext) -> Iterator[str]:
    words = context.pilot.words
    asks = session.amends.find_asks(context.workflow_id)
    if not asks:
        yield words.report.nobody
    for ask in asks:
        line = words.report.vendor.format(vendor=ask.vendor_name, state=words.states[ask.state])
        if ask.state in _STANDING and ask.price_cents is not None:
            amount = context.write_money(ask.price_cents)
            line += words.report.offer.format(amount=amount, eta=ask.eta_minutes)
        yield line


def _tell_money(
    session: StoreSession, context: IncidentContext, holds: list[Held]
) -> Iterator[str]:
    credits_ = [
        one for one in session.amends.find_credits(context.workflow_id) if one.revoked_at is None
    ]
    open_holds = [held for held in holds if held.state in _OPEN]
    yield context.pilot.words.report.spent.format(
        spent=context.write_money(sum(held.settled_cents or 0 for held in holds)),
        held=context.write_money(sum(held.request.amount_cents for held in open_holds)),
        n=len(credits_),
        credits=context.write_money(sum(one.amount_cents for one in credits_)),
    )


def _tell_words(
    session: StoreSession, context: IncidentContext, holds: list[Held]
) -> Iterator[str]:
    """What became of each action, and who said what about it."""
    words = context.pilot.words
    for held in holds:
        name = held.request.action_id.removeprefix(f"{context.workflow_id}/")
        yield words.report.action.format(action=name, state=words.states[held.state])
        for said in session.holds.find_words(held.request.action_id):
            yield words.report.word.format(
                by=said.by, role=said.role, word=said.word.value, action=name
            )
    cause = session.amends.find_cause(context.workflow_id)
    if cause is not None:
        yield words.report.cause.format(cause=cause.cause, by=cause.by)


def _tell_unknown(
    session: StoreSession, context: IncidentContext, burst: BurstRow
) -> Iterator[str]:
    words = context.pilot.words.report
    if session.amends.find_cause(context.workflow_id) is None:
        yield words.no_cause
    affected = session.bursts.affected(context.incident_id)
    rules = context.pilot.settings.compensation
    seen = find_visitors(session, affected, branch=burst.branch, rules=rules)
    if len(seen) < len(affected):
        yield words.no_visit.format(n=len(affected) - len(seen))
    if burst.ended_at is None:
        yield words.unsaid
