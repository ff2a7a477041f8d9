from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from features.tables import Tables
from serving.learner.files import LearnerFiles
from serving.learner.fold import rule_of
from serving.learner.history import read_history
from serving.learner.step import take_step
from serving.policy.settings import load_policy_settings
from serving.publish import learn_bandit
from serving.store.store import Store

AS_OF = datetime(2024, 3, 1, tzinfo=UTC)
POLICY = load_policy_settings()
RULE = rule_of(POLICY)


@pytest.fixture
def told(clean_tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """A company that wrote twenty messages: one had its only link followed within seconds."""
    messages = clean_tables["messages"].assign(channel="sms", variant="price_drop.sms.warm")
    messages.loc[19, "variant"] = None
    clicked = messages.head(2)
    outcomes = pd.DataFrame(
        {
            "message_id": clicked["message_id"],
            "outcome": "clicked",
            "at": clicked["sent_at"] + pd.to_timedelta([5, 7200], unit="s"),
            "value_cents": pd.Series([None, None], dtype="Int64"),
            "machine": False,
            "known_at": pd.Series([pd.NaT] * 2, dtype="datetime64[us, UTC]"),
        }
    ).astype({"outcome": "str", "at": "datetime64[us, UTC]"})
    return {**clean_tables, "messages": messages, "outcomes": outcomes}


def test_read_history_reads_messages_with_a_variant_and_activity_of_suspects(
    told: Tables,
) -> None:
    log = read_history(told, as_of=AS_OF, rule=RULE)

    assert len(log.messages) == 19
    assert set(log.messages["language"]) == {"kk"}
    assert len(log.outcomes) == 2
    assert log.activity is not None
    assert set(log.activity["customer_id"]) == {told["messages"]["customer_id"][0]}
    assert len(read_history({}, as_of=AS_OF, rule=RULE).messages) == 0


def test_read_history_knows_nothing_of_later(told: Tables) -> None:
    sent_at = told["messages"]["sent_at"]

    log = read_history(told, as_of=sent_at[5].to_pydatetime(), rule=RULE)

    assert len(log.messages) == int((sent_at < sent_at[5]).sum())


def test_a_learner_knows_what_was_published_from_tables(
    told: Tables, store: Store, tmp_path: Path
) -> None:
    files = LearnerFiles(tmp_path / "bandit")
    assert not files.has_history()
    files.keep_history(read_history(told, as_of=AS_OF, rule=RULE))

    step = take_step(files, store, as_of=AS_OF, policy=POLICY)

    published = learn_bandit(told, store, as_of=AS_OF, policy=POLICY)
    assert files.has_history()
    assert step.learned.served.to_json() == published.to_json()
    assert step.learned.served.version == 19
