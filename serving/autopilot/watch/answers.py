"""Incidents as they are told over HTTP: where they stand, and what happened when."""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from features.vocabulary import Trigger
from serving.autopilot.inbound.mood import Severity
from serving.autopilot.watch.books import name_workflow
from serving.policy.cases import from_us
from serving.records import Key, UtcDatetime
from serving.store.bursts import BurstRow, BurstState
from serving.store.store import StoreSession


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class IncidentQuestion(_Frozen):
    """Which incidents; those that are open and recent ones where nothing is said.

    Attributes:
        incident_id: Only this one.
        only_open: Only those that are not closed.
        days: What was seen so long ago is recent.
        limit: At most so many, the newest first.
    """

    incident_id: Key | None = None
    only_open: bool = False
    days: int = Field(default=7, ge=0, le=3_650)
    limit: int = Field(default=20, ge=1, le=200)


class ToldLink(_Frozen):
    """Something known that touches those who complain: a hypothesis."""

    trigger: Trigger
    subject: str
    n_touched: int
    n_customers: int


class ToldMoment(_Frozen):
    """A line of the log about an incident; what customers said is masked in it."""

    at: UtcDatetime
    kind: str
    by: str
    words: str


class ToldIncident(_Frozen):
    """An incident.

    Attributes:
        incident_id: Its identity.
        workflow_id: Of the workflow that answers it, and of its lines in log and corridor.
        branch: Where.
        topic: About what.
        state: How far the answer to it has come.
        severity: By the words of those who complain.
        since: The first complaint.
        seen_at: When it was seen.
        last_at: The last complaint.
        ended_at: When it was clear that complaints are as rare as usual again; null until then.
        end_reason: Why that was clear.
        n_customers: Known customers who complained.
        n_messages: Their complaints.
        n_strangers: Complaints of others, which did not count.
        languages: Complaints by language.
        alarms_per_week: How often chance brings as much, somewhere in the chain.
        how_often: The same in words.
        is_assumed: Whether what is usual was assumed, not learned from history.
        links: What may be behind it.
        report: Words it was closed with; empty until then.
        timeline: What happened when.
    """

    incident_id: str
    workflow_id: str
    branch: str
    topic: str
    state: BurstState
    severity: Severity
    since: UtcDatetime
    seen_at: UtcDatetime
    last_at: UtcDatetime
    ended_at: UtcDatetime | None
    end_reason: str | None
    n_customers: int
    n_messages: int
    n_strangers: int
    languages: dict[str, int]
    alarms_per_week: float
    how_often: str
    is_assumed: bool
    links: list[ToldLink]
    report: str
    timeline: list[ToldMoment]


class IncidentAnswer(_Frozen):
    """Incidents, the newest first."""

    incidents: list[ToldIncident]


def answer_incidents(
    session: StoreSession, question: IncidentQuestion, *, now: datetime
) -> IncidentAnswer:
    """What is asked for; an identity that nobody knows is answered by an empty list."""
    if question.incident_id is not None:
        found = session.bursts.find(question.incident_id)
        rows = [] if found is None else [found]
    else:
        since = now - timedelta(days=question.days)
        rows = list(
            session.bursts.list(only_open=question.only_open, since=since, limit=question.limit)
        )
    return IncidentAnswer(incidents=[_tell(session, row) for row in rows])


def _tell(session: StoreSession, row: BurstRow) -> ToldIncident:
    workflow_id = name_workflow(row.incident_id)
    return ToldIncident(
        incident_id=row.incident_id,
        workflow_id=workflow_id,
        branch=row.branch,
        topic=row.topic,
        state=row.state,
        severity=row.severity,
        since=row.since,
        seen_at=row.seen_at,
        last_at=row.last_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        n_customers=len(row.customer_ids),
        n_messages=row.n_messages,
        n_strangers=row.n_strangers,
        languages=dict(row.languages),
        alarms_per_week=row.seen.alarms_per_week,
        how_often=row.how_often,
        is_assumed=row.seen.is_assumed,
        links=[
            ToldLink(
                trigger=one.trigger,
                subject=one.subject,
                n_touched=one.n_touched,
                n_customers=one.n_customers,
            )
            for one in row.seen.links
        ],
        report=row.report,
        timeline=[
            ToldMoment(at=from_us(one.at_us), kind=one.kind, by=one.by, words=one.words)
            for one in session.audit.read(subject=workflow_id)
        ],
    )
