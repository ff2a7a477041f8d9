from datetime import UTC, datetime

import pandas as pd
import pytest

from features.contracts import CONTRACTS, DTYPES
from features.vocabulary import Channel, Trigger
from training.bandit.rewards import Reward, collect_rewards

AS_OF = datetime(2026, 3, 20, tzinfo=UTC)


def conform(name: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    contract = CONTRACTS[name]
    frame = pd.DataFrame(rows, columns=[c.name for c in contract.columns])
    return frame.astype({c.name: DTYPES[c.kind] for c in contract.columns})


def message(message_id: str, sent_on: str, *, variant: str | None = "a") -> dict[str, object]:
    return {
        "message_id": message_id,
        "decision_id": f"d{message_id}",
        "customer_id": "c1",
        "trigger": "price_drop",
        "channel": "email",
        "variant": variant,
        "sent_at": pd.Timestamp(sent_on, tz="UTC"),
        "arm": "learned",
        "propensity": 0.5,
        "cost_cents": 0.1,
    }


def outcome(
    message_id: str, on: str, *, kind: str = "clicked", machine: bool = False
) -> dict[str, object]:
    return {
        "message_id": message_id,
        "outcome": kind,
        "at": pd.Timestamp(on, tz="UTC"),
        "value_cents": None,
        "machine": machine,
    }


def collect(messages: list[dict[str, object]], outcomes: list[dict[str, object]]) -> list[Reward]:
    tables = {"messages": conform("messages", messages), "outcomes": conform("outcomes", outcomes)}
    return collect_rewards(tables, as_of=AS_OF)


@pytest.mark.parametrize(
    ("outcomes", "success"),
    [
        ([], False),
        ([outcome("1", "2026-03-02")], True),
        ([outcome("1", "2026-03-02", kind="converted")], True),
        ([outcome("1", "2026-03-02", kind="opened")], False),
        ([outcome("1", "2026-03-02", machine=True)], False),
        ([outcome("1", "2026-03-08")], False),
        ([outcome("1", "2026-03-02"), outcome("1", "2026-03-03")], True),
    ],
    ids=["silence", "click", "conversion", "open", "machine", "after the window", "two clicks"],
)
def test_reward_of_a_message_whose_window_has_closed(
    outcomes: list[dict[str, object]], success: bool
) -> None:
    rewards = collect([message("1", "2026-03-01")], outcomes)
    assert rewards == [Reward("1", Trigger.PRICE_DROP, Channel.EMAIL, "a", success)]


def test_reward_is_pending_until_the_window_closes_even_after_a_click() -> None:
    assert collect([message("1", "2026-03-14")], [outcome("1", "2026-03-15")]) == []


def test_reward_ignores_what_is_known_only_later() -> None:
    rewards = collect([message("1", "2026-03-13")], [outcome("1", "2026-03-20")])
    assert [reward.success for reward in rewards] == [False]


def test_message_without_a_variant_teaches_nothing() -> None:
    assert collect([message("1", "2026-03-01", variant=None)], []) == []


def test_rewards_without_messages_are_none() -> None:
    assert collect_rewards({}, as_of=AS_OF) == []
