"""Made-up chains: complaints with a weekly rhythm, unsteady days, clumps and duplicates.

Two laws of unsteadiness: gamma factors of days and hours, which is how the detector thinks too, and
one it does not know: log-normal days, and complaints that call forth others.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from serving.autopilot.detection.baseline import Complaint, Stream
from serving.autopilot.detection.detector import Sighting
from serving.autopilot.detection.week import HOUR_US, WEEK_HOURS, Floats, Ints

ZONE: Final = "Asia/Almaty"
MONDAY_US: Final = 1_767_553_200_000_000  # 5 January 2026, 00:00 in Almaty (UTC+5, no summer time)
N_BRANCHES: Final = 10
N_TOPICS: Final = 8

_DAY_CV: Final = 0.35
_HOUR_PHI: Final = 0.25
_P_DUPLICATE: Final = 0.06
_P_FOLLOWED: Final = 0.08
_N_CUSTOMERS: Final = 600  # of a branch
_OPENS, _CLOSES = 10, 21


class Law(StrEnum):
    """How rates are unsteady."""

    GAMMA = "gamma"
    CONTAGION = "contagion"


@dataclass(frozen=True)
class ChainPlan:
    """A chain to be made up.

    Attributes:
        per_day: Mean complaints a day of a stream; streams differ (coefficient of variation .5).
        law: How rates are unsteady.
        n_weeks: How long.
        n_incidents: Injected, in as many different weeks and streams as there are.
        incident: What is injected.
    """

    per_day: float
    law: Law
    n_weeks: int
    n_incidents: int = 0
    incident: "IncidentKind | None" = None


@dataclass(frozen=True)
class IncidentKind:
    """An incident to inject.

    Attributes:
        name: What it is called.
        n_messages: Messages.
        minutes: Within so many.
        n_people: By so many people.
    """

    name: str
    n_messages: int
    minutes: float
    n_people: int


REFERENCE: Final = IncidentKind("7 in 40 min", 7, 40.0, 7)
SLOW: Final = IncidentKind("7 in 3 h", 7, 180.0, 7)
SMALL: Final = IncidentKind("4 in 40 min", 4, 40.0, 4)
FAKE: Final = IncidentKind("7 messages, 2 people", 7, 40.0, 2)


@dataclass(frozen=True)
class Injected:
    """One incident that was put into a chain.

    Attributes:
        stream: Row of the stream.
        at_hours: Its messages, in order.
    """

    stream: int
    at_hours: tuple[float, ...]


@dataclass(frozen=True)
class Chain:
    """Messages of a chain, in order of time.

    Attributes:
        streams: What they are about.
        stream: Row of the stream of each message, (n,).
        customer: Number of the customer of each, (n,).
        at_hours: Local hours since a Monday 00:00, (n,).
        n_weeks: How long.
        injected: Incidents in it.
    """

    streams: tuple[Stream, ...]
    stream: Ints
    customer: Ints
    at_hours: Floats
    n_weeks: int
    injected: tuple[Injected, ...] = ()

    def sightings(self) -> list[Sighting]:
        """The messages as a detector takes them; every customer is known."""
        at_us = to_us(self.at_hours)
        return [
            Sighting(f"m{row}", at, self.streams[stream], f"c{customer}")
            for row, (at, stream, customer) in enumerate(
                zip(at_us.tolist(), self.stream.tolist(), self.customer.tolist(), strict=True)
            )
        ]

    def distinct(self, *, apart_hours: float) -> "Chain":
        """Without repetitions of a customer in a stream."""
        last: dict[tuple[int, int], float] = {}
        kept = np.zeros(len(self.at_hours), bool)
        for row, (stream, customer, at) in enumerate(
            zip(self.stream.tolist(), self.customer.tolist(), self.at_hours.tolist(), strict=True)
        ):
            before = last.get((stream, customer))
            if before is None or at - before >= apart_hours:
                kept[row], last[stream, customer] = True, at
        return Chain(
            self.streams,
            self.stream[kept],
            self.customer[kept],
            self.at_hours[kept],
            self.n_weeks,
            self.injected,
        )

    def complaints(self, *, until_hours: float) -> list[Complaint]:
        """Those before a moment, as a baseline is fitted on."""
        before = self.at_hours < until_hours
        at_us = to_us(self.at_hours[before])
        return [
            Complaint(self.streams[stream], at)
            for at, stream in zip(at_us.tolist(), self.stream[before].tolist(), strict=True)
        ]


def to_us(at_hours: Floats) -> Ints:
    """Local hours as moments."""
    return MONDAY_US + np.floor(at_hours * HOUR_US).astype(np.int64)


def make_chain(plan: ChainPlan, *, rng: np.random.Generator) -> Chain:
    """Make up a chain of 80 streams; nothing is injected into the first eight weeks."""
    streams = tuple(
        Stream(f"branch-{branch}", f"topic-{topic}")
        for branch in range(N_BRANCHES)
        for topic in range(N_TOPICS)
    )
    levels = plan.per_day * rng.gamma(4.0, 0.25, len(streams))
    parts = [_live(row, level / 24, plan, rng=rng) for row, level in enumerate(levels.tolist())]
    injected = _place(plan, len(streams), rng=rng)
    parts += [_write(one, plan.incident, rng=rng) for one in injected if plan.incident]
    of, who, at = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(at, kind="stable")
    return Chain(
        streams, of[order].astype(np.int64), who[order].astype(np.int64), at[order], plan.n_weeks,
        injected,
    )  # fmt: skip


def true_weights() -> Floats:
    """The rhythm of the chain by hour of the week, mean one: evenings and Saturdays are busy."""
    hours = np.arange(24)
    day = 0.05 + np.exp(-(((hours - 13) / 2.5) ** 2)) + 1.4 * np.exp(-(((hours - 19) / 2.0) ** 2))
    week = np.outer([1, 1, 1, 1.05, 1.2, 1.35, 0.9], day).ravel()
    return np.asarray(week / week.mean())


def _live(
    row: int, level: float, plan: ChainPlan, *, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Stream, customer and hour of each message of one stream."""
    weights = true_weights().reshape(7, 24)
    shape = (plan.n_weeks, 7, 24)
    if plan.law is Law.GAMMA:
        phi = _DAY_CV**2
        days = rng.gamma(1 / phi, phi, shape[:2])[:, :, None]
        hours = rng.gamma(1 / _HOUR_PHI, _HOUR_PHI, shape)
        counts = rng.poisson(level * weights * days * hours).ravel()
    else:
        sigma = np.sqrt(np.log1p(_DAY_CV**2))
        days = rng.lognormal(-(sigma**2) / 2, sigma, shape[:2])[:, :, None]
        counts = rng.poisson(level * (1 - _P_FOLLOWED) * weights * days).ravel()
    at = np.repeat(np.arange(plan.n_weeks * WEEK_HOURS, dtype=float), counts)
    at = at + rng.random(len(at))
    if plan.law is Law.CONTAGION:
        at = _follow(at, rng=rng)
    at = at[at < plan.n_weeks * WEEK_HOURS]
    who = rng.integers(0, _N_CUSTOMERS, len(at)).astype(float) + row // N_TOPICS * _N_CUSTOMERS
    again = rng.random(len(at)) < _P_DUPLICATE
    at = np.concatenate([at, at[again] + rng.uniform(0.01, 0.4, int(again.sum()))])
    who = np.concatenate([who, who[again]])
    return np.full(len(at), float(row)), who, at


def _follow(at: Floats, *, rng: np.random.Generator) -> Floats:
    """Each complaint calls forth another one within the hour, now and then, and so on."""
    found, born = [at], at
    while len(born):
        born = born[rng.random(len(born)) < _P_FOLLOWED]
        born = born + rng.exponential(0.5, len(born))
        found.append(born)
    return np.concatenate(found)


def _place(plan: ChainPlan, n_streams: int, *, rng: np.random.Generator) -> tuple[Injected, ...]:
    """Incidents in opening hours, no two of one stream within a week."""
    if plan.incident is None:
        return ()
    cells = rng.permutation(n_streams * ((plan.n_weeks - 8) // 2))[: plan.n_incidents]
    placed = []
    for cell in cells.tolist():
        stream, turn = cell % n_streams, cell // n_streams
        day = (8 + 2 * turn) * 7 + int(rng.integers(0, 7))
        starts = 24 * day + rng.uniform(_OPENS, _CLOSES - plan.incident.minutes / 60)
        at = np.sort(starts + rng.random(plan.incident.n_messages) * plan.incident.minutes / 60)
        placed.append(Injected(stream, tuple(at.tolist())))
    return tuple(placed)


def _write(
    one: Injected, kind: IncidentKind, *, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """The messages of an incident; people take turns."""
    n = len(one.at_hours)
    branch = one.stream // N_TOPICS
    people = rng.choice(_N_CUSTOMERS, kind.n_people, replace=False) + branch * _N_CUSTOMERS
    who = people[np.arange(n) % kind.n_people]
    return np.full(n, float(one.stream)), who.astype(float), np.array(one.at_hours)
