"""News about bursts written down: incidents, the log, and what workflows are told."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from serving.audit.entries import Body, EntryKind
from serving.autopilot.acting.topics import ENDED, GREW, KIND
from serving.autopilot.detection.bursts import Burst, BurstEnded, BurstGrew, EndReason
from serving.autopilot.detection.links import Complaining, explain
from serving.autopilot.inbound.taxonomy import Taxonomy
from serving.autopilot.watch.known import Directory
from serving.lines import put_on_one_line
from serving.masking import mask_personal_data
from serving.moments import show_moment
from serving.policy.cases import from_us, to_us
from serving.store.bursts import BurstComplaint, BurstRow, BurstState, Link, NewBurst
from serving.store.inbound import ArrivedMessage, Reading
from serving.store.store import StoreSession

_BY: Final = "watcher"
_MOST_QUOTED: Final = 3
_MOST_QUOTE: Final = 300
_RELINKED: Final = 20  # customers up to whom each one is asked about, then so many at a time


def name_incident(burst_id: str, *, topic: str, since: datetime) -> str:
    """An identity fit for addresses and files: the same in every replay.

    >>> name_incident("Abay 10/heat/17", topic="heat", since=datetime(2026, 7, 14, tzinfo=UTC))
    'heat-20260714-56771984'
    """
    digest = hashlib.sha256(burst_id.encode()).hexdigest()[:8]
    return f"{topic}-{since.astimezone(UTC):%Y%m%d}-{digest}"


def name_workflow(incident_id: str) -> str:
    """The workflow of an incident; its rows in log and corridor are under the same name."""
    return f"{KIND}/{incident_id}"


@dataclass(frozen=True)
class Scribe:
    """Writes in one transaction.

    Attributes:
        session: The transaction.
        taxonomy: Of the business.
        directory: Of customers.
        zone: IANA name of the chain's zone.
        now: This moment.
    """

    session: StoreSession
    taxonomy: Taxonomy
    directory: Directory
    zone: str
    now: datetime

    def begin(self, burst: Burst) -> None:
        """A burst was seen: the incident, its complaints, its log, its workflow."""
        since = from_us(burst.first_at_us)
        incident_id = name_incident(burst.burst_id, topic=burst.stream.topic, since=since)
        new = NewBurst(
            incident_id=incident_id,
            burst_id=burst.burst_id,
            branch=burst.stream.branch,
            topic=burst.stream.topic,
            seen_at=from_us(burst.detected_at_us),
            since=since,
            n_usual=burst.n_usual,
            per_day=burst.per_day,
            score=burst.score,
            threshold=burst.threshold,
            alarms_per_week=burst.chance_per_week,
            is_assumed=burst.is_assumed,
        )
        messages = self.session.inbound.find_many(burst.message_ids)
        readings = self.session.inbound.find_readings(burst.message_ids)
        complaints = [
            make_complaint(one, readings[one.message.inbound_id])
            for one in messages
            if one.message.inbound_id in readings
        ]
        if not self.session.bursts.open(new, complaints):
            return
        self._log_begin(self._read(incident_id), messages)
        self._relink(incident_id)
        workflow_id = name_workflow(incident_id)
        given = json.dumps({"incident_id": incident_id})
        self.session.flows.start(
            workflow_id, kind=KIND, subject=workflow_id, given_json=given, at=self.now
        )

    def add(self, burst_id: str, complaint: BurstComplaint, *, topic: str) -> None:
        """One more complaint of a burst that goes on, whoever wrote it."""
        if (incident_id := self._find(burst_id, topic)) is not None:
            self.session.bursts.grow(incident_id, [complaint])

    def grow(self, grew: BurstGrew, *, topic: str) -> None:
        """One more customer complains: the log, and the workflow is told."""
        incident_id = self._find(grew.burst_id, topic)
        if incident_id is None:
            return
        if grew.n_customers <= _RELINKED or grew.n_customers % _RELINKED == 0:
            self._relink(incident_id)
        body: Body = {"n_customers": grew.n_customers, "inbound_id": grew.message_id}
        self._tell(incident_id, GREW, key=f"{GREW}/{grew.message_id}", body=body)
        words = f"one more customer complains, {grew.n_customers} in all"
        self._log(incident_id, words, n_customers=grew.n_customers)

    def end(self, ended: BurstEnded, *, topic: str) -> None:
        """Complaints are as rare as usual again."""
        incident_id = self._find(ended.burst_id, topic)
        if incident_id is not None:
            self.close(incident_id, at=from_us(ended.ended_at_us), reason=ended.reason)

    def is_closed(self, burst_id: str, *, topic: str) -> bool:
        """Whether the incident of a burst is closed, as by somebody who does not wait."""
        row = self._find_row(burst_id, topic)
        return row is not None and row.state is BurstState.CLOSED

    def close(self, incident_id: str, *, at: datetime, reason: EndReason) -> None:
        """The complaints of an incident are over; its workflow is told, once."""
        if not self.session.bursts.end(incident_id, at=at, reason=reason.value):
            return
        body: Body = {"reason": reason.value, "ended_at": at.isoformat()}
        self._tell(incident_id, ENDED, key=ENDED, body=body)
        why = {
            EndReason.SILENCE: "complaints are as rare as usual again",
            EndReason.STALE: "it goes on for so long that it is the new usual",
            EndReason.UNWATCHED: "its topic or branch is watched no more",
            EndReason.CLOSED: "the incident was closed",
        }
        self._log(incident_id, f"over: {why[reason]}", reason=reason.value)

    def _read(self, incident_id: str) -> BurstRow:
        """An incident that is there."""
        row = self.session.bursts.find(incident_id)
        if row is None:
            raise AssertionError(f"incident {incident_id} was written before it is read")
        return row

    def _relink(self, incident_id: str) -> None:
        """What may be behind it, as it is known now, with whoever complains by now."""
        row = self._read(incident_id)
        known = self.directory.look_up(self.session, row.customer_ids)
        found = explain(
            Complaining(row.customer_ids, to_us(row.since), to_us(self.now)),
            explained_by=self.taxonomy.explained_by(row.topic),
            regions=known.customers.regions,
            disruptions=known.disruptions,
            delays=known.delays,
        )
        links = tuple(
            Link(one.trigger, one.subject, one.n_touched, one.n_customers) for one in found
        )
        if links != row.seen.links:
            self.session.bursts.set_links(incident_id, links)
            for link in links:
                subject = put_on_one_line(link.subject[:200])
                words = (
                    f"may be behind it: {link.trigger} {subject}, which touches"
                    f" {link.n_touched} of {link.n_customers}; a hypothesis"
                )
                body = {"trigger": link.trigger.value, "subject": subject}
                self.session.audit.append(
                    EntryKind.THOUGHT,
                    name_workflow(incident_id),
                    body,
                    by=_BY,
                    at=self.now,
                    words=words,
                )

    def _log_begin(self, row: BurstRow, messages: list[ArrivedMessage]) -> None:
        seen = row.seen
        title = self.taxonomy.title_of(row.topic)
        usual = "assumed" if seen.is_assumed else "learned"
        words = (
            f"{len(row.customer_ids)} customers complain about {title} in {row.branch} since"
            f" {show_moment(row.since, zone=self.zone)}; {seen.n_usual:.2g} were to be expected"
            f" ({usual}); chance brings as much {row.how_often} in the whole chain"
        )
        names = self.directory.first_names
        # Masked before it is cut: half a number has no form that is known.
        quotes = [
            mask_personal_data(
                one.message.text,
                names=[names[who]] if (who := one.message.customer_id) in names else [],
            )[:_MOST_QUOTE]
            for one in messages[:_MOST_QUOTED]
        ]
        self.session.audit.append(
            EntryKind.OBSERVATION,
            name_workflow(row.incident_id),
            {
                "branch": row.branch[:200],
                "topic": row.topic,
                "n_customers": len(row.customer_ids),
                "alarms_per_week": seen.alarms_per_week,
                "score": seen.score,
                "threshold": seen.threshold,
                "severity": row.severity.value,
                "messages": [one.message.inbound_id for one in messages],
            },
            by=_BY,
            at=self.now,
            words=put_on_one_line(words[:1_000]),
            quote=put_on_one_line(" | ".join(quotes)),
        )

    def _log(self, incident_id: str, words: str, **body: str | int) -> None:
        self.session.audit.append(
            EntryKind.OBSERVATION,
            name_workflow(incident_id),
            body,
            by=_BY,
            at=self.now,
            words=words,
        )

    def _tell(self, incident_id: str, topic: str, *, key: str, body: Body) -> None:
        self.session.flows.signal(
            name_workflow(incident_id),
            topic=topic,
            at=self.now,
            key=key,
            body_json=json.dumps(body),
        )

    def _find(self, burst_id: str, topic: str) -> str | None:
        """Which incident a burst is; None where nobody has written of it."""
        row = self._find_row(burst_id, topic)
        return None if row is None else row.incident_id

    def _find_row(self, burst_id: str, topic: str) -> BurstRow | None:
        since = from_us(int(burst_id.rpartition("/")[2]))
        return self.session.bursts.find(name_incident(burst_id, topic=topic, since=since))


def make_complaint(arrived: ArrivedMessage, reading: Reading) -> BurstComplaint:
    """A message as a complaint of an incident."""
    message = arrived.message
    return BurstComplaint(
        inbound_id=message.inbound_id,
        customer_id=message.customer_id if reading.is_known else None,
        language=reading.triaged.language,
        severity=reading.triaged.severity,
        at=message.at,
    )
