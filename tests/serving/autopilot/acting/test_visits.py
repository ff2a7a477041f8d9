"""Who was there."""

from datetime import datetime, timedelta

import pytest

from serving.autopilot.acting.settings import load_acting_settings
from serving.autopilot.acting.visits import find_visitors
from serving.online.facts import Fact
from serving.online.ledger import take_facts
from serving.policy.cases import to_us
from serving.store.bursts import Affected
from serving.store.store import Store
from tests.serving.autopilot.acting.chain import BRANCH, CUSTOMERS, START

RULES = load_acting_settings().compensation
HOUR = timedelta(hours=1)
ONE = Affected(CUSTOMERS[0], "ru", START, START + HOUR, ("m1", "m2"))


def post(
    store: Store,
    *,
    at: datetime,
    told_at: datetime | None = None,
    kind: str = "visit",
    where: str | None = BRANCH,
) -> None:
    row = {"customer_id": CUSTOMERS[0], "at": to_us(at), "kind": kind}
    row |= {} if where is None else {"location": where}
    known = to_us(told_at or at)
    with store.transaction() as session:
        take_facts(session.online, [(Fact("activity", row, known), known)])


def find(store: Store) -> list[str]:
    with store.reading() as session:
        return find_visitors(session, [ONE], branch=BRANCH, rules=RULES)


@pytest.mark.parametrize("where", [BRANCH, "ABAY 10"])
def test_a_visit_to_the_branch_before_the_complaint_counts(store: Store, where: str) -> None:
    post(store, at=START - 4 * HOUR, where=where)
    assert find(store) == [CUSTOMERS[0]]


@pytest.mark.parametrize(
    ("at", "kind", "where"),
    [
        (START - 4 * HOUR - timedelta(seconds=1), "visit", BRANCH),
        (START + 2 * HOUR, "visit", BRANCH),
        (START, "page_view", BRANCH),
        (START, "visit", "Dostyk 5"),
        (START, "visit", None),
    ],
)
def test_other_times_kinds_and_places_do_not(
    store: Store, at: datetime, kind: str, where: str | None
) -> None:
    post(store, at=at, kind=kind, where=where)
    assert find(store) == []


def test_a_visit_that_was_told_of_after_the_last_complaint_does_not(store: Store) -> None:
    post(store, at=START, told_at=START + HOUR + timedelta(seconds=1))
    assert find(store) == []


def test_nobody_was_there_where_nothing_is_known(store: Store) -> None:
    assert find(store) == []
