"""Readers who change between two trainings: found within weeks, and not where there are none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from features.tables import Tables
from features.vocabulary import Outcome, Trigger
from tests.training.test_channel_pooling import EMAIL, SMS, believe, make_dataset, with_opens
from training.channel import TrainedChannel, following, train_channel
from training.channel.following import correct_readers, follow_readers
from training.datasets.channel import ChannelDataset, build_channel_dataset
from training.measures import Floats
from training.registry.servable import CHANNELS, ChannelModel
from training.registry.servable.pooled import logit

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
BEFORE = expit(np.full((3, len(CHANNELS)), -1.0))
"""P(opened) by segment and channel at first: the same everywhere."""


def make_messages(
    n: int, p: Floats, *, days_ago: Floats, seed: int, before: Floats | None = None
) -> ChannelDataset:
    """Messages sent so many days before `AS_OF`, opened with the probability of their cell.

    Where tastes changed two weeks ago, `before` is what it was until then.
    """
    rng = np.random.default_rng(seed)
    made = make_dataset(n, rng=rng)
    moments = np.datetime64("2026-03-01", "us") - (days_ago * 86400e6).astype("timedelta64[us]")
    segment = np.array(["abc".index(name) for name in made.segments])
    chances = p[segment, made.channel]
    if before is not None:
        chances = np.where(days_ago < 14, chances, before[segment, made.channel])
    return with_opens(replace(made, moments=moments), chances, rng)


@pytest.fixture(scope="module")
def model() -> ChannelModel:
    """What was learned before anything changed."""
    return believe(make_messages(60_000, BEFORE, days_ago=np.full(60_000, 90.0), seed=1))


def read(model: ChannelModel, outcome: Outcome = Outcome.OPENED) -> Floats:
    """Log-odds of an outcome by segment (a, b, c, unknown) and channel."""
    n = len(CHANNELS)
    sendings = model.describe(
        np.zeros((4 * n, len(model.signature.names))),
        channel=np.tile(np.arange(n), 4),
        trigger=Trigger.ABANDONED_CART,
        segments=np.repeat(np.array(["a", "b", "c", None], dtype=object), n).tolist(),
    )
    return logit(model.predict(outcome, sendings)).reshape(4, n)


def test_a_change_of_tastes_is_found_which_the_model_alone_misses(model: ChannelModel) -> None:
    after = BEFORE.copy()
    after[0, EMAIL], after[0, SMS] = expit(0.0), expit(-2.0)
    days_ago = np.random.default_rng(2).uniform(7, 28, size=20_000)
    recent = make_messages(20_000, after, days_ago=days_ago, seed=3)

    found = read(correct_readers(model, recent, as_of=AS_OF))[:3]

    assert np.abs(found - logit(after)).max() < 0.35
    assert np.abs(read(model)[:3] - logit(after)).max() > 0.9


def test_where_nothing_has_changed_next_to_nothing_is_added(model: ChannelModel) -> None:
    days_ago = np.random.default_rng(4).uniform(7, 28, size=20_000)
    recent = make_messages(20_000, BEFORE, days_ago=days_ago, seed=5)
    moved = read(correct_readers(model, recent, as_of=AS_OF)) - read(model)
    assert np.abs(moved).max() < 0.1


def test_few_messages_move_little(model: ChannelModel) -> None:
    after = BEFORE.copy()
    after[0, EMAIL] = 0.9
    recent = make_messages(60, after, days_ago=np.full(60, 8.0), seed=6)
    moved = read(correct_readers(model, recent, as_of=AS_OF)) - read(model)
    assert 0.0 < np.abs(moved).max() < 0.5


def test_newer_messages_count_for_more(model: ChannelModel) -> None:
    """Of three weeks the last has changed: a mean over all would find a third of it."""
    after = expit(logit(BEFORE) + 1.0)
    days_ago = np.linspace(7, 28, 22_500)
    recent = make_messages(22_500, after, days_ago=days_ago, seed=7, before=BEFORE)
    moved = read(correct_readers(model, recent, as_of=AS_OF)) - read(model)
    assert 0.5 < moved.mean() < 0.9


def test_everybody_reads_a_channel_otherwise_those_of_unknown_segments_too(
    model: ChannelModel,
) -> None:
    after = BEFORE.copy()
    after[:, EMAIL] = expit(0.0)
    days_ago = np.random.default_rng(9).uniform(7, 28, size=20_000)
    recent = make_messages(20_000, after, days_ago=days_ago, seed=10)
    moved = read(correct_readers(model, recent, as_of=AS_OF)) - read(model)
    assert moved[3, EMAIL] > 0.5
    assert abs(moved[3, SMS]) < 0.2


def test_silence_is_no_change(model: ChannelModel) -> None:
    recent = make_dataset(1_000, rng=np.random.default_rng(11))
    assert correct_readers(model, recent, as_of=AS_OF) is model


@pytest.fixture(scope="module")
def trained(shop_tables: Tables, shop_end: datetime) -> ChannelModel:
    dataset = build_channel_dataset(shop_tables, known_until=shop_end - timedelta(days=40))
    assert isinstance(dataset, ChannelDataset)
    found = train_channel(dataset, seed=1)
    assert isinstance(found, TrainedChannel)
    return found.model


def test_following_reads_the_weeks_that_are_known_and_no_more(
    trained: ChannelModel, shop_tables: Tables, shop_end: datetime
) -> None:
    as_of = shop_end - timedelta(days=10)
    known = dict(shop_tables)
    sent_at, at = known["messages"]["sent_at"], known["outcomes"]["at"]
    known["messages"] = known["messages"][sent_at < as_of]
    known["outcomes"] = known["outcomes"][at < as_of]
    known["activity"] = known["activity"][known["activity"]["at"] < as_of]

    followed = follow_readers(trained, shop_tables, as_of=as_of)

    assert followed.to_json() == follow_readers(trained, known, as_of=as_of).to_json()
    opened, converted = (
        read(followed, outcome) - read(trained, outcome)
        for outcome in (Outcome.OPENED, Outcome.CONVERTED)
    )
    assert np.abs(opened).max() > 0.01
    assert np.corrcoef(opened.ravel(), converted.ravel())[0, 1] > 0.9  # it follows reading
    assert (
        follow_readers(trained, {**known, "messages": known["messages"].iloc[:0]}, as_of=as_of)
        is trained
    )


def test_of_very_many_messages_some_are_looked_at(
    trained: ChannelModel,
    shop_tables: Tables,
    shop_end: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_of = shop_end - timedelta(days=10)
    looked: list[int] = []

    def build(*args: object, among: pd.DataFrame, **named: object) -> ChannelDataset:
        looked.append(len(among))
        built = build_channel_dataset(*args, among=among, **named)  # type: ignore[arg-type]  # passed on
        assert isinstance(built, ChannelDataset)
        return built

    monkeypatch.setattr(following, "build_channel_dataset", build)
    all_of_them = follow_readers(trained, shop_tables, as_of=as_of)
    monkeypatch.setattr(following, "MOST_MESSAGES", 300)
    some = follow_readers(trained, shop_tables, as_of=as_of)

    assert looked[0] > 600
    assert 150 < looked[1] <= 300
    assert some.to_json() != all_of_them.to_json()
