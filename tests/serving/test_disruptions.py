"""A disruption is an incident while it lasts: marketing rests in its region, service goes on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd

from features.tables import Tables
from features.vocabulary import Arm, Trigger
from serving.decide import Engine
from serving.disruptions import follow_tables
from serving.online.desk import EventDesk
from serving.online.records import Event, EventReport
from serving.policy.cases import from_us, to_us
from serving.policy.settings import DisruptionSettings
from serving.records import DecisionRequest, Reason
from serving.snapshot.state import Snapshot
from serving.store.incidents import Incident
from serving.store.store import Store
from tests.conftest import AS_OF, frame_of

EngineMaker = Callable[[Snapshot], Engine]

HOUR = timedelta(hours=1)
ON = DisruptionSettings()


def incidents(store: Store) -> list[Incident]:
    with store.reading() as session:
        return session.incidents.find_all()


def post(
    store: Store,
    snapshot: Snapshot,
    *,
    at: datetime,
    ends_at: datetime | None = None,
    settings: DisruptionSettings = ON,
) -> None:
    """Heating in the north failed at AS_OF; told at some moment."""
    row = {"disruption_id": "d1", "region": "north", "starts_at": AS_OF, "service": "heating"}
    if ends_at is not None:
        row["ends_at"] = ends_at
    words = {
        name: one.isoformat() if isinstance(one, datetime) else one for name, one in row.items()
    }
    report = EventReport(events=[Event(table="disruptions", row=words)], known_at=at)
    EventDesk(store, takes_callers_time=True, disruptions=settings).take(report, snapshot, now=at)


def told(*, ends_at: datetime | None = None) -> Tables:
    """The same in the company's tables."""
    row: dict[str, object] = {
        "disruption_id": "d1",
        "region": "north",
        "starts_at": AS_OF,
        "ends_at": ends_at,
        "service": "heating",
    }
    return {"disruptions": frame_of("disruptions", [row])}


def test_a_posted_disruption_pauses_marketing_in_its_region_until_it_ends(
    snapshot: Snapshot, engine_of: EngineMaker, store: Store
) -> None:
    customers = snapshot.customers
    regions = ["north" if n % 2 else "south" for n in range(len(customers.profile))]
    profile = customers.profile.assign(region=pd.Series(regions, dtype="str"))
    placed = replace(snapshot, customers=replace(customers, profile=profile))
    engine = engine_of(placed)
    arms = {arm: float(arm is Arm.RANDOM) for arm in Arm}
    engine = replace(engine, settings=engine.settings.model_copy(update={"arms": arms}))

    def reasons(trigger: Trigger, at: datetime) -> dict[str, set[Reason]]:
        found: dict[str, set[Reason]] = {"north": set(), "south": set()}
        requests = [
            DecisionRequest(
                customer_id=str(id_), trigger=trigger, expires_at=at + HOUR, decided_at=at
            )
            for id_ in customers.profile["customer_id"]
        ]
        for region, decision in zip(regions, engine.decide_many(requests), strict=True):
            found[region].add(decision.reason)
        return found

    post(store, placed, at=AS_OF + HOUR)
    during = reasons(Trigger.PRICE_DROP, AS_OF + 2 * HOUR)
    service = reasons(Trigger.ORDER_SHIPPED, AS_OF + 2 * HOUR)
    post(store, placed, at=AS_OF + 4 * HOUR, ends_at=AS_OF + 3 * HOUR)
    after = reasons(Trigger.ABANDONED_CART, AS_OF + 5 * HOUR)

    assert Reason.CHOSEN not in during["north"]
    assert Reason.CHOSEN in during["south"]
    assert Reason.CHOSEN in service["north"]
    assert Reason.CHOSEN in after["north"]


def test_telling_a_disruption_again_changes_nothing(snapshot: Snapshot, store: Store) -> None:
    post(store, snapshot, at=AS_OF + HOUR)
    before = incidents(store)
    post(store, snapshot, at=AS_OF + 2 * HOUR)
    follow_tables(store, told(), as_of=AS_OF + 3 * HOUR, settings=ON)

    assert [one.incident_id for one in before] == ["disruption/d1"]
    assert from_us(before[0].ends_at_us or 0) == AS_OF + timedelta(days=7)
    assert incidents(store) == before


def test_tables_open_and_end_an_incident_as_posts_do(store: Store) -> None:
    follow_tables(store, told(), as_of=AS_OF + HOUR, settings=ON)
    opened = incidents(store)
    ended = told(ends_at=AS_OF + 2 * HOUR)
    follow_tables(store, ended, as_of=AS_OF + HOUR, settings=ON)  # the end is still to come
    same = incidents(store)
    follow_tables(store, ended, as_of=AS_OF + 3 * HOUR, settings=ON)

    assert opened == same
    assert [(one.region, one.starts_at_us) for one in opened] == [("north", to_us(AS_OF))]
    assert incidents(store)[0].ends_at_us == to_us(AS_OF + 2 * HOUR)


def test_tables_keep_an_end_that_was_posted_for_later(snapshot: Snapshot, store: Store) -> None:
    post(store, snapshot, at=AS_OF + HOUR, ends_at=AS_OF + 9 * HOUR)

    follow_tables(store, told(), as_of=AS_OF + 2 * HOUR, settings=ON)

    assert incidents(store)[0].ends_at_us == to_us(AS_OF + 9 * HOUR)


def test_what_is_over_opens_nothing(store: Store) -> None:
    over = told(ends_at=AS_OF + HOUR)

    follow_tables(store, over, as_of=AS_OF + timedelta(days=1), settings=ON)

    assert incidents(store) == []


def test_pausing_can_be_switched_off(snapshot: Snapshot, store: Store) -> None:
    off = DisruptionSettings(pause_marketing=False)

    post(store, snapshot, at=AS_OF + HOUR, settings=off)
    follow_tables(store, told(), as_of=AS_OF + 2 * HOUR, settings=off)

    assert incidents(store) == []


def test_a_follower_leaves_the_duty_officers_word_until_something_new_is_told(
    snapshot: Snapshot, store: Store
) -> None:
    post(store, snapshot, at=AS_OF + HOUR)
    closed_us = to_us(AS_OF + 2 * HOUR)
    with store.transaction() as session:
        session.incidents.close("disruption/d1", at_us=closed_us)
    follow_tables(store, told(), as_of=AS_OF + 3 * HOUR, settings=ON)
    kept = incidents(store)
    post(store, snapshot, at=AS_OF + 4 * HOUR, ends_at=AS_OF + 6 * HOUR)

    assert kept[0].ends_at_us == closed_us
    assert incidents(store)[0].ends_at_us == to_us(AS_OF + 6 * HOUR)
