from dataclasses import replace

import pandas as pd
import pytest

from features.contracts import CONTRACTS
from serving.online.facts import Fact
from serving.online.rows import facts_of, merge_facts, pack_facts, tables_of, unpack_facts


def test_tables_of_gives_back_what_facts_of_took(clean_tables: dict[str, pd.DataFrame]) -> None:
    dated = {name: frame for name, frame in clean_tables.items() if CONTRACTS[name].moment}
    facts = [fact for name, frame in dated.items() for fact in facts_of(frame, name)]

    packed = unpack_facts(pack_facts(facts))

    assert packed == facts
    assert len(facts) == 15 * 20
    again = tables_of(packed, names=("vendors",))
    assert list(again) == list(CONTRACTS)
    assert again["vendors"].empty
    for name, frame in dated.items():
        pd.testing.assert_frame_equal(again[name], frame)


def login(n: int, *, event_id: str | None = None, kind: str = "login") -> Fact:
    row = {"customer_id": "c1", "at": n, "kind": kind}
    return Fact("activity", row if event_id is None else {**row, "event_id": event_id}, None)


@pytest.mark.parametrize(
    ("log", "n_more"),
    [
        ([login(1)], 0),  # the tables hold it
        ([login(1), login(1)], 1),  # they hold one, two were told
        ([login(1, kind="purchase")], 1),
        ([login(9, event_id="e1")], 0),  # the same row, whatever it says
        ([login(1, event_id="e2")], 1),
        ([Fact("usage", {"customer_id": "c1", "at": 1, "used": 2.0}, 5)], 1),
    ],
)
def test_merge_facts_takes_a_row_of_both_once(log: list[Fact], n_more: int) -> None:
    history = [
        login(1),
        login(2, event_id="e1"),
        Fact("usage", {"customer_id": "c1", "at": 1, "used": 2.0}, None),
    ]

    merged = merge_facts(history, [replace(fact, known_us=100) for fact in log])

    assert merged[:3] == history
    assert len(merged) == 3 + n_more
