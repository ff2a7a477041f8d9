"""What may be behind a burst."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from features.vocabulary import Trigger
from serving.autopilot.detection.links import (
    Complaining,
    Explanation,
    KnownDelay,
    KnownDisruption,
    explain,
)
from serving.autopilot.inbound.known import read_known
from tests.serving.autopilot.conftest import MINUTE_US, NOON_US

REGIONS = {"c1": "north", "c2": "north", "c3": "south"}
BOTH = (Trigger.SERVICE_DISRUPTION, Trigger.DELIVERY_DELAY)


@pytest.fixture
def seen() -> Complaining:
    return Complaining(("c1", "c2", "c3"), NOON_US, NOON_US + 10 * MINUTE_US)


def _disruption(region: str, *, begins: int, ends: int | None = None) -> KnownDisruption:
    ends_us = None if ends is None else NOON_US + ends * MINUTE_US
    return KnownDisruption(
        f"{region}{begins}", region, "net", NOON_US + begins * MINUTE_US, ends_us
    )


def test_explain_finds_the_disruption_of_those_who_complain(seen: Complaining) -> None:
    found = explain(
        seen,
        explained_by=BOTH,
        regions=REGIONS,
        disruptions=[_disruption("north", begins=-60), _disruption("south", begins=-60)],
        delays=[],
    )
    assert found == (Explanation(Trigger.SERVICE_DISRUPTION, "north-60", 2, 3),)


@pytest.mark.parametrize(
    "disruption",
    [
        _disruption("north", begins=11),  # not known yet
        _disruption("north", begins=-60, ends=-1),  # over before it began
        _disruption("east", begins=-60),
    ],
)
def test_explain_leaves_out_what_cannot_be_behind_it(
    seen: Complaining, disruption: KnownDisruption
) -> None:
    told = {"regions": REGIONS, "disruptions": [disruption], "delays": []}
    assert explain(seen, explained_by=BOTH, **told) == ()


def test_explain_finds_late_orders_known_by_then(seen: Complaining) -> None:
    late = [
        KnownDelay("o1", "c1", NOON_US - 5),
        KnownDelay("o2", "c2", NOON_US),
        KnownDelay("o3", "c3", NOON_US + 60 * MINUTE_US),
        KnownDelay("o4", "c9", NOON_US),
    ]
    (found,) = explain(seen, explained_by=BOTH, regions=REGIONS, disruptions=[], delays=late)
    assert (found.trigger, found.n_touched) == (Trigger.DELIVERY_DELAY, 2)
    assert found.subject == "2 late orders"


def test_an_order_that_came_before_the_burst_explains_nothing(seen: Complaining) -> None:
    def find(*, arrived_us: int) -> tuple[Explanation, ...]:
        late = [KnownDelay(f"o{who}", who, NOON_US - 500, arrived_us) for who in ("c1", "c2")]
        return explain(seen, explained_by=BOTH, regions=REGIONS, disruptions=[], delays=late)

    assert find(arrived_us=NOON_US) == ()
    assert [one.n_touched for one in find(arrived_us=NOON_US + 1)] == [2]


def test_explain_asks_the_taxonomy_first(seen: Complaining) -> None:
    told = {"regions": REGIONS, "disruptions": [_disruption("north", begins=-60)], "delays": []}
    assert explain(seen, explained_by=(), **told) == ()


def test_known_facts_are_read_from_tables(clean_tables: dict[str, pd.DataFrame]) -> None:
    known = read_known(clean_tables)
    assert known.customers.languages["c0"] == "kk"
    assert "c99" not in known.customers
    assert known.disruptions[0].region == "north"
    assert known.disruptions[0].ends_at_us is not None
    assert known.disruptions[1].ends_at_us is None
    assert known.delays == ()


def test_orders_are_late_from_their_promise_on(clean_tables: dict[str, pd.DataFrame]) -> None:
    promised = datetime(2024, 1, 5, tzinfo=UTC)
    orders = (
        clean_tables["orders"]
        .head(3)
        .assign(
            promised_at=pd.Timestamp(promised),
            delivered_at=[pd.Timestamp(promised), pd.Timestamp("2024-01-06", tz="UTC"), pd.NaT],
        )
    )
    known = read_known({**clean_tables, "orders": orders})
    assert [delay.order_id for delay in known.delays] == ["o1", "o2"]
    assert known.delays[0].began_at_us == int(promised.timestamp()) * 1_000_000
    arrived = datetime(2024, 1, 6, tzinfo=UTC)
    assert [delay.ended_at_us for delay in known.delays] == [
        int(arrived.timestamp()) * 1_000_000,
        None,
    ]
