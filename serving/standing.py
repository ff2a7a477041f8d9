"""How customers stand beside their consent: marketing, reach, and incidents around them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.vocabulary import Channel
from serving.online.live import LiveCustomer
from serving.policy.cases import DAY_US, NEVER_US, Flags, Ints, Pauses
from serving.policy.settings import CHANNELS, PolicySettings, Reach
from serving.records import DecisionRequest
from serving.snapshot.state import Snapshot
from serving.store.incidents import Incident
from serving.store.protocol import DecisionSession
from serving.store.reach import Bounce


@dataclass(frozen=True)
class Standing:
    """How the customers of some requests stand, by position of the request.

    Attributes:
        marketing_consent: Consent to marketing by channel, (n, 5).
        reachable: Channels that a message can arrive on, (n, 5).
        incidents: Incidents that touch each customer.
    """

    marketing_consent: Flags
    reachable: Flags
    incidents: Sequence[Sequence[Incident]]

    def pauses(self, positions: Sequence[int]) -> Pauses:
        """When marketing rests for the requests at these positions."""
        found = [
            (row, incident)
            for row, position in enumerate(positions)
            for incident in self.incidents[position]
        ]
        if not found:
            return Pauses.none()
        ends = [NEVER_US if one.ends_at_us is None else one.ends_at_us for _, one in found]
        return Pauses(
            np.array([row for row, _ in found], dtype=np.int64),
            np.array([one.starts_at_us for _, one in found], dtype=np.int64),
            np.array(ends, dtype=np.int64),
        )


def read_standing(
    session: DecisionSession,
    snapshot: Snapshot,
    requests: Sequence[DecisionRequest],
    rows: Ints,
    *,
    live: Mapping[int, LiveCustomer],
    moments_us: Ints,
    bounces: Iterable[Bounce],
    settings: PolicySettings,
) -> Standing:
    """Look up how customers stand, inside the transaction that will keep the decisions.

    Args:
        session: Of that transaction.
        snapshot: What the server knows.
        requests: About different customers.
        rows: Row of each customer in the snapshot; below 0 where it has none, (n,).
        live: Customers with a state, by position of the request.
        moments_us: Moment of each decision, (n,).
        bounces: Of these customers.
        settings: The policy.
    """
    answers = _read_answers(snapshot, requests, rows, live=live)
    reachable = _read_reach(requests, rows, live=live)
    _close_bounced(reachable, requests, bounces, moments_us=moments_us, reach=settings.reach)
    ids = [request.customer_id for request in requests]
    incidents = session.find_incidents(ids, since_us=int(moments_us.min()))
    touching: list[Sequence[Incident]] = [()] * len(requests)
    if incidents:
        regions = _read_regions(snapshot, rows, live=live)
        touching = [
            [one for one in incidents if one.touches(customer_id, region=region)]
            for customer_id, region in zip(ids, regions, strict=True)
        ]
    return Standing(_agrees(answers, settings.marketing_consent), reachable, touching)


def _agrees(answers: Ints, mode: Literal["channel", "own"]) -> Flags:
    """Consent from answers of yes (1), no (0) and none (-1), (n, 5).

    Where consent to the channel covers marketing, only a no speaks against it; where marketing
    needs a yes of its own, nothing else will do.
    """
    return np.asarray(answers == 1) if mode == "own" else np.asarray(answers != 0)


def _read_answers(
    snapshot: Snapshot,
    requests: Sequence[DecisionRequest],
    rows: Ints,
    *,
    live: Mapping[int, LiveCustomer],
) -> Ints:
    """What customers said to marketing by channel, (n, 5): yes (1), no (0), nothing (-1)."""
    answers = np.full((len(requests), len(CHANNELS)), -1, dtype=np.int64)
    is_known = rows >= 0
    answers[is_known] = snapshot.customers.marketing_answers[rows[is_known]]
    for position in np.flatnonzero(~is_known).tolist():
        profile = requests[position].profile
        if profile is not None and profile.marketing_consents is not None:
            answers[position] = [channel in profile.marketing_consents for channel in Channel]
    for position, customer in live.items():
        if customer.profile is not None:
            answers[position] = customer.profile.marketing_answers
    return answers


def _read_reach(
    requests: Sequence[DecisionRequest], rows: Ints, *, live: Mapping[int, LiveCustomer]
) -> Flags:
    """Channels with an address, (n, 5): all, but for those that the profile of a stranger lacks."""
    reachable = np.ones((len(requests), len(CHANNELS)), dtype=bool)
    for position in np.flatnonzero(rows < 0).tolist():
        profile = requests[position].profile
        if position not in live and profile is not None and profile.reachable is not None:
            reachable[position] = [channel in profile.reachable for channel in Channel]
    return reachable


def _close_bounced(
    reachable: Flags,
    requests: Sequence[DecisionRequest],
    bounces: Iterable[Bounce],
    *,
    moments_us: Ints,
    reach: Reach,
) -> None:
    """Close channels on which messages have bounced too often since one arrived, in place."""
    by_customer: dict[str, list[Bounce]] = {}
    for bounce in bounces:
        by_customer.setdefault(bounce.customer_id, []).append(bounce)
    for position, request in enumerate(requests):
        since_us = int(moments_us[position]) - reach.within_days * DAY_US
        found = [
            CHANNELS.index(bounce.channel)
            for bounce in by_customer.get(request.customer_id, ())
            if bounce.at_us >= since_us
        ]
        for column in set(found):
            if found.count(column) >= reach.bounces:
                reachable[position, column] = False


def _read_regions(
    snapshot: Snapshot, rows: Ints, *, live: Mapping[int, LiveCustomer]
) -> list[str | None]:
    """Region of each customer; None where unknown."""
    of_customers = snapshot.customers.regions
    regions = [None if row < 0 else of_customers[row] for row in rows.tolist()]
    for position, customer in live.items():
        if customer.profile is not None:
            regions[position] = customer.profile.region
    return regions
