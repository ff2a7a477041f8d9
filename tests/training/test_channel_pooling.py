"""What is pooled, from the beliefs up to the customer, on messages whose truth is known."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.channel_priors import default_channel_priors, load_channel_priors
from features.errors import ConfigurationError
from features.vocabulary import Channel, Outcome, Trigger
from tests.channel_beliefs import believe
from training.channel.calibration import fit_levels, fit_slopes
from training.channel.calls import measure_prevented
from training.channel.cells import count_cells
from training.channel.habits import measure_habits
from training.channel.hours import HourlyMessages, fit_hours
from training.channel.pooling import pool_rates
from training.channel.reach import estimate_acted_per_open
from training.datasets.channel import ChannelDataset
from training.datasets.provenance import Provenance
from training.measures import Floats
from training.registry.servable import (
    CHANNELS,
    ORDERS,
    OUTCOMES,
    TRIGGERS,
    Calibration,
    ChannelModel,
    FeatureSignature,
    Level,
    Measured,
    OutcomeModel,
    OwnHistory,
)

PRIORS = default_channel_priors()
NAMES = tuple(name for pair in OwnHistory.feature_names() for name in pair)
SIGNATURE = FeatureSignature(NAMES, "d")
EMAIL, SMS, PUSH = (CHANNELS.index(c) for c in (Channel.EMAIL, Channel.SMS, Channel.PUSH))
CART, SHIPPED = TRIGGERS.index(Trigger.ABANDONED_CART), TRIGGERS.index(Trigger.ORDER_SHIPPED)
BELIEVED = believe(SIGNATURE)


def make_dataset(n: int, *, rng: np.random.Generator, trigger: int = CART) -> ChannelDataset:
    """Messages to customers of three segments on channels drawn evenly, of which nothing comes."""
    nothing = np.zeros(n, dtype=bool)
    segments = np.array(["a", "b", "c"], dtype=object)[rng.integers(3, size=n)]
    return ChannelDataset(
        X=np.zeros((n, len(NAMES))),
        channel=rng.integers(len(CHANNELS), size=n),
        trigger=np.full(n, trigger),
        segments=segments,
        languages=np.full(n, "en", dtype=object),
        hour=rng.integers(9, 21, size=n),
        targets=dict.fromkeys(OUTCOMES, nothing),
        value_cents=np.full(n, np.nan),
        called=nothing,
        customers=np.array([f"c{i}" for i in range(n)], dtype=object),
        moments=np.full(n, np.datetime64("2026-01-01", "us")),
        randomised=True,
        monthly_cents=0.0,
        provenance=Provenance(SIGNATURE, "f", (), datetime(2026, 2, 1, tzinfo=UTC)),
    )


def with_opens(dataset: ChannelDataset, p: Floats, rng: np.random.Generator) -> ChannelDataset:
    targets = {**dataset.targets, Outcome.OPENED: rng.random(len(p)) < p}
    return replace(dataset, targets=targets)


def believe(dataset: ChannelDataset) -> ChannelModel:
    """The beliefs with opens pooled from these messages."""
    rates = pool_rates(count_cells(dataset, Outcome.OPENED), Outcome.OPENED, priors=PRIORS)
    raw = (Calibration(),) * len(CHANNELS)
    typical = np.full((len(rates.segments.values) + 1, len(CHANNELS)), 0.2)
    return replace(
        BELIEVED,
        own=OwnHistory(OwnHistory.feature_names(), 5.0, typical),
        outcomes={**BELIEVED.outcomes, Outcome.OPENED: OutcomeModel(rates, None, raw)},
    )


def ask(
    model: ChannelModel,
    *,
    channel: int,
    trigger: Trigger = Trigger.ABANDONED_CART,
    segment: str | None = None,
    sent: int = 0,
    opened: int = 0,
) -> tuple[float, Level]:
    """P(opened) of a message to one customer, and where it came from."""
    X = np.zeros((1, len(NAMES)))
    X[0, [NAMES.index(name) for name in OwnHistory.feature_names()[channel]]] = sent, opened
    sending = model.describe(X, channel=np.array([channel]), trigger=trigger, segments=[segment])
    p = model.predict(Outcome.OPENED, sending)
    return float(p[0]), model.find_levels(Outcome.OPENED, sending)[0]


@given(st.sampled_from(OUTCOMES), st.sampled_from(list(Trigger)), st.sampled_from(list(Channel)))
def test_without_messages_the_answer_is_the_prior_and_says_so(
    outcome: Outcome, trigger: Trigger, channel: Channel
) -> None:
    sending = BELIEVED.describe(
        np.zeros((1, len(NAMES))),
        channel=np.array([CHANNELS.index(channel)]),
        trigger=trigger,
        segments=["never heard of"],
    )
    expected = PRIORS.rate(outcome, trigger=trigger, channel=channel)
    assert BELIEVED.predict(outcome, sending)[0] == pytest.approx(expected)
    assert BELIEVED.find_levels(outcome, sending)[0] is Level.PRIOR


def test_priors_are_the_designs() -> None:
    cart = PRIORS.opened[Trigger.ABANDONED_CART]
    assert [cart[c] for c in (Channel.EMAIL, Channel.SMS, Channel.PUSH)] == [0.15, 0.12, 0.08]
    shipped = PRIORS.opened[Trigger.ORDER_SHIPPED]
    assert [shipped[c] for c in (Channel.SMS, Channel.EMAIL, Channel.PUSH)] == [0.25, 0.20, 0.18]


def test_priors_with_holes_name_each_of_them(tmp_path: Path) -> None:
    data = PRIORS.model_dump(mode="json")
    del data["opened"]["inactivity"]["push"], data["delivered"]["sms"]
    data["clicked_of_opened"] = 2.0
    file = tmp_path / "priors.yaml"
    file.write_text(json.dumps(data))
    with pytest.raises(ConfigurationError, match="clicked_of_opened"):
        load_channel_priors(file)
    data["clicked_of_opened"] = 0.1
    file.write_text(json.dumps(data))
    with pytest.raises(ConfigurationError, match=r"delivered\.sms, opened\.inactivity\.push"):
        load_channel_priors(file)


def test_answers_move_from_the_prior_to_the_rate_as_messages_come() -> None:
    found, levels = [], []
    for n in (20, 200, 20_000):
        rng = np.random.default_rng(1)
        dataset = make_dataset(n, rng=rng)
        model = believe(with_opens(dataset, np.full(n, 0.5), rng))
        p, level = ask(model, channel=EMAIL)
        found.append(p)
        levels.append(level)
    assert 0.15 < found[0] < 0.45
    assert abs(found[1] - 0.5) < 0.5 - found[0]
    assert found[2] == pytest.approx(0.5, abs=0.03)
    assert levels[-1] is Level.POPULATION


def test_segments_are_told_apart_where_they_differ_and_unknown_ones_get_the_mean() -> None:
    rng = np.random.default_rng(2)
    dataset = make_dataset(12_000, rng=rng)
    likes_sms = (dataset.segments == "a") & (dataset.channel == SMS)
    model = believe(with_opens(dataset, np.where(likes_sms, 0.6, 0.2), rng))
    p_own, level = ask(model, channel=SMS, segment="a")
    p_unknown, level_unknown = ask(model, channel=SMS, segment="never seen")
    assert p_own == pytest.approx(0.6, abs=0.04)
    assert ask(model, channel=SMS, segment="b")[0] == pytest.approx(0.2, abs=0.04)
    assert 0.25 < p_unknown < 0.45
    assert (level, level_unknown) == (Level.SEGMENT, Level.POPULATION)


def test_small_segment_is_shrunk_where_its_raw_rate_runs_wild() -> None:
    rng = np.random.default_rng(3)
    dataset = make_dataset(9_000, rng=rng)
    small = np.arange(9_000) < 4
    dataset = replace(dataset, segments=np.where(small, "tiny", dataset.segments))
    dataset = with_opens(dataset, np.where(small, 1.0, 0.2), rng)  # all four opened
    p, level = ask(believe(dataset), channel=EMAIL, segment="tiny")
    assert 0.2 < p < 0.7
    assert level in (Level.SEGMENT, Level.POPULATION)


def test_customers_own_answers_count_as_they_become_many() -> None:
    model = believe(make_dataset(0, rng=np.random.default_rng(0)))
    base, level = ask(model, channel=PUSH)
    assert level is Level.PRIOR
    little, level = ask(model, channel=PUSH, sent=3, opened=3)
    assert level is Level.PRIOR
    assert base < little
    much, level = ask(model, channel=PUSH, sent=60, opened=48)
    assert level is Level.CUSTOMER
    assert little < much
    assert ask(model, channel=PUSH, sent=60, opened=0)[0] < base
    assert ask(model, channel=EMAIL, sent=0)[1] is Level.PRIOR


def test_hours_are_found_smooth_and_around_the_mean_message() -> None:
    rng = np.random.default_rng(4)
    n = 40_000
    hour = rng.integers(9, 21, size=n)
    channel = rng.integers(2, size=n)
    truth = np.where(channel == 1, np.cos((np.arange(24)[hour] - 9) / 12 * 2 * np.pi) * 0.5, 0.0)
    labels = rng.random(n) < 1 / (1 + np.exp(-(truth - 1.0)))
    hours = fit_hours(HourlyMessages(np.full(n, -1.0), labels, channel, hour))
    assert np.abs(hours[0, 9:21]).max() < 0.12
    assert hours[1, 9] - hours[1, 15] == pytest.approx(1.0, abs=0.25)
    for at in range(2):
        assert hours[at][hour[channel == at]].mean() == pytest.approx(0.0, abs=1e-9)
    assert (hours[:, -1] == 0).all()
    assert (hours[2:] == 0).all()


def test_calibration_of_a_channel_is_its_own_where_it_has_much_and_common_where_little() -> None:
    rng = np.random.default_rng(5)
    n = 20_000
    channel = np.where(np.arange(n) < 20, SMS, np.where(rng.random(n) < 0.5, EMAIL, PUSH))
    z = rng.normal(-1.5, 0.7, size=n)
    shift = np.where(channel == PUSH, -0.6, 0.0)
    labels = rng.random(n) < 1 / (1 + np.exp(-(z + shift)))
    slopes = fit_slopes(z, labels=labels, channel=channel)
    fitted = fit_levels(z, labels=labels, channel=channel, slopes=slopes)
    for at in (EMAIL, PUSH):
        rows = channel == at
        p = fitted[at].apply(1 / (1 + np.exp(-z[rows])))
        assert p.mean() == pytest.approx(labels[rows].mean(), abs=0.01)
    common = np.mean([fitted[at].intercept for at in (EMAIL, PUSH)])
    assert fitted[SMS].intercept == pytest.approx(common, abs=0.25)


def test_log_odds_that_lie_too_far_apart_are_drawn_together() -> None:
    rng = np.random.default_rng(15)
    z = rng.normal(-2.0, 1.0, size=30_000)
    channel = rng.integers(2, size=len(z))
    labels = rng.random(len(z)) < 1 / (1 + np.exp(-(z * 0.6 - 0.5)))
    slopes = fit_slopes(z, labels=labels, channel=channel)
    assert slopes[:2] == pytest.approx(0.6, abs=0.05)


def test_level_of_rare_outcomes_is_that_of_all_messages_not_of_the_latest() -> None:
    """Rates of all messages are right; the later fifth by chance, or in passing, has half more."""
    rng = np.random.default_rng(16)
    n = 50_000
    z, channel = rng.normal(-6.0, 0.5, size=n), rng.integers(5, size=n)
    later = np.arange(n) >= 40_000
    labels = rng.random(n) < 1 / (1 + np.exp(-(z + np.where(later, 0.5, 0.0))))
    slopes = fit_slopes(z[later], labels=labels[later], channel=channel[later])
    assert slopes == pytest.approx(1.0, abs=0.25)
    fitted = fit_levels(z, labels=labels, channel=channel, slopes=slopes)
    p = np.array([fitted[c].apply(1 / (1 + np.exp(-z[channel == c]))).sum() for c in range(5)])
    assert p.sum() == pytest.approx(labels.sum(), rel=0.02)
    held_out = labels[later].mean() / (1 / (1 + np.exp(-z[later]))).mean()
    assert held_out > 1.2 > p.sum() / (1 / (1 + np.exp(-z))).sum()


def test_orders_of_customers_tell_how_much_they_differ() -> None:
    rng = np.random.default_rng(17)
    n, mean, shape = 20_000, 3.0, 2.0
    orders = rng.poisson(rng.gamma(shape, mean / shape, size=n)).astype(float)
    dataset = make_dataset(n, rng=rng)
    signature = FeatureSignature((ORDERS,), "x")
    dataset = replace(
        dataset, X=orders[:, None], provenance=replace(dataset.provenance, signature=signature)
    )
    found = measure_habits(dataset)
    assert found is not None
    assert (found.mean, found.shape) == pytest.approx((mean, shape), rel=0.1)
    alike = measure_habits(replace(dataset, X=np.full((n, 1), 3.0)))
    assert alike is not None
    assert alike.relate(np.array([0.0, 9.0])) == pytest.approx(1.0, abs=1e-4)
    assert measure_habits(replace(dataset, X=np.zeros((n, 1)))) is None
    assert measure_habits(make_dataset(n, rng=rng)) is None


def test_open_of_a_channel_stands_for_what_its_readers_do() -> None:
    rng = np.random.default_rng(6)
    dataset = make_dataset(60_000, rng=rng)
    seen = rng.random(60_000) < 0.4
    reported = np.where(dataset.channel == SMS, 0.4, 1.0)
    opened = seen & (rng.random(60_000) < reported)
    converted = seen & (rng.random(60_000) < 0.1)
    targets = {**dataset.targets, Outcome.OPENED: opened, Outcome.CONVERTED: converted}
    acted = estimate_acted_per_open(replace(dataset, targets=targets))
    assert acted[Channel.EMAIL] == 1.0
    assert acted[Channel.SMS] == pytest.approx(2.5, rel=0.15)
    assert acted[Channel.PUSH] == pytest.approx(1.0, rel=0.15)
    assert set(estimate_acted_per_open(dataset).values()) == {1.0}


def test_prevented_calls_are_measured_where_readers_and_others_cannot_be_compared() -> None:
    """Who reads messages also calls more: readers against others would say that messages harm."""
    rng = np.random.default_rng(7)
    n, truth = 120_000, 0.15
    dataset = make_dataset(n, rng=rng, trigger=SHIPPED)
    eager = dataset.segments == "a"
    p_seen = np.where(dataset.channel == SMS, 0.7, 0.2) * np.where(eager, 1.2, 0.6)
    seen = rng.random(n) < p_seen
    called = rng.random(n) < np.where(eager, 0.75, 0.2) - truth * seen
    dataset = replace(with_opens(dataset, np.zeros(n), rng), called=called)
    dataset = replace(dataset, targets={**dataset.targets, Outcome.OPENED: seen})
    found = measure_prevented(believe(dataset), dataset)[Trigger.ORDER_SHIPPED]
    assert isinstance(found, Measured)
    assert found.value == pytest.approx(truth, abs=3 * found.error)
    assert found.error < truth / 4
    naive = called[~seen].mean() - called[seen].mean()
    assert naive < truth / 2
    assert measure_prevented(believe(dataset), replace(dataset, randomised=False)) == {}


def test_model_is_read_back_as_it_was_written() -> None:
    rng = np.random.default_rng(8)
    model = believe(with_opens(make_dataset(500, rng=rng), np.full(500, 0.3), rng))
    model = replace(model, prevented={Trigger.ORDER_SHIPPED: Measured(0.04, 0.02)})
    read = ChannelModel.from_json(json.loads(json.dumps(model.to_json())))
    assert json.dumps(read.to_json()) == json.dumps(model.to_json())
    sendings = model.describe_channels(
        np.zeros((2, len(NAMES))), trigger=Trigger.PRICE_DROP, segments=["a", None]
    )
    for outcome in OUTCOMES:
        np.testing.assert_array_equal(
            read.predict(outcome, sendings), model.predict(outcome, sendings)
        )
