"""A published snapshot holds what the whole log teaches, whoever learned it and from where."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.tables import Tables
from serving.learner.files import LearnerFiles
from serving.policy.settings import load_policy_settings
from serving.publish import learn_bandit, publish
from serving.settings import Settings
from serving.snapshot.state import Models
from serving.store.store import Store
from training.bandit.contextual import ContextualBandit
from training.bandit.rewards import Trials

POLICY = load_policy_settings()
DAY = timedelta(days=1)
FIRST = datetime(2024, 1, 10, tzinfo=UTC)  # what was sent by the 5th is settled


@pytest.fixture
def told(clean_tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """A message a day, in two wordings."""
    variants = [f"price_drop.email.{word}" for word in ("clear", "warm")] * 10
    messages = clean_tables["messages"].assign(channel="email", variant=variants)
    return {"customers": clean_tables["customers"], "messages": messages.head(9)}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def learned_days(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """First moment of each lot that a bandit learned."""
    days: list[int] = []
    update = ContextualBandit.update

    def note(self: ContextualBandit, trials: Trials) -> ContextualBandit:
        days.extend(trials.sent_at_us[:1].tolist())
        return update(self, trials)

    monkeypatch.setattr(ContextualBandit, "update", note)
    return days


def published(settings: Settings, tables: Tables, store: Store, *, as_of: datetime) -> str:
    snapshot = publish(settings, tables, as_of=as_of, models=Models(), policy=POLICY, store=store)
    return snapshot.bandit.to_json()


def from_the_beginning(tables: Tables, store: Store, *, as_of: datetime) -> str:
    return learn_bandit(tables, store, as_of=as_of, policy=POLICY).to_json()


def served(settings: Settings) -> str:
    found = LearnerFiles(settings.bandit).load_served()
    assert found is not None
    return found.bandit.to_json()


def test_publish_learns_what_is_new_and_ends_where_learning_at_once_does(
    settings: Settings, told: Tables, store: Store, learned_days: list[int]
) -> None:
    published(settings, told, store, as_of=FIRST)
    n_first = len(learned_days)
    second = published(settings, told, store, as_of=FIRST + 2 * DAY)
    n_second = len(learned_days) - n_first

    assert second == from_the_beginning(told, store, as_of=FIRST + 2 * DAY) == served(settings)
    assert n_first >= 4  # a day at a time
    assert n_second <= 3  # two days that have settled, and what is young


def test_publish_begins_anew_where_the_tables_say_something_else(
    settings: Settings, told: Tables, store: Store
) -> None:
    published(settings, told, store, as_of=FIRST)
    fewer = {**told, "messages": told["messages"].drop(index=3)}

    second = published(settings, fewer, store, as_of=FIRST + DAY)

    assert second == from_the_beginning(fewer, store, as_of=FIRST + DAY)
    assert second != from_the_beginning(told, store, as_of=FIRST + DAY)


def test_publish_leaves_a_learner_at_work_alone(
    settings: Settings, told: Tables, store: Store
) -> None:
    files = LearnerFiles(settings.bandit)
    with files.locked():
        bandit = published(settings, told, store, as_of=FIRST)

    assert files.versions.current() is None
    assert bandit == from_the_beginning(told, store, as_of=FIRST)


def test_publish_of_an_earlier_moment_leaves_what_is_known_later(
    settings: Settings, told: Tables, store: Store
) -> None:
    later = published(settings, told, store, as_of=FIRST + 2 * DAY)

    earlier = published(settings, told, store, as_of=FIRST)

    assert earlier == from_the_beginning(told, store, as_of=FIRST)
    assert served(settings) == later
