"""Who is known, by what was posted and by the tables of the start."""

from datetime import UTC, datetime, timedelta
from typing import Any

from serving.autopilot.detection.links import KnownDelay, KnownDisruption
from serving.autopilot.inbound.desk import KnownCustomers
from serving.autopilot.story import KnownFacts
from serving.autopilot.watch.known import Directory
from serving.online.facts import Fact
from serving.online.ledger import take_facts
from serving.online.records import Event
from serving.policy.cases import to_us
from serving.store.store import Store

NOW = datetime(2026, 7, 14, 13, tzinfo=UTC)
HOUR = timedelta(hours=1)


def post(store: Store, table: str, at: datetime, **row: Any) -> None:
    event = Event(table=table, row=row)
    with store.transaction() as session:
        take_facts(session.online, [(Fact(table, event.cells.row, to_us(at)), to_us(at))])


def post_customer(store: Store, customer_id: str, at: datetime, **row: Any) -> None:
    consent = {f"consent_{name}": True for name in ("email", "sms", "push", "in_app", "whatsapp")}
    post(
        store,
        "customers",
        at,
        customer_id=customer_id,
        signed_up_at="2026-01-01T00:00:00Z",
        timezone="Asia/Almaty",
        **({"language": "ru"} | consent | row),
    )


def test_what_was_posted_last_counts(store: Store) -> None:
    post_customer(store, "c1", NOW, language="ru", first_name="Айгуль", region="north")
    post_customer(store, "c1", NOW + HOUR, language="kk", first_name="Айгуль", region="south")
    post_customer(store, "c2", NOW)
    directory = Directory()
    with store.reading() as session:
        known = directory.look_up(session, ["c1", "c2", "c3"])
    assert known.customers.languages == {"c1": "kk", "c2": "ru"}
    assert known.customers.regions == {"c1": "south"}
    assert "c3" not in known.customers
    assert directory.first_names == {"c1": "Айгуль"}


def test_late_orders_and_disruptions_are_those_of_who_writes(store: Store) -> None:
    post_customer(store, "c1", NOW, region="north")
    post_customer(store, "c2", NOW, region="south")
    for n, customer in enumerate(("c1", "c1", "c2")):
        order = {
            "order_id": f"o{n}",
            "customer_id": customer,
            "ordered_at": (NOW - 9 * HOUR).isoformat(),
            "promised_at": (NOW - HOUR).isoformat(),
            "amount_cents": 100,
        }
        post(store, "orders", NOW + HOUR, **order)
        if n == 1:
            arrived = (NOW - 2 * HOUR).isoformat()
            post(store, "orders", NOW + 2 * HOUR, **order, delivered_at=arrived)
    for region in ("north", "south"):
        started = (NOW - HOUR).isoformat()
        post(
            store,
            "disruptions",
            NOW + 3 * HOUR,
            disruption_id=f"d-{region}",
            region=region,
            starts_at=started,
            service="net",
        )
    with store.reading() as session:
        known = Directory().look_up(session, ["c1"])
    assert [one.order_id for one in known.delays] == ["o0"]
    assert [one.disruption_id for one in known.disruptions] == ["d-north"]


def test_tables_of_the_start_stand_beside_what_was_posted(store: Store) -> None:
    post_customer(store, "c1", NOW, language="kk")
    base = KnownFacts(
        KnownCustomers({"c1": "ru", "c9": "en"}, {"c1": "north"}, {"c9": "Ann"}),
        disruptions=(KnownDisruption("d1", "north", "net", 0, None),),
        delays=(KnownDelay("o1", "c9", 0),),
    )
    directory = Directory(base)
    with store.reading() as session:
        known = directory.look_up(session, ["c1", "c9", "c5"])
    assert known.customers.languages == {"c1": "kk", "c9": "en"}
    assert known.customers.regions == {"c1": "north"}
    assert (known.disruptions, known.delays) == (base.disruptions, base.delays)
    assert directory.first_names == {"c9": "Ann"}


def test_without_anything_nobody_is_known(store: Store) -> None:
    with store.reading() as session:
        assert Directory().look_up(session, ["c1"]).customers.languages == {}
