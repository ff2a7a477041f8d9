from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from features.economics import default_economics
from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from training.world.scenario import HOSTILE, SEASONAL_CHANGE, TINY_TRAFFIC
from training.world.simulated import SimulatedWorld

CHANNELS = [channel.value for channel in Channel]


def candidates_for(
    world: SimulatedWorld,
    conditions: pd.DataFrame,
    *,
    hours: float = 1.0,
    variant: str | None = None,
) -> pd.DataFrame:
    """Each condition on each channel."""
    frame = conditions.merge(pd.DataFrame({"channel": CHANNELS}), how="cross")
    send_at = pd.Timestamp(world.now) + pd.Timedelta(hours=hours)
    return frame.assign(send_at=send_at, variant=pd.Series([variant] * len(frame), dtype="str"))


def mean_value(world: SimulatedWorld, candidates: pd.DataFrame, trigger: str) -> float:
    of_trigger = candidates[candidates["trigger"] == trigger]
    assert len(of_trigger) > 20
    return float(world.true_value(of_trigger).mean())


def test_terms_add_up_and_have_their_signs(history: SimulatedWorld) -> None:
    candidates = candidates_for(history, history.conditions())
    terms = history.true_terms(candidates)
    parts = vars(terms)
    assert history.true_value(candidates) == pytest.approx(sum(parts.values()))
    # An order may bring less margin than the calls about its parcel cost, a prevented call never.
    service = candidates["trigger"].isin([t for t in Trigger if t.is_service])
    assert (terms.gain[service] >= 0).all()
    assert terms.gain[~service].mean() > 0
    assert (terms.kept >= 0).all()
    for loss in ("send_cost", "irritated", "unsubscribed", "worn"):
        assert (parts[loss] <= 0).all(), loss


def test_a_message_about_nothing_has_only_costs(history: SimulatedWorld) -> None:
    true = history.conditions()
    everyone = history.tables(history.now)["customers"][["customer_id"]]
    pairs = everyone.merge(
        pd.DataFrame({"trigger": ["abandoned_cart", "delivery_delay"]}), how="cross"
    )
    merged = pairs.merge(true, on=["customer_id", "trigger"], how="left", indicator=True)
    untrue = merged[merged["_merge"] == "left_only"][["customer_id", "trigger"]]
    terms = history.true_terms(candidates_for(history, untrue))
    assert len(untrue) > 500
    assert (terms.gain == 0).all()
    assert (terms.kept == 0).all()
    assert (terms.total <= terms.send_cost).all()
    assert (terms.total < terms.send_cost).mean() > 0.4


def test_without_consent_or_customer_only_the_sending_costs(world: SimulatedWorld) -> None:
    tables = world.tables(world.now)
    candidates = candidates_for(world, world.conditions()).merge(
        tables["customers"], on="customer_id"
    )
    consent = np.zeros(len(candidates), dtype=bool)
    for channel in CHANNELS:
        given = candidates[f"consent_{channel}"].fillna(False).astype("bool")
        consent |= (candidates["channel"] == channel) & given
    values = world.true_value(candidates)
    costs = candidates["channel"].map(default_economics().send_cents).to_numpy()
    assert values[~consent] == pytest.approx(-costs[~consent])
    canceled = tables["subscriptions"].query("status == 'canceled'")["customer_id"]
    left = pd.DataFrame({"customer_id": canceled, "trigger": "inactivity"})
    gone = candidates_for(world, left)
    assert world.true_value(gone) == pytest.approx(
        -gone["channel"].map(default_economics().send_cents).to_numpy()
    )


def test_a_value_does_not_depend_on_the_other_candidates(history: SimulatedWorld) -> None:
    candidates = candidates_for(history, history.conditions(), variant="v")
    values = history.true_value(candidates)
    some = np.random.default_rng(1).permutation(len(candidates))[:50]
    assert history.true_value(candidates.iloc[some]) == pytest.approx(values[some])


def test_a_notice_over_two_channels_gains_once(history: SimulatedWorld) -> None:
    conditions = history.conditions()
    of_service = conditions[conditions["trigger"].isin([t for t in Trigger if t.is_service])]
    each = candidates_for(history, of_service.reset_index(drop=True))
    told = each[each["channel"].isin(["sms", "push"])].reset_index(drop=True)
    alone = history.true_value(told)
    asked = told.assign(notice=told["customer_id"] + told["trigger"])
    together = pd.Series(history.true_value_of_notices(asked)).groupby(asked["notice"]).sum()
    upside_down = history.true_value_of_notices(asked[::-1])

    gain, terms = history.true_terms(told).gain, pd.Series(alone).groupby(asked["notice"])
    assert len(together) > 20
    assert (together <= terms.sum() + 1e-9).all()
    least = (terms.sum() - pd.Series(gain).groupby(asked["notice"]).min()).to_numpy()
    assert (together >= least - 1e-6).all()
    assert (together < terms.sum() - 1e-3).mean() > 0.3  # what a sum would overrate
    back = pd.Series(upside_down).groupby(asked["notice"][::-1].to_numpy()).sum()
    assert together.to_numpy() == pytest.approx(back.to_numpy())
    own = history.true_value_of_notices(told.assign(notice=range(len(told))))
    assert own == pytest.approx(alone)
    with pytest.raises(BadInputError, match="expected a column notice"):
        history.true_value_of_notices(told)


def test_asking_changes_nothing(world: SimulatedWorld, history: SimulatedWorld) -> None:
    world.true_value(candidates_for(world, world.conditions()))
    end = world.start + timedelta(days=3)
    world.advance(end)
    orders = world.tables(world.start)["orders"]
    pd.testing.assert_frame_equal(orders, history.tables(history.start)["orders"])


@pytest.mark.parametrize("trigger", ["abandoned_cart", "price_drop", "order_shipped"])
def test_waiting_costs_value(history: SimulatedWorld, trigger: str) -> None:
    # The same local hour, so that only time has passed.
    soon, later = (
        candidates_for(history, history.conditions(), hours=hours) for hours in (9, 9 + 7 * 24)
    )
    gains = [history.true_terms(c[c["trigger"] == trigger]).gain.mean() for c in (soon, later)]
    assert gains[0] > 1.5 * gains[1]


def test_variants_matter_and_null_is_their_mean(history: SimulatedWorld) -> None:
    conditions = history.conditions()
    carts = conditions[conditions["trigger"] == "abandoned_cart"]
    gains = [
        history.true_terms(candidates_for(history, carts, variant=f"v{n}")).gain.mean()
        for n in range(40)
    ]
    average = history.true_terms(candidates_for(history, carts)).gain.mean()
    assert np.mean(gains) == pytest.approx(average, rel=0.1)
    assert max(gains) > 1.15 * average


def test_a_message_on_top_of_others_is_worth_less(world: SimulatedWorld) -> None:
    conditions = world.conditions().drop_duplicates("customer_id")
    conditions = conditions[conditions["trigger"] == "abandoned_cart"]
    tomorrow = candidates_for(world, conditions, hours=30)
    before = world.true_terms(tomorrow)
    burst = pd.concat([conditions.assign(n=n) for n in range(4)], ignore_index=True)
    world.deliver(
        pd.DataFrame(
            {
                "message_id": [f"q{n}" for n in range(len(burst))],
                "decision_id": "q",
                "customer_id": burst["customer_id"],
                "trigger": "incident_update",
                "channel": "email",
                "variant": pd.Series([None] * len(burst), dtype="str"),
                "sent_at": pd.Timestamp(world.now) + pd.to_timedelta(burst["n"], unit="min"),
                "arm": "rules",
                "propensity": 1.0,
                "cost_cents": 0.1,
            }
        )
    )
    now = world.now
    world.advance(now + timedelta(minutes=10))
    after = world.true_terms(tomorrow)
    assert after.gain.mean() < 0.85 * before.gain.mean()
    assert after.irritated.mean() < 1.2 * before.irritated.mean() < 0


def test_who_was_won_already_gains_nothing_more(world: SimulatedWorld) -> None:
    conditions = world.conditions().query("trigger == 'order_shipped'")
    sms = candidates_for(world, conditions).query("channel == 'sms'")
    before = world.true_terms(sms).gain
    waves = [
        sms.assign(
            message_id=[f"{wave}-{n}" for n in range(len(sms))],
            decision_id="d",
            sent_at=pd.Timestamp(world.now) + pd.Timedelta(minutes=wave),
            arm="rules",
            propensity=1.0,
            cost_cents=4.0,
        )
        for wave in range(6)
    ]
    world.deliver(pd.concat(waves, ignore_index=True))
    world.advance(world.now + timedelta(minutes=30))
    after = world.true_terms(sms).gain
    assert ((before > 0) & (after == 0)).mean() > 0.25


def test_nothing_is_worth_sending_in_the_hostile_world() -> None:
    world = SimulatedWorld(seed=3, n_customers=300, days=30, scenario=HOSTILE)
    values = world.true_value(candidates_for(world, world.conditions()))
    assert len(values) > 500
    assert (values <= 0).all()
    assert values.mean() < -0.5


def test_tastes_change_in_season() -> None:
    world = SimulatedWorld(seed=3, n_customers=300, days=30, scenario=SEASONAL_CHANGE)
    risk = world.tables(world.now)["customers"][["customer_id"]].assign(trigger="inactivity")
    silent = world.conditions().merge(risk, on=["customer_id", "trigger"])

    def by_channel(hours: float) -> pd.Series:
        candidates = candidates_for(world, silent, hours=hours, variant="v")
        return candidates.assign(gain=world.true_terms(candidates).gain).pivot_table(
            index="customer_id", columns="channel", values="gain"
        )

    # Weeks apart to the hour: two before the change after thirty days, one after it.
    first, second, third = (by_channel(24 * day) for day in (14, 28, 35))
    assert (first.idxmax(axis=1) == second.idxmax(axis=1)).mean() > 0.95
    assert (second.idxmax(axis=1) == third.idxmax(axis=1)).mean() < 0.6


def test_tiny_traffic_has_few_occasions(history: SimulatedWorld) -> None:
    world = SimulatedWorld(seed=11, n_customers=500, days=70, scenario=TINY_TRAFFIC)
    few, many = (w.conditions()["trigger"].value_counts() for w in (world, history))
    for trigger in ("abandoned_cart", "browse_abandonment", "price_drop", "order_shipped"):
        assert few.get(trigger, 0) < 0.3 * many[trigger], trigger


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"send_at": pd.Timestamp("2026-03-15 23:59", tz="UTC")}, "send_at.*not at or after"),
        ({"customer_id": "c999999"}, "customer_id.*c999999"),
        ({"channel": "fax"}, "channel.*fax"),
    ],
)
def test_true_value_refuses_what_cannot_be_sent(
    history: SimulatedWorld, change: dict[str, object], message: str
) -> None:
    candidates = candidates_for(history, history.conditions().head(1)).assign(**change)
    with pytest.raises(BadInputError, match=message):
        history.true_value(candidates)


def test_true_value_names_missing_columns(history: SimulatedWorld) -> None:
    candidates = candidates_for(history, history.conditions().head(1)).drop(columns="variant")
    with pytest.raises(BadInputError, match=r"candidates.*\['variant'\]"):
        history.true_value(candidates)
