"""Writing to those affected: through the engine, with its guards, once per customer and stage."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from features.vocabulary import Trigger
from serving.assemble import CaseBook
from serving.audit.entries import EntryKind
from serving.autopilot.acting.context import ACTOR, IncidentContext
from serving.autopilot.acting.updates import LANGUAGES, Credit, Stage, write_update
from serving.copy.languages import choose_language
from serving.corridor.actions import ActionRequest
from serving.decide import LOOK_BACK_US, Engine
from serving.moments import show_moment
from serving.policy.cases import to_us
from serving.records import Decision, DecisionRequest
from serving.store.amends import ConfirmedCause
from serving.store.bursts import BurstRow
from serving.store.letters import Letter
from serving.store.store import StoreSession
from serving.workflows.actions import Acted

SENT = "sent"
WRITE = "message_customers"

_NOTED_AT_ONCE = 25
_JOINED = Stage.CHECKING  # whoever complains until such letters go out is told with the others


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the letters of one action.

    Attributes:
        n_sent: Customers for whom a message is planned now.
        n_refused: Customers to whom the engine does not write: guards, arms, or nothing chosen.
        first_at: When the first message goes out; None where there is none.
        cents: What sending costs, in hundredths of the engine's currency.
        currency: That of the engine.
    """

    n_sent: int
    n_refused: int
    first_at: datetime | None
    cents: float
    currency: str


def plan_letters(
    session: StoreSession,
    *,
    context: IncidentContext,
    burst: BurstRow,
    stage: str,
    action_id: str,
    customer_ids: Sequence[str],
) -> ActionRequest | None:
    """Keep whom an action will write to, and ask the corridor for it; None: nobody is left.

    Args:
        session: A transaction that writes.
        context: The incident.
        burst: As it stands.
        stage: What is to be said, as letters are kept by it: a `Stage`, or `name_cause`.
        action_id: Of the action.
        customer_ids: Who might be told; those who are told at that stage already are left out.
    """
    fresh = _list_untold(session, context=context, stage=stage, customer_ids=customer_ids)
    rules = context.pilot.settings.messages
    fresh = fresh[: rules.most_at_once]
    if not fresh:
        return None
    session.letters.add(
        Letter(context.workflow_id, stage, customer_id, action_id) for customer_id in fresh
    )
    n = (
        min(rules.most_at_once, len(fresh) + rules.room_for_more)
        if stage == _JOINED
        else len(fresh)
    )
    return context.request(
        action_id,
        WRITE,
        branch=burst.branch,
        amount_cents=n * rules.cents,
        is_reversible=False,
    )


def name_cause(cause: ConfirmedCause) -> str:
    """The stage of letters about a cause: each time that one is confirmed has its own."""
    return f"{Stage.CAUSE}/{to_us(cause.at)}"


def find_stage(letter: Letter) -> Stage:
    """What is said in a letter.

    >>> find_stage(Letter("incident/i7", "cause/1784034120000000", "c1", "a"))
    <Stage.CAUSE: 'cause'>
    """
    return Stage(letter.stage.partition("/")[0])


def list_affected(session: StoreSession, *, context: IncidentContext) -> list[str]:
    """Known customers who complained."""
    return [one.customer_id for one in session.bursts.affected(context.incident_id)]


def send_letters(
    request: ActionRequest, *, context: IncidentContext, now: datetime, credit: Credit | None = None
) -> Sent:
    """Write to all whom an action is for; asked again, nobody is written to twice.

    Args:
        request: The action.
        context: The incident.
        now: Aware.
        credit: Of letters of that stage.
    """
    engine = context.parts.engine()
    with context.parts.store.transaction() as session:
        _join(session, request, context=context)
        letters = session.letters.find_by(request.action_id)
        fresh = [letter for letter in letters if letter.request is None]
        asked = _ask(session, fresh, context=context, engine=engine, now=now, credit=credit)
        session.letters.set_requests(list(zip(fresh, asked, strict=True)))
        letters = session.letters.find_by(request.action_id)
    requests = [letter.request for letter in letters if letter.request is not None]
    decisions = engine.decide_many(requests)
    with context.parts.store.transaction() as session:
        if any(letter.decision_id is None for letter in letters):
            _note_decisions(session, decisions, context=context, now=now)
        for letter, decision in zip(letters, decisions, strict=True):
            reason = SENT if decision.send else decision.reason.value
            session.letters.set_decision(letter, decision_id=decision.decision_id, reason=reason)
    return _sum_up(decisions, currency=engine.copy_settings.currency)


def write_letters(request: ActionRequest, *, context: IncidentContext, now: datetime) -> Acted:
    """Write to all whom an action is for; what it cost.

    The engine's prices count where they are of the corridor's currency; elsewhere what was set
    aside for each who is written to.
    """
    sent = send_letters(request, context=context, now=now)
    aside = sent.n_sent * context.pilot.settings.messages.cents
    cost = ceil(sent.cents) if sent.currency == request.currency else aside
    words = f"writes to {sent.n_sent} customers; {sent.n_refused} are not written to"
    if sent.first_at is not None and sent.first_at > now:
        first = show_moment(sent.first_at, zone=context.parts.zone)
        words += f"; nothing goes out before {first} (quiet hours, or the policy's delay)"
    return Acted(cost, words)


def unsend_letters(request: ActionRequest, *, context: IncidentContext, now: datetime) -> None:
    """Cancel what an action planned and nobody has sent yet; asked again, nothing changes."""
    with context.parts.store.transaction() as session:
        letters = session.letters.find_by(request.action_id)
        asked = [letter.request for letter in letters if letter.request is not None]
        decisions = session.find_by_keys(asked).values()
        messages = [message.message_id for one in decisions for message in one.messages]
        if messages:
            session.cancel(messages, at=now)


def find_languages(
    session: StoreSession, customer_ids: Sequence[str], *, engine: Engine, now: datetime
) -> dict[str, str]:
    """The language in which the engine writes to each customer: the stored one counts."""
    requests = [
        DecisionRequest(customer_id=one, trigger=Trigger.INCIDENT_UPDATE) for one in customer_ids
    ]
    if not requests:
        return {}
    book = CaseBook.read(
        session,
        engine.snapshot,
        requests,
        now=now,
        look_back_us=LOOK_BACK_US,
        settings=engine.settings,
    )
    return {
        customer_id: choose_language(
            person.language,
            available=dict.fromkeys(LANGUAGES),
            fallbacks=engine.copy_settings.language_fallbacks,
        )
        for customer_id, person in zip(customer_ids, book.addressees, strict=True)
    }


def _join(session: StoreSession, request: ActionRequest, *, context: IncidentContext) -> None:
    """Who has complained since the plan is told with the others, as far as money was held."""
    letters = session.letters.find_by(request.action_id)
    is_first = all(letter.request is None for letter in letters)
    if request.kind != WRITE or not is_first or not letters or letters[0].stage != _JOINED:
        return
    room = request.amount_cents // max(1, context.pilot.settings.messages.cents) - len(letters)
    affected = list_affected(session, context=context)
    untold = _list_untold(session, context=context, stage=_JOINED, customer_ids=affected)
    session.letters.add(
        Letter(context.workflow_id, _JOINED.value, customer_id, request.action_id)
        for customer_id in untold[: max(0, room)]
    )


def _list_untold(
    session: StoreSession,
    *,
    context: IncidentContext,
    stage: str,
    customer_ids: Sequence[str],
) -> list[str]:
    """Customers to whom no action writes at that stage."""
    letters = session.letters.find_of(context.workflow_id)
    told = {one.customer_id for one in letters if one.stage == stage}
    return [customer_id for customer_id in customer_ids if customer_id not in told]


def _ask(
    session: StoreSession,
    letters: Sequence[Letter],
    *,
    context: IncidentContext,
    engine: Engine,
    now: datetime,
    credit: Credit | None,
) -> list[DecisionRequest]:
    """What the engine is asked about each, in the words of the customer's language."""
    burst = context.read_burst(session)
    confirmed = session.amends.find_cause(context.workflow_id)
    languages = find_languages(
        session, [one.customer_id for one in letters], engine=engine, now=now
    )
    return [
        DecisionRequest(
            customer_id=letter.customer_id,
            trigger=Trigger.INCIDENT_UPDATE,
            evidence=write_update(
                context.pilot.updates,
                burst.topic,
                stage=find_stage(letter),
                language=engine.library.languages[languages[letter.customer_id]],
                cause=None if confirmed is None else confirmed.cause,
                credit=credit,
            ),
            idempotency_key=_name_key(letter),
            began_at=burst.since,
        )
        for letter in letters
    ]


def _note_decisions(
    session: StoreSession, decisions: Sequence[Decision], *, context: IncidentContext, now: datetime
) -> None:
    """Whom was written what, by its record, for the log: from there the rest can be traced."""
    updates = context.pilot.updates
    for start in range(0, len(decisions), _NOTED_AT_ONCE):
        some = decisions[start : start + _NOTED_AT_ONCE]
        told = ", ".join(f"{one.customer_id} {one.variant or one.reason.value}" for one in some)
        session.audit.append(
            EntryKind.ACTION,
            context.workflow_id,
            {
                "decisions": [one.decision_id for one in some],
                "words_version": updates.version,
                "words_approved_by": updates.approved_by,
            },
            by=ACTOR,
            at=now,
            words=f"writes: {told}"[:1_900],
        )


def _name_key(letter: Letter) -> str:
    """The key by which a customer is told something about an incident once, however long names are.

    >>> _name_key(Letter("incident/i7", "over", "c1", "a"))
    'incident/283fbbdf678a240807805254/over'
    """
    named = "\n".join((letter.subject, letter.customer_id))
    digest = hashlib.blake2b(named.encode(), digest_size=12).hexdigest()
    return f"incident/{digest}/{letter.stage}"


def _sum_up(decisions: Sequence[Decision], *, currency: str) -> Sent:
    sent = [decision for decision in decisions if decision.send]
    cents = sum(message.cost_cents for decision in sent for message in decision.messages)
    first_at = min((one.send_at for one in sent if one.send_at is not None), default=None)
    return Sent(len(sent), len(decisions) - len(sent), first_at, cents, currency)
