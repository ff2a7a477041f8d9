"""Putting together what is known about each case, from the snapshot, the store and the request."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np

from features.churn import CHURN_FEATURES
from features.evidence import Evidence
from features.vocabulary import Channel, Trigger
from serving.online.live import LiveCustomer, read_live
from serving.policy.cases import (
    HOUR_US,
    NEVER_US,
    Cases,
    Contacts,
    Flags,
    Floats,
    Ints,
    Occasions,
    to_us,
)
from serving.policy.settings import CHANNELS, PolicySettings
from serving.records import DecisionRequest
from serving.snapshot.state import Snapshot
from serving.standing import Standing, read_standing
from serving.store.protocol import DecisionSession
from serving.store.reach import Withdrawal
from serving.store.store import StoredContact

_Values = TypeVar("_Values", Floats, Flags)

_UNKNOWN = -1
_STAKES = [
    CHURN_FEATURES.names.index(name) for name in ("mrr_cents", "orders_90d", "order_cents_90d")
]


class Addressee(NamedTuple):
    """To whom the words go, and what they may say; one of very many."""

    language: str
    first_name: str | None
    timezone: str
    evidence: Evidence
    segment: str | None = None


@dataclass(frozen=True)
class CaseBook:
    """Requests about different customers with everything that is known about them.

    Attributes:
        snapshot: What the server knows.
        requests: The requests.
        moments_us: Moment of each decision.
        rows: Row of each customer in the snapshot, or -1.
        consent: Consent after withdrawals, (n, 5).
        suppressed: Customers who complained, (n,).
        contacts: Notices of log and store together, by position of the request.
        live: Customers with a state, by position of the request: it knows more than the snapshot.
        standing: Consent to marketing, reach, and incidents.
    """

    snapshot: Snapshot
    requests: Sequence[DecisionRequest]
    moments_us: Ints
    rows: Ints
    consent: Flags
    suppressed: Flags
    contacts: Sequence[Sequence[StoredContact]]
    live: Mapping[int, LiveCustomer]
    standing: Standing

    @classmethod
    def read(
        cls,
        session: DecisionSession,
        snapshot: Snapshot,
        requests: Sequence[DecisionRequest],
        *,
        now: datetime,
        look_back_us: int,
        settings: PolicySettings,
    ) -> "CaseBook":
        """Look everything up, inside the transaction that will keep the decisions."""
        moments_us = np.array([to_us(r.decided_at or now) for r in requests], dtype=np.int64)
        ids = [request.customer_id for request in requests]
        row_of = snapshot.customers.row_of
        rows = np.array([row_of.get(customer_id, _UNKNOWN) for customer_id in ids], dtype=np.int64)
        live: dict[int, LiveCustomer] = {}
        if session.online is not None:
            live = read_live(session.online, snapshot, ids, moments_us=moments_us.tolist())
        consent = _read_consent(snapshot, requests, rows, live=live)
        refusals = session.find_refusals(ids)
        suppressed = _withdraw(consent, ids, refusals.withdrawals)
        standing = read_standing(
            session,
            snapshot,
            requests,
            rows,
            live=live,
            moments_us=moments_us,
            bounces=refusals.bounces,
            settings=settings,
        )
        stored: dict[str, list[StoredContact]] = defaultdict(list)
        since_us = int(moments_us.min()) - look_back_us
        for contact in session.find_contacts(ids, since_us=since_us):
            stored[contact.customer_id].append(contact)
        contacts = [
            _merge(snapshot.contacts_by_customer.get(customer_id, ()), stored.get(customer_id, ()))
            for customer_id in ids
        ]
        return cls(
            snapshot, requests, moments_us, rows, consent, suppressed, contacts, live, standing
        )

    def by_trigger(self) -> list[list[int]]:
        """Positions of the requests, one list per trigger."""
        groups: dict[Trigger, list[int]] = defaultdict(list)
        for position, request in enumerate(self.requests):
            groups[request.trigger].append(position)
        return list(groups.values())

    def cases(self, positions: Sequence[int]) -> Cases:
        """The cases at these positions, which share a trigger, in columns."""
        chosen = np.asarray(positions)
        requests = [self.requests[position] for position in positions]
        rows = self.rows[chosen]
        is_known = rows != _UNKNOWN
        numbers = self._numbers(positions)
        is_live = np.array([position in self.live for position in positions], dtype=bool)
        people = [self.addressees[position] for position in positions]
        return Cases(
            trigger=requests[0].trigger,
            customer_ids=tuple(request.customer_id for request in requests),
            decided_at_us=self.moments_us[chosen],
            timezones=tuple(person.timezone for person in people),
            segments=tuple(person.segment for person in people),
            languages=tuple(person.language for person in people),
            consent=self.consent[chosen],
            known=is_known | is_live | np.array([r.profile is not None for r in requests]),
            scored=is_known | is_live,
            suppressed=self.suppressed[chosen],
            nine_is_active=numbers.nine_is_active,
            engagement=numbers.engagement,
            week_counts=numbers.week_counts,
            contacts=_in_columns([self.contacts[p] for p in positions], requests[0].trigger),
            known_occasions=self._occasions(positions, numbers),
            marketing_consent=self.standing.marketing_consent[chosen],
            reachable=self.standing.reachable[chosen],
            pauses=self.standing.pauses(positions),
        )

    def _occasions(self, positions: Sequence[int], numbers: "_Numbers") -> Occasions:
        """What the requests say of their occasions, and what hangs on the customers."""
        requests = [self.requests[position] for position in positions]
        decided_us = self.moments_us[np.asarray(positions)]
        ages = [
            np.nan if r.began_at is None else max((now - to_us(r.began_at)) / HOUR_US, 0.0)
            for r, now in zip(requests, decided_us.tolist(), strict=True)
        ]
        ends = [NEVER_US if r.expires_at is None else to_us(r.expires_at) for r in requests]
        amounts = [np.nan if r.amount_cents is None else float(r.amount_cents) for r in requests]
        return Occasions(
            age_hours=np.array(ages, dtype=np.float64),
            expires_us=np.array(ends, dtype=np.int64),
            amount_cents=np.array(amounts, dtype=np.float64),
            mrr_cents=numbers.stakes[:, 0],
            orders=numbers.stakes[:, 1],
            order_cents=numbers.stakes[:, 2],
            p_churn=self.p_churn[np.asarray(positions)],
        )

    def _numbers(self, positions: Sequence[int]) -> "_Numbers":
        """Numbers of the snapshot, and over them those of customers with a state."""
        rows = self.rows[np.array(positions, dtype=np.int64)]
        customers = self.snapshot.customers
        numbers = _Numbers(
            _take(customers.nine_is_active, rows, unknown=True),
            _take(customers.engagement, rows, unknown=np.nan),
            _take(customers.week_counts, rows, unknown=0.0),
            _take(customers.churn[:, _STAKES], rows, unknown=np.nan),
        )
        for place, position in enumerate(positions):
            live = self.live.get(position)
            if live is not None:
                numbers.engagement[place] = live.engagement
                numbers.week_counts[place] = live.week_counts
                numbers.stakes[place] = live.churn[_STAKES]
                if live.profile is not None:
                    numbers.nine_is_active[place] = live.profile.nine_is_active
        return numbers

    @cached_property
    def p_churn(self) -> Floats:
        """Churn scores of the requests' customers, (n,); NaN where there is none."""
        known = self.rows != _UNKNOWN
        p = np.full(len(self.rows), np.nan)
        p[known] = self.snapshot.customers.p_churn[self.rows[known]]
        for position, live in self.live.items():
            p[position] = live.p_churn
        return p

    def find_features_us(self, *, unknown: int) -> Ints:
        """Moments of the customers' features, UTC microseconds, (n,)."""
        at = np.where(self.rows != _UNKNOWN, self.snapshot.as_of_us, unknown)
        for position, live in self.live.items():
            at[position] = live.as_of_us
        return at

    @cached_property
    def addressees(self) -> list[Addressee]:
        """To whom the message of each request would go."""
        return [self._find_addressee(position) for position in range(len(self.requests))]

    def _find_addressee(self, position: int) -> Addressee:
        request = self.requests[position]
        row = int(self.rows[position])
        live = self.live.get(position)
        if live is not None and (own := live.profile) is not None:
            return Addressee(
                own.language, own.first_name, own.timezone, request.evidence, own.segment
            )
        if row == _UNKNOWN:
            profile = request.profile
            if profile is None:
                return Addressee("en", None, "UTC", request.evidence)
            return Addressee(
                profile.language, profile.first_name, profile.timezone, request.evidence
            )
        customers = self.snapshot.customers
        return Addressee(
            customers.languages[row],
            customers.first_names[row],
            customers.timezones[row],
            request.evidence,
            customers.segments[row],
        )


@dataclass(frozen=True)
class _Numbers:
    """Numbers of some customers, row by row.

    Attributes:
        nine_is_active: Whether nine lies in the active hours, (n,).
        engagement: Features of the channel model, (n, features).
        week_counts: Activity by hour of the week, (n, 168).
        stakes: mrr_cents, orders_90d and order_cents_90d, (n, 3); NaN is unknown.
    """

    nine_is_active: Flags
    engagement: Floats
    week_counts: Floats
    stakes: Floats


def _take(values: _Values, rows: Ints, *, unknown: float) -> _Values:
    """Rows of the values; `unknown` throughout where a row is."""
    if not len(values):
        return np.full((len(rows), *values.shape[1:]), unknown, dtype=values.dtype)
    taken: _Values = values[np.where(rows == _UNKNOWN, 0, rows)]
    taken[rows == _UNKNOWN] = unknown
    return taken


def _read_consent(
    snapshot: Snapshot,
    requests: Sequence[DecisionRequest],
    rows: Ints,
    *,
    live: Mapping[int, LiveCustomer],
) -> Flags:
    """Consent by request and channel; a profile speaks for customers whom nobody knows."""
    consent = np.zeros((len(requests), len(CHANNELS)), dtype=bool)
    is_known = rows != _UNKNOWN
    consent[is_known] = snapshot.customers.consent[rows[is_known]]
    for position in np.flatnonzero(~is_known).tolist():
        profile = requests[position].profile
        if profile is not None:
            consent[position] = [channel in profile.consents for channel in Channel]
    for position, customer in live.items():
        if customer.profile is not None:
            consent[position] = customer.profile.consent
    return consent


def _withdraw(
    consent: Flags, customer_ids: Sequence[str], withdrawals: Iterable[Withdrawal]
) -> Flags:
    """Take withdrawn consents out, in place; who complained is suppressed, (n,)."""
    suppressed = np.zeros(len(customer_ids), dtype=bool)
    position_of = {customer_id: position for position, customer_id in enumerate(customer_ids)}
    for withdrawal in withdrawals:
        position = position_of[withdrawal.customer_id]
        consent[position, CHANNELS.index(withdrawal.channel)] = False
        suppressed[position] |= withdrawal.from_all
    return suppressed


def _merge(logged: Iterable[StoredContact], stored: Sequence[StoredContact]) -> list[StoredContact]:
    """Notices known from both sides, each once; opened when either side saw it opened."""
    if not stored:
        return list(logged)
    merged = {contact.decision_id: contact for contact in logged}
    for contact in stored:
        earlier = merged.get(contact.decision_id)
        if earlier is None or contact.opened:
            merged[contact.decision_id] = contact
    return list(merged.values())


def _in_columns(contacts: Sequence[Sequence[StoredContact]], trigger: Trigger) -> Contacts:
    flat = [(row, contact) for row, found in enumerate(contacts) for contact in found]
    if not flat:
        return Contacts.none()
    return Contacts(
        row=np.array([row for row, _ in flat], dtype=np.int64),
        at_us=np.array([contact.sent_at_us for _, contact in flat], dtype=np.int64),
        opened=np.array([contact.opened for _, contact in flat], dtype=bool),
        same_trigger=np.array([contact.trigger is trigger for _, contact in flat], dtype=bool),
    )
